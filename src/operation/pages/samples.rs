//! Rows for the tests of what is pure.

use serde_json::Value;
use time::{Duration, OffsetDateTime, macros::datetime};

use crate::auth::{Principal, Role, Via};
use crate::config::Mode;
use crate::id::{AttemptId, OperationId, UserId};
use crate::operation::content::Kind;
use crate::operation::status::State;
use crate::operation::store::{Attempt, Decision, Evidence, HistoryLine, Operation, Story};

pub(super) const NOW: OffsetDateTime = datetime!(2026-11-23 14:33:00 UTC);

/// An SMS in this state, asked for by Dana Ruiz four minutes ago, and otherwise uneventful.
pub(super) fn operation(state: State) -> Operation {
    let asked_at = NOW - Duration::minutes(4);
    Operation {
        id: OperationId::new(),
        mode: Mode::Sandbox,
        kind: Kind::Sms,
        state,
        to_number: "+14155550132".to_owned(),
        from_number: "+15005550006".to_owned(),
        message: Some("Gate code for dock 4 is 7719.".to_owned()),
        audio_url: None,
        speech_text: None,
        voice_id: None,
        model_id: None,
        clip_id: None,
        clip_bytes: None,
        content_digest: Some(vec![0xc0; 32]),
        segments: Some(1),
        encoding: Some("GSM-7".to_owned()),
        requested_by: UserId::new(),
        requester: "Dana Ruiz".to_owned(),
        requester_email: "dana@harbour.example".to_owned(),
        token_name: None,
        source: "page".to_owned(),
        note: None,
        correlation_id: "req-7f3a90".to_owned(),
        idempotency_key: "gate-7719".to_owned(),
        replays: 0,
        fingerprint: None,
        is_key_old: false,
        last_replayed_at: None,
        created_at: asked_at,
        updated_at: asked_at,
        possible_duplicate_of: None,
        gate_rule: "Every operation waits for a person".to_owned(),
        expires_at: asked_at + Duration::hours(24),
        approver: None,
        approved_by_rule: None,
        self_approved: false,
        approved_at: None,
        execute_before: None,
        attempts: 0,
        not_before: asked_at,
        delay_reason: None,
        blocked_by: None,
        provider_sid: None,
        provider_status: None,
        error_code: None,
        reason: None,
        reason_code: None,
        sending_deadline: None,
        unknown_since: None,
        accepted_at: None,
        finished_at: None,
        settled_at: None,
        conflicted_at: None,
        duplicate_suspected_at: None,
        audio_not_fetched_at: None,
        acknowledged_at: None,
        acknowledged_by: None,
        needs_attention: false,
        read_at: NOW,
    }
}

/// Somebody who has signed in.
pub(super) fn principal(role: Role) -> Principal {
    let via = Via::Session { age: std::time::Duration::ZERO, second_factor: false, by_provider: false };
    let email = "marek@harbour.example".to_owned();
    Principal {
        user: UserId::new(),
        email,
        name: "Marek".to_owned(),
        role,
        via,
        must_change_password: false,
        has_second_factor: false,
    }
}

pub(super) fn story() -> Story {
    Story { decisions: vec![], attempts: vec![], evidence: vec![], events: vec![], history: vec![], audio_look: None }
}

/// A decision of Marek Nowak's.
pub(super) fn decision(decision: &str) -> Decision {
    Decision {
        decision: decision.to_owned(),
        digest: None,
        decided_by: Some("Marek Nowak".to_owned()),
        token: None,
        rule: None,
        outcome: None,
        sid: None,
        reason: None,
        self_approved: false,
        decided_at: NOW,
    }
}

/// The first attempt, begun three minutes ago.
pub(super) fn attempt(state: &str) -> Attempt {
    let started_at = NOW - Duration::minutes(3);
    Attempt {
        id: AttemptId::new(),
        number: 1,
        state: state.to_owned(),
        started_at,
        deadline_at: started_at + Duration::seconds(30),
        settle_at: started_at + Duration::seconds(60),
        ended_at: None,
        http_status: None,
        error_code: None,
        detail: None,
        provider_sid: None,
        bound_by: None,
        request_id: None,
    }
}

/// A look at what Twilio has of the first attempt.
pub(super) fn evidence(asked: Value, found: Value, conclusion: &str) -> Evidence {
    Evidence { attempt: 1, asked, found, conclusion: conclusion.to_owned(), at: NOW }
}

/// A line of the audit that a part of the service wrote.
pub(super) fn line(action: &str, details: Value) -> HistoryLine {
    HistoryLine {
        seq: 1,
        at: NOW,
        actor: "dispatch".to_owned(),
        person: None,
        token: None,
        correlation_id: None,
        action: action.to_owned(),
        from_state: None,
        to_state: None,
        details,
        hash: vec![0; 32],
    }
}
