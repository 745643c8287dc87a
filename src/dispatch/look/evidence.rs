//! What Twilio's list says about an attempt whose outcome is not known. Pure: a list and an attempt in, a finding out.

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::clock::rfc3339;
use crate::operation::content::Kind;
use crate::twilio::look_up::{Listing, Resource};

/// How far Twilio's clock may have moved between a message and our question. What it was ahead then is asked for itself.
pub(super) const SKEW: Duration = Duration::seconds(120);

/// What is looked for.
#[derive(Clone, Debug)]
pub(in crate::dispatch) struct Sought {
    pub(in crate::dispatch) kind: Kind,
    pub(in crate::dispatch) to: String,
    pub(in crate::dispatch) from: String,
    /// A call has none: Twilio's list does not tell what it played.
    pub(in crate::dispatch) message: Option<String>,
    /// When the attempt began.
    pub(in crate::dispatch) started_at: OffsetDateTime,
    /// Until when it could hand something to Twilio.
    pub(in crate::dispatch) deadline_at: OffsetDateTime,
}

/// Something that Twilio lists and that may be what is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dispatch) struct Candidate {
    pub(in crate::dispatch) sid: String,
    pub(super) to: Option<String>,
    status: String,
    created_at: Option<OffsetDateTime>,
    same_recipient: bool,
    /// `None`: there is no text to compare.
    same_body: Option<bool>,
    /// Recipient, sender, text, direction and time are all those that are looked for.
    pub(super) agrees: bool,
}

/// What follows from one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Nothing that could be it: if another look finds the same, it never arrived.
    Nothing,
    /// Exactly one that can only be it.
    Found(String),
    /// What is listed may belong to another of our sends, which is settled first.
    OthersFirst,
    /// Something that may be it, or something else.
    Unclear,
}

impl Candidate {
    /// As it is kept and shown.
    pub(super) fn as_json(&self) -> Value {
        json!({
            "sid": self.sid,
            "to": self.to,
            "status": self.status,
            "createdAt": self.created_at.map(rfc3339),
            "sameRecipient": self.same_recipient,
            "sameBody": self.same_body,
            "agrees": self.agrees,
        })
    }
}

impl Sought {
    /// From when on Twilio may list it, on our clock.
    pub(super) fn since(&self) -> OffsetDateTime {
        self.started_at - SKEW
    }

    /// Everything in the list that shares the recipient or the text: what proves absence has to lack all of it.
    pub(super) fn candidates(&self, listing: &Listing) -> Vec<Candidate> {
        // Wider, never narrower, by what Twilio's clock is off.
        let since = self.since() + listing.ahead.min(Duration::ZERO);
        let until = self.deadline_at + SKEW + listing.ahead.max(Duration::ZERO);
        let outbound = listing.resources.iter().filter(|one| one.direction.starts_with("outbound"));
        outbound
            .filter(|one| one.created_at().is_none_or(|at| at >= since))
            .filter_map(|one| self.compare(one, until))
            .collect()
    }

    fn compare(&self, one: &Resource, until: OffsetDateTime) -> Option<Candidate> {
        let same_recipient = one.to.as_ref() == Some(&self.to);
        let same_body = self.message.as_ref().map(|message| one.body.as_ref() == Some(message));
        if !same_recipient && same_body != Some(true) {
            return None;
        }
        let created_at = one.created_at();
        let agrees = same_recipient
            && same_body != Some(false)
            && one.from.as_ref() == Some(&self.from)
            && one.direction == "outbound-api"
            && created_at.is_some_and(|at| at <= until);
        let (sid, to, status) = (one.sid.clone(), one.to.clone(), one.status.clone());
        Some(Candidate { sid, to, status, created_at, same_recipient, same_body, agrees })
    }
}

