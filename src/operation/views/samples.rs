//! Pages with everything on them, for the tests and for looking at.

use serde_json::json;
use time::{Duration, OffsetDateTime, macros::datetime};

use super::{
    content::{Content, Kind, Recipient},
    decision::{Act, Approval, Candidate, Deadline, Decision, Resolution, Right},
    detail::{OperationPage, Request},
    list::{Figures, Filter, OperationsPage, Row, Rows},
    new_sms::{NewSmsPage, Typed, Widest},
    notice::{Notice, ProviderError},
    status::Status,
    story::{Attempt, Decided, Event, Happening, LookUp, Report},
};
use crate::web::frame::{FormError, Frame, Place};

pub(super) const NOW: OffsetDateTime = datetime!(2026-11-23 14:33:00 UTC);
const ID: &str = "019ab2c4-7e10-7c3a-9f21-5b8e0d6a41c2";
const SID: &str = "SM7b1f0c52e9d44a0fb1c86e3d2a905f61";
const DIGEST: &str = "c07e93d1aa54c07e93d1aa54c07e93d1aa54c07e93d1aa54c07e93d1aa54f2b6";

/// Markup, quotes, spaces and lines that must arrive unchanged.
pub(super) const HOSTILE: &str =
    "Hi <script>alert('1')</script> & \"Priya\",\n\n  your delivery  HL-20418\narrives today.";

pub(super) fn sms(message: &str) -> Content {
    Content::Sms {
        message: message.to_owned(),
        segments: 2,
        encoding: "GSM-7".to_owned(),
    }
}

fn recording() -> Content {
    Content::CallAudio {
        url: "https://cdn.harbour.example/harbour-depot-closed.mp3".to_owned(),
    }
}

fn status(kind: Kind, state: &str) -> Status {
    Status {
        kind,
        state: state.to_owned(),
        is_settled: false,
    }
}

fn recipient(number: &str) -> Recipient {
    Recipient {
        number: number.to_owned(),
        is_masked: false,
    }
}

fn row(state: &str, number: &str, content: Content, minutes: i64) -> Row {
    Row {
        id: ID.to_owned(),
        status: status(content.kind(), state),
        recipient: recipient(number),
        content,
        who: if minutes % 2 == 0 {
            "Dana Ruiz"
        } else {
            "key billing-worker"
        }
        .to_owned(),
        at: NOW - Duration::minutes(minutes),
        needs_person: ["pending_approval", "unknown", "needs_review"].contains(&state),
    }
}

fn refused() -> ProviderError {
    ProviderError {
        code: 30_007,
        words: "The carrier took it for spam. Change the text, or register the sender.".to_owned(),
    }
}

impl OperationsPage {
    pub(super) fn sample() -> Self {
        Self {
            frame: Frame::sample(Place::Operations),
            now: NOW,
            figures: Figures {
                oldest_waiting: Some(NOW - Duration::minutes(11)),
                to_settle: 1,
                under_way: 1,
                accepted_today: 86,
                delivered_today: 82,
                failed_today: 4,
            },
            filter: Filter::default(),
            rows: Rows {
                waiting: vec![
                    row("pending_approval", "+14155550132", sms(HOSTILE), 4),
                    row("pending_approval", "+447700900123", recording(), 9),
                    row(
                        "pending_approval",
                        "+493023125014",
                        sms("Ihre Sendung HL-20391 liegt ab 15 Uhr bereit."),
                        11,
                    ),
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
                    row(
                        "sending",
                        "+14155550198",
                        sms("Gate code for dock 4 is 7719."),
                        0,
                    ),
                    row(
                        "approved",
                        "+14155550198",
                        sms("Gate code for dock 5 is 8820."),
                        1,
                    ),
                    row(
                        "delivered",
                        "+14155550176",
                        sms("Hi Tom, delivery HL-20377 was left with your neighbour."),
                        15,
                    ),
                    row("delivered", "+447700900456", recording(), 31),
                    row(
                        "failed",
                        "+19175550164",
                        sms("Hi Lena, delivery HL-20365 arrives tomorrow."),
                        46,
                    ),
                    row(
                        "accepted",
                        "+16465550102",
                        sms("Your claim C-1180 is with our team."),
                        53,
                    ),
                    row(
                        "rejected",
                        "+14155550150",
                        sms("FINAL NOTICE pay now or your goods will be sold"),
                        95,
                    ),
                    row("expired", "+447700900789", recording(), 900),
                    row(
                        "cancelled",
                        "+13125550171",
                        sms("Hi Omar, your slot moved to 17:00 to 19:00."),
                        1_500,
                    ),
                ],
            },
            older: Some("019ab29e".to_owned()),
            is_continued: false,
        }
    }

