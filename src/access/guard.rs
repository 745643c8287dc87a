//! The look at who comes, before any handler.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts as _, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};

use super::{Access, Confirmation, Routes, Terms, confirming};
use crate::auth::{AtTheDoor, Permission, Principal, Refusal, SignedIn};
use crate::error::{Error, Problem};
use crate::state::AppState;

/// What each method of each address asks for.
type Table = HashMap<&'static str, Vec<(Method, Terms)>>;

/// Puts the guard before these routes, so that their handlers see only whom the routes let in.
pub(crate) fn guard(routes: Routes, app: &AppState) -> Routes {
    let mut table = Table::new();
    for route in routes.list() {
        table.entry(route.path).or_default().push((route.method.clone(), route.terms));
    }
    let state = (app.clone(), Arc::new(table));
    routes.wrap(|router| router.route_layer(from_fn_with_state(state, look)))
}

async fn look(State((app, table)): State<(AppState, Arc<Table>)>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match terms(&table, &parts) {
        Found::Route(Terms { access, confirmation }) => match admit(access, &mut parts, &app).await {
            Ok(Some(principal)) if confirmation != Confirmation::None => {
                return confirming::pass(&app, Request::from_parts(parts, body), principal, confirmation, next).await;
            }
            Ok(_) => {}
            Err(refusal) => return refusal.into_response(),
        },
        // The router answers it with 405.
        Found::OtherMethod => {}
        Found::Nothing => return undeclared().into_response(),
    }
    next.run(Request::from_parts(parts, body)).await
}

enum Found {
    Route(Terms),
    OtherMethod,
    Nothing,
}

fn terms(table: &Table, parts: &Parts) -> Found {
    let path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    let Some(methods) = path.and_then(|path| table.get(path)) else { return Found::Nothing };
    let method = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
    let found = methods.iter().find(|(known, _)| known == method);
    found.map_or(Found::OtherMethod, |(_, terms)| Found::Route(*terms))
}

/// Who it is, if the route asks.
async fn admit(access: Access, parts: &mut Parts, app: &AppState) -> Result<Option<Principal>, Refusal> {
    let (principal, permission): (Principal, Permission) = match access {
        Access::Anybody | Access::Twilio => return Ok(None),
        Access::AtTheDoor => return Ok(Some(AtTheDoor::from_request_parts(parts, app).await?.0)),
        Access::Person(permission) => (SignedIn::from_request_parts(parts, app).await?.0, permission),
        Access::Caller(permission) => (Principal::from_request_parts(parts, app).await?, permission),
    };
    principal.require(permission).map_err(|problem| {
        tracing::warn!(event = "access.refused", user = %principal.user, reason = problem.code, "somebody may not come here");
        Refusal::Problem(Error::from(problem))
    })?;
    Ok(Some(principal))
}

/// Cannot happen while every route is made by [`Routes`]; if it does, nobody gets in.
fn undeclared() -> Problem {
    tracing::error!(event = "route.undeclared", "a route does not say who may come");
    Problem::new(StatusCode::FORBIDDEN, "undeclared", "This address does not say who may use it, so nobody may.")
}
