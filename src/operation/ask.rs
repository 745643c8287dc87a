//! The one way in: every entrance (API, page form) asks through [`ask`], which replays a known key before any policy,
//! applies the guard, obtains the gate's verdict and commits.

use axum::http::StatusCode;

use super::content::{Content, Kind};
use super::request::Request;
use super::store::{self, Asking, Created, Operation};
use crate::approval::gate;
use crate::audit::Actor;
use crate::auth::{Permission, Principal};
use crate::error::{Error, Problem, Result};
use crate::id::OperationId;
use crate::idempotency::{self, IdempotencyKey, KeyUse, KnownKey};
use crate::state::AppState;

/// The route's name in the scope of a key. A page and the API share it, so that a key means one operation.
const fn route(kind: Kind) -> &'static str {
    match kind {
        Kind::Sms => "twilio.send-sms",
        Kind::Call => "twilio.make-call",
    }
}

/// Who asks, and through what.
pub(crate) struct Asker<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) actor: &'a Actor,
    /// `page` or `api`.
    pub(crate) source: &'static str,
}

/// What was asked for, as it stands.
pub(crate) struct Asked {
    pub(crate) operation: Operation,
    pub(crate) key: IdempotencyKey,
    /// The key was known: nothing happened.
    pub(crate) replayed: bool,
}

/// Asks for one SMS or call. The operation is committed before this returns.
pub(crate) async fn ask(
    app: &AppState,
    asker: &Asker<'_>,
    request: Request,
    key: Option<IdempotencyKey>,
) -> Result<Asked> {
    asker.principal.require(Permission::AskOperations)?;
    let settings = app.settings.current();
    let mode = app.config.mode;
    let key = required(key, app)?;
    let owner = asker.principal.user;
    let route = route(request.payload.kind());
    let used = KeyUse { owner, mode, route, key, fingerprint: request.fingerprint(mode) };

    let usual_sender = match &request.from {
        Some(_) => None,
        None => app.vault.phone_number().await?,
    };
    let Some(from) = request.from.or(usual_sender) else {
        // A replay needs no sender: it was settled when the key was first used.
        return match idempotency::find(&app.db, &app.clock, &used).await? {
            Some(known) => replay(app, used, known).await,
            None => Err(no_sender().into()),
        };
    };
    let content = Content { mode, to: request.to, from, payload: request.payload };
    let asking = Asking {
        content: &content,
        key: &used,
        token: asker.principal.token(),
        source: asker.source,
        note: request.note.as_deref(),
        actor: asker.actor,
        verdict: gate::judge(&settings),
    };
    match store::create(&app.db, &app.clock, &settings, &asking).await? {
        Created::New(id) => {
            tracing::info!(event = "idempotency.recorded", operation = %id, key = used.key.as_str(), "recorded");
            let event = if asking.verdict.is_granted() { "approval.granted" } else { "approval.held" };
            tracing::info!(event, operation = %id, rule = asking.verdict.rule(), to = content.to.masked(), %mode);
            app.changes.announce(id);
            Ok(Asked { operation: load(app, id).await?, key: used.key, replayed: false })
        }
        Created::Known(known) => replay(app, used, known).await,
        Created::Held(reason) => Err(on_hold(&reason).into()),
        Created::DoNotContact(reason) => Err(do_not_contact(&reason).into()),
    }
}

/// The key that the caller gave, or one of ours where it may be left out.
pub(crate) fn required(key: Option<IdempotencyKey>, app: &AppState) -> Result<IdempotencyKey, Problem> {
    match key {
        Some(key) => Ok(key),
        None if app.settings.current().api.require_idempotency_key => Err(key_required()),
        None => Ok(IdempotencyKey::new_random()),
    }
}

async fn replay(app: &AppState, used: KeyUse, known: KnownKey) -> Result<Asked> {
    match known {
        KnownKey::Replay(id) => {
            tracing::info!(event = "idempotency.replay", operation = %id, key = used.key.as_str(), "replayed");
            let operation = load(app, id).await?;
            let key = used.key.clone();
            let (db, clock) = (app.db.clone(), app.clock.clone());
            app.tasks.tracker.spawn(async move {
                if let Err(error) = idempotency::count_replay(&db, &clock, &used).await {
                    tracing::debug!(event = "idempotency.not_counted", %error);
                }
            });
            Ok(Asked { operation, key, replayed: true })
        }
        KnownKey::Mismatch => {
            tracing::warn!(event = "idempotency.mismatch", key = used.key.as_str(), "another request with this key");
            Err(idempotency::mismatch().into())
        }
        KnownKey::Expired => Err(idempotency::expired().into()),
    }
}

async fn load(app: &AppState, id: OperationId) -> Result<Operation> {
    let operation = store::find(&app.db, &app.clock, app.config.mode, id).await?;
    operation.ok_or_else(|| Error::Internal(anyhow::anyhow!("operation {id} was committed and cannot be found")))
}

fn key_required() -> Problem {
    let detail = "An idempotency key is required here. Send it in the header Idempotency-Key; a UUID does well.";
    Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_required", detail)
}

fn no_sender() -> Problem {
    let detail = "There is no sender number. Store twilio_phone_number in the API Vault, or send `from`.";
    Problem::new(StatusCode::BAD_REQUEST, "no_sender_number", detail)
}

fn on_hold(reason: &str) -> Problem {
    let detail = format!("All sending is on hold: {reason}. An admin can resume it.");
    Problem::new(StatusCode::LOCKED, "on_hold", detail)
}

fn do_not_contact(reason: &str) -> Problem {
    let detail = format!("The recipient is on the do-not-contact list: {reason}. Nothing is sent to this number.");
    Problem::new(StatusCode::CONFLICT, "do_not_contact", detail)
}
