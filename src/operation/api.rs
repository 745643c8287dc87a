//! The addresses for scripts: ask, list, read.

use axum::extract::{FromRequestParts, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::answer::{self, Story, Summary};
use super::ask::{Asker, ask, required};
use super::content::Kind;
use super::described::{MakeCall, SendSms};
use super::request::Request;
use super::status;
use super::store::{self, Filter, Operation};
use super::wait;
use crate::access::{Access, Routes};
use crate::audit::Actor;
use crate::auth::{Permission, Principal, Refusal};
use crate::error::{Error, FieldProblem, Problem, Result};
use crate::id::OperationId;
use crate::idempotency::IdempotencyKey;
use crate::phone::PhoneNumber;
use crate::state::AppState;
use crate::web::client::ClientAddress;
use crate::web::correlation::CorrelationId;
use crate::web::extract::{Json, Path, Query};

/// Rows of a page, unless the caller says.
const DEFAULT_LIMIT: i64 = 50;

/// By this header a request of the voice gateway's plugin is told from others. A label, and no proof of anything.
pub(crate) const SOURCE: &str = "x-mission-control-source";

/// Asking and reading, which may wait longer than other requests (`Prefer: wait`).
pub(crate) fn waiting() -> Routes {
    Routes::new()
        .post("/api/twilio/send-sms", Access::Caller(Permission::AskOperations), send_sms)
        .post("/api/twilio/make-call", Access::Caller(Permission::AskOperations), make_call)
        .get("/api/operations/{id}", Access::Caller(Permission::ReadOperations), read)
}

/// Listing.
pub(crate) fn listing() -> Routes {
    Routes::new().get("/api/operations", Access::Caller(Permission::ReadOperations), list)
}

/// What documents say of these addresses.
#[derive(OpenApi)]
#[openapi(paths(send_sms, make_call, list, read), components(schemas(answer::Asked)))]
pub(crate) struct Described;

/// Ask for an SMS
///
/// It is held until a person approves exactly this content, sent at most once, and followed until Twilio says what became
/// of it. The answer tells where it stands: ask again with the same key, read `/api/operations/{id}`, or let the answer
/// wait with `Prefer: wait=N`.
#[utoipa::path(
    post,
    path = "/api/twilio/send-sms",
    operation_id = "sendSms",
    tag = "asking",
    params(answer::AskingHeaders),
    request_body(content = SendSms, examples(
        ("Shortest" = (value = json!({ "to": "+14155550132", "message": "Your order has been shipped." }))),
        ("With everything" = (value = json!({
            "to": "+44 7700 900123", "message": "Your order has been shipped.", "from": "+15005550006",
            "idempotencyKey": "order-1234", "note": "The customer asked for it by telephone." }))),
    )),
    responses(answer::Taken, answer::Ended, answer::NotAsked),
)]
async fn send_sms(caller: Caller, Json(body): Json<Value>) -> Result<Response> {
    caller.ask(Request::sms(&body)?).await
}

/// Ask for a call
///
/// It says a text, which is spoken first and can be heard by whoever approves it, or plays a recording. Everything else is
/// as for an SMS.
#[utoipa::path(
    post,
    path = "/api/twilio/make-call",
    operation_id = "makeCall",
    tag = "asking",
    params(answer::AskingHeaders),
    request_body(content = MakeCall, examples(
        ("A text" = (value = json!({ "to": "+14155550132", "text": "This is a reminder of your appointment." }))),
        ("A recording" = (value = json!({ "to": "+14155550132", "audioUrl": "https://example.com/reminder.mp3" }))),
    )),
    responses(answer::Taken, answer::Ended, answer::NotAsked),
)]
async fn make_call(caller: Caller, Json(body): Json<Value>) -> Result<Response> {
    let request = Request::call(&body, caller.app.config.mode)?;
    caller.ask(request).await
}

/// A program that asks for an operation, with what its headers say.
struct Caller {
    app: AppState,
    principal: Principal,
    actor: Actor,
    headers: HeaderMap,
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Refusal> {
        let principal = Principal::from_request_parts(parts, app).await?;
        let Ok(address) = ClientAddress::from_request_parts(parts, app).await;
        let Ok(correlation_id) = CorrelationId::from_request_parts(parts, app).await;
        let actor = principal.actor(address, &correlation_id);
        Ok(Self { app: app.clone(), principal, actor, headers: parts.headers.clone() })
    }
}

impl Caller {
    async fn ask(self, request: Request) -> Result<Response> {
        let Self { app, principal, actor, headers } = self;
        let key = IdempotencyKey::of_request(&headers, request.idempotency_key.as_deref())?;
        let key = required(key, &app)?;
        let source = if headers.get(SOURCE).is_some_and(|source| source == "gateway") { "gateway" } else { "api" };
        let asker = Asker { principal: &principal, actor: &actor, source };
        let answering = async {
            let mut outcome = ask(&app, &asker, request, Some(key.clone())).await?;
            if let Some(wait) = wait::preferred(&headers) {
                outcome.operation = wait::until_answered(&app, outcome.operation, wait).await?;
            }
            Ok(answer::asked(&outcome.operation, &outcome.key, outcome.replayed, &app.public_url))
        };
        answering.await.or_else(|error: Error| {
            // A caller who cannot know what became of it repeats it with this key.
            let mut response = error.into_response();
            answer::name_key(&mut response, &key);
            Ok(response)
        })
    }
}

