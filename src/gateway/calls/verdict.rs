//! What a call was answered, and why.

/// What the gateway decided about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(in crate::gateway) enum Verdict {
    /// The caller hears the greeting.
    Greeted,
    /// Inbound calls are switched off.
    PolicyDisabled,
    /// The caller names no number.
    CallerWithheld,
    /// The caller is not on the list.
    CallerNotAllowed,
    /// As many calls as allowed are going on.
    OverLimit,
    /// It does not come in: somebody let a call of theirs be directed from here.
    NotInbound,
    /// Nobody asked what to do with it: it is known from a report alone.
    NotAsked,
}

impl Verdict {
    /// The name in rows, in the API and in logs.
    pub(in crate::gateway) fn as_str(self) -> &'static str {
        match self {
            Self::Greeted => "greeted",
            Self::PolicyDisabled => "policy_disabled",
            Self::CallerWithheld => "caller_withheld",
            Self::CallerNotAllowed => "caller_not_allowed",
            Self::OverLimit => "over_limit",
            Self::NotInbound => "not_inbound",
            Self::NotAsked => "not_asked",
        }
    }

    /// Whether Twilio was told not to pick it up.
    pub(super) fn is_refusal(self) -> bool {
        matches!(self, Self::PolicyDisabled | Self::CallerWithheld | Self::CallerNotAllowed | Self::OverLimit)
    }
}
