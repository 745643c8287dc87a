//! The verdict on a history: every promise that it breaks.

use std::collections::{BTreeSet, HashMap, HashSet};

use mission_control::operation::status::State;
use sha2::{Digest as _, Sha256};

use super::history::{Content, History, Line, Operation, Request};

/// A broken promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Breach {
    /// Twilio took something more often than it was approved.
    Duplicate,
    /// What a client was told of is not there, or is another.
    Lost,
    /// Neither ended, nor with Twilio, nor shown to a person.
    Unfinished,
    /// What was sent, approved or tried is not what was asked for.
    OtherContent,
    /// One key made two operations, or took another request for its own.
    SecondOperation,
    /// A SID stands at an operation whose message it is not.
    WrongBinding,
    /// Claimed while sending was on hold.
    DuringHold,
    /// A state followed that may not follow.
    IllegalMove,
    /// A line of the audit is missing or altered.
    BrokenChain,
    /// Approved, though nobody asked for that.
    NobodyApproved,
}

/// A breach, and what it was.
pub(super) type Finding = (Breach, String);

/// Everything that is wrong with it.
pub(super) fn check(history: &History) -> Vec<Finding> {
    let mut findings = Vec::new();
    requests(history, &mut findings);
    operations(history, &mut findings);
    sends(history, &mut findings);
    bindings(history, &mut findings);
    lines(history, &mut findings);
    for attempt in &history.attempts {
        if history.holds.iter().any(|hold| hold.from < attempt.started_at && attempt.started_at < hold.to) {
            findings.push((Breach::DuringHold, format!("{attempt:?}")));
        }
    }
    findings
}

/// One key, one operation, and it is the one that was asked for.
fn requests(history: &History, findings: &mut Vec<Finding>) {
    let mut by_key: HashMap<&str, Vec<&Operation>> = HashMap::new();
    for operation in &history.operations {
        by_key.entry(&operation.key).or_default().push(operation);
    }
    for request in &history.requests {
        let stored = by_key.get(request.key.as_str()).map_or(&[][..], Vec::as_slice);
        let told: BTreeSet<&str> = request.answers.iter().filter_map(|answer| answer.operation.as_deref()).collect();
        if told.len() > 1 || stored.len() > 1 {
            findings.push((Breach::SecondOperation, format!("{request:?}: {stored:?}")));
        }
        let is_taken = |status: u16, operation: Option<&String>| status != 422 || operation.is_some();
        if request.answers_to_another.iter().any(|answer| is_taken(answer.status, answer.operation.as_ref())) {
            findings.push((Breach::SecondOperation, format!("another request was taken: {request:?}")));
        }
        for id in &told {
            match stored.iter().find(|operation| operation.id == *id) {
                None => findings.push((Breach::Lost, format!("{request:?}"))),
                Some(operation) => asked_for(request, operation, findings),
            }
        }
        let is_forgotten = request.answers.iter().any(|answer| answer.operation.is_none());
        if is_forgotten || request.reads.iter().any(|status| *status != 200) {
            findings.push((Breach::Lost, format!("not found again: {request:?}")));
        }
    }
}

fn asked_for(request: &Request, operation: &Operation, findings: &mut Vec<Finding>) {
    if operation.content != request.content {
        findings.push((Breach::OtherContent, format!("{request:?}: {operation:?}")));
    }
    if request.approval_heard && operation.approvals == 0 {
        findings.push((Breach::Lost, format!("an approval: {request:?}")));
    }
    if operation.approvals > 0 && !request.approval_asked {
        findings.push((Breach::NobodyApproved, format!("{operation:?}")));
    }
}

/// Everything came to an end or stands where people look, and was approved as it is.
fn operations(history: &History, findings: &mut Vec<Finding>) {
    let digests: HashMap<&str, String> =
        history.operations.iter().map(|operation| (operation.id.as_str(), digest(&operation.content))).collect();
    for operation in &history.operations {
        let is_over = operation.state.is_final() || operation.state == State::Accepted;
        if !is_over && !operation.needs_attention {
            findings.push((Breach::Unfinished, format!("{operation:?}")));
        }
        let expected = digests.get(operation.id.as_str());
        if Some(&operation.digest) != expected
            || operation.approved_digest.as_ref().is_some_and(|approved| Some(approved) != expected)
        {
            findings.push((Breach::OtherContent, format!("{operation:?}")));
        }
    }
    for attempt in &history.attempts {
        if Some(&attempt.digest) != digests.get(attempt.operation.as_str()) {
            findings.push((Breach::OtherContent, format!("{attempt:?}")));
        }
    }
}

