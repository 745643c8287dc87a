//! The gate: the only maker of a [`Verdict`], without which no operation can be created.

use crate::config::Operating;

/// Whether a new operation waits for a person, and by which rule. Only [`judge`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    granted: bool,
    rule: &'static str,
}

/// Every operation waits for a person: the default, always.
const EVERY_OPERATION_WAITS: &str = "Every operation waits for a person";

/// An admin switched the approval off.
const APPROVAL_IS_OFF: &str = "Approval is switched off (approval.required = false)";

impl Verdict {
    /// Whether it may go without a person's decision.
    pub fn is_granted(self) -> bool {
        self.granted
    }

    /// The rule, as people read it.
    pub fn rule(self) -> &'static str {
        self.rule
    }
}

/// Judges a new operation.
pub fn judge(settings: &Operating) -> Verdict {
    if settings.approval.required {
        Verdict { granted: false, rule: EVERY_OPERATION_WAITS }
    } else {
        Verdict { granted: true, rule: APPROVAL_IS_OFF }
    }
}
