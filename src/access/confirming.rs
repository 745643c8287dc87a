//! What happens on the way to a route that asks for a confirmation. Somebody who signed in or confirmed within the last
//! minutes passes; anybody else is asked by a page that holds what they asked for, so that it is done with the answer.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts as _, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, REFERER, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use secrecy::SecretString;

use super::Confirmation;
use crate::auth::confirmation::views::ConfirmPage;
use crate::auth::confirmation::{self, FIELD, NotConfirmed, Proof, page::PATH};
use crate::auth::{Principal, Visitor};
use crate::error::{Error, Problem};
use crate::state::AppState;
use crate::web::back::Back;
use crate::web::extract::{has_content_type, read_body};
use crate::web::frame::{Frame, Theme, html};
use crate::web::problems::wants_page;

/// The page that the reader stood on before they were asked: what leads back leads there.
const FROM: &str = "proof_from";

const FORM: &str = "application/x-www-form-urlencoded";

/// The fields of a form as they came, without what belongs to the confirmation.
struct Fields {
    /// What was shown of oneself.
    proof: Option<SecretString>,
    from: Option<String>,
    rest: Vec<(String, String)>,
}

/// Lets the request on, with the session under its new name if it had to be confirmed; or asks.
pub(super) async fn pass(
    app: &AppState,
    request: Request,
    principal: Principal,
    confirmation: Confirmation,
    next: Next,
) -> Response {
    let asks_page = wants_page(&request);
    let is_form = has_content_type(request.headers(), FORM);
    let (mut parts, body) = request.into_parts();
    if !is_form {
        if confirmation::is_fresh(&principal) {
            return next.run(Request::from_parts(parts, body)).await;
        }
        // A form without fields has no type either.
        return if asks_page && !parts.headers.contains_key(CONTENT_TYPE) {
            let asked = Asked { app, principal: &principal, confirmation };
            asked.page(&parts, Fields { proof: None, from: None, rest: Vec::new() }, None).await
        } else {
            required(app).into_response()
        };
    }
    let body = match read_body(Request::new(body), app).await {
        Ok(body) => body,
        Err(problem) => return problem.into_response(),
    };
    let Some(fields) = Fields::read(&body) else {
        // The handler says what is wrong with it, or nobody hears anything of it.
        return if confirmation::is_fresh(&principal) {
            next.run(Request::from_parts(parts, Body::from(body))).await
        } else {
            required(app).into_response()
        };
    };
    if let Some(from) = fields.from.as_deref().and_then(|from| HeaderValue::from_str(from).ok()) {
        parts.headers.insert(REFERER, from);
    }
    if confirmation::is_fresh(&principal) {
        return next.run(fields.request(parts)).await;
    }
    let asked = Asked { app, principal: &principal, confirmation };
    let Some(proof) = &fields.proof else {
        return if asks_page { asked.page(&parts, fields, None).await } else { required(app).into_response() };
    };
    let Ok(visitor) = Visitor::from_request_parts(&mut parts, app).await;
    match confirmation::confirm(app, &visitor, &principal, proof).await {
        Ok(Ok(confirmed)) => {
            confirmed.apply(app, &mut parts, principal.clone());
            with_cookie(next.run(fields.request(parts)).await, &confirmed.cookie(app))
        }
        Ok(Err(why)) => asked.page(&parts, fields, Some(why)).await,
        Err(error) => Error::into_response(error),
    }
}

/// Somebody who has to confirm.
struct Asked<'a> {
    app: &'a AppState,
    principal: &'a Principal,
    confirmation: Confirmation,
}

