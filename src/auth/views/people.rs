//! The pages of people: the list, one person, the question before they are shut out, and a password that is shown once.

use askama::Template;
use secrecy::{ExposeSecret as _, SecretString};
use time::OffsetDateTime;

use super::sessions::Row;
use crate::auth::Role;
use crate::auth::users::User;
use crate::id::UserId;
use crate::web::frame::{FormError, Frame, Tone, errors_of};
use crate::web::settings_tabs::SettingsTab;

/// Everybody, and the form that adds somebody.
#[derive(Template)]
#[template(path = "settings/people.html")]
pub(crate) struct PeoplePage {
    pub(crate) frame: Frame,
    pub(crate) people: Vec<User>,
    pub(crate) reader: UserId,
    pub(crate) typed: Typed,
    pub(crate) errors: Vec<FormError>,
    pub(crate) correlation_id: String,
    pub(crate) now: OffsetDateTime,
}

/// The form that adds somebody.
#[derive(Debug, Default)]
pub(crate) struct Typed {
    pub(crate) email: String,
    pub(crate) name: String,
    /// The least role, unless another was chosen.
    pub(crate) role: Option<Role>,
}

/// One person, and what can be done about them.
#[derive(Template)]
#[template(path = "settings/people_person.html")]
pub(crate) struct PersonPage {
    pub(crate) frame: Frame,
    pub(crate) person: User,
    /// Where they are signed in, the one used last first.
    pub(crate) sessions: Vec<Row>,
    /// Nobody decides on their own standing.
    pub(crate) is_reader: bool,
    pub(crate) errors: Vec<FormError>,
    pub(crate) correlation_id: String,
    pub(crate) now: OffsetDateTime,
}

/// The question before a person is shut out.
#[derive(Template)]
#[template(path = "settings/people_disable.html")]
pub(crate) struct DisablePage {
    pub(crate) frame: Frame,
    pub(crate) person: User,
}

/// A password that somebody else will sign in with, in the one answer that shows it.
#[derive(Template)]
#[template(path = "settings/people_password.html")]
pub(crate) struct FirstPasswordPage {
    pub(crate) frame: Frame,
    pub(crate) person: UserId,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) password: SecretString,
    /// Whether the person is new; else the password replaces another.
    pub(crate) is_new: bool,
    /// Where they sign in.
    pub(crate) sign_in: String,
}

impl PersonPage {
    fn sessions_address(&self) -> String {
        format!("/dashboard/settings/people/{}/sessions", self.person.id)
    }
}

impl PeoplePage {
    fn errors_of(&self, field: &str) -> Vec<&str> {
        errors_of(&self.errors, field)
    }

    fn count(&self) -> String {
        let enabled = self.people.iter().filter(|person| person.disabled_at.is_none()).count();
        format!("{enabled} of {} may sign in", self.people.len())
    }
}

impl FirstPasswordPage {
    #[expect(clippy::disallowed_methods, reason = "shown once to the admin who had it made")]
    fn text(&self) -> &str {
        self.password.expose_secret()
    }
}

/// Whether a person may come in, as colour, symbol and word.
fn standing(person: &User) -> (Tone, &'static str, &'static str) {
    match (person.disabled_at, person.must_change_password) {
        (Some(_), _) => (Tone::Mute, "ban", "Disabled"),
        (None, true) => (Tone::Warn, "key", "Must change password"),
        (None, false) => (Tone::Ok, "circle-check", "Enabled"),
    }
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "Viewer",
        Role::Operator => "Operator",
        Role::Approver => "Approver",
        Role::Admin => "Admin",
    }
}

fn duties(role: Role) -> &'static str {
    match role {
        Role::Viewer => "Looks at operations and the audit log; telephone numbers are masked.",
        Role::Operator => "Also asks for SMS and calls, and cancels them.",
        Role::Approver => "Also decides on what others ask for.",
        Role::Admin => "Also keeps keys, people and settings, and can hold all sending.",
    }
}
