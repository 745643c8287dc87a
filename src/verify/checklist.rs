//! What must be true after both were sent and asked for again.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::word;

/// What the runbook looks for in the log, and at least how often one run writes it.
const EVENTS: [(&str, u64); 6] = [
    ("idempotency.recorded", 2),
    ("approval.held", 2),
    ("twilio.sms.send", 1),
    ("twilio.call.create", 1),
    ("twilio.outcome", 2),
    ("idempotency.replay", 2),
];

/// One operation, as it ended, as its replay answered, and as it stands after that.
pub(super) struct Proof {
    pub(super) story: Value,
    pub(super) replay: Value,
    pub(super) after: Value,
}

/// Lines that hold or do not.
pub(super) struct Checklist(Vec<Line>);

struct Line {
    holds: bool,
    what: String,
    detail: String,
}

impl Checklist {
    pub(super) fn of(proofs: &[Proof], before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> Self {
        let mut lines: Vec<Line> = proofs.iter().flat_map(about).collect();
        for (event, times) in EVENTS {
            let count = |events: &BTreeMap<String, u64>| events.get(event).copied().unwrap_or(0);
            let seen = count(after).saturating_sub(count(before));
            let detail =
                if seen >= times { format!("seen {seen} times") } else { format!("seen {seen} of {times} times") };
            lines.push(Line { holds: seen >= times, what: format!("log line {event}"), detail });
        }
        Self(lines)
    }

    pub(super) fn holds(&self) -> bool {
        self.0.iter().all(|line| line.holds)
    }
}

fn about(proof: &Proof) -> Vec<Line> {
    let Proof { story, replay, after } = proof;
    let kind = word(&story["kind"]);
    let line = |holds: bool, what: &str, detail: String| Line { holds, what: format!("{kind}: {what}"), detail };
    let sid = sid(story);
    let attempts = attempts(story);
    let has_one = !sid.is_empty() && attempts.iter().filter(|attempt| word(&attempt["sid"]) == sid).count() == 1;
    let accepted = ["accepted", "delivered"].contains(&word(&story["state"]));
    let ending = [word(&story["status"]), word(&story["reason"])].join(" ");
    let decided =
        story["decisions"].as_array().and_then(|decisions| decisions.iter().find(|d| d["decision"] == "approve"));
    let approver = decided.map(|decision| word(&decision["by"]).to_owned());
    let mut lines = vec![
        line(approver.is_some(), "approved by a person", approver.unwrap_or_default()),
        line(has_one, "one SID", if sid.is_empty() { "none".to_owned() } else { sid.to_owned() }),
        line(accepted, if kind == "call" { "completed" } else { "sent" }, ending.trim().to_owned()),
    ];
    if kind == "call" {
        let fetch = events(story).iter().find(|event| event["kind"] == "clip_fetch");
        let detail =
            fetch.map_or("Twilio did not fetch it: is the public URL reachable?", |fetch| word(&fetch["receivedAt"]));
        lines.push(line(fetch.is_some(), "recording fetched", detail.to_owned()));
    }
    let replayed = replay["replayed"] == true && self::sid(replay) == sid;
    let unsent = self::attempts(after).len() == attempts.len() && self::sid(after) == sid;
    let detail = format!("{} of {} attempts after it", self::attempts(after).len(), attempts.len());
    lines.push(line(replayed && unsent, "replayed, and not sent again", detail));
    lines
}

/// Twilio's name for it.
fn sid(operation: &Value) -> &str {
    let name = if operation["kind"] == "call" { "callSid" } else { "messageSid" };
    word(&operation[name])
}

fn attempts(story: &Value) -> &[Value] {
    story["attempts"].as_array().map_or(&[], Vec::as_slice)
}

fn events(story: &Value) -> &[Value] {
    story["providerEvents"].as_array().map_or(&[], Vec::as_slice)
}

impl fmt::Display for Checklist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Line { holds, what, detail } in &self.0 {
            writeln!(f, "{:4} {what:36} {detail}", if *holds { "ok" } else { "FAIL" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn proof() -> Proof {
        let story = json!({
            "kind": "call", "state": "delivered", "status": "completed", "callSid": "CA1",
            "attempts": [{ "sid": "CA1" }], "providerEvents": [{ "kind": "clip_fetch", "receivedAt": "now" }],
            "decisions": [{ "decision": "approve", "by": "Grace" }],
        });
        let replay = json!({ "kind": "call", "replayed": true, "callSid": "CA1" });
        Proof { after: story.clone(), story, replay }
    }

    fn failing(change: impl FnOnce(&mut Proof)) -> Vec<String> {
        let mut proof = proof();
        change(&mut proof);
        about(&proof).into_iter().filter(|line| !line.holds).map(|line| line.what).collect()
    }

    #[test]
    fn each_line_can_fail() {
        assert_eq!(failing(|_| {}), [""; 0]);
        assert_eq!(failing(|proof| proof.story["decisions"] = json!([])), ["call: approved by a person"]);
        assert_eq!(failing(|proof| proof.story["state"] = json!("failed")), ["call: completed"]);
        assert_eq!(failing(|proof| proof.story["providerEvents"] = json!([])), ["call: recording fetched"]);
        let again = "call: replayed, and not sent again";
        assert_eq!(failing(|proof| proof.replay["replayed"] = json!(false)), [again]);
        assert_eq!(failing(|proof| proof.replay["callSid"] = json!("CA2")), [again]);
        assert_eq!(failing(|proof| proof.after["attempts"] = json!([{ "sid": "CA1" }, { "sid": "CA2" }])), [again]);
        assert_eq!(failing(|proof| proof.story["attempts"] = json!([])), ["call: one SID", again]);
    }

    #[test]
    fn every_log_line_must_have_been_written_in_this_run() {
        let events =
            |times: u64| EVENTS.map(|(event, needed)| (event.to_owned(), needed * times)).into_iter().collect();
        assert!(Checklist::of(&[], &events(1), &events(2)).holds());
        assert!(!Checklist::of(&[], &events(2), &events(2)).holds());
    }
}
