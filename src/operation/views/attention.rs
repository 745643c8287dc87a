//! Why an operation stands under "Needs attention", and what to do next.

use super::content::Kind;
use crate::operation::attention::Attention;

/// What is so, then what to do.
pub(crate) fn words(reason: Attention, kind: Kind) -> String {
    let noun = kind.noun();
    match reason {
        Attention::DuplicateSuspected => {
            format!(
                "It may have gone out twice. Compare Twilio’s reports, and tell the recipient if a second {noun} matters."
            )
        }
        Attention::Conflicted => {
            "Twilio’s reports contradict each other. Open it and see which one is right.".to_owned()
        }
        Attention::NeedsReview => {
            "The evidence does not tell whether it was sent. Look at it, and say what happened.".to_owned()
        }
        Attention::UnknownForLong => {
            "Nobody knows yet whether it was sent. Twilio is still asked; if you know it, say what happened.".to_owned()
        }
        Attention::SendingPastDeadline => {
            "Sending takes longer than it may. It is looked up by itself; if this stays, see whether the service runs."
                .to_owned()
        }
        Attention::Blocked => {
            format!("It waits for another {noun} that looks the same. Settle the other one first, or cancel this one.")
        }
        Attention::WaitingForLong => {
            "It is approved and has not gone out. See what holds it up before its approval runs out.".to_owned()
        }
        Attention::ExpiredAfterApproval => {
            "It was approved, its time ran out, and nothing was sent. Ask again if it is still wanted.".to_owned()
        }
        Attention::AudioNotFetched => {
            "Completed, audio was not fetched: they heard nothing of it. See whether Twilio reaches the public URL."
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_what_to_do_after_what_is_so() {
        use Attention as A;
        for reason in [
            A::DuplicateSuspected,
            A::Conflicted,
            A::NeedsReview,
            A::UnknownForLong,
            A::SendingPastDeadline,
            A::Blocked,
            A::WaitingForLong,
            A::ExpiredAfterApproval,
            A::AudioNotFetched,
        ] {
            for kind in [Kind::Sms, Kind::Call] {
                let words = words(reason, kind);
                assert!(words.ends_with('.') && words.matches(". ").count() >= 1, "{words}");
            }
        }
    }
}
