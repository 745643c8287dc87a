//! Speech for calls, and the only code that talks to `ElevenLabs`: texts are made into clips, which we host; and the recording
//! of test calls.

pub mod catalogue;
pub mod clips;
pub mod elevenlabs;
pub(crate) mod preparing;
pub(crate) mod speaking;
pub(crate) mod test_recording;
