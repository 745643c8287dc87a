//! Routes that say who may come to them.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, on};

use super::Terms;
use crate::state::AppState;

/// One method of one address.
#[derive(Clone, Debug)]
pub struct Route {
    /// The method; a GET answers HEAD as well.
    pub method: Method,
    /// The address as the router matches it, such as `/api/operations/{id}`.
    pub path: &'static str,
    /// Who may come, and what they have to show.
    pub terms: Terms,
}

/// Addresses with their handlers, each of which says who may come.
#[derive(Default)]
pub struct Routes {
    router: Router<AppState>,
    list: Vec<Route>,
}

impl Routes {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Reading.
    pub(crate) fn get<T: 'static>(
        self,
        path: &'static str,
        terms: impl Into<Terms>,
        handler: impl Handler<T, AppState>,
    ) -> Self {
        self.add(Method::GET, MethodFilter::GET, path, terms.into(), handler)
    }

    /// Doing.
    pub(crate) fn post<T: 'static>(
        self,
        path: &'static str,
        terms: impl Into<Terms>,
        handler: impl Handler<T, AppState>,
    ) -> Self {
        self.add(Method::POST, MethodFilter::POST, path, terms.into(), handler)
    }

    /// Setting.
    pub(crate) fn put<T: 'static>(
        self,
        path: &'static str,
        terms: impl Into<Terms>,
        handler: impl Handler<T, AppState>,
    ) -> Self {
        self.add(Method::PUT, MethodFilter::PUT, path, terms.into(), handler)
    }

    /// Removing.
    pub(crate) fn delete<T: 'static>(
        self,
        path: &'static str,
        terms: impl Into<Terms>,
        handler: impl Handler<T, AppState>,
    ) -> Self {
        self.add(Method::DELETE, MethodFilter::DELETE, path, terms.into(), handler)
    }

    fn add<T: 'static>(
        mut self,
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        terms: Terms,
        handler: impl Handler<T, AppState>,
    ) -> Self {
        self.router = self.router.route(path, on(filter, handler));
        self.list.push(Route { method, path, terms });
        self
    }

    /// Both.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.list.extend(other.list);
        self
    }

    /// Wraps what a layer needs around the routes so far.
    pub(crate) fn wrap(mut self, wrap: impl FnOnce(Router<AppState>) -> Router<AppState>) -> Self {
        self.router = wrap(self.router);
        self
    }

    /// What they are.
    pub(crate) fn list(&self) -> &[Route] {
        &self.list
    }

    /// The router, once everything is wrapped around it.
    pub fn into_router(self) -> Router<AppState> {
        self.router
    }
}