/// The query of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only in these states, several by commas.
    #[param(example = "pending_approval,approved")]
    state: Option<String>,
    /// Only of this kind.
    #[param(nullable = false)]
    kind: Option<Kind>,
    /// Only to this number.
    #[param(example = "+14155550132")]
    to: Option<String>,
    /// The mode of the service; another one is refused, since it shows the operations of one mode only.
    #[param(example = "sandbox")]
    mode: Option<String>,
    /// Only what a person should look at.
    #[serde(default)]
    #[param(required = false)]
    attention: bool,
    /// Words of a text, a note or a reason; the beginning of an id; a whole number is a recipient.
    q: Option<String>,
    /// `nextCursor` of the page before.
    #[param(nullable = false)]
    cursor: Option<OperationId>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
}

/// A page of operations.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OperationPage)]
struct List {
    /// The newest first.
    #[schema(value_type = Vec<Summary>)]
    operations: Vec<Value>,
    /// Where the next page begins; null on the last.
    #[schema(required = true)]
    next_cursor: Option<OperationId>,
}

/// List operations
#[utoipa::path(
    get,
    path = "/api/operations",
    operation_id = "listOperations",
    tag = "reading",
    params(ListQuery),
    responses((status = 200, description = "A page, the newest first.", body = List)),
)]
async fn list(State(app): State<AppState>, principal: Principal, Query(query): Query<ListQuery>) -> Result<Json<List>> {
    let mut problems = Vec::new();
    let states = query.state.iter().flat_map(|states| states.split(',')).filter(|state| !state.is_empty());
    let states = states.filter_map(|state| match state.trim().parse() {
        Ok(state) => Some(state),
        Err(()) => {
            let states = status::State::ALL.map(status::State::as_str).join(", ");
            problems.push(FieldProblem::new("state", format!("There is no state {state:?}; there are {states}.")));
            None
        }
    });
    let states = states.collect();
    let to = query.to.as_deref().map(PhoneNumber::parse).transpose().unwrap_or_else(|error| {
        problems.push(FieldProblem::new("to", error.to_string()));
        None
    });
    if query.mode.as_deref().is_some_and(|mode| mode != app.config.mode.as_str()) {
        let message = format!("This service runs in {} mode and shows its operations only.", app.config.mode);
        problems.push(FieldProblem::new("mode", message));
    }
    if query.limit.is_some_and(|limit| !(1..=store::PAGE_LIMIT).contains(&limit)) {
        problems.push(FieldProblem::new("limit", format!("A page has 1 to {} rows.", store::PAGE_LIMIT)));
    }
    if !problems.is_empty() {
        return Err(Problem::invalid_fields(problems).into());
    }
    let to = to.map(|to| to.to_string());
    let search = query.q.filter(|words| !words.trim().is_empty()).map(|words| words.trim().replace('\0', ""));
    let filter = Filter { states, kind: query.kind, to, attention: query.attention, search };
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    let page = store::list(&app.db, &app.clock, app.config.mode, &filter, query.cursor, limit).await?;
    let summary =
        |operation: &Operation| for_reader(&principal, operation, json!(Summary::of(operation, &app.public_url)));
    let operations: Vec<Value> = page.operations.iter().map(summary).collect();
    Ok(Json(List { operations, next_cursor: page.next }))
}

/// Read an operation
///
/// The whole story: content, decisions, attempts, evidence, what Twilio reported, and the lines of the audit.
#[utoipa::path(
    get,
    path = "/api/operations/{id}",
    operation_id = "readOperation",
    tag = "reading",
    params(("id" = OperationId, Path, description = "The operation."), answer::PreferHeader),
    responses(
        (status = 200, description = "Its story so far.", body = Story),
        answer::NoSuchOperation,
    ),
)]
async fn read(
    State(app): State<AppState>,
    principal: Principal,
    headers: HeaderMap,
    Path(id): Path<OperationId>,
) -> Result<Json<Value>> {
    if let Some(wait) = wait::preferred(&headers) {
        let operation = find(&app, id).await?;
        wait::until_answered(&app, operation, wait).await?;
    }
    let whole = store::whole(&app.db, &app.clock, app.config.mode, id).await?;
    let (operation, story) = whole.ok_or_else(no_such_operation)?;
    let document = json!(Story::of(&operation, story, &app.public_url));
    Ok(Json(for_reader(&principal, &operation, document)))
}

fn for_reader(principal: &Principal, operation: &Operation, document: Value) -> Value {
    if principal.sees_numbers() { document } else { answer::without_numbers(document, &operation.to_number) }
}

/// The operation, or 404.
pub(crate) async fn find(app: &AppState, id: OperationId) -> Result<Operation> {
    let operation = store::find(&app.db, &app.clock, app.config.mode, id).await?;
    Ok(operation.ok_or_else(no_such_operation)?)
}

fn no_such_operation() -> Problem {
    Problem::not_found("There is no operation with this id. Check the id, and the mode.")
}
