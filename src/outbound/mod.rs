//! Requests to addresses that a person names. Such a request is made from inside, where more can be reached than from
//! where that person is (server-side request forgery), so all of them go through [`Guarded`].
//!
//! Every client of this service, and why it is guarded or need not be:
//!
//! | client | who names the address | |
//! |---|---|---|
//! | a look at a recording, `operation::audio_look` | whoever asks for a call | guarded |
//! | Twilio, `twilio::client` | nobody: fixed, or the boot settings; SIDs and numbers are parsed before they are put into a path | |
//! | `ElevenLabs`, `speech::elevenlabs` | nobody: fixed, or the boot settings | |
//! | the bucket of clips, `speech::clips::bucket` | the boot settings; a clip's name is its hash | |
//! | the question for the public address, `integrations::arrival` | the boot settings: our own address, which may well be a private one | |
//! | `verify` and `openclaw call`, from the command line | whoever runs them, on their own machine | |
//! | reports and audio of the emulator, `sandbox` | whoever uses it; sandbox mode alone, and never off this machine: `sandbox::destination` | |
//!
//! None of them follows a redirect or reads a proxy from the environment.

mod guarded;
pub(crate) mod public;

#[cfg(test)]
mod bypasses;

pub(crate) use guarded::{Guarded, Stopped};
