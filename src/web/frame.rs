//! What stands around every page: mode, menu, counts, hold, theme, and who is signed in.

use std::convert::Infallible;

use askama::Template;
use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Response},
};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use time::Duration;

use super::banners::Banner;
use crate::config::Mode;

/// The reason shown in the bar while the embedded sandbox stands in for the providers.
const SANDBOX_REASON: &str = "Twilio and ElevenLabs are emulated here. Nothing leaves this machine.";

/// Everything that `base.html` shows. Every page has one, in a field named `frame`.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// Why nothing is real: shown in a bar and in the title. `None` in live mode, which has no bar.
    pub(crate) sandbox: Option<String>,
    pub(crate) theme: Theme,
    /// Nobody on the pages before signing in; then there is no menu either.
    pub(crate) signed_in: Option<SignedIn>,
}

impl Frame {
    /// Without a menu: nobody has signed in, or the page stands before everything else.
    pub(crate) fn without_menu(mode: Mode, theme: Theme) -> Self {
        let sandbox = (mode == Mode::Sandbox).then(|| SANDBOX_REASON.to_owned());
        Self { sandbox, theme, signed_in: None }
    }

    /// With the menu, and who is signed in.
    pub(crate) fn of(mode: Mode, theme: Theme, person: SignedIn) -> Self {
        Self { signed_in: Some(person), ..Self::without_menu(mode, theme) }
    }

    /// Whether the reader may ask for operations.
    pub(crate) fn may_request(&self) -> bool {
        self.signed_in.as_ref().is_some_and(|person| person.may_request)
    }
}

/// The person at the screen, and what they should know wherever they are.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    pub(crate) name: String,
    pub(crate) email: String,
    /// `viewer`, `operator`, `approver` or `admin`.
    pub(crate) role: String,
    pub(crate) may_request: bool,
    pub(crate) may_hold: bool,
    pub(crate) waiting: i64,
    pub(crate) attention: i64,
    /// Why sending is on hold; `None` while it is on.
    pub(crate) held: Option<String>,
    pub(crate) banners: Vec<Banner>,
    pub(crate) place: Place,
    /// Whether single keys do something.
    pub(crate) shortcuts: Shortcuts,
    /// What the page knows of: its stream begins there.
    pub(crate) live_since: String,
}

impl SignedIn {
    /// The first part of the menu: the work.
    pub(crate) fn operations_menu(&self) -> [Entry; 3] {
        [
            self.entry(Place::Operations, "/dashboard/operations", "list", "All operations"),
            Entry {
                count: Some(("waiting", self.waiting, Tone::Warn)),
                ..self.entry(
                    Place::Waiting,
                    "/dashboard/operations?state=pending_approval",
                    "clock",
                    "Waiting for approval",
                )
            },
            Entry {
                count: Some(("attention", self.attention, Tone::Odd)),
                ..self.entry(Place::Attention, "/dashboard/operations?attention=true", "warning", "Needs attention")
            },
        ]
    }

    /// The second part: what the work stands on.
    pub(crate) fn set_up_menu(&self) -> [Entry; 3] {
        [
            self.entry(Place::Integrations, "/dashboard/integrations", "plug", "Integrations"),
            self.entry(Place::Settings, "/dashboard/settings?tab=integrations", "settings", "Settings"),
            self.entry(Place::Audit, "/dashboard/audit", "audit", "Audit log"),
        ]
    }

    /// The foot, where help stands on every page.
    pub(crate) fn help_menu(&self) -> [Entry; 1] {
        [self.entry(Place::Help, "/dashboard/help", "help", "Help and runbook")]
    }

    fn entry(&self, place: Place, address: &'static str, icon: &'static str, label: &'static str) -> Entry {
        Entry { address, icon, label, count: None, is_current: self.place == place }
    }

    pub(crate) fn is_at(&self, place: Place) -> bool {
        self.place == place
    }

    pub(crate) fn role_word(&self) -> String {
        let mut letters = self.role.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    }
}

/// One line of the menu.
pub(crate) struct Entry {
    pub(crate) address: &'static str,
    pub(crate) icon: &'static str,
    pub(crate) label: &'static str,
    /// How many there are, under the name by which the number is kept up to date.
    pub(crate) count: Option<(&'static str, i64, Tone)>,
    pub(crate) is_current: bool,
}

/// Where the reader is, in terms of the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Operations,
    Waiting,
    Attention,
    NewSms,
    NewCall,
    Integrations,
    Settings,
    Audit,
    Help,
}

/// The colours a person chose; kept in the cookie `theme`, so that the first byte of a page already has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As the device.
    #[default]
    Auto,
    Light,
    Dark,
}

impl Theme {
    const COOKIE: &'static str = "theme";

    /// What the cookie says. Anything that we did not write counts as no choice.
    pub(crate) fn of(cookies: &CookieJar) -> Self {
        cookies.get(Self::COOKIE).map_or(Self::Auto, |cookie| Self::parse(cookie.value()))
    }