/// Twilio took only what was asked for, and nothing more often than it was approved. Twins share their allowance: in the
/// ledger they look alike.
fn sends(history: &History, findings: &mut Vec<Finding>) {
    let mut allowed: HashMap<&Content, usize> = HashMap::new();
    for operation in &history.operations {
        *allowed.entry(&operation.content).or_default() += operation.allowance();
    }
    let mut taken: HashMap<&Content, usize> = HashMap::new();
    for entry in &history.ledger {
        *taken.entry(&entry.content).or_default() += 1;
    }
    for (content, times) in taken {
        match allowed.get(content) {
            None => findings.push((Breach::OtherContent, format!("nobody asked for {content:?}"))),
            Some(allowed) if times > *allowed => {
                findings.push((Breach::Duplicate, format!("{times} times instead of {allowed}: {content:?}")));
            }
            Some(_) => {}
        }
    }
}

/// A SID stands at one operation, and its message is that operation's.
fn bindings(history: &History, findings: &mut Vec<Finding>) {
    let ledger: HashMap<&str, &Content> =
        history.ledger.iter().map(|entry| (entry.sid.as_str(), &entry.content)).collect();
    let by_id: HashMap<&str, &Operation> =
        history.operations.iter().map(|operation| (operation.id.as_str(), operation)).collect();
    let attempts = history
        .attempts
        .iter()
        .filter_map(|attempt| Some((by_id.get(attempt.operation.as_str()).copied()?, attempt.sid.as_deref()?)));
    let operations = history.operations.iter().filter_map(|operation| Some((operation, operation.sid.as_deref()?)));
    let bound: HashSet<(&str, &str)> =
        attempts.chain(operations).map(|(operation, sid)| (sid, operation.id.as_str())).collect();
    let mut owners: HashMap<&str, &str> = HashMap::new();
    let mut times: HashMap<&str, usize> = HashMap::new();
    for (sid, id) in bound {
        if ledger.get(sid).copied() != by_id.get(id).map(|operation| &operation.content) {
            findings.push((Breach::WrongBinding, format!("{sid} at {:?}: {:?}", by_id.get(id), ledger.get(sid))));
        }
        if let Some(other) = owners.insert(sid, id) {
            findings.push((Breach::WrongBinding, format!("{sid} at {id} and {other}")));
        }
        *times.entry(id).or_default() += 1;
    }
    for operation in &history.operations {
        let times = times.get(operation.id.as_str()).copied().unwrap_or(0);
        if times > operation.allowance() {
            findings.push((Breach::Duplicate, format!("{times} SIDs: {operation:?}")));
        }
        if times == 0 && matches!(operation.state, State::Accepted | State::Delivered) {
            findings.push((Breach::WrongBinding, format!("said to be sent, without a SID: {operation:?}")));
        }
    }
}

/// The audit is whole, and tells a legal way to where each operation stands.
fn lines(history: &History, findings: &mut Vec<Finding>) {
    let mut states: HashMap<&str, State> = HashMap::new();
    for line in &history.lines {
        if !line.is_chained {
            findings.push((Breach::BrokenChain, format!("{line:?}")));
        }
        let Line { object, from, to: Some(to), .. } = line else { continue };
        let before = states.insert(object, *to);
        let is_legal = match (before, *from) {
            (None, None) => true,
            (Some(before), Some(from)) => before == from && (from == *to || from.may_become(*to)),
            _ => false,
        };
        if !is_legal {
            findings.push((Breach::IllegalMove, format!("after {before:?}: {line:?}")));
        }
    }
    for operation in &history.operations {
        if states.get(operation.object().as_str()) != Some(&operation.state) {
            findings.push((Breach::IllegalMove, format!("the audit does not lead to {operation:?}")));
        }
    }
}

/// SHA-256 of the content, as anybody can make it.
pub(super) fn digest(content: &Content) -> String {
    let name = if content.kind.as_str() == "sms" { "message" } else { "audioUrl" };
    let canonical = serde_json::json!({
        "from": content.from, "kind": content.kind, name: content.says, "mode": "sandbox", "to": content.to,
    });
    hex(&Sha256::digest(format!("mission-control content v1\n{canonical}")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}
