//! What a person may do with an operation, read and performed: the API and the pages share this.

use axum::http::StatusCode;

use super::decisions::{self, Approving, Decided};
use super::policy::{self, Decider};
use crate::audit::Actor;
use crate::auth::{Permission, Principal};
use crate::dispatch::resolve::{self, Word};
use crate::error::{FieldProblem, Problem, Result};
use crate::operation::content::ContentDigest;
use crate::operation::content::Kind;
use crate::operation::store::{self, Operation};
use crate::state::AppState;
use crate::twilio::Sid;

/// Longest reason or comment in characters.
const REASON_LIMIT: usize = 500;

/// An act as it was asked for: texts are checked here.
#[derive(Debug)]
pub(crate) enum Act {
    Approve { digest: String, comment: Option<String> },
    Reject { reason: String },
    Cancel { reason: Option<String> },
    Resolve { outcome: String, sid: Option<String>, reason: String },
    Acknowledge,
}

/// Performs an act, if this principal may and the operation still stands so.
pub(crate) async fn perform(
    app: &AppState,
    principal: &Principal,
    actor: &Actor,
    operation: &Operation,
    act: Act,
) -> Result<Decided> {
    let settings = app.settings.current();
    let decider = Decider { user: principal.user, token: principal.token() };
    let mode = app.config.mode;
    let decided = match act {
        Act::Approve { digest, comment } => {
            principal.require(Permission::Decide)?;
            let digest = ContentDigest::parse(&digest).ok_or_else(|| {
                wrong("digest", "The digest is not 64 hexadecimal digits. Take it from the operation.")
            })?;
            let comment = optional("comment", comment)?;
            let approval = policy::may_approve(&settings, mode, decider, operation.requested_by)?;
            let approving = Approving { digest, decider, approval, comment: comment.as_deref() };
            decisions::approve(&app.db, &app.clock, &settings, operation, &approving, actor).await?
        }
        Act::Reject { reason } => {
            principal.require(Permission::Decide)?;
            policy::may_decide(&settings, mode, decider)?;
            let reason = required("reason", &reason)?;
            decisions::reject(&app.db, &app.clock, operation, decider, &reason, actor).await?
        }
        Act::Cancel { reason } => {
            // One's own may always be withdrawn; another's only by those who decide.
            let is_own = operation.requested_by == principal.user;
            principal.require(if is_own { Permission::AskOperations } else { Permission::Decide })?;
            let reason = optional("reason", reason)?;
            decisions::cancel(&app.db, &app.clock, operation, decider, reason.as_deref(), actor).await?
        }
        Act::Resolve { outcome, sid, reason } => {
            principal.require(Permission::Decide)?;
            policy::may_decide(&settings, mode, decider)?;
            let word = word(app, operation, decider, &outcome, sid.as_deref())?;
            let reason = required("reason", &reason)?;
            match &word {
                Word::Sent(Some(sid)) => {
                    let credentials = app.vault.twilio().await?;
                    resolve::check_sid(operation, sid, &app.twilio, credentials.as_ref()).await?;
                }
                Word::SendAgain(_) => {
                    let credentials = app.vault.twilio().await?;
                    resolve::look_first(app, operation, credentials.as_ref()).await?;
                }
                Word::Sent(None) | Word::Failed => {}
            }
            let resolution = (decider, &word);
            resolve::resolve(&app.db, &app.clock, &settings, operation, resolution, &reason, actor).await?;
            Decided::Now
        }
        Act::Acknowledge => {
            principal.require(Permission::Decide)?;
            if store::acknowledge(&app.db, &app.clock, operation.id, principal.user, actor).await? {
                Decided::Now
            } else {
                Decided::Before
            }
        }
    };
    if decided == Decided::Now {
        app.changes.announce(operation.id);
        app.changes.wake();
    }
    Ok(decided)
}

fn word(app: &AppState, operation: &Operation, decider: Decider, outcome: &str, sid: Option<&str>) -> Result<Word> {
    let sid = sid.map(str::trim).filter(|sid| !sid.is_empty());
    match (outcome, sid) {
        ("sent", None) => Ok(Word::Sent(None)),
        ("sent", Some(sid)) => match Sid::parse(operation.kind, sid) {
            Some(sid) => Ok(Word::Sent(Some(sid))),
            None => Err(wrong("sid", sid_form(operation.kind)).into()),
        },
        (_, Some(_)) => Err(wrong("sid", "A SID belongs to the outcome `sent` only. Leave it out.").into()),
        ("failed", None) => Ok(Word::Failed),
        ("send_again", None) => {
            let settings = app.settings.current();
            let approval = policy::may_approve(&settings, app.config.mode, decider, operation.requested_by)?;
            Ok(Word::SendAgain(approval))
        }
        _ => Err(wrong("outcome", "The outcome is `sent`, `failed` or `send_again`.").into()),
    }
}

fn sid_form(kind: Kind) -> &'static str {
    match kind {
        Kind::Sms => "A message SID is SM or MM and 32 hexadecimal digits. Copy it from Twilio's console.",
        Kind::Call => "A call SID is CA and 32 hexadecimal digits. Copy it from Twilio's console.",
    }
}

fn required(field: &str, text: &str) -> Result<String, Problem> {
    optional(field, Some(text.to_owned()))?
        .ok_or_else(|| wrong(field, "A reason is needed: it is kept, and others read it."))
}

fn optional(field: &str, text: Option<String>) -> Result<Option<String>, Problem> {
    if text.as_ref().is_some_and(|text| text.chars().count() > REASON_LIMIT) {
        return Err(wrong(field, &format!("Keep it under {REASON_LIMIT} characters.")));
    }
    Ok(text.map(|text| text.trim().replace('\0', "")).filter(|text| !text.is_empty()))
}

fn wrong(field: &str, message: &str) -> Problem {
    Problem { status: StatusCode::BAD_REQUEST, ..Problem::invalid_fields(vec![FieldProblem::new(field, message)]) }
}
