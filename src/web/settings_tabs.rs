//! The parts of the settings place: each has an address of its own, so that it can be linked, kept and gone back to.

use super::frame::Frame;

/// A part of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SettingsTab {
    /// The API Vault.
    ApiKeys,
    /// Approval, windows and rates.
    Sending,
    /// Who speaks calls from text.
    Voice,
    /// Who may sign in.
    People,
    /// What programs sign in with.
    Tokens,
    /// Where the reader is signed in.
    Sessions,
}

impl SettingsTab {
    /// All of them, as they stand on the page.
    const ALL: [Self; 6] = [Self::ApiKeys, Self::Sending, Self::Voice, Self::People, Self::Tokens, Self::Sessions];

    /// Those that the reader of a page may open: people are for admins, as `Permission::ManageUsers` says.
    pub(crate) fn shown_in(frame: &Frame) -> impl Iterator<Item = Self> {
        let is_admin = frame.signed_in.as_ref().is_some_and(|person| person.role == "admin");
        Self::ALL.into_iter().filter(move |tab| is_admin || *tab != Self::People)
    }

    /// What the tab says.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::ApiKeys => "API Keys",
            Self::Sending => "Sending",
            Self::Voice => "Voice",
            Self::People => "People",
            Self::Tokens => "API tokens",
            Self::Sessions => "Sessions",
        }
    }

    /// Where it leads.
    pub(crate) fn address(self) -> &'static str {
        match self {
            Self::ApiKeys => "/dashboard/settings?tab=integrations",
            Self::Sending => "/dashboard/settings/sending",
            Self::Voice => "/dashboard/settings/voice",
            Self::People => "/dashboard/settings/people",
            Self::Tokens => "/dashboard/settings/tokens",
            Self::Sessions => "/dashboard/settings/sessions",
        }
    }

    /// The part that `?tab=` names.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "integrations" => Some(Self::ApiKeys),
            "sending" => Some(Self::Sending),
            "voice" => Some(Self::Voice),
            "people" => Some(Self::People),
            "tokens" => Some(Self::Tokens),
            "sessions" => Some(Self::Sessions),
            _ => None,
        }
    }
}
