//! Recordings that we host for calls. Today there is one: what a test call plays.

pub(crate) mod test_recording;
