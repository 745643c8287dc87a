//! Where to go on after signing in.

use super::identify::LOGIN_PATH;

/// A path of our own. Anything that a browser could read as another site's address is refused: else a link to our sign-in
/// page could hand a person over to an imitation of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Next(String);

/// Longest path that is remembered, in bytes.
const LONGEST: usize = 2048;

impl Next {
    /// Where people start.
    pub(super) fn start() -> Self {
        Self("/dashboard/operations".to_owned())
    }

    /// Reads a path with its query.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix('/')?;
        // Browsers take a backslash for a slash, and drop control characters before they look.
        let is_local = !rest.starts_with('/')
            && !text.contains('\\')
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && text.len() <= LONGEST;
        is_local.then(|| Self(text.to_owned()))
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

#[cfg(test)]
mod tests {
    use super::Next;

    #[test]
    fn only_paths_of_ours_are_gone_on_to() {
        for path in ["/", "/dashboard/operations", "/dashboard/operations?state=unknown&q=%2B1555", "/a//b", "/a:b@c"] {
            assert_eq!(Next::parse(path).expect(path).as_str(), path);
        }
        for elsewhere in [
            "",
            "dashboard",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n/evil.example",
            "/a\\b",
            " /a",
            "/a b",
            "/\u{e9}",
            "///evil.example",
        ] {
            assert_eq!(Next::parse(elsewhere), None, "{elsewhere:?}");
        }
        assert_eq!(Next::parse(&format!("/{}", "a".repeat(2048))), None);
    }

    #[test]
    fn the_way_back_survives_its_own_query() {
        let next = Next::parse("/dashboard/operations?q=a&b=c").expect("a path");
        assert_eq!(next.sign_in_address(), "/login?next=%2Fdashboard%2Foperations%3Fq%3Da%26b%3Dc");
    }
}
