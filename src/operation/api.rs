//! The addresses for scripts: ask, list, read.

use axum::extract::{FromRequestParts, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{Asker, ask, required};
use super::content::Kind;
use super::request::Request;
use super::store::{self, Filter, Operation};
use super::{answer, wait};
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

async fn send_sms(caller: Caller, Json(body): Json<Value>) -> Result<Response> {
    let request = caller.may_ask().and_then(|()| Request::sms(&body))?;
    caller.ask(request).await
}

async fn make_call(caller: Caller, Json(body): Json<Value>) -> Result<Response> {
    let request = caller.may_ask().and_then(|()| Request::call(&body, caller.app.config.mode))?;
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
    fn may_ask(&self) -> Result<(), Problem> {
        self.principal.require(Permission::AskOperations)
    }

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
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    state: Option<String>,
    kind: Option<Kind>,
    to: Option<String>,
    mode: Option<String>,
    #[serde(default)]
    attention: bool,
    q: Option<String>,
    cursor: Option<OperationId>,
    limit: Option<i64>,
}

async fn list(
    State(app): State<AppState>,
    principal: Principal,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>> {
    principal.require(Permission::ReadOperations)?;
    let mut problems = Vec::new();
    let states = query.state.iter().flat_map(|states| states.split(',')).filter(|state| !state.is_empty());
    let states = states.filter_map(|state| match state.trim().parse() {
        Ok(state) => Some(state),
        Err(()) => {
            problems.push(FieldProblem::new(
                "state",
                format!("There is no state {state:?}. See the README for the states."),
            ));
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
    let summary = |operation: &Operation| {
        let document = Value::Object(answer::summary(operation, &app.public_url));
        for_reader(&principal, operation, document)
    };
    let operations: Vec<Value> = page.operations.iter().map(summary).collect();
    Ok(Json(json!({ "operations": operations, "nextCursor": page.next })))
}

async fn read(
    State(app): State<AppState>,
    principal: Principal,
    headers: HeaderMap,
    Path(id): Path<OperationId>,
) -> Result<Json<Value>> {
    principal.require(Permission::ReadOperations)?;
    if let Some(wait) = wait::preferred(&headers) {
        let operation = find(&app, id).await?;
        wait::until_answered(&app, operation, wait).await?;
    }
    let whole = store::whole(&app.db, &app.clock, app.config.mode, id).await?;
    let (operation, story) = whole.ok_or_else(no_such_operation)?;
    Ok(Json(for_reader(&principal, &operation, answer::whole(&operation, &story, &app.public_url))))
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
