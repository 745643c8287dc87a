//! What went wrong, as the outside may know it. A [`Problem`] is an answer for the caller (RFC 9457); everything else
//! is a fault of ours: it is logged once, here, and the caller learns only the correlation id.
//!
//! Use `Problem` for what a caller can act on, `?` for the rest. Business answers (a replay, a decision already made)
//! are values of their modules, not errors.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::database;

/// The result of a handler and of what it calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An answer that is not the one asked for: status, a stable code and a sentence that says what to do.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// Stable `snake_case` name that scripts may depend on.
    pub code: &'static str,
    /// What is so, then what to do.
    pub detail: String,
    /// For input: the wrong fields, each `{field, message}`.
    pub details: Vec<FieldProblem>,
    /// When to come back, in seconds.
    pub retry_after: Option<u64>,
    /// Members besides the standard ones, such as `operationId`.
    pub members: Map<String, Value>,
}

/// A refusal as it is written: RFC 9457, and `error`, `correlationId`, `details` for older clients.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument {
    /// A name for `code` that is unique in the world.
    #[serde(rename = "type")]
    #[schema(example = "urn:mission-control:problem:not_found")]
    kind: String,
    /// The status in words.
    #[schema(example = "Not Found")]
    title: String,
    /// The status.
    #[schema(example = 404, minimum = 400, maximum = 599)]
    status: u16,
    /// What is so, then what to do.
    #[schema(example = "There is nothing with this id. Check the address.")]
    detail: String,
    /// A stable word that scripts may depend on.
    #[schema(example = "not_found", pattern = "^[a-z_]+$")]
    code: String,
    /// The same as `detail`.
    error: String,
    /// What to tell an admin: the log names it.
    #[schema(example = "0199f4a56c1e7d2a9a5b2f6d1c3e4b5a")]
    correlation_id: String,
    /// Every wrong field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    details: Vec<FieldProblem>,
}

/// One wrong field and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct FieldProblem {
    /// The field's name in the request.
    #[schema(example = "to")]
    pub field: String,
    /// What is so, then what to do.
    pub message: String,
}

impl FieldProblem {
    /// A wrong `field`, and what to do about it.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl Problem {
    /// A problem with this status, code and sentence.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), details: Vec::new(), retry_after: None, members: Map::new() }
    }

    /// 400 that lists every wrong field.
    pub fn invalid_fields(details: Vec<FieldProblem>) -> Self {
        let fields: Vec<&str> = details.iter().map(|wrong| wrong.field.as_str()).collect();
        let detail = match details.as_slice() {
            [only] => format!("{}: {}", only.field, only.message),
            _ => format!("These fields need a change: {}.", fields.join(", ")),
        };
        Self { details, ..Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail) }
    }

    /// 404 for what does not exist, or not for this caller.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 403 with the reason.
    pub fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 503: the database does not answer. Nothing was half done; the same request may be repeated.
    pub fn unavailable() -> Self {
        let detail = "The database does not answer. Nothing was lost: repeat the request with the same key.";
        Self { retry_after: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "database_unavailable", detail) }
    }

    /// Adds a member to the document.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// The document.
    pub fn document(&self, correlation_id: &str) -> Value {
        let document = json!(ProblemDocument {
            kind: format!("urn:mission-control:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code.to_owned(),
            error: self.detail.clone(),
            correlation_id: correlation_id.to_owned(),
            details: self.details.clone(),
        });
        let Value::Object(document) = document else { return Value::Null };
        // Of its own members none can stand in the place of one of these.
        let mut members = self.members.clone();
        members.extend(document);
        Value::Object(members)
    }
}

/// Why a handler has no answer.
#[derive(Debug)]
pub enum Error {
    /// The caller can act on it.
    Problem(Box<Problem>),
    /// A fault of ours.
    Internal(anyhow::Error),
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if database::is_unavailable(&error) {
            tracing::warn!(event = "database.unavailable", error = %error, "the database does not answer");
            return Problem::unavailable().into();
        }
        Self::Internal(error.into())
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<sqlx::Error>() {
            Ok(error) => error.into(),
            Err(error) => Self::Internal(error),
        }
    }
}

impl Error {
    /// The answer for the caller. A fault of ours is logged here and told without detail.
    pub fn into_problem(self) -> Problem {
        match self {
            Self::Problem(problem) => *problem,
            Self::Internal(error) => {
                tracing::error!(event = "internal_error", error = format!("{error:#}"), "a request failed");
                let detail = "Something went wrong here. Repeat the request; if it fails again, tell an admin the correlation id.";
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail)
            }
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Problem(problem) => f.write_str(&problem.detail),
            Self::Internal(error) => write!(f, "{error:#}"),
        }
    }
}

/// For sub-commands, which say what went wrong to whoever runs them.
impl std::error::Error for Error {}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.into_problem().into_response()
    }
}

impl IntoResponse for Problem {
    /// Status, headers and the problem itself as an extension: `web::problems` writes the body, because only there the
    /// correlation id and whether a page or a document is wanted are known, for refusals of layers as well.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}