    pub(super) fn sample_empty() -> Self {
        Self {
            rows: Rows::default(),
            figures: Figures::default(),
            older: None,
            ..Self::sample()
        }
    }

    pub(super) fn sample_filtered() -> Self {
        let filter = Filter {
            q: "<script>\"HL\"".to_owned(),
            kind: "call".to_owned(),
            state: "failed".to_owned(),
            attention: false,
        };
        Self {
            filter,
            frame: Frame::sample_held(Place::Operations),
            ..Self::sample_empty()
        }
    }

    /// The second page, for a viewer.
    pub(super) fn sample_continued() -> Self {
        let mut page = Self::sample();
        page.rows.waiting.clear();
        page.rows.attention.clear();
        page.rows
            .rest
            .iter_mut()
            .for_each(|row| row.recipient.is_masked = true);
        Self {
            is_continued: true,
            older: None,
            ..page
        }
    }
}

impl NewSmsPage {
    pub(super) fn sample() -> Self {
        Self {
            frame: Frame::sample(Place::NewSms),
            idempotency_key: "page-019ab2d3-90fe-7a11".to_owned(),
            typed: Typed::default(),
            usual_sender: Some("+15005550006".to_owned()),
            errors: Vec::new(),
            size: None,
            widest: None,
            approvers: "Anyone with the role Approver, except you".to_owned(),
            open_hours: 24,
            again: None,
            correlation_id: "req-7f3a90".to_owned(),
        }
    }

    pub(super) fn sample_refused() -> Self {
        Self {
            typed: Typed {
                to: "+1555014\"><script>".to_owned(),
                from: String::new(),
                message: format!("\n{HOSTILE}</textarea>"),
                note: "Customer called.".to_owned(),
            },
            usual_sender: None,
            errors: vec![
                FormError {
                    field: Some("to"),
                    text: "This number is too short for +1. It needs 10 digits after the country code.".to_owned(),
                },
                FormError { field: Some("from"), text: "Give the number it comes from.".to_owned() },
                FormError { field: None, text: "The limit of 500 operations a day is reached. Try tomorrow.".to_owned() },
            ],
            size: Some(sms(HOSTILE)),
            widest: Some(Widest { character: '’', position: 54 }),
            again: Some(ID.to_owned()),
            ..Self::sample()
        }
    }
}

fn request() -> Request {
    Request {
        by: "Dana Ruiz, operator, on the page".to_owned(),
        at: NOW - Duration::minutes(4),
        note: Some("Customer called, first text may have been missed.".to_owned()),
        rule: "Held: every operation needs a person other than the requester".to_owned(),
        mode: "sandbox".to_owned(),
        digest: Some(DIGEST.to_owned()),
        expires_at: NOW + Duration::minutes(1_436),
        execute_before: None,
        idempotency_key: "invoice-8807-notice-1".to_owned(),
        replays: 2,
        last_replayed_at: Some(NOW - Duration::minutes(1)),
        correlation_id: "bw-5512-a41".to_owned(),
        sid: None,
    }
}

