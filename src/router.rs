//! Every address, in three groups: open to anybody, for those who sign in, and for Twilio. Who may come to each stands
//! beside it, where it is made; `tests/data/routes.txt` lists all of them.

use axum::Router;
use axum::http::StatusCode;
use tower_http::timeout::TimeoutLayer;

use crate::access::{self, Access, Route, Routes};
use crate::state::AppState;
use crate::web::server::Limits;
use crate::web::{assets, health, preferences};
use crate::{
    approval, audit, auth, callback, gateway, guard, integrations, live, metrics, openapi, operation, settings, speech,
    vault, web,
};

/// The whole service as one router, which waits for a body and for an answer within these limits.
pub(crate) fn router(app: &AppState, limits: Limits) -> Router {
    let bounded = TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, limits.answer);
    let Groups { open, signed_in, waiting, twilio } = Groups::new();
    let open = access::guard(open, app).into_router();
    let signed_in = access::guard(signed_in, app).into_router().layer(bounded);
    let waiting = access::guard(waiting, app).into_router();
    let twilio = access::guard(twilio, app).into_router().layer(bounded);
    // No other site can act in a person's name.
    let all = open.merge(web::same_origin(signed_in.merge(waiting), app)).merge(twilio);
    web::manners(all, app, limits.body).with_state(app.clone())
}

/// Every address, and who may come to it.
pub fn routes() -> Vec<Route> {
    Groups::new().list()
}

struct Groups {
    /// Anybody: is it alive, what do its pages look like, what does a call play, is this the public address.
    open: Routes,
    /// Whoever signed in, or holds a token.
    signed_in: Routes,
    /// The same, where an answer may take longer than others.
    waiting: Routes,
    /// Twilio, by its signature.
    twilio: Routes,
}

impl Groups {
    fn new() -> Self {
        let mut groups = Self {
            open: Routes::new()
                .get("/healthz", Access::Anybody, health::alive)
                .get("/readyz", Access::Anybody, health::ready)
                .get("/static/{fingerprint}/{*file}", Access::Anybody, assets::fingerprinted)
                .get("/favicon.ico", Access::Anybody, assets::favicon)
                .merge(speech::test_recording::routes())
                .merge(speech::clips::routes())
                .merge(integrations::arrival::routes()),
            signed_in: Routes::new()
                .merge(auth::routes())
                .merge(auth::pages::routes())
                .merge(operation::api::listing())
                .merge(approval::api::routes())
                .merge(guard::api::routes())
                .merge(operation::pages::routes())
                .merge(operation::overview::routes())
                .merge(gateway::routes())
                .merge(guard::page::routes())
                .merge(integrations::pages::routes())
                .merge(settings::pages::routes())
                .merge(audit::routes())
                .merge(metrics::routes())
                .merge(vault::api::routes())
                .merge(vault::pages::routes())
                .post("/dashboard/preferences/theme", Access::Anybody, preferences::choose_theme)
                .post("/dashboard/preferences/shortcuts", Access::Anybody, preferences::choose_shortcuts),
            waiting: operation::api::waiting().merge(audit::export::routes()).merge(live::routes()),
            twilio: callback::routes(),
        };
        let described = groups.list();
        groups.open = groups.open.merge(openapi::routes(&described));
        groups
    }

    fn list(&self) -> Vec<Route> {
        let groups = [&self.open, &self.signed_in, &self.waiting, &self.twilio];
        groups.into_iter().flat_map(|group| group.list().to_vec()).collect()
    }
}