impl Asked<'_> {
    /// The page that asks. What it repeats of the form is no secret: where it would be, it says that it was not kept.
    async fn page(&self, parts: &Parts, fields: Fields, why: Option<NotConfirmed>) -> Response {
        let Self { app, principal, confirmation } = *self;
        let Ok(theme) = Theme::from_request_parts(&mut parts.clone(), app).await;
        let Ok(back) = Back::from_request_parts(&mut parts.clone(), app).await;
        let proof = Proof::of(principal);
        let lost = confirmation == Confirmation::AskedByForm;
        let (action, fields) = if lost {
            (PATH.to_owned(), vec![("next".to_owned(), back.path().to_owned())])
        } else {
            let action = parts.uri.path_and_query().map_or("/", |asked| asked.as_str()).to_owned();
            (action, fields.again(&parts.headers))
        };
        let page = ConfirmPage {
            frame: Frame::without_menu(app.config.mode, theme),
            email: principal.email.clone(),
            proof,
            action,
            fields,
            lost,
            errors: why.iter().map(|why| why.error(proof)).collect(),
            back: back.path().to_owned(),
        };
        match why {
            Some(why) => why.refuse(html(why.status(), &page)),
            None => html(StatusCode::FORBIDDEN, &page),
        }
    }
}

impl Fields {
    fn read(body: &Bytes) -> Option<Self> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(body).ok()?;
        let mut fields = Self { proof: None, from: None, rest: Vec::with_capacity(pairs.len()) };
        for (name, value) in pairs {
            match name.as_str() {
                FIELD => fields.proof = Some(value.into()),
                FROM => fields.from = Some(value),
                _ => fields.rest.push((name, value)),
            }
        }
        Some(fields)
    }

    /// The request as it would have come without any confirmation.
    fn request(&self, mut parts: Parts) -> Request {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.rest).finish();
        parts.headers.insert(CONTENT_LENGTH, body.len().into());
        Request::from_parts(parts, Body::from(body))
    }

    /// Everything once more, for the form of the page that asks.
    fn again(self, headers: &HeaderMap) -> Vec<(String, String)> {
        let came_from = headers.get(REFERER).and_then(|value| value.to_str().ok());
        let from = came_from.map(|from| (FROM.to_owned(), from.to_owned()));
        self.rest.into_iter().chain(from).collect()
    }
}

/// The new name of the session, unless the handler gave it another one.
fn with_cookie(mut response: Response, cookie: &str) -> Response {
    let name = cookie.split('=').next().unwrap_or_default();
    let is_named = |set: &HeaderValue| set.to_str().is_ok_and(|set| set.split('=').next() == Some(name));
    let is_set = response.headers().get_all(SET_COOKIE).iter().any(is_named);
    if let (false, Ok(value)) = (is_set, HeaderValue::from_str(cookie)) {
        response.headers_mut().append(SET_COOKIE, value);
    }
    response
}

fn required(app: &AppState) -> Problem {
    let url = format!("{}{PATH}", app.public_url);
    let detail = format!("This needs somebody who has just shown who they are. Confirm at {url}, then repeat it.");
    Problem::forbidden("confirmation_required", detail).with("confirmUrl", url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_confirmation_never_reaches_the_handler() {
        let body = Bytes::from_static(b"digest=ab%20c&proof=four+words&id=1&id=2&proof_from=http%3A%2F%2Fhere%2F");
        let fields = Fields::read(&body).expect("fields");
        assert_eq!(fields.from.as_deref(), Some("http://here/"));
        let request = fields.request(Request::new(()).into_parts().0);
        assert_eq!(request.headers()[CONTENT_LENGTH], "21");
        let names: Vec<&str> = fields.rest.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["digest", "id", "id"]);
    }

    #[test]
    fn a_session_that_the_handler_began_stays_the_last_word() {
        let theirs = ([(SET_COOKIE, "mc=theirs; Path=/")], "").into_response();
        let kept = with_cookie(theirs, "mc=ours; Path=/");
        assert_eq!(kept.headers().get_all(SET_COOKIE).iter().collect::<Vec<_>>(), ["mc=theirs; Path=/"]);
        let added = with_cookie("".into_response(), "mc=ours; Path=/");
        assert_eq!(added.headers()[SET_COOKIE], "mc=ours; Path=/");
    }
}
