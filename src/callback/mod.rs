//! What Twilio reports. A report is checked before it is believed, and committed before it is answered.

mod facts;
mod fetch;
mod look_up;
mod orphans;
pub(crate) mod poll;
mod webhook;
mod word;

pub(crate) use fetch::{Fetch, note_clip_fetch, note_fetch};
pub(crate) use webhook::{Described, routes};
