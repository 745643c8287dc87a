//! The whole story of one operation.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Summary;
use crate::clock::Timestamp;
use crate::config::PublicUrl;
use crate::operation::audio_look::AudioLook;
use crate::operation::content::{Kind, hex};
use crate::operation::store::{self, Operation};

/// An operation with everything that happened to it, each list oldest first.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OperationStory)]
pub(crate) struct Story {
    #[serde(flatten)]
    operation: Summary,
    #[serde(flatten)]
    content: Content,
    /// The address of the person who asked.
    #[schema(example = "ada@example.com")]
    requested_by: String,
    /// The token that asked for them.
    #[schema(required = true)]
    token: Option<String>,
    /// `page`, `api`, `command` or `gateway`.
    #[schema(example = "api")]
    source: String,
    #[schema(required = true)]
    note: Option<String>,
    idempotency_key: String,
    /// How often the request was repeated.
    replays: i32,
    correlation_id: String,
    /// The rule by which it had to wait, or had not.
    #[schema(example = "held")]
    rule: String,
    updated_at: Timestamp,
    #[schema(required = true)]
    approved_at: Option<Timestamp>,
    #[schema(required = true)]
    accepted_at: Option<Timestamp>,
    #[schema(required = true)]
    finished_at: Option<Timestamp>,
    /// When no more news was waited for.
    #[schema(required = true)]
    settled_at: Option<Timestamp>,
    needs_attention: bool,
    #[schema(required = true)]
    acknowledged_at: Option<Timestamp>,
    #[schema(required = true)]
    acknowledged_by: Option<String>,
    /// What Twilio reported contradicts what stood here.
    conflicted: bool,
    /// It may have gone out twice.
    duplicate_suspected: bool,
    decisions: Vec<Decision>,
    attempts: Vec<Attempt>,
    evidence: Vec<Evidence>,
    provider_events: Vec<ProviderEvent>,
    history: Vec<HistoryLine>,
}

/// What only one kind of operation has.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = StoryContent)]
enum Content {
    /// Of an SMS.
    #[serde(rename_all = "camelCase")]
    Sms {
        /// What it says.
        #[schema(required = true)]
        message: Option<String>,
    },
    /// Of a call.
    #[serde(rename_all = "camelCase")]
    Call {
        /// What it says, unless it plays a recording.
        #[schema(required = true)]
        text: Option<String>,
        /// How long its clip is, as long as that can be heard.
        #[schema(required = true)]
        clip_bytes: Option<i64>,
        /// When it was noticed that nobody fetched the recording.
        #[schema(required = true)]
        audio_not_fetched_at: Option<Timestamp>,
        /// What was seen of a recording elsewhere when the call was asked for.
        #[schema(required = true)]
        audio_look: Option<AudioLookDocument>,
    },
}

/// A decision of a person or of a rule.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DecisionMade)]
struct Decision {
    /// `approved`, `rejected`, `cancelled` or `resolved`.
    #[serde(rename = "decision")]
    what: String,
    #[schema(required = true)]
    by: Option<String>,
    #[schema(required = true)]
    token: Option<String>,
    #[schema(required = true)]
    rule: Option<String>,
    #[schema(required = true)]
    digest: Option<String>,
    #[schema(required = true)]
    outcome: Option<String>,
    #[schema(required = true)]
    sid: Option<String>,
    #[schema(required = true)]
    reason: Option<String>,
    /// The one who asked decided.
    self_approved: bool,
    at: Timestamp,
}

/// One try to hand it to Twilio.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Attempt {
    number: i32,
    state: String,
    started_at: Timestamp,
    deadline_at: Timestamp,
    settle_at: Timestamp,
    #[schema(required = true)]
    ended_at: Option<Timestamp>,
    #[schema(required = true)]
    http_status: Option<i32>,
    #[schema(required = true)]
    error_code: Option<i32>,
    #[schema(required = true)]
    detail: Option<String>,
    #[schema(required = true)]
    sid: Option<String>,
    /// How the SID was found.
    #[schema(required = true)]
    bound_by: Option<String>,
    #[schema(required = true)]
    twilio_request_id: Option<String>,
}

/// What was looked up about an unknown outcome.
#[derive(Serialize, ToSchema)]
struct Evidence {
    /// The number of the attempt.
    attempt: i32,
    at: Timestamp,
    #[schema(value_type = Object)]
    asked: Value,
    #[schema(value_type = Object)]
    found: Value,
    conclusion: String,
}

/// A fact that Twilio reported.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ProviderEvent {
    kind: String,
    sid: String,
    #[schema(required = true)]
    status: Option<String>,
    #[schema(required = true)]
    error_code: Option<i32>,
    /// `reference`, `sid` or what else told to whom it belongs.
    matched_by: String,
    received_at: Timestamp,
    /// As it came.
    #[schema(value_type = Object)]
    payload: Value,
}

/// A line of the audit.
#[derive(Serialize, ToSchema)]
struct HistoryLine {
    seq: i32,
    at: Timestamp,
    actor: String,
    action: String,
    /// The state before.
    #[schema(required = true)]
    from: Option<String>,
    /// The state after.
    #[schema(required = true)]
    to: Option<String>,
    #[schema(value_type = Object)]
    details: Value,
    /// What makes an edited line show.
    hash: String,
}

