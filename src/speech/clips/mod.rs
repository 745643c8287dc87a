//! Clips: the audio of calls from text. A clip is a row of `clips` with an unguessable name, and bytes in the store under
//! the hash of what they are.
//!
//! Bytes are shared by clips with the same content, so two rules keep a `ready` clip from losing them to the cleaning:
//! whoever makes a clip names the content in the row *before* storing it (`keep`), and whoever removes bytes holds
//! the content's lock while looking for a row that names it. A trigger takes the same lock when a row names its content.

mod bucket;
pub(crate) mod cleaning;
mod range;
mod route;
mod row;
mod store;

pub(crate) use route::{Described, routes};
pub(crate) use row::{KeepError, keep};
pub use store::{ClipStore, ClipStoreError};

use crate::config::PublicUrl;
use crate::id::AttemptId;

/// Where anybody who knows its name finds a clip.
pub(crate) fn address(public_url: &PublicUrl, clip: &str) -> String {
    public_url.join(&path(clip))
}

/// The same on our own origin, whatever name of ours a page was opened by.
pub(crate) fn path(clip: &str) -> String {
    format!("/api/public/call-audio/{clip}")
}

/// A clip in a log line: enough to tell it from others, and too little to hear it by.
pub(crate) fn in_log(clip: &str) -> impl std::fmt::Display {
    std::fmt::from_fn(move |f| write!(f, "{}…", clip.get(..6).unwrap_or_default()))
}

/// Where the call of this attempt finds it: an address of its own, so that no cache answers for us and a fetch is known
/// to be this attempt's.
pub(crate) fn address_for_attempt(public_url: &PublicUrl, clip: &str, attempt: AttemptId) -> String {
    format!("{}?call={}", address(public_url, clip), attempt.0.simple())
}
