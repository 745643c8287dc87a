//! Who is asking. People sign in with a password and hold a session; programs bring an API token that acts for a person.
//! Either way a handler gets a [`Principal`] and asks it whether it may.

mod browser;
mod credential;
mod email;
mod network;
mod permission;
mod role;

// Passwords, from the form to the table.
mod new_password;
mod passwords;
mod proof;
mod throttle;

// What proves it besides, and proves it again.
pub(crate) mod confirmation;
mod second_factor;

// What is kept of people and of their ways in.
pub mod first_admin;
mod half_sessions;
pub mod links;
pub mod oidc;
mod open_sessions;
mod sessions;
pub mod standing;
mod token_cache;
mod token_rotation;
pub mod tokens;
pub mod users;

// From a request to a principal.
mod cookie;
mod identify;
mod next;
mod principal;
mod sign_in;
mod token_check;

// How people use all of it: in the browser, and on the command line.
pub mod commands;
mod handlers;
pub(crate) mod pages;
pub(crate) mod views;

pub use email::{EmailAddress, NotAnAddress};
pub use handlers::routes;
pub(crate) use identify::AtTheDoor;
pub use identify::{Refusal, SignedIn};
pub use new_password::{NewPassword, WeakPassword};
pub use passwords::{Cost, Passwords};
pub use permission::{Permission, Scope, UnknownScope};
pub use principal::{Principal, Via};
pub use role::{Role, UnknownRole};
pub(crate) use sign_in::Visitor;
pub use token_cache::TokenCache;
pub use token_rotation::{Overlap, WrongOverlap, rotate};