/// What the candidates come to, of which none is bound to an operation. `is_exclusive`: nobody but us sends from our
/// numbers, without which another system's identical message could be taken for ours.
pub(super) fn judge(candidates: &[Candidate], is_exclusive: bool, others_under_way: bool) -> Finding {
    let mut agreeing = candidates.iter().filter(|candidate| candidate.agrees);
    match (agreeing.next(), agreeing.next()) {
        _ if candidates.is_empty() => Finding::Nothing,
        (Some(one), None) if is_exclusive => Finding::Found(one.sid.clone()),
        (None, _) if others_under_way => Finding::OthersFirst,
        _ => Finding::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn sought() -> Sought {
        Sought {
            kind: Kind::Sms,
            to: "+14155550132".to_owned(),
            from: "+15005550006".to_owned(),
            message: Some("Hello".to_owned()),
            started_at: datetime!(2026-11-23 14:00 UTC),
            deadline_at: datetime!(2026-11-23 14:00:30 UTC),
        }
    }

    fn listed() -> Resource {
        Resource {
            sid: "SM1".to_owned(),
            to: Some("+14155550132".to_owned()),
            from: Some("+15005550006".to_owned()),
            body: Some("Hello".to_owned()),
            status: "sent".to_owned(),
            direction: "outbound-api".to_owned(),
            date_created: Some("Mon, 23 Nov 2026 14:00:01 +0000".to_owned()),
            error_code: None,
            duration: None,
        }
    }

    fn listing(resources: Vec<Resource>, ahead: i64) -> Listing {
        Listing { resources, ahead: Duration::seconds(ahead) }
    }

    fn finding(sought: &Sought, resource: Resource) -> Finding {
        judge(&sought.candidates(&listing(vec![resource], 0)), true, false)
    }

    #[test]
    fn only_what_agrees_in_everything_is_found() {
        assert_eq!(finding(&sought(), listed()), Finding::Found("SM1".to_owned()));
        let but = |change: fn(&mut Resource)| {
            let mut resource = listed();
            change(&mut resource);
            finding(&sought(), resource)
        };
        assert_eq!(but(|one| one.body = Some("Another".to_owned())), Finding::Unclear);
        assert_eq!(but(|one| one.body = None), Finding::Unclear, "retention is off");
        assert_eq!(but(|one| one.to = Some("+14155550133".to_owned())), Finding::Unclear);
        assert_eq!(but(|one| one.from = None), Finding::Unclear);
        assert_eq!(but(|one| one.direction = "outbound-reply".to_owned()), Finding::Unclear);
        assert_eq!(but(|one| one.date_created = None), Finding::Unclear);
        let late = "Mon, 23 Nov 2026 14:03:00 +0000";
        assert_eq!(
            but(|one| one.date_created = Some("Mon, 23 Nov 2026 14:03:00 +0000".to_owned())),
            Finding::Unclear,
            "{late}"
        );
        assert_eq!(but(|one| one.direction = "inbound".to_owned()), Finding::Nothing);
        assert_eq!(but(|one| one.date_created = Some("Mon, 23 Nov 2026 13:57:59 +0000".to_owned())), Finding::Nothing);
        assert_eq!(
            but(|one| {
                one.to = Some("+14155550133".to_owned());
                one.body = Some("Another".to_owned());
            }),
            Finding::Nothing
        );
    }

    #[test]
    fn a_call_is_told_by_its_numbers_and_its_time_alone() {
        let call = Sought { kind: Kind::Call, message: None, ..sought() };
        assert_eq!(finding(&call, Resource { body: None, ..listed() }), Finding::Found("SM1".to_owned()));
        let other = Resource { body: None, to: Some("+14155550133".to_owned()), ..listed() };
        assert_eq!(finding(&call, other), Finding::Nothing);
    }

    #[test]
    fn two_that_agree_are_none_and_a_sender_shared_with_others_tells_nothing() {
        let two = sought().candidates(&listing(vec![listed(), Resource { sid: "SM2".to_owned(), ..listed() }], 0));
        assert_eq!(judge(&two, true, false), Finding::Unclear);
        assert_eq!(judge(&two[..1], true, false), Finding::Found("SM1".to_owned()));
        assert_eq!(judge(&two[..1], false, false), Finding::Unclear);
        assert_eq!(judge(&[], false, true), Finding::Nothing);
    }

    #[test]
    fn what_may_be_anothers_waits_for_the_other() {
        let another = Resource { body: Some("Another".to_owned()), ..listed() };
        let candidates = sought().candidates(&listing(vec![another.clone()], 0));
        assert_eq!(judge(&candidates, true, true), Finding::OthersFirst);
        let both = sought().candidates(&listing(vec![another, Resource { sid: "SM2".to_owned(), ..listed() }], 0));
        assert_eq!(judge(&both, true, true), Finding::Found("SM2".to_owned()));
    }

    #[test]
    fn a_wrong_clock_widens_the_time_and_never_narrows_it() {
        let at = |date: &str| vec![Resource { date_created: Some(date.to_owned()), ..listed() }];
        let (early, late) = (at("Mon, 23 Nov 2026 13:50:01 +0000"), at("Mon, 23 Nov 2026 14:10:01 +0000"));
        let agree = |resources: &Vec<Resource>, ahead| {
            let candidates = sought().candidates(&listing(resources.clone(), ahead));
            candidates.first().map(|candidate| candidate.agrees)
        };
        assert_eq!((agree(&early, 0), agree(&early, -600), agree(&early, 600)), (None, Some(true), None));
        assert_eq!((agree(&late, 0), agree(&late, 600), agree(&late, -600)), (Some(false), Some(true), Some(false)));
        assert_eq!((agree(&vec![listed()], 600), agree(&vec![listed()], -600)), (Some(true), Some(true)));
    }
}
