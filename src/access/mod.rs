//! Who may come to which address. Every route is made here and says it in the same breath: there is no way to make one
//! that does not, and the guard lets nobody past who is not what the route asks for.
//!
//! What depends on the object (one's own request, an operation that was claimed meanwhile) is decided where the object is
//! known, under its lock; this is the first of two looks.

mod confirming;
mod guard;
mod routes;

pub(crate) use guard::guard;
pub use routes::{Route, Routes};

use crate::auth::Permission;

/// Who may come to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody: it shows nothing that is anybody's, or its name cannot be guessed.
    Anybody,
    /// Twilio, by its signature, which the handler checks before it believes anything.
    Twilio,
    /// A person who has signed in, even one who first has to choose a password.
    AtTheDoor,
    /// A person who has signed in with a browser and has this permission. Whoever has not signed in is led there.
    Person(Permission),
    /// A person, or a token that acts for one within its scopes. Anybody else is refused with 401.
    Caller(Permission),
}

/// What a route asks for: who may come, and whether they have to have shown lately who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Who may come.
    pub access: Access,
    /// Whether a person has to have shown lately that it is they.
    pub confirmation: Confirmation,
}

/// Whether a person has to have shown lately that it is they, by their password or their second factor. A token shows with
/// each request what it is, and is never asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// No.
    None,
    /// Yes; whoever has not is asked, and what they asked for is done with the answer.
    Asked,
    /// Yes; but the form holds a secret, which no page repeats: it asks itself, or what was typed has to be typed again.
    AskedByForm,
}

impl From<Access> for Terms {
    fn from(access: Access) -> Self {
        Self { access, confirmation: Confirmation::None }
    }
}

impl Access {
    /// The same, for what cannot be taken back.
    pub fn confirmed(self) -> Terms {
        Terms { access: self, confirmation: Confirmation::Asked }
    }

    /// The same, where the form holds a secret.
    pub fn confirmed_by_form(self) -> Terms {
        Terms { access: self, confirmation: Confirmation::AskedByForm }
    }

    /// What it takes besides being known.
    pub fn permission(self) -> Option<Permission> {
        match self {
            Self::Person(permission) | Self::Caller(permission) => Some(permission),
            Self::Anybody | Self::Twilio | Self::AtTheDoor => None,
        }
    }
}

impl std::fmt::Display for Access {
    /// One word a route, for the list of all of them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Anybody => f.write_str("anybody"),
            Self::Twilio => f.write_str("twilio"),
            Self::AtTheDoor => f.write_str("person"),
            Self::Person(permission) => write!(f, "person {}", permission.role()),
            Self::Caller(permission) => match permission.scope() {
                Some(scope) => write!(f, "caller {} {scope}", permission.role()),
                None => write!(f, "caller {}", permission.role()),
            },
        }
    }
}

impl std::fmt::Display for Terms {
    /// The access, and whether it has to be confirmed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.confirmation {
            Confirmation::None => self.access.fmt(f),
            Confirmation::Asked => write!(f, "{} confirmed", self.access),
            Confirmation::AskedByForm => write!(f, "{} confirmed by its form", self.access),
        }
    }
}
