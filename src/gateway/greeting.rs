//! What an allowed caller is told.

use super::openclaw::VoiceCall;

/// What callers hear where nothing is configured.
const NEUTRAL: &str = "Hello. This line is answered by a machine, and nobody is here to talk to you. Goodbye.";

/// The greeting of the number that was dialled, else of all of them.
pub(super) fn of<'a>(settings: &'a VoiceCall, dialled: &str) -> &'a str {
    let number = settings.numbers.iter().find(|(number, _)| number.as_str() == dialled);
    let of_number = number.and_then(|(_, number)| number.inbound_greeting.as_deref());
    of_number.or(settings.inbound_greeting.as_deref()).unwrap_or(NEUTRAL)
}

/// Every greeting that a caller may hear.
pub(super) fn all(settings: &VoiceCall) -> impl Iterator<Item = &str> {
    let of_numbers = settings.numbers.values().filter_map(|number| number.inbound_greeting.as_deref());
    of_numbers.chain([of(settings, "")])
}