fn event(
    seconds: i64,
    happening: Happening,
    title: &str,
    actor: Option<&str>,
    text: &str,
) -> Event {
    Event {
        at: NOW - Duration::minutes(4) + Duration::seconds(seconds),
        happening,
        title: title.to_owned(),
        actor: actor.map(str::to_owned),
        text: text.to_owned(),
        correlation_id: None,
        raw: None,
    }
}

fn deadline() -> Deadline {
    Deadline {
        label: "Time left to decide",
        began_at: NOW - Duration::minutes(4),
        ends_at: NOW + Duration::minutes(1_436),
    }
}

impl OperationPage {
    fn in_state(content: Content, state: &str) -> Self {
        Self {
            frame: Frame::sample(Place::Operations),
            now: NOW,
            id: ID.to_owned(),
            status: status(content.kind(), state),
            since: NOW - Duration::minutes(3),
            provider_word: None,
            from: "+15005550006".to_owned(),
            recipient: recipient("+14155550132"),
            content,
            request: request(),
            notices: Vec::new(),
            decision: Decision::default(),
            events: vec![event(
                0,
                Happening::Requested,
                "Requested",
                Some("Dana Ruiz"),
                "On the page. Held until a person decides.",
            )],
            decisions: Vec::new(),
            attempts: Vec::new(),
            look_ups: Vec::new(),
            reports: Vec::new(),
            flash: None,
        }
    }

    /// One page for each of the twelve states, and some more for readers who may less.
    pub(super) fn samples() -> Vec<(&'static str, Self)> {
        vec![
            ("preparing", Self::preparing()),
            ("pending_approval", Self::pending()),
            ("pending_own", Self::pending_own()),
            ("pending_call", Self::pending_call()),
            ("approved", Self::approved()),
            ("sending", Self::sent("sending", None)),
            ("accepted", Self::sent("accepted", Some("queued"))),
            ("accepted_settled", Self::settled()),
            ("delivered", Self::delivered()),
            ("delivered_viewer", Self::delivered_viewer()),
            ("failed", Self::failed()),
            ("unknown", Self::unknown()),
            ("needs_review", Self::needs_review()),
            ("rejected", Self::rejected()),
            ("expired", Self::expired()),
            ("cancelled", Self::cancelled()),
        ]
    }

    fn preparing() -> Self {
        let mut page = Self::in_state(recording(), "preparing");
        page.request.digest = None;
        page.decision.acts.push(Act::Cancel);
        page
    }

    pub(super) fn pending() -> Self {
        let notice = Notice::PossibleDuplicate {
            id: ID.to_owned(),
            at: NOW - Duration::minutes(26),
            status: status(Kind::Sms, "delivered"),
        };
        let approval = Approval {
            digest: DIGEST.to_owned(),
            asks_about_duplicate: true,
            warning: Some(
                "90 segments wait before it. At 1 a second it leaves in about 2 minutes."
                    .to_owned(),
            ),
        };
        Self {
            notices: vec![notice],
            decision: Decision {
                deadline: Some(deadline()),
                approval: Right::Granted(approval),
                acts: vec![Act::Reject],
                errors: vec![FormError {
                    field: Some("reason"),
                    text: "Write why. Whoever asked sees this sentence.".to_owned(),
                }],
                typed_reason: " <b>".to_owned(),
                ..Decision::default()
            },
            ..Self::in_state(sms(HOSTILE), "pending_approval")
        }
    }

    fn pending_own() -> Self {
        Self {
            decision: Decision {
                deadline: Some(Deadline {
                    ends_at: NOW + Duration::minutes(9),
                    ..deadline()
                }),
                approval: Right::Denied(
                    "It is your own request. Marek Nowak or Aisha Bello can approve it.".to_owned(),
                ),
                acts: vec![Act::Reject, Act::Cancel],
                ..Decision::default()
            },
            flash: Some("Requested. It waits for approval.".to_owned()),
            ..Self::in_state(sms("Gate code for dock 4 is 7719."), "pending_approval")
        }
    }

