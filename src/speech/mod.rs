//! Recordings that we host for calls: what a test call plays, and clips made from text.

pub(crate) mod clips;
pub(crate) mod test_recording;
