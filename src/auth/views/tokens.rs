//! The pages of API tokens: the list with its form, the one answer that shows a token, and the question before it ends.

use askama::Template;
use secrecy::{ExposeSecret as _, SecretString};
use time::{Duration, OffsetDateTime};

use crate::auth::Scope;
use crate::auth::tokens::Token;
use crate::id::TokenId;
use crate::web::frame::{FormError, Frame, Tone, errors_of};
use crate::web::settings_tabs::SettingsTab;
use crate::web::text;

/// One's own tokens, for admins everybody's, and the form that makes one.
#[derive(Template)]
#[template(path = "settings/tokens.html")]
pub(crate) struct TokensPage {
    pub(crate) frame: Frame,
    pub(crate) tokens: Vec<Token>,
    /// Whose tokens may be rotated here: the reader's address.
    pub(crate) reader: String,
    /// Whether these are everybody's.
    pub(crate) of_everybody: bool,
    /// What the reader's role can use.
    pub(crate) offered: Vec<Scope>,
    /// The id that the token will have: sending the form twice makes one token.
    pub(crate) key: TokenId,
    pub(crate) typed: Typed,
    pub(crate) errors: Vec<FormError>,
    pub(crate) correlation_id: String,
    pub(crate) now: OffsetDateTime,
}

/// The form that makes a token.
#[derive(Debug, Default)]
pub(crate) struct Typed {
    pub(crate) name: String,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) lifetime: Lifetime,
}

/// How long a token is to last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lifetime {
    Month,
    #[default]
    Quarter,
    Year,
    UntilRevoked,
}

/// A token, in the one answer that shows it.
#[derive(Template)]
#[template(path = "settings/tokens_made.html")]
pub(crate) struct MadeTokenPage {
    pub(crate) frame: Frame,
    pub(crate) name: String,
    pub(crate) token: SecretString,
    /// A request that a program could make with it.
    pub(crate) example: String,
    /// When the one ends in whose place it came.
    pub(crate) old_ends_at: Option<OffsetDateTime>,
    pub(crate) now: OffsetDateTime,
}

/// How long the old token may go on, as its field holds it and in words.
const OVERLAPS: [(&str, &str); 5] =
    [("24h", "24 hours"), ("1h", "1 hour"), ("7d", "7 days"), ("30d", "30 days"), ("0", "It ends now")];

/// The question before another token comes in the place of one.
#[derive(Template)]
#[template(path = "settings/tokens_rotate.html")]
pub(crate) struct RotatePage {
    pub(crate) frame: Frame,
    pub(crate) token: Token,
    /// The id that the new token will have.
    pub(crate) key: TokenId,
    pub(crate) overlap: String,
    pub(crate) errors: Vec<FormError>,
    pub(crate) correlation_id: String,
    pub(crate) now: OffsetDateTime,
}

impl RotatePage {
    fn errors_of(&self, field: &str) -> Vec<&str> {
        errors_of(&self.errors, field)
    }
}

/// The question before a token ends.
#[derive(Template)]
#[template(path = "settings/tokens_revoke.html")]
pub(crate) struct RevokePage {
    pub(crate) frame: Frame,
    pub(crate) token: Token,
    pub(crate) now: OffsetDateTime,
}

impl TokensPage {
    fn errors_of(&self, field: &str) -> Vec<&str> {
        errors_of(&self.errors, field)
    }
}

impl Lifetime {
    pub(crate) const ALL: [Self; 4] = [Self::Month, Self::Quarter, Self::Year, Self::UntilRevoked];

    pub(crate) fn days(self) -> Option<u32> {
        match self {
            Self::Month => Some(30),
            Self::Quarter => Some(90),
            Self::Year => Some(365),
            Self::UntilRevoked => None,
        }
    }

    pub(crate) fn value(self) -> String {
        self.days().map_or_else(|| "none".to_owned(), |days| days.to_string())
    }

    fn label(self) -> String {
        self.days().map_or_else(|| "Until it is revoked".to_owned(), |days| format!("{days} days"))
    }
}

impl MadeTokenPage {
    /// What becomes of the token in whose place this one came.
    fn old_one(&self) -> Option<(String, &'static str)> {
        let end = self.old_ends_at?;
        Some(if end > self.now {
            let title = format!("The old one works until {}", text::exact(end.to_utc()));
            (title, "Give the new one to the programs that use it before then.")
        } else {
            ("The old one has ended".to_owned(), "Programs that use it are refused from now on.")
        })
    }

    #[expect(clippy::disallowed_methods, reason = "shown once to the person who had it made")]
    fn text(&self) -> &str {
        self.token.expose_secret()
    }
}

/// Whether a token opens anything, as colour, symbol and words.
fn standing(token: &Token, now: OffsetDateTime) -> (Tone, &'static str, String) {
    match (token.revoked_at, token.expires_at) {
        (Some(_), _) => (Tone::Mute, "ban", "Revoked".to_owned()),
        (None, Some(end)) if end <= now => (Tone::Mute, "timer-off", "Expired".to_owned()),
        _ if token.owner_disabled => (Tone::Mute, "ban", "Owner disabled".to_owned()),
        (None, Some(end)) if end - now < Duration::DAY => {
            (Tone::Warn, "clock", format!("Ends in {}", text::span(end - now)))
        }
        (None, Some(end)) => (Tone::Ok, "circle-check", format!("Ends on {}", text::day(end.to_utc(), now.to_utc()))),
        (None, None) => (Tone::Ok, "circle-check", "Until revoked".to_owned()),
    }
}

/// What a scope opens, in a sentence.
fn opens(scope: Scope) -> &'static str {
    match scope {
        Scope::OperationsRead => "Reads operations and what became of them.",
        Scope::OperationsWrite => "Asks for SMS and calls in your name, and cancels them.",
        Scope::ApprovalsWrite => {
            "Approves and rejects in your name where the settings allow it, and can hold all sending."
        }
        Scope::VaultWrite => "Stores and removes the keys of Twilio and ElevenLabs. It cannot read them back.",
        Scope::AuditRead => "Reads the audit log.",
    }
}
