//! Where a call stands, and which word about it is news.

use super::Verdict;

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(in crate::gateway) enum CallState {
    /// It came, and nobody said yet that it was picked up.
    Ringing,
    /// It was picked up.
    Answered,
    Completed,
    Busy,
    NoAnswer,
    Failed,
    /// Its caller hung up first.
    Canceled,
    /// We refused it.
    Refused,
    /// Twilio does not know it.
    Unknown,
}

/// What a word about a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Forward,
    Nothing,
    /// It cannot be true beside what stands.
    Contradiction,
}

impl CallState {
    /// All of them, in the order of a call's life.
    #[cfg(test)]
    pub(super) const ALL: [Self; 9] = [
        Self::Ringing,
        Self::Answered,
        Self::Unknown,
        Self::Completed,
        Self::Busy,
        Self::NoAnswer,
        Self::Failed,
        Self::Canceled,
        Self::Refused,
    ];

    /// The name in rows, in the API and in logs.
    pub(in crate::gateway) fn as_str(self) -> &'static str {
        match self {
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::Completed => "completed",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }

    /// What Twilio's word means. One that Twilio may add says that the call is under way.
    pub(super) fn of_word(word: &str) -> Self {
        match word {
            "in-progress" => Self::Answered,
            "completed" => Self::Completed,
            "busy" => Self::Busy,
            "no-answer" => Self::NoAnswer,
            "failed" => Self::Failed,
            "canceled" => Self::Canceled,
            _ => Self::Ringing,
        }
    }

    /// A call goes up. That nobody knows it is less than any end that was seen.
    fn rank(self) -> u8 {
        match self {
            Self::Ringing => 1,
            Self::Answered => 2,
            Self::Unknown => 3,
            Self::Completed | Self::Busy | Self::NoAnswer | Self::Failed | Self::Canceled | Self::Refused => 4,
        }
    }

    /// Whether the call is over.
    pub(in crate::gateway) fn has_ended(self) -> bool {
        self.rank() > Self::Answered.rank()
    }

    /// What it does to a call that stands here to hear that it stands there.
    pub(super) fn step(self, reported: Self) -> Step {
        if reported.rank() > self.rank() {
            return Step::Forward;
        }
        let is_contradiction = match (self, reported) {
            // Twilio's words for a call that it did not pick up, as we told it.
            (Self::Refused, reported) => matches!(reported, Self::Answered | Self::Completed),
            // Something was said late that was so earlier.
            (_, reported) => reported.rank() == self.rank() && reported != self,
        };
        if is_contradiction { Step::Contradiction } else { Step::Nothing }
    }

    /// Where a call begins to stand by what it was answered.
    pub(super) fn after(verdict: Verdict) -> Self {
        if verdict.is_refusal() { Self::Refused } else { Self::Ringing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_stays_ended_and_nothing_goes_back() {
        for from in CallState::ALL {
            for to in CallState::ALL {
                let step = from.step(to);
                assert_eq!(step == Step::Forward, to.rank() > from.rank(), "{from:?} {to:?}");
                if from.rank() == 4 {
                    assert_ne!(step, Step::Forward, "{from:?} {to:?}");
                }
                assert!(from != to || step == Step::Nothing, "{from:?} repeated");
            }
        }
    }

    #[test]
    fn two_ends_contradict_each_other_and_a_late_word_does_not() {
        assert_eq!(CallState::Completed.step(CallState::Busy), Step::Contradiction);
        assert_eq!(CallState::NoAnswer.step(CallState::Completed), Step::Contradiction);
        assert_eq!(CallState::Completed.step(CallState::Answered), Step::Nothing);
        assert_eq!(CallState::Busy.step(CallState::Unknown), Step::Nothing);
        assert_eq!(CallState::Unknown.step(CallState::Completed), Step::Forward, "now it is known");
    }

    #[test]
    fn a_refused_call_is_busy_or_unanswered_and_never_picked_up() {
        for word in ["busy", "no-answer", "failed", "canceled", "ringing"] {
            assert_eq!(CallState::Refused.step(CallState::of_word(word)), Step::Nothing, "{word}");
        }
        for word in ["in-progress", "completed"] {
            assert_eq!(CallState::Refused.step(CallState::of_word(word)), Step::Contradiction, "{word}");
        }
    }

    #[test]
    fn a_word_of_tomorrow_ends_no_call() {
        for word in ["queued", "initiated", "ringing", "a word of tomorrow", ""] {
            assert_eq!(CallState::of_word(word), CallState::Ringing, "{word}");
        }
    }
}
