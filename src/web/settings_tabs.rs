//! The parts of the settings place: each has an address of its own, so that it can be linked, kept and gone back to.

/// A part of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SettingsTab {
    /// The API Vault.
    ApiKeys,
    /// Approval, windows and rates.
    Sending,
    /// Who may sign in.
    People,
    /// What programs sign in with.
    Tokens,
}

impl SettingsTab {
    /// All of them, as they stand on the page.
    pub(crate) const ALL: [Self; 4] = [Self::ApiKeys, Self::Sending, Self::People, Self::Tokens];

    /// What the tab says.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::ApiKeys => "API Keys",
            Self::Sending => "Sending",
            Self::People => "People",
            Self::Tokens => "API tokens",
        }
    }

    /// Where it leads.
    pub(crate) fn address(self) -> &'static str {
        match self {
            Self::ApiKeys => "/dashboard/settings?tab=integrations",
            Self::Sending => "/dashboard/settings/sending",
            Self::People => "/dashboard/settings/people",
            Self::Tokens => "/dashboard/settings/tokens",
        }
    }

    /// The part that `?tab=` names.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "integrations" => Some(Self::ApiKeys),
            "sending" => Some(Self::Sending),
            "people" => Some(Self::People),
            "tokens" => Some(Self::Tokens),
            _ => None,
        }
    }
}
