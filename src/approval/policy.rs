//! Who may decide on what. Pure.

use crate::config::{Mode, Operating};
use crate::error::Problem;
use crate::id::{TokenId, UserId};

/// Who wants to decide. That the role allows deciding at all is checked before.
#[derive(Clone, Copy, Debug)]
pub struct Decider {
    /// The person, or the one behind the token.
    pub user: UserId,
    /// The token, if one is used.
    pub token: Option<TokenId>,
}

/// Whether an approval would be one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// A second pair of eyes.
    OfAnother,
    /// The requester's, allowed by a setting that every page shows.
    OfOneself,
}

/// Whether this decider may decide at all: tokens only where the settings say so.
pub fn may_decide(settings: &Operating, mode: Mode, decider: Decider) -> Result<(), Problem> {
    if decider.token.is_some() && !settings.approval.tokens_may_decide(mode) {
        let detail = "API tokens may not decide here. Sign in and decide on the page.";
        return Err(Problem::forbidden("tokens_may_not_decide", detail));
    }
    Ok(())
}

/// Whether this decider may approve what `requester` asked for. Rejecting one's own is always allowed.
pub fn may_approve(settings: &Operating, mode: Mode, decider: Decider, requester: UserId) -> Result<Approval, Problem> {
    may_decide(settings, mode, decider)?;
    if decider.user != requester {
        return Ok(Approval::OfAnother);
    }
    if settings.approval.four_eyes(mode) && !settings.approval.allow_self_approval {
        let detail = "You asked for this yourself. Another approver must decide, or you withdraw it.";
        return Err(Problem::forbidden("own_request", detail));
    }
    Ok(Approval::OfOneself)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment};

    fn settings<const N: usize>(variables: [(&str, &str); N]) -> Operating {
        Config::load(&Environment::of(variables)).expect("valid settings").operating
    }

    #[test]
    fn in_live_mode_the_requester_may_not_approve() {
        let (own, other) = (UserId::new(), UserId::new());
        let person = Decider { user: own, token: None };
        let defaults = settings([]);
        assert_eq!(may_approve(&defaults, Mode::Live, person, own).expect_err("refused").code, "own_request");
        assert_eq!(may_approve(&defaults, Mode::Live, person, other).expect("allowed"), Approval::OfAnother);
        assert_eq!(may_approve(&defaults, Mode::Sandbox, person, own).expect("allowed"), Approval::OfOneself);
        let alone = settings([("MISSION_CONTROL_APPROVAL_ALLOW_SELF_APPROVAL", "true")]);
        assert_eq!(may_approve(&alone, Mode::Live, person, own).expect("allowed"), Approval::OfOneself);
        let strict = settings([("MISSION_CONTROL_APPROVAL_FOUR_EYES", "true")]);
        assert!(may_approve(&strict, Mode::Sandbox, person, own).is_err());
    }

    #[test]
    fn tokens_decide_only_where_the_settings_say_so() {
        let token = Decider { user: UserId::new(), token: Some(TokenId::new()) };
        let refusal = may_approve(&settings([]), Mode::Live, token, UserId::new()).expect_err("refused");
        assert_eq!(refusal.code, "tokens_may_not_decide");
        assert!(may_decide(&settings([]), Mode::Sandbox, token).is_ok());
        let allowed = settings([("MISSION_CONTROL_APPROVAL_TOKENS_MAY_DECIDE", "true")]);
        assert!(may_approve(&allowed, Mode::Live, token, UserId::new()).is_ok());
        // The person behind a token counts: it opens no way around four eyes.
        assert_eq!(may_approve(&allowed, Mode::Live, token, token.user).expect_err("refused").code, "own_request");
    }
}
