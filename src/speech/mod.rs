//! Speech for calls, and the only code that talks to `ElevenLabs`.

pub mod catalogue;
pub mod elevenlabs;
pub(crate) mod test_recording;
