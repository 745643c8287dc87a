//! What the reconciler kept of its looks, read back for the pages.

use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::operation::content::Kind;
use crate::operation::store::{self, Operation, Story};
use crate::operation::views::content::Recipient;
use crate::operation::views::evidence::{Candidate, LookUp};
use crate::web::text;

/// What was asked. A member that is missing says nothing.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    from: Option<String>,
    since: Option<Moment>,
    until: Option<Moment>,
}

/// What Twilio answered.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Found {
    listed: i64,
    candidates: Vec<Listed>,
    error: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Listed {
    sid: String,
    to: Option<String>,
    status: Option<String>,
    created_at: Option<Moment>,
    same_recipient: bool,
    /// `None` for a call, which has no text.
    same_body: Option<bool>,
    agrees: bool,
}

/// A time as it stands in JSON; one that cannot be read is none.
#[derive(Deserialize)]
#[serde(transparent)]
struct Moment(String);

impl Moment {
    fn at(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::parse(&self.0, &Rfc3339).ok()
    }

    fn clock(&self) -> String {
        self.at().map_or_else(|| self.0.clone(), |at| text::clock(at.to_utc()))
    }
}

/// Every look, oldest first.
pub(super) fn look_ups(operation: &Operation, story: &Story, is_masked: bool) -> Vec<LookUp> {
    let earlier = std::iter::once(None).chain(story.evidence.iter().map(Some));
    story.evidence.iter().zip(earlier).map(|(look, before)| look_up(operation, look, before, is_masked)).collect()
}

/// What may be this one, as the newest look found it.
pub(super) fn candidates(story: &Story, is_masked: bool) -> Vec<Candidate> {
    story.evidence.last().map_or_else(Vec::new, |look| listed(found(look).candidates, is_masked))
}

/// What a look that was made just now brought up: with all that is known of each, or with its SID alone.
pub(super) fn fresh_candidates(candidates: Option<&Value>, is_masked: bool) -> Vec<Candidate> {
    let candidates = candidates.and_then(Value::as_array).into_iter().flatten();
    candidates
        .flat_map(|candidate| match candidate.as_str() {
            Some(sid) => {
                let sid = sid.to_owned();
                vec![Candidate { sid, recipient: None, word: None, created_at: None, agreement: None }]
            }
            None => listed(serde_json::from_value(candidate.clone()).into_iter().collect(), is_masked),
        })
        .collect()
}

fn found(look: &store::Evidence) -> Found {
    serde_json::from_value(look.found.clone()).unwrap_or_default()
}

fn look_up(operation: &Operation, look: &store::Evidence, before: Option<&store::Evidence>, is_masked: bool) -> LookUp {
    let asked: Asked = serde_json::from_value(look.asked.clone()).unwrap_or_default();
    let found = found(look);
    let same = |before: &store::Evidence| before.found.get("candidates") == look.found.get("candidates");
    let is_repeated = !found.candidates.is_empty() && before.is_some_and(same);
    LookUp {
        at: look.at,
        attempt: look.attempt,
        asked: asked.in_words(operation.kind),
        listed: found.in_words(is_repeated),
        candidates: if is_repeated { Vec::new() } else { listed(found.candidates, is_masked) },
        conclusion: look.conclusion.clone(),
        raw: json!({ "asked": look.asked, "found": look.found }),
    }
}

impl Asked {
    fn in_words(&self, kind: Kind) -> String {
        let what = match kind {
            Kind::Sms => "messages",
            Kind::Call => "calls",
        };
        let from = self.from.as_deref().map_or_else(String::new, |from| format!(" from {}", text::phone(from)));
        let time = match (&self.since, &self.until) {
            (Some(since), Some(until)) => format!(", made between {} and {}", since.clock(), until.clock()),
            (Some(since), None) => format!(", made since {}", since.clock()),
            (None, _) => String::new(),
        };
        format!("Asked for {what}{from}{time}.")
    }
}

impl Found {
    fn in_words(&self, is_repeated: bool) -> String {
        if let Some(error) = &self.error {
            return text::sentence(error);
        }
        let candidates = self.candidates.len();
        match (self.listed, candidates) {
            (0, 0) => "Twilio listed nothing.".to_owned(),
            (listed, 0) => format!("Twilio listed {}. None of it can be this one.", text::thousands(listed)),
            (_, 1) if is_repeated => "Still the same one may be this one.".to_owned(),
            (_, _) if is_repeated => format!("Still the same {candidates} may be this one."),
            (listed, _) => {
                format!("Twilio listed {}. Of these, {candidates} may be this one:", text::thousands(listed))
            }
        }
    }
}