    /// The cookie that keeps the choice.
    pub(crate) fn cookie(self) -> Cookie<'static> {
        kept(Self::COOKIE, self.name())
    }

    pub(crate) fn parse(value: &str) -> Self {
        match value {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::Auto,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Theme {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&CookieJar::from_headers(&parts.headers)))
    }
}

/// Whether single keys are shortcuts (WCAG 2.1.4 wants a way to switch them off); kept in the cookie `shortcuts`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shortcuts {
    #[default]
    On,
    Off,
}

impl Shortcuts {
    const COOKIE: &'static str = "shortcuts";

    /// What the cookie says; on, unless somebody switched them off.
    pub(crate) fn of(cookies: &CookieJar) -> Self {
        cookies.get(Self::COOKIE).map_or(Self::On, |cookie| Self::parse(cookie.value()))
    }

    pub(crate) fn parse(value: &str) -> Self {
        if value == "off" { Self::Off } else { Self::On }
    }

    /// The cookie that keeps the choice.
    pub(crate) fn cookie(self) -> Cookie<'static> {
        kept(Self::COOKIE, self.name())
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

/// A cookie that keeps a preference, for as long as browsers allow (400 days). It holds nothing worth hiding.
fn kept(name: &'static str, value: &'static str) -> Cookie<'static> {
    Cookie::build((name, value)).path("/").same_site(SameSite::Lax).max_age(Duration::days(400)).build()
}

/// What a colour means; the style sheet alone knows the colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Accent,
    Ok,
    Warn,
    Bad,
    Odd,
    Mute,
}

impl std::fmt::Display for Tone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Accent => "accent",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Odd => "odd",
            Self::Mute => "mute",
        })
    }
}

/// One thing wrong with a form: what is so and what to do, linked to the field that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FormError {
    /// The field's id, which is its name too; `None` if it is about the whole form.
    pub(crate) field: Option<&'static str>,
    pub(crate) text: String,
}

/// The sentences about one field.
pub(crate) fn errors_of<'a>(errors: &'a [FormError], field: &str) -> Vec<&'a str> {
    errors.iter().filter(|error| error.field == Some(field)).map(|error| error.text.as_str()).collect()
}

/// A page as an answer, of which nobody keeps a copy.
pub(crate) fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, [(header::CACHE_CONTROL, "no-store")], Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            let text = "This page could not be made. Nothing was changed by that. Try again.\n";
            (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text)
                .into_response()
        }
    }
}

#[cfg(test)]
impl Frame {
    /// An approver in the sandbox, all quiet.
    pub(crate) fn sample(place: Place) -> Self {
        Self {
            sandbox: Some(SANDBOX_REASON.to_owned()),
            theme: Theme::Auto,
            signed_in: Some(SignedIn {
                name: "Marek Nowak".to_owned(),
                email: "marek@harbour.example".to_owned(),
                role: "approver".to_owned(),
                may_request: true,
                may_hold: false,
                waiting: 4,
                attention: 2,
                held: None,
                banners: Vec::new(),
                place,
                shortcuts: Shortcuts::On,
                live_since: "4711".to_owned(),
            }),
        }
    }

    /// An admin, who may hold all sending.
    pub(crate) fn sample_admin(place: Place) -> Self {
        let mut frame = Self::sample(place);
        if let Some(person) = &mut frame.signed_in {
            "admin".clone_into(&mut person.role);
            person.may_hold = true;
        }
        frame
    }

    /// Live mode, on hold, with everything there is to say, for an admin in the dark.
    pub(crate) fn sample_held(place: Place) -> Self {
        let mut frame = Self { sandbox: None, theme: Theme::Dark, ..Self::sample_admin(place) };
        if let Some(person) = &mut frame.signed_in {
            person.held = Some("Twilio refused our credentials (20003).".to_owned());
            person.banners = vec![
                Banner::held("Twilio refused our credentials (20003).", true),
                Banner::duplicate_suspected(1, "019ab2c4-7e10-7c3a-9f21-5b8e0d6a41c2"),
                Banner::approval_off(),
                Banner::self_approval_allowed(),
                Banner::initial_password(),
            ];
        }
        frame
    }

    /// Before signing in.
    pub(crate) fn sample_signed_out() -> Self {
        Self { sandbox: Some(SANDBOX_REASON.to_owned()), theme: Theme::Auto, signed_in: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_theme_survives_its_cookie_and_nothing_else_does() {
        for theme in [Theme::Auto, Theme::Light, Theme::Dark] {
            assert_eq!(Theme::of(&CookieJar::new().add(theme.cookie())), theme);
        }
        assert_eq!(Theme::of(&CookieJar::new()), Theme::Auto);
        assert_eq!(Theme::parse("\"><script>"), Theme::Auto);
    }

    #[test]
    fn shortcuts_stay_off_where_somebody_switched_them_off() {
        for shortcuts in [Shortcuts::On, Shortcuts::Off] {
            assert_eq!(Shortcuts::of(&CookieJar::new().add(shortcuts.cookie())), shortcuts);
        }
        assert_eq!(Shortcuts::of(&CookieJar::new()), Shortcuts::On);
    }
}
