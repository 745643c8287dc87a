//! One operation in each of its states.

use serde_json::json;
use time::Duration;

use super::{
    super::{
        content::{Clip, Content, Kind},
        decision::{Act, Again, Approval, Deadline, Decision, Resolution, Right},
        detail::{DetailPane, OperationPage},
        evidence::{Candidate, LookUp},
        list::ListPane,
        notice::Notice,
        story::{Attempt, Decided, Event, Happening, Report},
    },
    HOSTILE, ID, NOW, kind, recipient, recording,
    request::{DIGEST, request},
    sms, speech, status,
};
use crate::operation::attention::Attention;
use crate::web::frame::{FormError, Frame, Place};

const SID: &str = "SM7b1f0c52e9d44a0fb1c86e3d2a905f61";

fn event(seconds: i64, happening: Happening, title: &str, actor: Option<&str>, text: &str) -> Event {
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

fn candidates() -> Vec<Candidate> {
    let known = Candidate {
        sid: SID.to_owned(),
        recipient: Some(recipient("+14155550132")),
        word: Some("delivered".to_owned()),
        created_at: Some(NOW - Duration::minutes(2)),
        agreement: Some("Agrees in everything".to_owned()),
    };
    let sid = "SM90aa7f1c52e9d44a0fb1c86e3d2a901d32".to_owned();
    vec![known, Candidate { sid, recipient: None, word: None, created_at: None, agreement: None }]
}

fn deadline() -> Deadline {
    Deadline {
        label: "Time left to decide",
        began_at: NOW - Duration::minutes(4),
        ends_at: NOW + Duration::minutes(1_436),
    }
}

impl OperationPage {
    /// One page for each sample, with its list beside it.
    pub(in crate::operation::views) fn samples() -> Vec<(&'static str, Self)> {
        DetailPane::samples().into_iter().map(|(name, detail)| (name, Self::around(detail))).collect()
    }

    pub(in crate::operation::views) fn around(detail: DetailPane) -> Self {
        let list = if detail.recipient.is_masked { ListPane::sample_masked() } else { ListPane::sample() };
        let is_held = detail.status.state == "failed";
        let frame = if is_held { Frame::sample_held(Place::Operations) } else { Frame::sample(Place::Operations) };
        Self { frame, list, detail }
    }
}

impl DetailPane {
    pub(super) fn in_state(content: Content, state: &str) -> Self {
        Self {
            is_beside: false,
            query: "?state=failed&q=a%26b".to_owned(),
            now: NOW,
            id: ID.to_owned(),
            status: status(kind(&content), state),
            since: NOW - Duration::minutes(3),
            provider_word: None,
            from: "+15005550006".to_owned(),
            recipient: recipient("+14155550132"),
            content,
            audio: None,
            request: request(),
            notices: Vec::new(),
            attention: Vec::new(),
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
        }
    }

    /// One page for each of the twelve states, and some more for readers who may less.
    pub(in crate::operation::views) fn samples() -> Vec<(&'static str, Self)> {
        vec![
            ("preparing", Self::preparing()),
            ("pending_approval", Self::pending()),
            ("pending_own", Self::pending_own()),
            ("pending_call", Self::pending_call()),
            ("pending_speech", Self::pending_speech()),
            ("failed_speech", Self::failed_speech()),
            ("delivered_speech", Self::delivered_speech()),
            ("approved", Self::approved()),
            ("sending", Self::sent("sending", None)),
            ("accepted", Self::sent("accepted", Some("queued"))),
            ("accepted_settled", Self::settled()),
            ("delivered", Self::delivered()),
            ("delivered_viewer", Self::delivered_viewer()),
            ("failed", Self::failed()),
            ("unknown", Self::unknown()),
            ("needs_review", Self::needs_review()),
            ("needs_review_operator", Self::needs_review_operator()),
            ("rejected", Self::rejected()),
            ("expired", Self::expired()),
            ("cancelled", Self::cancelled()),
        ]
    }

    fn preparing() -> Self {
        let mut page = Self::in_state(speech(HOSTILE, Clip::Awaited), "preparing");
        page.notices = vec![Notice::SpeechDelayed { reason: "ElevenLabs takes no more requests.".to_owned() }];
        page.request.digest = None;
        page.decision.acts.push(Act::Cancel);
        page
    }

    pub(in crate::operation::views) fn pending() -> Self {
        let notice = Notice::PossibleDuplicate {
            id: ID.to_owned(),
            at: NOW - Duration::minutes(26),
            status: status(Kind::Sms, "delivered"),
        };
        let approval = Approval {
            digest: DIGEST.to_owned(),
            asks_about_duplicate: true,
            cost: Some("About 0.0158 USD, an estimate".to_owned()),
            warning: Some("90 segments wait before it. At 1 a second it leaves in about 2 minutes.".to_owned()),
            typed_comment: "\"Checked".to_owned(),
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
                deadline: Some(Deadline { ends_at: NOW + Duration::minutes(9), ..deadline() }),
                approval: Right::Denied(
                    "It is your own request. Marek Nowak or Aisha Bello can approve it.".to_owned(),
                ),
                acts: vec![Act::Reject, Act::Cancel],
                ..Decision::default()
            },
            ..Self::in_state(sms("Gate code for dock 4 is 7719."), "pending_approval")
        }
    }

    fn pending_call() -> Self {
        let approval = Approval {
            digest: DIGEST.to_owned(),
            asks_about_duplicate: false,
            cost: None,
            warning: None,
            typed_comment: String::new(),
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
        page.events.push(event(95, Happening::Approved, "Approved", Some("Marek Nowak"), "“Checked with the driver.”"));
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
            Notice::NotAtTwilio { attempt: 1 },
            Notice::Blocked { by: ID.to_owned() },
            Notice::Delayed { reason: "Twilio could not be reached.".to_owned(), since: NOW - Duration::minutes(12) },
            Notice::SelfApproved { by: "Marek Nowak".to_owned() },
        ];
        page
    }

    fn sent(state: &str, provider_word: Option<&str>) -> Self {
        let mut page = Self::in_state(sms("Hi Tom, delivery HL-20377 was left with your neighbour at no. 12."), state);
        page.provider_word = provider_word.map(str::to_owned);
        page.events.extend([
            event(95, Happening::Approved, "Approved", Some("Marek Nowak"), "“Checked with the driver.”"),
            event(103, Happening::SendingBegan, "Sending began", None, "Attempt 1."),
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
            error_code: None,
            detail: None,
        }];
        page
    }

    fn settled() -> Self {
        let mut page = Self::sent("accepted", Some("sent"));
        page.status.is_settled = true;
        page.notices = vec![Notice::NotConfirmed { accepted_at: NOW - Duration::hours(80) }];
        page
    }

    fn delivered() -> Self {
        let mut page = Self::sent("accepted", Some("delivered"));
        page.status = status(Kind::Sms, "delivered");
        page.request.sid = Some(SID.to_owned());
        let raw =
            json!({"MessageSid": SID, "MessageStatus": "delivered", "To": "+14155550132", "Note": "</pre><script>"});
        page.events.push(Event {
            raw: Some(raw.clone()),
            correlation_id: Some("cb-77".to_owned()),
            ..event(110, Happening::Delivered, "Delivered", Some("Twilio"), "Twilio reports that the phone has it.")
        });
        page.reports = vec![Report {
            at: NOW - Duration::minutes(2),
            word: Some("delivered".to_owned()),
            source: "message_status".to_owned(),
            matched_by: "reference".to_owned(),
            error_code: None,
            raw,
        }];
        page.notices = vec![
            Notice::DuplicateSuspected { why: "Twilio’s answer came after the attempt had been judged." },
            Notice::Rebound { sid: SID.to_owned(), was: "SM90aa7f1c52e9d44a0fb1c86e3d2a901d32".to_owned() },
            Notice::Conflicted,
        ];
        page.attention = vec![Attention::DuplicateSuspected, Attention::Conflicted];
        page.decision.acts.push(Act::Acknowledge);
        page.decision.acts.push(Act::AskAgain);
        page
    }

    pub(in crate::operation::views) fn delivered_viewer() -> Self {
        let mut page = Self::delivered();
        page.recipient.is_masked = true;
        page.decision = Decision::default();
        page.notices.clear();
        page
    }

    fn failed() -> Self {
        let mut page = Self::sent("accepted", Some("undelivered"));
        page.status = status(Kind::Sms, "failed");
        page.notices = vec![Notice::Failed { reason: "It was not delivered.".to_owned(), code: Some(30_007) }];
        page.reports = vec![Report {
            at: NOW,
            word: Some("undelivered".to_owned()),
            source: "message_status".to_owned(),
            matched_by: "sid".to_owned(),
            error_code: Some(30_007),
            raw: json!({"ErrorCode": "30007"}),
        }];
        page.decision.acts.push(Act::AskAgain);
        page
    }

    fn unknown() -> Self {
        let mut page = Self::sent("unknown", None);
        page.attempts[0].detail = Some("Reset by the other side. No status line, no SID.".to_owned());
        page.notices = vec![Notice::OutcomeUnknown {
            why: "The connection broke after the request had left.".to_owned(),
            looks_from: Some(NOW),
        }];
        page.look_ups = vec![LookUp {
            at: NOW,
            attempt: 1,
            asked: "Asked for messages from +1 500 555 0006, made between 14:27:00 and 14:32:00.".to_owned(),
            listed: "Twilio listed 12. Of these, 2 may be this one:".to_owned(),
            candidates: candidates(),
            conclusion: "unclear".to_owned(),
            raw: json!({"asked": {"from": "+15005550006"}, "found": {"listed": 12, "candidates": [{"sid": SID}]}}),
        }];
        page.decision.resolution = Right::Granted(Resolution {
            is_urgent: false,
            chosen: String::new(),
            typed_sid: String::new(),
            candidates: Vec::new(),
            again: Again::From(NOW + Duration::seconds(40)),
        });
        page
    }

    fn needs_review() -> Self {
        let mut page = Self::unknown();
        page.status = status(Kind::Sms, "needs_review");
        page.notices = vec![Notice::EvidenceUnclear {
            why: "Twilio’s list shows two messages that could be this one.".to_owned(),
        }];
        page.decision.resolution = Right::Granted(Resolution {
            is_urgent: true,
            chosen: format!("sent:{SID}"),
            typed_sid: SID.to_owned(),
            candidates: candidates(),
            again: Again::Now,
        });
        page.attention = vec![Attention::NeedsReview];
        page.decision.acts.push(Act::Acknowledge);
        page.decision.errors =
            vec![FormError { field: Some("reason"), text: "Write how you know. The sentence is kept.".to_owned() }];
        page
    }

    fn needs_review_operator() -> Self {
        let mut page = Self::needs_review();
        page.decision = Decision {
            resolution: Right::Denied("Marek Nowak or Aisha Bello can settle it.".to_owned()),
            ..Decision::default()
        };
        page
    }

    fn rejected() -> Self {
        let mut page = Self::in_state(sms("FINAL NOTICE pay now"), "rejected");
        page.notices =
            vec![Notice::Rejected { by: "Marek Nowak".to_owned(), reason: "We do not threaten people.".to_owned() }];
        page
    }

    fn expired() -> Self {
        let mut page = Self::in_state(recording(), "expired");
        page.notices = vec![
            Notice::ExpiredAfterApproval { cause: "Sending was on hold.".to_owned(), at: NOW },
            Notice::ExpiredUndecided { at: NOW },
        ];
        page.decision.acts.push(Act::Acknowledge);
        page.decision.acts.push(Act::AskAgain);
        page
    }

    fn cancelled() -> Self {
        let mut page = Self::in_state(sms("Hi Omar, your slot moved."), "cancelled");
        page.notices = vec![Notice::Cancelled { by: "Dana Ruiz".to_owned(), reason: None }];
        page
    }
}
