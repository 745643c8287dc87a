//! Sentences that stand on every page for as long as they are true.

use super::frame::Tone;

/// One such sentence, with the one thing that can be done about it.
#[derive(Clone, Debug)]
pub(crate) struct Banner {
    pub(crate) tone: Tone,
    /// The symbol's name in `icons.svg`.
    pub(crate) icon: &'static str,
    pub(crate) title: &'static str,
    pub(crate) text: String,
    pub(crate) act: Act,
}

/// What can be done about it from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Nothing,
    ResumeSending,
    Open { address: String, label: &'static str },
}

impl Banner {
    pub(crate) fn held(reason: &str, may_resume: bool) -> Self {
        let wait = "Approved operations wait, and each still expires on time.";
        let (who, act) =
            if may_resume { ("", Act::ResumeSending) } else { (" An admin can resume sending.", Act::Nothing) };
        let reason = reason.trim_end_matches('.');
        Self { tone: Tone::Bad, icon: "hold", title: "Sending is on hold", text: format!("{reason}. {wait}{who}"), act }
    }

    /// `count` operations are suspected, of which `newest` is one: the only one, or the first to look at.
    pub(crate) fn duplicate_suspected(count: i64, newest: &str) -> Self {
        let text = match count {
            1 => "It was taken for not sent, and then Twilio turned out to have it.".to_owned(),
            _ => format!("{count} operations were taken for not sent, and then Twilio turned out to have them."),
        };
        let (address, label) = match count {
            1 => (format!("/dashboard/operations/{newest}"), "Look at it"),
            _ => ("/dashboard/operations?attention=true".to_owned(), "Look at them"),
        };
        let title = "It may have gone out twice";
        Self { tone: Tone::Odd, icon: "repeat", title, text, act: Act::Open { address, label } }
    }

    pub(crate) fn approval_off() -> Self {
        Self {
            tone: Tone::Warn,
            icon: "warning",
            title: "Approval is switched off",
            text: "What is requested goes out without a person’s yes. Limits and the do-not-contact list still apply."
                .to_owned(),
            act: Act::Nothing,
        }
    }

    pub(crate) fn self_approval_allowed() -> Self {
        Self {
            tone: Tone::Warn,
            icon: "user",
            title: "People may approve their own requests",
            text: "Such a decision is marked wherever it is shown.".to_owned(),
            act: Act::Nothing,
        }
    }

    pub(crate) fn initial_password() -> Self {
        Self {
            tone: Tone::Warn,
            icon: "key",
            title: "You still use the first password",
            text: "Somebody else made it, or it was written to a file. Choose one of your own.".to_owned(),
            act: Act::Open { address: "/account/password".to_owned(), label: "Change password" },
        }
    }
}
