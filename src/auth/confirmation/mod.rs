//! Showing again who one is, before an act that cannot be taken back: by a code where a second factor is set, else by the
//! password. It holds for ten minutes, and the session gets another name, so that what was stolen before it opens nothing
//! after it.

pub(crate) mod page;
pub(crate) mod views;

use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;

use super::credential::Credential;
use super::identify::LOGIN_PATH;
use super::principal::Via;
use super::proof::{self, Answer};
use super::second_factor::present;
use super::sign_in::Visitor;
use super::{Principal, cookie, sessions, users};
use crate::audit::{self, Change};
use crate::database;
use crate::error::Result;
use crate::state::AppState;

/// How long it holds. Signing in counts as the first time.
const HOLDS: Duration = Duration::from_mins(10);

/// A page whose form takes what is kept nowhere shows the field once it may be needed before the form is sent.
const SOON: Duration = Duration::from_mins(5);

/// The field that brings the code or the password, beside whatever else a form has.
pub(crate) const FIELD: &str = "proof";

/// What somebody shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Their password.
    Password,
    /// A code of their app, or a recovery code.
    Code,
    /// A session that the provider vouched for just now: it is begun in another tab, and then there is nothing to ask.
    Provider,
}

impl Proof {
    /// What is asked of this person.
    pub(crate) fn of(principal: &Principal) -> Self {
        match principal.via {
            _ if principal.has_second_factor => Self::Code,
            Via::Session { by_provider: true, .. } => Self::Provider,
            Via::Session { .. } | Via::Token { .. } => Self::Password,
        }
    }
}

/// Whether this principal has shown lately who they are. A token is no person: what it may do is decided by its scopes.
pub(crate) fn is_fresh(principal: &Principal) -> bool {
    match principal.via {
        Via::Session { age, .. } => age < HOLDS,
        Via::Token { .. } => true,
    }
}

/// What a form asks for that takes what is kept nowhere; `None` while the person has long enough to fill it in.
pub(crate) fn asked_soon(principal: &Principal) -> Option<Proof> {
    match principal.via {
        Via::Session { age, .. } if age >= SOON => Some(Proof::of(principal)),
        Via::Session { .. } | Via::Token { .. } => None,
    }
}

/// Why somebody was not let on.
pub(crate) enum NotConfirmed {
    /// It is not their code or password.
    Wrong,
    /// Too many failures: it was not looked at.
    Blocked {
        /// Seconds until the next try.
        retry_after: u64,
    },
    /// The session has ended meanwhile.
    SignedOut,
}

/// A session under its new name.
pub(crate) struct Confirmed(Credential);

impl Confirmed {
    /// `Set-Cookie` for the browser.
    pub(crate) fn cookie(&self, app: &AppState) -> String {
        cookie::set(cookie::Carries::Session, &app.public_url, &self.0)
    }

    /// Has the handlers behind see the session under its new name, and as it is now.
    pub(crate) fn apply(&self, app: &AppState, parts: &mut axum::http::request::Parts, principal: Principal) {
        cookie::replace(&app.public_url, &mut parts.headers, &self.0);
        let second_factor = principal.used_second_factor() || principal.has_second_factor;
        let by_provider = matches!(principal.via, Via::Session { by_provider: true, .. });
        let via = Via::Session { age: Duration::ZERO, second_factor, by_provider };
        parts.extensions.insert(Principal { via, ..principal });
    }
}

/// Where somebody goes whose session has ended.
pub(crate) fn signed_out() -> axum::response::Redirect {
    axum::response::Redirect::to(LOGIN_PATH)
}

/// Checks what a person shows of themselves, and gives their session another name.
pub(crate) async fn confirm(
    app: &AppState,
    visitor: &Visitor,
    principal: &Principal,
    shown: &SecretString,
) -> Result<Result<Confirmed, NotConfirmed>> {
    let Some(session) = visitor.session else { return Ok(Err(NotConfirmed::SignedOut)) };
    let (address, person) = (visitor.address.0, (principal.user, principal.email.as_str()));
    let actor = principal.actor(visitor.address, &visitor.correlation_id);
    let (mut tx, by) = match Proof::of(principal) {
        Proof::Code => match present(app, address, &actor, person, shown).await? {
            Answer::Verified((tx, taken)) => (tx, taken.word()),
            Answer::Refused => return Ok(Err(NotConfirmed::Wrong)),
            Answer::Blocked { retry_after } => return Ok(Err(NotConfirmed::Blocked { retry_after })),
        },
        Proof::Password => match proof::check(app, address, &principal.email, shown).await? {
            Answer::Verified(account) => {
                let mut tx = database::begin(&app.db).await?;
                proof::forgive(&mut tx, address, &account.email).await?;
                (tx, "password")
            }
            Answer::Refused => return Ok(Err(NotConfirmed::Wrong)),
            Answer::Blocked { retry_after } => return Ok(Err(NotConfirmed::Blocked { retry_after })),
        },
        Proof::Provider => return Ok(Err(NotConfirmed::Wrong)),
    };
    let by_code = Proof::of(principal) == Proof::Code;
    let Some(renewed) = sessions::renew(&mut tx, &app.clock, session, by_code).await? else {
        return Ok(Err(NotConfirmed::SignedOut));
    };
    let change = Change { object: users::object(person.1), action: "user.confirmed", details: json!({ "by": by }) };
    audit::record(&mut tx, &actor, change).await?;
    tx.commit().await?;
    tracing::info!(event = "auth.verified", user = %principal.user, by, "somebody confirmed that it is they");
    Ok(Ok(Confirmed(renewed)))
}
