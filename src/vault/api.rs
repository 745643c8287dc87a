//! The vault's addresses for scripts. Values go in and never come out.

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{Entry, Finding, SpeechVerification, VaultName, Verification};
use crate::access::{Access, Routes};
use crate::audit::Actor;
use crate::auth::{Permission, Principal, Refusal};
use crate::clock::rfc3339;
use crate::error::{Error, FieldProblem, Problem, Result};
use crate::state::AppState;
use crate::web::client::ClientAddress;
use crate::web::correlation::CorrelationId;
use crate::web::extract::{Json, Path};

/// The routes of the vault.
pub(crate) fn routes() -> Routes {
    let keeper = Access::Caller(Permission::ManageVault);
    Routes::new()
        .get("/api/vault", keeper, list)
        .post("/api/vault/verify", keeper, verify)
        .put("/api/vault/{name}", keeper, set)
        .delete("/api/vault/{name}", keeper, remove)
        .post("/api/vault/{name}/revoke-previous", keeper, revoke_previous)
}

/// Somebody who may manage the vault; anybody else is refused before anything is read.
struct Keeper(Actor);

impl FromRequestParts<AppState> for Keeper {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Refusal> {
        let principal = Principal::from_request_parts(parts, app).await?;
        principal.require(Permission::ManageVault).map_err(Error::from)?;
        let Ok(address) = ClientAddress::from_request_parts(parts, app).await;
        let Ok(correlation_id) = CorrelationId::from_request_parts(parts, app).await;
        Ok(Self(principal.actor(address, &correlation_id)))
    }
}

async fn list(State(app): State<AppState>, _: Keeper) -> Result<Json<Value>> {
    let entries: Vec<Value> = app.vault.list().await?.iter().map(document).collect();
    Ok(Json(json!({ "mode": app.config.mode, "entries": entries })))
}

async fn set(
    State(app): State<AppState>,
    Keeper(actor): Keeper,
    Path(name): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>> {
    let name = named(&name)?;
    app.vault.set(name, value(body)?, &actor).await?;
    changed(&app, name).await
}

async fn remove(State(app): State<AppState>, Keeper(actor): Keeper, Path(name): Path<String>) -> Result<Json<Value>> {
    let name = named(&name)?;
    if !app.vault.remove(name, &actor).await? {
        return Err(Problem::not_found(format!("Nothing is stored as {name}. There is nothing to remove.")).into());
    }
    changed(&app, name).await
}

async fn revoke_previous(
    State(app): State<AppState>,
    Keeper(actor): Keeper,
    Path(name): Path<String>,
) -> Result<Json<Value>> {
    let name = named(&name)?;
    if !app.vault.revoke_previous(name, &actor).await? {
        let detail = format!("No previous version of {name} is kept. There is nothing to revoke.");
        return Err(Problem::new(StatusCode::CONFLICT, "no_previous_version", detail).into());
    }
    changed(&app, name).await
}

async fn verify(State(app): State<AppState>, Keeper(actor): Keeper) -> Result<Json<Value>> {
    // At once: a slow answer of either must still fit into the time of one request.
    let (twilio, speech) =
        tokio::try_join!(app.vault.verify(&app.twilio, &actor), app.vault.verify_elevenlabs(&app.elevenlabs, &actor),)?;
    let mut document = match (&twilio, &speech) {
        (None, None) => return Err(nothing_to_verify().into()),
        (None, Some(_)) => json!({ "account": null, "number": null }),
        (Some(verification), _) => verification_document(verification),
    };
    document["elevenlabs"] = json!(speech.as_ref().map(speech_document));
    Ok(Json(document))
}

/// Account SID or auth token is missing.
pub(super) fn nothing_to_verify() -> Problem {
    let detail = "There are no Twilio credentials to verify. Store the Account SID and the Auth Token first.";
    Problem::new(StatusCode::CONFLICT, "credentials_missing", detail)
}

/// There is no key of `ElevenLabs`.
pub(super) fn no_key_to_verify() -> Problem {
    let detail = "There is no ElevenLabs API key to verify. Store one first.";
    Problem::new(StatusCode::CONFLICT, "credentials_missing", detail)
}

/// The entry after a change. What waits for credentials need not wait longer.
async fn changed(app: &AppState, name: VaultName) -> Result<Json<Value>> {
    app.changes.wake();
    Ok(Json(document(&app.vault.entry(name).await?)))
}

fn named(name: &str) -> Result<VaultName, Problem> {
    name.parse().map_err(|unknown: super::UnknownVaultName| Problem::not_found(unknown.to_string()))
}

/// The value in the body. What is wrong with a body is not repeated: it may be the secret in the wrong place.
fn value(body: Value) -> Result<SecretString, Problem> {
    match body {
        Value::Object(mut members) if members.len() == 1 => match members.remove("value") {
            Some(Value::String(value)) => Ok(SecretString::from(value)),
            _ => Err(no_value()),
        },
        _ => Err(no_value()),
    }
}

fn no_value() -> Problem {
    let message = "The body is a JSON object with one member, `value`, a string. Send it like that.";
    Problem::invalid_fields(vec![FieldProblem::new("value", message)])
}

fn document(entry: &Entry) -> Value {
    let mut document = json!({
        "name": entry.name,
        "state": entry.state,
        "hint": entry.ending(),
        "version": entry.version,
        "createdBy": entry.created_by,
        "createdAt": entry.created_at.map(rfc3339),
        "verifiedAt": entry.verified.map(|checked| rfc3339(checked.at)),
        "verifyResult": entry.verified.map(|checked| checked.finding.as_str()),
        "verifyDetail": entry.verified.map(|checked| checked.finding.words()),
    });
    if let Some(previous) = entry.previous {
        document["previousVersion"] = json!(previous.version);
        // Null: until 24 h after the first callback that the current version verifies.
        document["previousAcceptedUntil"] = json!(previous.accepted_until.map(rfc3339));
    }
    document
}

fn found(finding: Finding) -> Value {
    json!({ "result": finding.as_str(), "ok": finding.is_good(), "detail": finding.words() })
}

fn speech_document(verification: &SpeechVerification) -> Value {
    let mut document = found(verification.finding);
    document["verifiedAt"] = json!(rfc3339(verification.at));
    document["kept"] = json!(verification.is_kept);
    document["outdated"] = json!(verification.is_outdated);
    if let Some(subscription) = &verification.subscription {
        document["charactersLeft"] = json!(subscription.left());
        document["charactersLimit"] = json!(subscription.limit);
        document["charactersResetAt"] = json!(subscription.resets_at().map(rfc3339));
    }
    document
}

fn verification_document(verification: &Verification) -> Value {
    json!({
        "account": found(verification.account),
        "number": found(verification.number),
        "verifiedAt": rfc3339(verification.at),
        "keptWith": verification.kept_with,
        "outdated": verification.is_outdated,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_not_as_it_should_be_is_not_repeated() {
        assert!(value(json!({ "value": "s3cret" })).is_ok());
        for body in [
            json!("s3cret"),
            json!(["s3cret"]),
            json!({ "s3cret": "x" }),
            json!({ "value": ["s3cret"] }),
            json!({ "value": "x", "s3cret": 1 }),
            json!({}),
        ] {
            let problem = value(body).expect_err("refused");
            assert!(!problem.document("id").to_string().contains("s3cret"));
            assert_eq!(problem.details[0].field, "value");
        }
    }
}
