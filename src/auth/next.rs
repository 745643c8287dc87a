//! Where to go on after signing in.

use std::sync::LazyLock;

use axum::http::Method;

use super::identify::LOGIN_PATH;
use crate::access::{Access, Route};
use crate::router;

/// The address of one of our pages. Anything else is refused: what a browser could read as another site's address would let
/// a link to our sign-in page hand a person over to an imitation of it, and what is no page is nowhere to go on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Next(String);

/// Longest path that is remembered, in bytes.
const LONGEST: usize = 2048;

/// Where people may go: what can be read and is for people. Taken from the router's own table, the one place that knows.
static PAGES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let is_page = |route: &Route| {
        let is_for_people = matches!(route.terms.access, Access::Person(_) | Access::AtTheDoor);
        route.method == Method::GET && (is_for_people || ["/", "/dashboard"].contains(&route.path))
    };
    router::routes().iter().filter(|route| is_page(route)).map(|route| route.path).collect()
});

impl Next {
    /// Where people start.
    pub(super) fn start() -> Self {
        Self("/dashboard/operations".to_owned())
    }

    /// Reads a path with its query.
    pub(super) fn parse(text: &str) -> Option<Self> {
        // Browsers take a backslash for a slash, and drop control characters before they look.
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\#".contains(&byte));
        let path = text.split('?').next().unwrap_or_default();
        let is_page = is_plain && text.len() <= LONGEST && PAGES.iter().any(|page| leads_to(path, page));
        is_page.then(|| Self(text.to_owned()))
    }

    /// The path.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The address of the sign-in page that leads here.
    pub(super) fn sign_in_address(&self) -> String {
        self.address_of(LOGIN_PATH)
    }

    /// The address of a page of ours that leads here.
    pub(super) fn address_of(&self, page: &str) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &self.0).finish();
        format!("{page}?{query}")
    }
}

/// Whether a path is one that the router would match with this address of its table.
fn leads_to(path: &str, page: &str) -> bool {
    let mut segments = path.split('/');
    let all = page.split('/').all(|expected| match (segments.next(), expected.starts_with('{')) {
        // A browser takes dots away together with what stands before them, also in other characters.
        (Some(segment), true) => {
            !segment.is_empty() && !segment.replace("%2e", ".").replace("%2E", ".").starts_with('.')
        }
        (Some(segment), false) => segment == expected,
        (None, _) => false,
    });
    all && segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::Next;

    #[test]
    fn only_pages_of_ours_are_gone_on_to() {
        for path in [
            "/",
            "/dashboard",
            "/dashboard/operations",
            "/dashboard/operations?state=unknown&q=%2B1555",
            "/dashboard/operations/0199-id",
            "/dashboard/operations?next=https://evil.example",
            "/dashboard/settings?tab=integrations",
            "/account/password",
        ] {
            assert_eq!(Next::parse(path).expect(path).as_str(), path);
        }
        for elsewhere in [
            "",
            "dashboard",
            "dashboard/operations",
            "?",
            "//evil.example",
            "///evil.example",
            "//evil.example/dashboard/operations",
            "//dashboard/operations",
            "/\\evil.example",
            "\\\\evil.example",
            "\\/evil.example",
            "/dashboard\\operations",
            "/dashboard/operations\\@evil.example",
            "https://evil.example",
            "https:evil.example",
            "https:/evil.example",
            "http://127.0.0.1:3000/dashboard/operations",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)//dashboard",
            "data:text/html,<script>alert(1)</script>",
            "/\t/evil.example",
            "/\n/evil.example",
            "/\r/evil.example",
            "\t//evil.example",
            " /dashboard/operations",
            "/dashboard/operations ",
            "/dashboard/operations\0",
            "/dashboard/operations\r\nset-cookie: mc=x",
            "/%2f/evil.example",
            "/%2Fevil.example",
            "/%5cevil.example",
            "/%09/evil.example",
            "/.//evil.example",
            "/..//evil.example",
            "/dashboard/..//evil.example",
            "/dashboard/operations/..",
            "/dashboard/operations/%2e%2e",
            "/dashboard/operations/.%2E/",
            "/dashboard/operations//evil.example",
            "/dashboard/operations/",
            "/dashboard/operations/;@evil.example/x/y",
            "/@evil.example",
            "/evil.example",
            "/:443/",
            "/dashboard/operations#//evil.example",
            "/\u{e9}",
            "/\u{2215}evil.example",
            "/DASHBOARD/operations",
            // Ours, and no pages.
            "/login",
            "/logout",
            "/healthz",
            "/metrics",
            "/api/operations",
            "/api/public/call-audio/test-recording.mp3",
            "/static/0/app.js",
            "/webhooks/twilio/reach/x",
            "/dashboard/live",
            "/dashboard/preferences/theme",
        ] {
            assert_eq!(Next::parse(elsewhere), None, "{elsewhere:?}");
        }
        assert_eq!(Next::parse(&format!("/dashboard/operations?{}", "a".repeat(2048))), None);
    }

    #[test]
    fn the_way_back_survives_its_own_query() {
        let next = Next::parse("/dashboard/operations?q=a&b=c").expect("a path");
        assert_eq!(next.sign_in_address(), "/login?next=%2Fdashboard%2Foperations%3Fq%3Da%26b%3Dc");
    }
}
