//! The only code that talks to Twilio.

pub(crate) mod account;
mod client;
pub mod errors;
mod freshness;
pub mod look_up;
pub mod send;
mod sid;
pub mod signature;
pub mod twiml;

pub use client::Twilio;
pub use freshness::CheckedAt;
pub use sid::Sid;

use std::time::Duration;

/// What is known after an SMS or a call was handed to Twilio, or was meant to be. The only question is whether it can already
/// be on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// Twilio has it.
    Accepted {
        /// Twilio's name for it.
        sid: Sid,
        /// Twilio's first word about it, such as `queued`.
        status: String,
    },
    /// Twilio will never send it.
    Refused {
        /// Twilio's error code.
        code: i32,
        /// Twilio's words.
        message: String,
    },
    /// It cannot have left us. The only one that may be tried again without asking anybody.
    NotSent {
        /// What happened, in words.
        reason: String,
        /// When to try again at the earliest.
        retry_after: Option<Duration>,
        /// Twilio refused our credentials: nothing else should be tried before a person looked.
        stops_everything: bool,
    },
    /// It may be on its way. Never sent again by a machine without evidence.
    Unknown {
        /// What happened, in words.
        reason: String,
    },
}

/// An outcome with what is kept of the exchange.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What is known.
    pub outcome: SendOutcome,
    /// The status of Twilio's answer, if there was one.
    pub http_status: Option<u16>,
    /// Twilio's error code, if it named one.
    pub error_code: Option<i32>,
    /// Twilio's name for the request.
    pub request_id: Option<String>,
}

impl Exchange {
    /// It cannot have left us, for this reason; nobody was asked.
    pub fn not_sent(reason: impl Into<String>) -> Self {
        let outcome = SendOutcome::NotSent { reason: reason.into(), retry_after: None, stops_everything: false };
        Self { outcome, http_status: None, error_code: None, request_id: None }
    }
}
