//! Path B: Twilio's voice webhook behind one door. A listener of its own, configured by the `voice-call` entry of an
//! `OpenClaw` configuration, that serves one path and nothing else: who calls is greeted or refused by policy, and what
//! became of each call is recorded before Twilio hears an answer.
//!
//! It answers and it records; it places no call and holds no key but the account's own. What people are told in speech
//! is made by the service, which this listener asks for it through the database.

pub mod openclaw;

// A request comes in, and goes through the pipeline.
mod body;
mod in_flight;
mod listener;
mod pipeline;
mod refusal;
mod signed;

// What it is answered, by policy, and what is recorded of it.
mod calls;
mod caller;
mod greeting;
mod greetings;
mod replay;
mod twiml;

// The service's part: it has the greetings spoken.
pub(crate) mod spoken;

// Calls that nobody reports the end of.
mod look_up;

// What people and programs see of it, in the service.
pub(crate) mod api;
mod pages;
mod views;

pub use listener::Running;
pub use pipeline::{Gateway, Limits, Setup};

use crate::access::Routes;

/// The routes of the service that show inbound calls.
pub(crate) fn routes() -> Routes {
    Routes::new().merge(api::routes()).merge(pages::routes())
}
