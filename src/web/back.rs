//! Where a small form on some page leads back to.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::Redirect;
use url::Url;

use crate::state::AppState;

/// Where people start, and where they go back to if nothing better is known.
pub(crate) const START: &str = "/dashboard/operations";

/// The page of ours that the request came from.
#[derive(Debug)]
pub(crate) struct Back(String);

impl Back {
    /// Its path with its query.
    pub(crate) fn path(&self) -> &str {
        &self.0
    }

    /// Sends the reader there.
    pub(crate) fn redirect(&self) -> Redirect {
        Redirect::to(&self.0)
    }

    /// Only a path of our pages on one of our hosts: anything else might lead elsewhere.
    fn of(referer: Option<&str>, hosts: &[String]) -> Self {
        let url = referer.and_then(|referer| Url::parse(referer).ok());
        let ours = url.filter(|url| {
            let host = url.host_str().unwrap_or_default();
            let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
            hosts.contains(&host) && url.path().starts_with("/dashboard/")
        });
        Self(ours.map_or_else(
            || START.to_owned(),
            |url| url[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
        ))
    }
}

impl FromRequestParts<AppState> for Back {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Infallible> {
        let referer = parts.headers.get(header::REFERER).and_then(|value| value.to_str().ok());
        Ok(Self::of(referer, &app.hosts))
    }
}

#[cfg(test)]
mod tests {
    use super::{Back, START};

    #[test]
    fn only_our_own_pages_are_gone_back_to() {
        let hosts = ["127.0.0.1:3000".to_owned(), "mission.example".to_owned()];
        for (referer, back) in [
            (Some("http://127.0.0.1:3000/dashboard/audit"), "/dashboard/audit"),
            (
                Some("https://mission.example/dashboard/operations?q=%2B1&state=failed#main"),
                "/dashboard/operations?q=%2B1&state=failed",
            ),
            (Some("http://127.0.0.1:3001/dashboard/audit"), START),
            (Some("https://evil.example/dashboard/audit"), START),
            (Some("https://mission.example//evil.example"), START),
            (Some("https://mission.example/login"), START),
            (Some("/dashboard/audit"), START),
            (None, START),
        ] {
            assert_eq!(Back::of(referer, &hosts).0, back, "{referer:?}");
        }
    }
}
