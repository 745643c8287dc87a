//! An authenticator app, which takes its secret from our page as a person does who types it.

use std::time::Duration;

use mission_control::clock::Clock;
use totp_rs::{Algorithm, Builder, Secret, Totp};

use super::service::Service;
use crate::pages::browser::Browser;

/// Where people set a second factor.
pub(crate) const PATH: &str = "/account/second-factor";

/// The app of one person.
pub(crate) struct Authenticator(Totp);

impl Authenticator {
    /// Takes the secret that the page shows.
    pub(crate) fn typed_from(page: &str) -> Self {
        Self::of(&textarea(page, "secret"))
    }

    /// Takes this secret.
    pub(crate) fn of(secret: &str) -> Self {
        let secret = secret.replace(' ', "");
        let secret = Secret::try_from_base32(secret).expect("base32");
        let builder = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_step_duration(30);
        Self(builder.with_secret(secret).build().expect("an app"))
    }

    /// The code that it shows now.
    pub(crate) fn code(&self, clock: &Clock) -> String {
        let now = u64::try_from(clock.now().unix_timestamp()).expect("a time after 1970");
        self.0.generate(now).to_string()
    }

    /// The code that it shows next, for whoever waits for it.
    pub(crate) fn next_code(&self, clock: &Clock) -> String {
        clock.advance(Duration::from_secs(31));
        self.code(clock)
    }
}

/// What a field of several lines holds.
pub(crate) fn textarea(page: &str, id: &str) -> String {
    let (_, rest) = page.split_once(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no field {id}: {page}"));
    let (_, rest) = rest.split_once(">\n").expect("its text");
    rest.split("</textarea>").next().unwrap_or_default().to_owned()
}

/// Sets a second factor for whoever sits at this browser; answers the app and the recovery codes.
pub(crate) async fn set(service: &Service, browser: &mut Browser<'_>) -> (Authenticator, Vec<String>) {
    let offered = browser.post(&format!("{PATH}/offer"), &[]).await;
    assert_eq!(offered.status.as_u16(), 200, "{}", offered.text);
    let app = Authenticator::typed_from(&offered.text);
    let code = app.next_code(&service.clock);
    let set = browser.post(&format!("{PATH}/set"), &[("code", &code)]).await;
    assert_eq!(set.status.as_u16(), 200, "{}", set.text);
    let codes = textarea(&set.text, "codes").lines().map(str::to_owned).collect();
    (app, codes)
}
