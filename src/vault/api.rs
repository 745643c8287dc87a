//! The vault's addresses for scripts. Values go in and never come out.

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use secrecy::SecretString;
use serde_json::Value;
use utoipa::{IntoResponses, OpenApi, ToSchema};
use zeroize::Zeroize as _;

use super::VaultName;
use super::document::{EntriesDocument, EntryDocument, VerificationDocument};
use crate::access::{Access, Routes};
use crate::audit::Actor;
use crate::auth::{Permission, Principal, Refusal};
use crate::error::{FieldProblem, Problem, ProblemDocument, Result};
use crate::state::AppState;
use crate::web::client::ClientAddress;
use crate::web::correlation::CorrelationId;
use crate::web::extract::{Json, Path};

/// The routes of the vault.
pub(crate) fn routes() -> Routes {
    let keeper = Access::Caller(Permission::ManageVault);
    Routes::new()
        .get("/api/vault", keeper, list)
        .post("/api/vault/verify", keeper.confirmed(), verify)
        .put("/api/vault/{name}", keeper.confirmed(), set)
        .delete("/api/vault/{name}", keeper.confirmed(), remove)
        .post("/api/vault/{name}/revoke-previous", keeper.confirmed(), revoke_previous)
}

/// What documents say of these addresses.
#[derive(OpenApi)]
#[openapi(paths(list, set, remove, revoke_previous, verify))]
pub(crate) struct Described;

/// A new value.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SetVaultEntry)]
#[expect(dead_code, reason = "it describes what is read by hand")]
struct SetBody {
    /// It goes in and never comes out.
    #[schema(min_length = 1, max_length = 512, write_only)]
    value: String,
}

/// What stands against a change.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes what is answered elsewhere")]
enum Refused {
    /// `not_found`: there is no such entry, or nothing is stored as it.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemDocument),
    /// `no_previous_version`: nothing is kept besides the current version.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDocument),
}

/// Somebody who manages the vault, as the audit log names them.
struct Keeper(Actor);

impl FromRequestParts<AppState> for Keeper {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Refusal> {
        let principal = Principal::from_request_parts(parts, app).await?;
        let Ok(address) = ClientAddress::from_request_parts(parts, app).await;
        let Ok(correlation_id) = CorrelationId::from_request_parts(parts, app).await;
        Ok(Self(principal.actor(address, &correlation_id)))
    }
}

/// List the vault
#[utoipa::path(
    get, path = "/api/vault", operation_id = "listVault", tag = "vault",
    responses((status = 200, description = "What is stored, and where it comes from.", body = EntriesDocument)),
)]
async fn list(State(app): State<AppState>) -> Result<Json<EntriesDocument>> {
    let entries = app.vault.list().await?.iter().map(EntryDocument::from).collect();
    Ok(Json(EntriesDocument { mode: app.config.mode, entries }))
}

/// Store a value
///
/// A new version; the one before it is kept for callbacks that are still signed with it.
#[utoipa::path(
    put, path = "/api/vault/{name}", operation_id = "setVaultEntry", tag = "vault",
    params(("name" = VaultName, Path, description = "The entry.")), request_body(content = SetBody),
    responses((status = 200, description = "The entry now.", body = EntryDocument), Refused),
)]
async fn set(
    State(app): State<AppState>,
    Keeper(actor): Keeper,
    Path(name): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<EntryDocument>> {
    let name = named(&name)?;
    app.vault.set(name, value(body)?, &actor).await?;
    changed(&app, name).await
}

/// Remove a value
///
/// What stands in the environment counts again.
#[utoipa::path(
    delete, path = "/api/vault/{name}", operation_id = "removeVaultEntry", tag = "vault",
    params(("name" = VaultName, Path, description = "The entry.")), 
    responses((status = 200, description = "The entry now.", body = EntryDocument), Refused),
)]
async fn remove(
    State(app): State<AppState>,
    Keeper(actor): Keeper,
    Path(name): Path<String>,
) -> Result<Json<EntryDocument>> {
    let name = named(&name)?;
    if !app.vault.remove(name, &actor).await? {
        return Err(Problem::not_found(format!("Nothing is stored as {name}. There is nothing to remove.")).into());
    }
    changed(&app, name).await
}

/// End the previous version
///
/// Callbacks that are signed with it are refused from now on.
#[utoipa::path(
    post, path = "/api/vault/{name}/revoke-previous", operation_id = "revokePrevious", tag = "vault",
    params(("name" = VaultName, Path, description = "The entry.")), 
    responses((status = 200, description = "The entry now.", body = EntryDocument), Refused),
)]
async fn revoke_previous(
    State(app): State<AppState>,
    Keeper(actor): Keeper,
    Path(name): Path<String>,
) -> Result<Json<EntryDocument>> {
    let name = named(&name)?;
    if !app.vault.revoke_previous(name, &actor).await? {
        let detail = format!("No previous version of {name} is kept. There is nothing to revoke.");
        return Err(Problem::new(StatusCode::CONFLICT, "no_previous_version", detail).into());
    }
    changed(&app, name).await
}

/// Verify the credentials
///
/// Asks Twilio and ElevenLabs, and sends nothing. One person may do so six times a minute.
#[utoipa::path(
    post, path = "/api/vault/verify", operation_id = "verifyVault", tag = "vault",
    responses((status = 200, description = "What they said.", body = VerificationDocument),
        (status = 409, description = "`credentials_missing`: there is nothing to verify.", body = ProblemDocument, content_type = "application/problem+json")),
)]
async fn verify(
    State(app): State<AppState>,
    principal: Principal,
    Keeper(actor): Keeper,
) -> Result<Json<VerificationDocument>> {
    app.vault.admit_verification(principal.user)?;
    // At once: a slow answer of either must still fit into the time of one request.
    let (twilio, speech) =
        tokio::try_join!(app.vault.verify(&app.twilio, &actor), app.vault.verify_elevenlabs(&app.elevenlabs, &actor),)?;
    if twilio.is_none() && speech.is_none() {
        return Err(nothing_to_verify().into());
    }
    Ok(Json(VerificationDocument::of(twilio.as_ref(), speech.as_ref())))
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
async fn changed(app: &AppState, name: VaultName) -> Result<Json<EntryDocument>> {
    app.changes.wake();
    Ok(Json(EntryDocument::from(&app.vault.entry(name).await?)))
}

fn named(name: &str) -> Result<VaultName, Problem> {
    name.parse().map_err(|unknown: super::UnknownVaultName| Problem::not_found(unknown.to_string()))
}

/// The value in the body. What is wrong with a body is not repeated: it may be the secret in the wrong place.
fn value(body: Value) -> Result<SecretString, Problem> {
    match body {
        Value::Object(mut members) if members.len() == 1 => match members.remove("value") {
            Some(Value::String(value)) => Ok(SecretString::from(value)),
            other => {
                members.extend(other.map(|value| (String::new(), value)));
                wipe(Value::Object(members));
                Err(no_value())
            }
        },
        other => {
            wipe(other);
            Err(no_value())
        }
    }
}

/// Wipes every text in a body that is not read: the secret may be in the wrong place.
fn wipe(value: Value) {
    match value {
        Value::String(mut text) => text.zeroize(),
        Value::Array(values) => values.into_iter().for_each(wipe),
        Value::Object(members) => members.into_iter().for_each(|(mut name, value)| {
            name.zeroize();
            wipe(value);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn no_value() -> Problem {
    let message = "The body is a JSON object with one member, `value`, a string. Send it like that.";
    Problem::invalid_fields(vec![FieldProblem::new("value", message)])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
