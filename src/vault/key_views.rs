//! The master keys as the page tells of them.

use super::KeyUse;
use super::views::VaultPage;
use super::wrapping::Wrapping;
use crate::web::frame::Tone;

impl VaultPage {
    pub(super) fn primary(&self) -> &str {
        self.keys.iter().find(|key| key.is_primary).map_or("", |key| &key.id)
    }

    /// How many secrets are under other keys that could be under the primary one.
    pub(super) fn to_wrap(&self) -> i64 {
        self.keys.iter().filter(|key| key.can_be_relieved()).map(KeyUse::count).sum()
    }

    pub(super) fn may_wrap(&self) -> bool {
        self.wrapping != Wrapping::Running && self.keys.iter().any(KeyUse::can_be_relieved)
    }
}

/// Colour, symbol, word, and what to do.
pub(super) fn standing(key: &KeyUse) -> (Tone, &'static str, &'static str, &'static str) {
    if !key.is_in_ring {
        return (
            Tone::Bad,
            "circle-x",
            "Missing",
            "It is not in the key ring: what is under it does not open. Add it behind the first.",
        );
    }
    if key.is_primary {
        return (Tone::Ok, "circle-check", "Primary", "Wraps what is stored from now on.");
    }
    if key.may_be_removed() {
        return (Tone::Mute, "circle-check", "Not needed", "It may leave the key ring of every process.");
    }
    if key.can_be_relieved() && key.is_used_elsewhere {
        return (Tone::Warn, "clock", "Still needed", "Wrap everything by the primary one, in the other mode as well.");
    }
    if key.can_be_relieved() {
        return (Tone::Warn, "clock", "Still needed", "Wrap everything by the primary one before it is removed.");
    }
    (Tone::Mute, "info", "Used by the other mode", "Wrap everything in the other mode as well before it is removed.")
}
