//! Twilio's words about a message or a call, and what they mean for us.

use crate::operation::content::Kind;
use crate::operation::status::State;
use crate::twilio::errors;

/// The rank of a word: a report never goes back. Final words share one rank, `read` is beyond. Source: Twilio, "Outbound
/// message status in status callbacks" and "Call status values"; there is no order guarantee.
pub(super) fn rank(kind: Kind, word: &str) -> i16 {
    match (kind, word) {
        (Kind::Sms, "delivered" | "undelivered" | "failed" | "canceled")
        | (Kind::Call, "completed" | "busy" | "no-answer" | "failed" | "canceled") => 5,
        (Kind::Sms, "read") => 6,
        (Kind::Sms, "sent") | (Kind::Call, "in-progress") => 4,
        (Kind::Sms, "queued") | (Kind::Call, "initiated") => 2,
        (Kind::Sms, "accepted" | "scheduled") | (Kind::Call, "queued") => 1,
        // `sending`, `ringing`, and any word that Twilio may add: it is under way.
        _ => 3,
    }
}

/// What a word means for us. A call that was answered and could not play what was approved has failed, whatever its last
/// word is.
pub(super) fn state(kind: Kind, word: &str, error_code: Option<i32>) -> State {
    match (kind, word) {
        (Kind::Call, "completed") if error_code.is_some() => State::Failed,
        (Kind::Sms, "delivered" | "read") | (Kind::Call, "completed") => State::Delivered,
        (Kind::Sms, "undelivered" | "failed" | "canceled")
        | (Kind::Call, "busy" | "no-answer" | "failed" | "canceled") => State::Failed,
        _ => State::Accepted,
    }
}

/// Why it failed, in a sentence; `None` where it did not.
pub(super) fn reason(kind: Kind, word: &str, error_code: Option<i32>) -> Option<String> {
    if state(kind, word, error_code) != State::Failed {
        return None;
    }
    Some(match (kind, word, error_code) {
        (_, _, Some(code)) => format!("{} ({code})", errors::in_words(code)),
        (Kind::Call, "busy", None) => "The line was busy.".to_owned(),
        (Kind::Call, "no-answer", None) => "Nobody answered.".to_owned(),
        (Kind::Call, "canceled", None) => "The call was ended before anybody answered.".to_owned(),
        (Kind::Call, "failed", None) => "The call could not be connected.".to_owned(),
        (_, word, None) => format!("Twilio says {word}."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_words_outrank_all_others_and_each_other_never() {
        let others: [(Kind, &[&str]); 2] = [
            (Kind::Sms, &["accepted", "scheduled", "queued", "sending", "sent", "a word of tomorrow"]),
            (Kind::Call, &["queued", "initiated", "ringing", "in-progress", "a word of tomorrow"]),
        ];
        for (kind, words) in others {
            for word in words {
                assert!(rank(kind, word) < 5 && state(kind, word, None) == State::Accepted, "{word}");
                assert_eq!(reason(kind, word, None), None);
            }
        }
        let last: [(Kind, &[&str]); 2] = [
            (Kind::Sms, &["delivered", "undelivered", "failed", "canceled"]),
            (Kind::Call, &["completed", "busy", "no-answer", "failed", "canceled"]),
        ];
        for (kind, words) in last {
            for word in words {
                assert_eq!(rank(kind, word), 5, "{word}");
                assert!(state(kind, word, None).is_final());
                assert_eq!(reason(kind, word, None).is_some(), state(kind, word, None) == State::Failed, "{word}");
            }
        }
        assert!(rank(Kind::Sms, "read") > 5 && state(Kind::Sms, "read", None) == State::Delivered);
    }

    #[test]
    fn a_call_that_played_nothing_did_not_reach_anybody() {
        assert_eq!(state(Kind::Call, "completed", Some(13420)), State::Failed);
        let reason = reason(Kind::Call, "completed", Some(13420)).expect("a reason");
        assert!(reason.contains("no recording that it can play"), "{reason}");
    }

    #[test]
    fn a_call_goes_up_step_by_step() {
        let steps = ["queued", "initiated", "ringing", "in-progress", "completed"];
        assert!(steps.map(|word| rank(Kind::Call, word)).is_sorted_by(|earlier, later| earlier < later));
    }
}