    fn pending_call() -> Self {
        let approval = Approval {
            digest: DIGEST.to_owned(),
            asks_about_duplicate: false,
            warning: None,
        };
        Self {
            decision: Decision {
                deadline: Some(deadline()),
                approval: Right::Granted(approval),
                acts: vec![Act::Reject],
                ..Decision::default()
            },
            ..Self::in_state(recording(), "pending_approval")
        }
    }

    fn approved() -> Self {
        let mut page = Self::in_state(sms(HOSTILE), "approved");
        page.events.push(event(
            95,
            Happening::Approved,
            "Approved",
            Some("Marek Nowak"),
            "“Checked with the driver.”",
        ));
        page.events.push(event(
            100,
            Happening::NotSent,
            "Attempt 1 was not sent",
            None,
            "The connection to Twilio could not be opened, so nothing left this machine.",
        ));
        page.request.execute_before = Some(NOW + Duration::minutes(57));
        page.decision.acts.push(Act::Cancel);
        page.notices = vec![
            Notice::Blocked { by: ID.to_owned() },
            Notice::Delayed {
                reason: "Twilio could not be reached.".to_owned(),
                since: NOW - Duration::minutes(12),
            },
            Notice::SelfApproved {
                by: "Marek Nowak".to_owned(),
            },
        ];
        page
    }

    fn sent(state: &str, provider_word: Option<&str>) -> Self {
        let mut page = Self::in_state(
            sms("Hi Tom, delivery HL-20377 was left with your neighbour at no. 12."),
            state,
        );
        page.provider_word = provider_word.map(str::to_owned);
        page.events.extend([
            event(
                95,
                Happening::Approved,
                "Approved",
                Some("Marek Nowak"),
                "“Checked with the driver.”",
            ),
            event(
                103,
                Happening::SendingBegan,
                "Sending began",
                None,
                "Attempt 1.",
            ),
        ]);
        page.decisions = vec![Decided {
            at: NOW - Duration::minutes(2),
            decision: "approve".to_owned(),
            outcome: None,
            by: "Marek Nowak".to_owned(),
            reason: Some("Checked with the driver.".to_owned()),
            is_own_request: true,
            digest: Some(DIGEST.to_owned()),
            sid: None,
        }];
        page.attempts = vec![Attempt {
            number: 1,
            state: state.to_owned(),
            started_at: NOW - Duration::minutes(2),
            took: provider_word.map(|_| Duration::milliseconds(184)),
            http_status: provider_word.map(|_| 201),
            sid: provider_word.map(|_| SID.to_owned()),
            bound_by: provider_word.map(|_| "answer".to_owned()),
            error: None,
            detail: None,
        }];
        page
    }

    fn settled() -> Self {
        let mut page = Self::sent("accepted", Some("sent"));
        page.status.is_settled = true;
        page.notices = vec![Notice::NotConfirmed {
            accepted_at: NOW - Duration::hours(80),
        }];
        page
    }

    fn delivered() -> Self {
        let mut page = Self::sent("accepted", Some("delivered"));
        page.status = status(Kind::Sms, "delivered");
        page.request.sid = Some(SID.to_owned());
        let raw = json!({"MessageSid": SID, "MessageStatus": "delivered", "To": "+14155550132", "Note": "</pre><script>"});
        page.events.push(Event {
            raw: Some(raw.clone()),
            correlation_id: Some("cb-77".to_owned()),
            ..event(
                110,
                Happening::Delivered,
                "Delivered",
                Some("Twilio"),
                "Twilio reports that the phone has it.",
            )
        });
        page.reports = vec![Report {
            at: NOW - Duration::minutes(2),
            word: Some("delivered".to_owned()),
            source: "message_status".to_owned(),
            matched_by: "reference".to_owned(),
            error: None,
            raw,
        }];
        page.notices = vec![Notice::Conflicted, Notice::DuplicateSuspected];
        page.decision.acts.push(Act::Acknowledge);
        page.decision.acts.push(Act::AskAgain);
        page
    }

