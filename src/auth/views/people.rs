//! The pages of people: the list, one person, the question before they are shut out, and a link that is shown once.

use askama::Template;
use secrecy::{ExposeSecret as _, SecretString};
use time::OffsetDateTime;

use super::sessions::Row;
use crate::auth::Role;
use crate::auth::links::{OpenLink, Purpose};
use crate::auth::users::User;
use crate::id::UserId;
use crate::web::frame::{FormError, Frame, Tone, errors_of};
use crate::web::settings_tabs::SettingsTab;

/// Everybody, and the form that invites somebody.
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

/// The form that invites somebody.
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
    /// A link that they have not used yet.
    pub(crate) link: Option<OpenLink>,
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

/// A link by which somebody chooses a password, in the one answer that shows it.
#[derive(Template)]
#[template(path = "settings/people_link.html")]
pub(crate) struct LinkPage {
    pub(crate) frame: Frame,
    pub(crate) person: UserId,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) address: SecretString,
    pub(crate) purpose: Purpose,
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
        let enabled =
            self.people.iter().filter(|person| person.disabled_at.is_none() && person.invited_at.is_none()).count();
        format!("{enabled} of {} may sign in", self.people.len())
    }
}

impl LinkPage {
    #[expect(clippy::disallowed_methods, reason = "shown once to the admin who had it made")]
    fn text(&self) -> &str {
        self.address.expose_secret()
    }

    fn hours(&self) -> u64 {
        self.purpose.lasts().as_secs() / 3600
    }
}

/// Whether a person may come in, as colour, symbol and word.
fn standing(person: &User) -> (Tone, &'static str, &'static str) {
    match (person.disabled_at, person.invited_at, person.must_change_password) {
        (Some(_), ..) => (Tone::Mute, "ban", "Disabled"),
        (None, Some(_), _) => (Tone::Accent, "clock", "Invited"),
        (None, None, true) => (Tone::Warn, "key", "Must change password"),
        (None, None, false) => (Tone::Ok, "circle-check", "Enabled"),
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
