//! The doors that Twilio knocks at. In this order: size, path and method, signature, account, and only then what it says.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use utoipa::{IntoResponses, OpenApi};

use super::facts::{self, Effect, Report, Source};
use crate::access::{Access, Routes};
use crate::dispatch::claim::Reference;
use crate::error::{Problem, ProblemDocument, Result};
use crate::id::OperationId;
use crate::operation::content::Kind;
use crate::state::AppState;
use crate::twilio::signature::{self, Body, Signed, SignedBy};
use crate::web::extract::{Path, has_content_type, read_body};

/// Longest SID, status or account that is stored.
const WORD_LIMIT: usize = 64;

/// The routes of Twilio's reports.
pub(crate) fn routes() -> Routes {
    Routes::new().post("/webhooks/twilio/message-status/{operation}", Access::Twilio, message_status).post(
        "/webhooks/twilio/call-status/{operation}",
        Access::Twilio,
        call_status,
    )
}

/// What documents say of these addresses.
#[derive(OpenApi)]
#[openapi(paths(message_status, call_status))]
pub(crate) struct Described;

/// What Twilio may be told.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes what is answered elsewhere")]
enum Answered {
    /// The fact is kept.
    #[response(status = 204)]
    Taken,
    /// `invalid_callback`: it is signed, and a parameter is missing.
    #[response(status = 400, content_type = "application/problem+json")]
    Incomplete(ProblemDocument),
    /// `bad_signature`: it is not Twilio's, or is about another address.
    #[response(status = 403, content_type = "application/problem+json")]
    NotTwilio(ProblemDocument),
    /// `not_found`: this is not the id of an operation.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemDocument),
}

/// Report on an SMS
///
/// For Twilio: a form or JSON, signed with `X-Twilio-Signature` over the configured public address.
#[utoipa::path(
    post, path = "/webhooks/twilio/message-status/{operation}", operation_id = "messageStatus", tag = "twilio",
    params(
        ("operation" = OperationId, Path, description = "The operation."),
        ("ref" = Option<String>, Query, description = "The reference of the attempt.", nullable = false),
        ("X-Twilio-Signature" = Option<String>, Header, description = "Twilio's signature.", nullable = false),
    ),
    request_body(content = std::collections::HashMap<String, String>, content_type = "application/x-www-form-urlencoded"),
    responses(Answered),
)]
async fn message_status(app: State<AppState>, operation: Path<OperationId>, request: Request) -> Result<StatusCode> {
    status(app, operation, Kind::Sms, request).await
}

/// Report on a call
///
/// For Twilio: a form or JSON, signed with `X-Twilio-Signature` over the configured public address.
#[utoipa::path(
    post, path = "/webhooks/twilio/call-status/{operation}", operation_id = "callStatus", tag = "twilio",
    params(
        ("operation" = OperationId, Path, description = "The operation."),
        ("ref" = Option<String>, Query, description = "The reference of the attempt.", nullable = false),
        ("X-Twilio-Signature" = Option<String>, Header, description = "Twilio's signature.", nullable = false),
    ),
    request_body(content = std::collections::HashMap<String, String>, content_type = "application/x-www-form-urlencoded"),
    responses(Answered),
)]
async fn call_status(app: State<AppState>, operation: Path<OperationId>, request: Request) -> Result<StatusCode> {
    status(app, operation, Kind::Call, request).await
}