/// What was seen of a recording elsewhere.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AudioLook)]
struct AudioLookDocument {
    #[schema(required = true)]
    looked_at: Option<Timestamp>,
    #[schema(required = true)]
    http_status: Option<i32>,
    #[schema(required = true)]
    content_type: Option<String>,
    #[schema(required = true)]
    bytes: Option<i64>,
    #[schema(required = true)]
    etag: Option<String>,
    /// What speaks against it, in a sentence.
    #[schema(required = true)]
    problem: Option<String>,
}

impl Story {
    /// What is told of this one.
    pub(crate) fn of(operation: &Operation, story: store::Story, public_url: &PublicUrl) -> Self {
        Self {
            operation: Summary::of(operation, public_url),
            content: Content::of(operation, story.audio_look),
            requested_by: operation.requester_email.clone(),
            token: operation.token_name.clone(),
            source: operation.source.clone(),
            note: operation.note.clone(),
            idempotency_key: operation.idempotency_key.clone(),
            replays: operation.replays,
            correlation_id: operation.correlation_id.clone(),
            rule: operation.gate_rule.clone(),
            updated_at: Timestamp(operation.updated_at),
            approved_at: operation.approved_at.map(Timestamp),
            accepted_at: operation.accepted_at.map(Timestamp),
            finished_at: operation.finished_at.map(Timestamp),
            settled_at: operation.settled_at.map(Timestamp),
            needs_attention: operation.needs_attention,
            acknowledged_at: operation.acknowledged_at.map(Timestamp),
            acknowledged_by: operation.acknowledged_by.clone(),
            conflicted: operation.conflicted_at.is_some(),
            duplicate_suspected: operation.duplicate_suspected_at.is_some(),
            decisions: story.decisions.into_iter().map(Decision::from).collect(),
            attempts: story.attempts.into_iter().map(Attempt::from).collect(),
            evidence: story.evidence.into_iter().map(Evidence::from).collect(),
            provider_events: story.events.into_iter().map(ProviderEvent::from).collect(),
            history: story.history.into_iter().map(HistoryLine::from).collect(),
        }
    }
}

impl Content {
    fn of(operation: &Operation, look: Option<AudioLook>) -> Self {
        match operation.kind {
            Kind::Sms => Self::Sms { message: operation.message.clone() },
            Kind::Call => Self::Call {
                text: operation.speech_text.clone(),
                clip_bytes: operation.clip_bytes,
                audio_not_fetched_at: operation.audio_not_fetched_at.map(Timestamp),
                audio_look: look.map(AudioLookDocument::from),
            },
        }
    }
}

impl From<store::Decision> for Decision {
    fn from(decision: store::Decision) -> Self {
        Self {
            digest: decision.digest_hex(),
            what: decision.decision,
            by: decision.decided_by,
            token: decision.token,
            rule: decision.rule,
            outcome: decision.outcome,
            sid: decision.sid,
            reason: decision.reason,
            self_approved: decision.self_approved,
            at: Timestamp(decision.decided_at),
        }
    }
}

impl From<store::Attempt> for Attempt {
    fn from(attempt: store::Attempt) -> Self {
        Self {
            number: attempt.number,
            state: attempt.state,
            started_at: Timestamp(attempt.started_at),
            deadline_at: Timestamp(attempt.deadline_at),
            settle_at: Timestamp(attempt.settle_at),
            ended_at: attempt.ended_at.map(Timestamp),
            http_status: attempt.http_status,
            error_code: attempt.error_code,
            detail: attempt.detail,
            sid: attempt.provider_sid,
            bound_by: attempt.bound_by,
            twilio_request_id: attempt.request_id,
        }
    }
}

impl From<store::Evidence> for Evidence {
    fn from(look: store::Evidence) -> Self {
        Self {
            attempt: look.attempt,
            at: Timestamp(look.at),
            asked: look.asked,
            found: look.found,
            conclusion: look.conclusion,
        }
    }
}

impl From<store::Event> for ProviderEvent {
    fn from(event: store::Event) -> Self {
        Self {
            kind: event.kind,
            sid: event.sid,
            status: event.status,
            error_code: event.error_code,
            matched_by: event.matched_by,
            received_at: Timestamp(event.received_at),
            payload: event.payload,
        }
    }
}

impl From<store::HistoryLine> for HistoryLine {
    fn from(line: store::HistoryLine) -> Self {
        Self {
            seq: line.seq,
            at: Timestamp(line.at),
            actor: line.actor,
            action: line.action,
            from: line.from_state,
            to: line.to_state,
            details: line.details,
            hash: hex(&line.hash),
        }
    }
}

impl From<AudioLook> for AudioLookDocument {
    fn from(look: AudioLook) -> Self {
        Self {
            looked_at: look.looked_at.map(Timestamp),
            http_status: look.http_status,
            content_type: look.content_type,
            bytes: look.bytes,
            etag: look.etag,
            problem: look.problem,
        }
    }
}