fn listed(candidates: Vec<Listed>, is_masked: bool) -> Vec<Candidate> {
    let candidate = |listed: Listed| Candidate {
        agreement: Some(listed.agreement()),
        sid: listed.sid,
        recipient: listed.to.map(|number| Recipient { number, is_masked }),
        word: listed.status,
        created_at: listed.created_at.as_ref().and_then(Moment::at),
    };
    candidates.into_iter().map(candidate).collect()
}

impl Listed {
    fn agreement(&self) -> String {
        if self.agrees {
            return "Agrees in everything".to_owned();
        }
        let recipient = if self.same_recipient { "Same recipient" } else { "Another recipient" };
        let body = match self.same_body {
            Some(true) => ", same text",
            Some(false) => ", another text",
            None => "",
        };
        let is_alike = self.same_recipient && self.same_body != Some(false);
        let rest = if is_alike { ", another time or sender" } else { "" };
        format!("{recipient}{body}{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{NOW, evidence, operation, story};
    use super::*;
    use crate::operation::status::State;

    fn told(asked: Value, found: Value, conclusion: &str) -> LookUp {
        let mut story = story();
        story.evidence = vec![evidence(asked, found, conclusion)];
        look_ups(&operation(State::NeedsReview), &story, true).remove(0)
    }

    fn one() -> Value {
        json!({
            "sid": "SM1", "to": "+447700900123", "status": "sent", "createdAt": "2026-11-23T14:32:00Z",
            "sameRecipient": false, "sameBody": true, "agrees": false,
        })
    }

    #[test]
    fn a_look_is_told_in_sentences_and_nobodys_number_with_it() {
        let asked =
            json!({ "from": "+15005550006", "since": "2026-11-23T14:27:00.5Z", "until": "2026-11-23T14:32:00Z" });
        let look = told(asked, json!({ "listed": 1200, "candidates": [one()] }), "unclear");
        assert_eq!(look.asked, "Asked for messages from +1 500 555 0006, made between 14:27:00 and 14:32:00.");
        assert_eq!(look.listed, "Twilio listed 1,200. Of these, 1 may be this one:");
        let [candidate] = &look.candidates[..] else { panic!("one candidate") };
        assert_eq!(candidate.recipient.as_ref().expect("a recipient").to_string(), "+44•••••0123");
        assert_eq!(candidate.agreement.as_deref(), Some("Another recipient, same text"));
        assert_eq!(candidate.created_at, Some(NOW - time::Duration::minutes(1)));
    }

    #[test]
    fn what_is_missing_or_broken_says_nothing() {
        let look = told(json!([]), json!("?"), "absent");
        assert_eq!((look.asked.as_str(), look.listed.as_str()), ("Asked for messages.", "Twilio listed nothing."));
        let look = told(json!({ "since": "once" }), json!({ "error": "Twilio answered 503" }), "not_looked_up");
        assert_eq!(
            (look.asked.as_str(), look.listed.as_str()),
            ("Asked for messages, made since once.", "Twilio answered 503.")
        );
    }

    #[test]
    fn what_was_listed_before_is_not_listed_again() {
        let mut story = story();
        let found = json!({ "listed": 2, "candidates": [one()] });
        story.evidence = vec![evidence(json!({}), found.clone(), "waiting"), evidence(json!({}), found, "unclear")];
        let looks = look_ups(&operation(State::NeedsReview), &story, false);
        assert_eq!(looks.iter().map(|look| look.candidates.len()).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(looks[1].listed, "Still the same one may be this one.");
        assert_eq!(candidates(&story, false).len(), 1, "and can be chosen all the same");
    }

    #[test]
    fn a_fresh_look_names_sids_or_says_all_it_knows() {
        let fresh = fresh_candidates(Some(&json!(["SM2", one()])), false);
        assert_eq!(fresh.iter().map(|candidate| candidate.sid.as_str()).collect::<Vec<_>>(), ["SM2", "SM1"]);
        assert_eq!((fresh[0].agreement.is_none(), fresh[1].agreement.is_some()), (true, true));
        assert!(fresh_candidates(None, false).is_empty());
    }

    #[test]
    fn what_agrees_and_what_does_not_is_told() {
        let agreement = |same_recipient, same_body, agrees| {
            Listed { same_recipient, same_body, agrees, ..Listed::default() }.agreement()
        };
        assert_eq!(agreement(true, Some(true), true), "Agrees in everything");
        assert_eq!(agreement(true, Some(true), false), "Same recipient, same text, another time or sender");
        assert_eq!(agreement(true, Some(false), false), "Same recipient, another text");
        assert_eq!(agreement(true, None, false), "Same recipient, another time or sender");
    }
}
