//! Every address on one page, in three groups: open to anybody, for those who sign in, and for Twilio.

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use tower_http::timeout::TimeoutLayer;

use crate::state::AppState;
use crate::web::headers::{self, Https};
use crate::{
    approval, audit, auth, callback, gateway, guard, integrations, live, metrics, operation, settings, speech, vault,
    web,
};

/// The whole service as one router.
pub(crate) fn router(app: &AppState) -> Router {
    // Anybody: is it alive, what do its pages look like, what does a call play, is this the public address.
    let open = Router::new()
        .merge(web::health::router())
        .merge(web::assets::router())
        .merge(speech::test_recording::router())
        .merge(speech::clips::router())
        .merge(integrations::arrival::router());

    // Whoever signed in, or holds a token. No other site can act in a person's name.
    let waiting = operation::api::waiting().merge(audit::export::router()).merge(live::router());
    let signed_in = Router::new()
        .merge(auth::router())
        .merge(auth::pages::router())
        .merge(operation::api::listing())
        .merge(approval::api::router())
        .merge(guard::api::router())
        .merge(operation::pages::router())
        .merge(operation::overview::router())
        .merge(gateway::router())
        .merge(guard::page::router())
        .merge(integrations::pages::router())
        .merge(settings::pages::router())
        .merge(audit::router())
        .merge(metrics::router())
        .merge(vault::api::router())
        .merge(vault::pages::router())
        .merge(web::preferences::router());

    // Twilio, by its signature.
    let twilio = callback::router();

    let bounded = TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, web::REQUEST_TIMEOUT);
    let signed_in = web::same_origin(signed_in.layer(bounded).merge(waiting), app);
    let all = open.merge(signed_in).merge(twilio.layer(bounded));
    let all = web::manners(all, app);
    let https = Https(app.public_url.is_https());
    all.layer(from_fn_with_state(https, headers::protect)).with_state(app.clone())
}
