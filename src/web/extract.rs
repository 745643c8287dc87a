//! Extractors whose refusals are problems with a remedy.

use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use crate::error::{FieldProblem, Problem};

/// A JSON body, or a JSON answer.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// Most fields of a form: the largest of ours has one for each of fifty operations, and a few.
const FIELDS: usize = 100;

/// The fields of a posted form.
#[derive(Debug)]
pub struct Form<T>(pub T);

/// The variable parts of the path. What does not parse does not exist: 404.
#[derive(Debug)]
pub struct Path<T>(pub T);

/// The query of the URL.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !has_content_type(request.headers(), "application/json") {
            return Err(unsupported("application/json"));
        }
        let body = read_body(request, state).await?;
        serde_json::from_slice(&body).map(Self).map_err(|error| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid_json",
                format!("The body cannot be read as JSON: {error}. Correct it and send it again."),
            )
        })
    }
}

/// A body that may be absent: no Content-Type, no body.
impl<S: Send + Sync, T: DeserializeOwned> OptionalFromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Problem> {
        if !request.headers().contains_key(header::CONTENT_TYPE) {
            return Ok(None);
        }
        <Self as FromRequest<S>>::from_request(request, state).await.map(Some)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !has_content_type(request.headers(), "application/x-www-form-urlencoded") {
            return Err(unsupported("application/x-www-form-urlencoded"));
        }
        let body = read_body(request, state).await?;
        refuse_many(&body)?;
        serde_urlencoded::from_bytes(&body).map(Self).map_err(|error| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid_form",
                format!("The form cannot be read: {error}. Load the page again and repeat."),
            )
        })
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        #[expect(clippy::disallowed_types, reason = "wrapped here")]
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0))
            .map_err(|_| Problem::not_found("There is nothing with this id. Check the address."))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        serde_urlencoded::from_str(query).map(Self).map_err(|error| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid_query",
                format!("The query cannot be read: {error}. /docs lists its parameters."),
            )
        })
    }
}

impl<T: serde::Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body)
                .into_response(),
            Err(error) => crate::error::Error::Internal(error.into()).into_response(),
        }
    }
}

/// Reads the members of a JSON object. What is no object is not repeated: it may be a secret in the wrong place.
pub(crate) fn members<T: DeserializeOwned>(body: serde_json::Value) -> Result<T, Problem> {
    let wrong = |message| Problem::invalid_fields(vec![FieldProblem::new("body", message)]);
    if !body.is_object() {
        return Err(wrong("It must be a JSON object. Correct it and send it again.".to_owned()));
    }
    serde_json::from_value(body).map_err(|error| wrong(format!("{error}. Correct it and send it again.")))
}

/// The body, which was read and bounded before.
pub(crate) async fn read_body<S: Send + Sync>(request: Request, state: &S) -> Result<bytes::Bytes, Problem> {
    bytes::Bytes::from_request(request, state).await.map_err(|_| {
        Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", "The body ended early. Send the request again.")
    })
}

/// Whether the body is declared to be of this media type, whatever its parameters.
pub(crate) fn has_content_type(headers: &HeaderMap, expected: &str) -> bool {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    declared.split(';').next().is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case(expected))
}

/// Counted before anything is made of them.
fn refuse_many(fields: &[u8]) -> Result<(), Problem> {
    if fields.split(|byte| *byte == b'&').count() <= FIELDS {
        return Ok(());
    }
    let detail = format!("There are more than {FIELDS} fields. Send fewer at once.");
    Err(Problem::new(StatusCode::BAD_REQUEST, "too_many_fields", detail))
}

fn unsupported(expected: &str) -> Problem {
    let detail = format!("The body must be {expected}. Set the Content-Type header.");
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    type Fields = Vec<(String, String)>;

    async fn read(count: usize) -> Result<usize, Problem> {
        let request = Request::post("/").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let body = Body::from(vec!["a=b"; count].join("&"));
        Form::<Fields>::from_request(request.body(body).expect("a request"), &()).await.map(|Form(fields)| fields.len())
    }

    #[tokio::test]
    async fn a_form_has_a_hundred_fields_at_most() {
        assert_eq!(read(100).await.ok(), Some(100));
        let refused = read(101).await.expect_err("too many");
        assert_eq!((refused.status, refused.code), (StatusCode::BAD_REQUEST, "too_many_fields"));
    }

    #[tokio::test]
    async fn json_that_is_nested_without_end_is_refused() {
        for (depth, accepted) in [(100, true), (129, false), (30_000, false)] {
            let request = Request::post("/").header(header::CONTENT_TYPE, "application/json");
            let body = Body::from(["[".repeat(depth), "]".repeat(depth)].concat());
            let request = request.body(body).expect("a request");
            let read = <Json<serde_json::Value> as FromRequest<()>>::from_request(request, &()).await;
            assert_eq!(read.is_ok(), accepted, "{depth}");
        }
    }
}