async fn status(
    State(app): State<AppState>,
    Path(operation): Path<OperationId>,
    kind: Kind,
    request: Request,
) -> Result<StatusCode> {
    let uri = request.uri().clone();
    let headers = request.headers().clone();
    let body = read_body(request, &app).await?;
    let params = verify(&app, &uri, &headers, &body).await?;

    let Some(report) = parse(operation, kind, &uri, &params) else {
        let detail = match kind {
            Kind::Sms => "MessageSid, AccountSid or MessageStatus is missing.",
            Kind::Call => "CallSid, AccountSid or CallStatus is missing.",
        };
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_callback", detail).into());
    };
    let effect = facts::take(&app.db, &app.clock, app.config.mode, &report).await?;
    tracing::info!(
        event = "twilio.callback",
        %operation,
        kind = kind.as_str(),
        sid = report.sid,
        status = report.status,
        error_code = report.error_code,
        effect = ?effect,
        mode = %app.config.mode,
    );
    let callbacks = app.metrics.callbacks();
    match effect {
        Effect::Moved => callbacks.accepted.increment(1),
        Effect::Nothing => callbacks.duplicate.increment(1),
        Effect::Orphan => callbacks.orphan.increment(1),
    }
    if effect == Effect::Moved {
        app.changes.announce(operation);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Checks signature and account, and answers the decoded parameters. The URL is the configured one with the path and
/// query byte for byte: `Host` and forwarding headers could say anything.
async fn verify(app: &AppState, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Vec<(String, String)>> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(given) = header(signature::SIGNATURE_HEADER) else { return Err(refused(app, "missing").into()) };
    let url = app.public_url.join(uri.path_and_query().map_or("/", |path| path.as_str()));
    let is_form = has_content_type(headers, "application/x-www-form-urlencoded");
    let params: Vec<(String, String)> = if is_form {
        url::form_urlencoded::parse(body).into_owned().collect()
    } else {
        serde_json::from_slice::<std::collections::BTreeMap<String, serde_json::Value>>(body)
            .map(|members| members.into_iter().map(|(name, value)| (name, text(value))).collect())
            .unwrap_or_default()
    };
    let signed_body = if is_form { Body::Form(&params) } else { Body::Json(body) };
    let request =
        Signed { url: &url, signature: given, settings: header(signature::SETTINGS_HEADER), body: signed_body };

    let tokens = app.vault.webhook_tokens().await?;
    let secrets: Vec<_> = tokens.iter().map(|token| &token.token).collect();
    let account = params.iter().find(|(name, _)| name == "AccountSid").map(|(_, value)| value.as_str());
    match signature::verify(&request, &secrets, &app.shared_keys) {
        Some(SignedBy::AuthToken(index)) if account == Some(tokens[index].account_sid.as_str()) => {
            if let Some(version) = tokens[index].version {
                app.vault.note_signature(version).await?;
            }
            Ok(params)
        }
        Some(SignedBy::SharedKey(_)) if tokens.iter().any(|token| account == Some(token.account_sid.as_str())) => {
            Ok(params)
        }
        Some(_) => Err(refused(app, "another account").into()),
        None => Err(refused(app, "does not fit").into()),
    }
}

fn refused(app: &AppState, why: &'static str) -> Problem {
    app.metrics.callbacks().bad_signature.increment(1);
    tracing::warn!(event = "twilio.callback", refused = why, "a callback was refused");
    Problem::forbidden("bad_signature", "The signature does not fit.")
}

fn text(value: serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

fn parse(operation: OperationId, kind: Kind, uri: &Uri, params: &[(String, String)]) -> Option<Report> {
    let find = |name: &str| params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let word = |name: &str| {
        find(name).filter(|word| (1..=WORD_LIMIT).contains(&word.len()) && word.is_ascii()).map(str::to_owned)
    };
    let reference = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "ref")
        .map(|(_, reference)| Reference::hash(&reference));
    // PostgreSQL's JSON holds no NUL.
    let payload = params.iter().map(|(name, value)| (name.replace('\0', ""), value.replace('\0', "").into())).collect();
    let (sid, status) = match kind {
        Kind::Sms => {
            (word("MessageSid").or_else(|| word("SmsSid"))?, word("MessageStatus").or_else(|| word("SmsStatus"))?)
        }
        Kind::Call => (word("CallSid")?, word("CallStatus")?),
    };
    Some(Report {
        kind,
        source: Source::Callback,
        operation,
        ref_hash: reference,
        account_sid: word("AccountSid")?,
        sid,
        status,
        error_code: find("ErrorCode").and_then(|code| code.parse().ok()),
        sequence: find("SequenceNumber").and_then(|number| number.parse().ok()),
        payload: serde_json::Value::Object(payload),
    })
}
