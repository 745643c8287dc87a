//! Speech for calls: the only code that talks to `ElevenLabs`, the clips that are made of it, and what a test call plays.

pub mod catalogue;
pub mod clips;
pub mod elevenlabs;
pub(crate) mod preparing;
pub(crate) mod speaking;
pub(crate) mod test_recording;
