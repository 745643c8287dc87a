//! The one way in: every entrance (API, page form) asks through [`ask`], which replays a known key before any policy,
//! applies the guard, obtains the gate's verdict and commits.

use axum::http::StatusCode;

use super::audio_look;
use super::content::{Content, Kind};
use super::request::Request;
use super::status::State;
use super::store::{self, Asking, Created, Operation};
use crate::approval::gate;
use crate::audit::Actor;
use crate::auth::{Permission, Principal};
use crate::error::{Problem, Result};
use crate::idempotency::{self, IdempotencyKey, KeyUse};
use crate::phone::mask;
use crate::speech::speaking;
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
    /// `page`, `api` or `gateway`.
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
        None => app.vault.usual_sender().await?,
    };
    let from = request.from.or(usual_sender).ok_or_else(no_sender);
    let cannot_speak = match request.payload.speech() {
        Some(speech) => speaking::refusal(app, &settings, speech).await?,
        None => None,
    };
    let from = match (from, cannot_speak) {
        (Ok(from), None) => from,
        (Err(refusal), _) | (Ok(_), Some(refusal)) => {
            // A replay needs none of it: it was settled when the key was first used.
            let known = store::find_by_key(&app.db, &app.clock, &used).await?;
            return answer(app, used, known.ok_or(refusal)?);
        }
    };
    let look = audio_look::of_request(app, &request.payload, &used).await?;
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
    let created = store::create(&app.db, &app.clock, &settings, &asking).await?;
    audio_look::keep(app, &created, look).await;
    answer(app, used, created)
}

/// Tells everybody what became of it.
fn answer(app: &AppState, used: KeyUse, created: Created) -> Result<Asked> {
    match created {
        Created::New(operation) => {
            let Operation { id, state, gate_rule: rule, to_number, mode, .. } = &operation;
            tracing::info!(event = "idempotency.recorded", operation = %id, key = used.key.as_str(), "recorded");
            let event = match state {
                State::Approved => "approval.granted",
                State::Preparing => "voice.call.asked",
                _ => "approval.held",
            };
            tracing::info!(event, operation = %id, rule, to = mask(to_number), %mode);
            app.changes.announce(*id);
            match state {
                State::Approved => app.changes.wake(),
                State::Preparing => app.changes.speak(),
                _ => {}
            }
            Ok(Asked { operation, key: used.key, replayed: false })
        }
        Created::Replay(operation) => {
            let key = used.key.clone();
            tracing::info!(event = "idempotency.replay", operation = %operation.id, key = key.as_str(), "replayed");
            let (db, clock) = (app.db.clone(), app.clock.clone());
            app.tasks.tracker.spawn(async move {
                if let Err(error) = idempotency::count_replay(&db, &clock, &used).await {
                    tracing::debug!(event = "idempotency.not_counted", %error);
                }
            });
            Ok(Asked { operation, key, replayed: true })
        }
        Created::Mismatch => {
            tracing::warn!(event = "idempotency.mismatch", key = used.key.as_str(), "another request with this key");
            Err(idempotency::mismatch().into())
        }
        Created::Expired => Err(idempotency::expired().into()),
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
