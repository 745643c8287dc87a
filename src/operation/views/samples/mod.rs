//! Pages with everything on them, for the tests and for looking at.

mod detail;
mod forms;
mod request;
mod speech;

use time::{Duration, OffsetDateTime, macros::datetime};

use super::{
    content::{Clip, Content, Kind, Recipient},
    list::{Filter, ListPane, OperationsPage, Row, Rows},
    status::Status,
};
use crate::operation::attention::Attention;
use crate::operation::overview::{Figures, Picture, Standing};
use crate::web::frame::{Frame, Place};

pub(super) const NOW: OffsetDateTime = datetime!(2026-11-23 14:33:00 UTC);
const ID: &str = "019ab2c4-7e10-7c3a-9f21-5b8e0d6a41c2";

/// Markup, quotes, spaces and lines that must arrive unchanged.
pub(super) const HOSTILE: &str =
    "Hi <script>alert('1')</script> & \"Priya\",\n\n  your delivery  HL-20418\narrives today.";

pub(super) fn sms(message: &str) -> Content {
    Content::Sms { message: message.to_owned(), segments: 2, encoding: "GSM-7".to_owned() }
}

fn recording() -> Content {
    Content::CallAudio { url: "https://cdn.harbour.example/harbour-depot-closed.mp3".to_owned() }
}

fn speech(text: &str, clip: Clip) -> Content {
    Content::CallText { text: text.to_owned(), voice: Some("aria_calm".to_owned()), model: None, clip }
}

fn kind(content: &Content) -> Kind {
    match content {
        Content::Sms { .. } => Kind::Sms,
        Content::CallAudio { .. } | Content::CallText { .. } => Kind::Call,
    }
}

fn status(kind: Kind, state: &str) -> Status {
    Status { kind, state: state.to_owned(), is_settled: false }
}

fn recipient(number: &str) -> Recipient {
    Recipient { number: number.to_owned(), is_masked: false }
}

fn row(state: &str, number: &str, content: Content, minutes: i64) -> Row {
    Row {
        id: format!("019ab2c4-7e10-7c3a-9f21-{minutes:012}"),
        status: status(kind(&content), state),
        recipient: recipient(number),
        content,
        who: if minutes % 2 == 0 { "Dana Ruiz" } else { "key billing-worker" }.to_owned(),
        at: NOW - Duration::minutes(minutes),
        needs_person: ["pending_approval", "unknown", "needs_review"].contains(&state),
        attention: match state {
            "unknown" => vec![Attention::UnknownForLong],
            "needs_review" => vec![Attention::NeedsReview, Attention::DuplicateSuspected],
            _ => Vec::new(),
        },
    }
}

impl ListPane {
    pub(super) fn sample() -> Self {
        Self {
            now: NOW,
            filter: Filter::default(),
            cursor: None,
            waiting: 4,
            attention: 2,
            may_decide: true,
            selected: None,
            rows: Rows {
                waiting: vec![
                    row("pending_approval", "+14155550132", sms(HOSTILE), 4),
                    row("pending_approval", "+447700900123", recording(), 9),
                    row("pending_approval", "+493023125014", sms("Ihre Sendung HL-20391 liegt ab 15 Uhr bereit."), 11),
                ],
                attention: vec![
                    row(
                        "needs_review",
                        "+447700900612",
                        sms("Your driver is 10 minutes away. Have your ID ready."),
                        41,
                    ),
                    row("unknown", "+15035550119", recording(), 12),
                ],
                rest: vec![
                    row("sending", "+14155550198", sms("Gate code for dock 4 is 7719."), 0),
                    row("approved", "+14155550198", sms("Gate code for dock 5 is 8820."), 1),
                    row(
                        "delivered",
                        "+14155550176",
                        sms("Hi Tom, delivery HL-20377 was left with your neighbour."),
                        15,
                    ),
                    row("delivered", "+447700900456", recording(), 31),
                    row("failed", "+19175550164", sms("Hi Lena, delivery HL-20365 arrives tomorrow."), 46),
                    row("accepted", "+16465550102", sms("Your claim C-1180 is with our team."), 53),
                    row("rejected", "+14155550150", sms("FINAL NOTICE pay now or your goods will be sold"), 95),
                    row("expired", "+447700900789", recording(), 900),
                    row("cancelled", "+13125550171", sms("Hi Omar, your slot moved to 17:00 to 19:00."), 1_500),
                ],
            },
            older: Some("019ab29e".to_owned()),
        }
    }

    fn sample_empty() -> Self {
        Self { rows: Rows::default(), older: None, ..Self::sample() }
    }

    /// As a viewer sees it.
    pub(super) fn sample_masked() -> Self {
        let mut list = Self { may_decide: false, ..Self::sample() };
        let Rows { waiting, attention, rest } = &mut list.rows;
        [waiting, attention, rest].into_iter().flatten().for_each(|row| row.recipient.is_masked = true);
        list
    }
}

impl OperationsPage {
    pub(super) fn sample() -> Self {
        Self {
            frame: Frame::sample(Place::Operations),
            now: NOW,
            figures: Figures {
                standing: Standing { oldest_waiting: Some(NOW - Duration::minutes(11)), to_settle: 1, under_way: 1 },
                picture: Some(Picture::sample(NOW).into()),
            },
            list: ListPane::sample(),
        }
    }

    pub(super) fn sample_empty() -> Self {
        Self { list: ListPane::sample_empty(), figures: Figures::default(), ..Self::sample() }
    }

    pub(super) fn sample_filtered() -> Self {
        let filter = Filter {
            q: "<script>\"HL\"".to_owned(),
            kind: "call".to_owned(),
            state: "failed".to_owned(),
            attention: false,
        };
        let list = ListPane { filter, ..ListPane::sample_empty() };
        Self { list, frame: Frame::sample_held(Place::Operations), ..Self::sample_empty() }
    }

    /// The second page, for a viewer.
    pub(super) fn sample_continued() -> Self {
        let mut list = ListPane { cursor: Some("019ab2a0".to_owned()), older: None, ..ListPane::sample_masked() };
        list.rows.waiting.clear();
        list.rows.attention.clear();
        Self { list, ..Self::sample() }
    }
}