    pub(super) fn delivered_viewer() -> Self {
        let mut page = Self::delivered();
        page.recipient.is_masked = true;
        page.decision = Decision::default();
        page.notices.clear();
        page
    }

    fn failed() -> Self {
        let mut page = Self::sent("accepted", Some("undelivered"));
        page.status = status(Kind::Sms, "failed");
        page.frame = Frame::sample_held(Place::Operations);
        page.notices = vec![Notice::Failed {
            reason: "It was not delivered.".to_owned(),
            error: Some(refused()),
        }];
        page.reports = vec![Report {
            at: NOW,
            word: Some("undelivered".to_owned()),
            source: "message_status".to_owned(),
            matched_by: "sid".to_owned(),
            error: Some(refused()),
            raw: json!({"ErrorCode": "30007"}),
        }];
        page.decision.acts.push(Act::AskAgain);
        page
    }

    fn unknown() -> Self {
        let mut page = Self::sent("unknown", None);
        page.attempts[0].detail =
            Some("Reset by the other side. No status line, no SID.".to_owned());
        page.notices = vec![Notice::OutcomeUnknown {
            why: "The connection broke after the request had left.".to_owned(),
        }];
        page.look_ups = vec![LookUp {
            at: NOW,
            conclusion: "Two candidates, so nothing is bound.".to_owned(),
            raw: Some(json!({"asked": {"From": "+15005550006"}, "found": [SID]})),
        }];
        page.decision.resolution =
            Right::Denied("Marek Nowak or Aisha Bello can settle it.".to_owned());
        page
    }

    fn needs_review() -> Self {
        let mut page = Self::unknown();
        page.status = status(Kind::Sms, "needs_review");
        page.notices = vec![Notice::EvidenceUnclear {
            why: "Twilio’s list shows two messages that could be this one.".to_owned(),
        }];
        let candidate = |sid: &str, word: &str| Candidate {
            sid: sid.to_owned(),
            created_at: Some(NOW - Duration::minutes(2)),
            word: word.to_owned(),
            comparison: "Identical".to_owned(),
        };
        page.decision.resolution = Right::Granted(Resolution {
            chosen: "sent".to_owned(),
            typed_sid: SID.to_owned(),
            candidates: vec![
                candidate(SID, "delivered"),
                candidate("SM90aa7f1c52e9d44a0fb1c86e3d2a901d32", "sent"),
            ],
        });
        page.decision.acts.push(Act::Acknowledge);
        page.decision.errors = vec![FormError {
            field: Some("reason"),
            text: "Write how you know. The sentence is kept.".to_owned(),
        }];
        page
    }

    fn rejected() -> Self {
        let mut page = Self::in_state(sms("FINAL NOTICE pay now"), "rejected");
        page.notices = vec![Notice::Rejected {
            by: "Marek Nowak".to_owned(),
            reason: "We do not threaten people.".to_owned(),
        }];
        page
    }

    fn expired() -> Self {
        let mut page = Self::in_state(recording(), "expired");
        page.notices = vec![
            Notice::ExpiredAfterApproval {
                cause: "Sending was on hold.".to_owned(),
                at: NOW,
            },
            Notice::ExpiredUndecided { at: NOW },
            Notice::AudioNotFetched,
        ];
        page.decision.acts.push(Act::Acknowledge);
        page.decision.acts.push(Act::AskAgain);
        page
    }

    fn cancelled() -> Self {
        let mut page = Self::in_state(sms("Hi Omar, your slot moved."), "cancelled");
        page.notices = vec![Notice::Cancelled {
            by: "Dana Ruiz".to_owned(),
            reason: None,
        }];
        page
    }
}
