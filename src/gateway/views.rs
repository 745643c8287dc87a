//! Inbound calls: records in, HTML out.

use askama::Template;
use time::OffsetDateTime;

use super::caller::Caller;
use super::calls::list::Call;
use super::calls::{CallState, Verdict};
use crate::phone;
use crate::web::frame::Frame;
use crate::web::text;

#[derive(Template)]
#[template(path = "gateway/inbound.html")]
pub(super) struct InboundPage {
    pub(super) frame: Frame,
    pub(super) now: OffsetDateTime,
    /// Newest first.
    pub(super) rows: Vec<Row>,
    /// The cursor of the next, older page.
    pub(super) older: Option<String>,
    /// This is not the newest page.
    pub(super) is_continued: bool,
}

/// One call as it is shown.
pub(super) struct Row {
    call: Call,
    is_masked: bool,
}

/// Calls of one day.
struct Day<'a> {
    title: String,
    rows: &'a [Row],
}

impl InboundPage {
    fn days(&self) -> Vec<Day<'_>> {
        let title = |row: &Row| text::day(row.call.started_at.to_utc(), self.now.to_utc());
        let days = self.rows.chunk_by(|one, next| title(one) == title(next));
        days.map(|rows| Day { title: title(&rows[0]), rows }).collect()
    }
}

impl Row {
    pub(super) fn of(call: Call, is_masked: bool) -> Self {
        Self { call, is_masked }
    }

    fn from(&self) -> String {
        match Caller::parse(&self.call.from) {
            Caller::Number(number) => self.number(&number),
            Caller::Nobody if self.call.from.is_empty() => "Withheld".to_owned(),
            Caller::Nobody => format!("No number ({})", self.other(&self.call.from)),
        }
    }

    fn to(&self) -> String {
        match Caller::parse(&self.call.to) {
            Caller::Number(number) => self.number(&number),
            Caller::Nobody => self.other(&self.call.to),
        }
    }

    fn number(&self, number: &str) -> String {
        if self.is_masked { text::masked_phone(number) } else { text::phone(number) }
    }

    /// Another kind of address, or a number that stands for none.
    fn other(&self, address: &str) -> String {
        if self.is_masked { phone::mask(address) } else { address.to_owned() }
    }

    fn is_outbound(&self) -> bool {
        self.call.direction != "inbound"
    }

    /// What the gateway answered, and why.
    fn verdict(&self) -> &'static str {
        match self.call.verdict {
            Verdict::Greeted if self.call.clip.is_some() => "Let in: hears the greeting’s recording",
            Verdict::Greeted => "Let in: hears the greeting",
            Verdict::PolicyDisabled => "Refused: inbound calls are switched off",
            Verdict::CallerWithheld => "Refused: the caller shows no number",
            Verdict::CallerNotAllowed => "Refused: the caller is not on the list",
            Verdict::OverLimit => "Busy: as many calls as allowed were going on",
            Verdict::NotInbound => "Ended: it is not an inbound call",
            Verdict::NotAsked => "The gateway was not asked: known from a report alone",
        }
    }

    /// The name of the colour that the style sheet knows.
    fn tone(&self) -> &'static str {
        match self.call.state {
            CallState::Ringing | CallState::Answered => "accent",
            CallState::Completed => "ok",
            CallState::Refused | CallState::Canceled => "mute",
            CallState::Busy | CallState::NoAnswer | CallState::Failed => "bad",
            CallState::Unknown => "odd",
        }
    }

    fn icon(&self) -> &'static str {
        match self.call.state {
            CallState::Ringing | CallState::Answered => "call",
            CallState::Completed => "circle-check",
            CallState::Refused | CallState::Canceled | CallState::Busy | CallState::NoAnswer | CallState::Failed => {
                "circle-x"
            }
            CallState::Unknown => "unknown",
        }
    }

    fn state(&self) -> &'static str {
        match self.call.state {
            CallState::Ringing => "Ringing",
            CallState::Answered => "In progress",
            CallState::Completed => "Completed",
            CallState::Busy => "Busy",
            CallState::NoAnswer => "Not answered",
            CallState::Failed => "Failed",
            CallState::Canceled => "Caller hung up first",
            CallState::Refused => "Refused",
            CallState::Unknown => "Unknown to Twilio",
        }
    }

    /// How long it lasted.
    fn length(&self) -> Option<String> {
        self.call.duration_seconds.map(|seconds| text::counted(seconds.into(), "second"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(from: &str, is_masked: bool) -> Row {
        let call = Call {
            id: 1,
            sid: "CA00000000000000000000000000000001".to_owned(),
            direction: "inbound".to_owned(),
            from: from.to_owned(),
            to: "+14155550132".to_owned(),
            verdict: Verdict::CallerNotAllowed,
            greeting: None,
            clip: None,
            state: CallState::Refused,
            status: None,
            duration_seconds: None,
            started_at: OffsetDateTime::UNIX_EPOCH,
            answered_at: None,
            ended_at: None,
            end_reason: None,
            conflicted_at: None,
        };
        Row::of(call, is_masked)
    }

    #[test]
    fn a_viewer_sees_no_whole_number_and_no_other_address() {
        for (from, whole, masked) in [
            ("+14155550132", "+1 415 555 0132", "+1•••••0132"),
            ("", "Withheld", "Withheld"),
            ("+266696687", "No number (+266696687)", "No number (+2••••6687)"),
            ("sip:ada@example.com", "No number (sip:ada@example.com)", "No number (si•••••••••••••.com)"),
        ] {
            assert_eq!(row(from, false).from(), whole);
            assert_eq!(row(from, true).from(), masked);
        }
        assert_eq!(row("", true).to(), "+1•••••0132");
    }
}
