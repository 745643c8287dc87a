//! What this reader may say about an outcome that nobody knows.

use time::OffsetDateTime;

use super::evidence;
use super::rights::{Reader, Typed};
use crate::approval::policy;
use crate::auth::Permission;
use crate::error::Problem;
use crate::operation::attention::Attention;
use crate::operation::status::State;
use crate::operation::store::{Operation, Story};
use crate::operation::views::decision::{Again, Resolution, Right};

/// The choices of this reader. While the service itself looks the outcome up, nobody is asked to guess it; who knows may
/// say so.
pub(super) fn resolution(reader: &Reader<'_>, operation: &Operation, story: &Story) -> Right<Resolution> {
    let is_urgent = match operation.state {
        State::NeedsReview => true,
        State::Unknown => operation.attention().contains(&Attention::UnknownForLong),
        _ => return Right::Nothing,
    };
    let may = reader.principal.require(Permission::Decide);
    match may.and_then(|()| policy::may_decide(reader.settings, reader.mode, reader.decider())) {
        Err(problem) if is_urgent => Right::Denied(problem.detail),
        Err(_) => Right::Nothing,
        Ok(()) => Right::Granted(Resolution {
            is_urgent,
            chosen: String::new(),
            typed_sid: String::new(),
            candidates: evidence::candidates(story, false),
            again: again(reader, operation, story),
        }),
    }
}

/// The same after a refusal: with what was typed, and with what a look brought up that was made just now.
pub(super) fn refused(resolution: &mut Resolution, problem: &Problem, typed: &Typed) {
    resolution.is_urgent = true;
    resolution.chosen.clone_from(&typed.outcome);
    resolution.typed_sid.clone_from(&typed.sid);
    let fresh = evidence::fresh_candidates(problem.members.get("candidates"), false);
    if !fresh.is_empty() {
        resolution.candidates = fresh;
    }
}

/// Whether it can be sent again: never before Twilio must know of the first.
fn again(reader: &Reader<'_>, operation: &Operation, story: &Story) -> Again {
    if let Err(problem) = reader.may_approve(operation) {
        return Again::Denied(problem.detail);
    }
    match settle_at(story).filter(|settle_at| *settle_at > operation.read_at) {
        Some(settle_at) => Again::From(settle_at),
        None => Again::Now,
    }
}

/// When Twilio must know of everything that was tried.
pub(super) fn settle_at(story: &Story) -> Option<OffsetDateTime> {
    story.attempts.iter().map(|attempt| attempt.settle_at).max()
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use serde_json::json;
    use time::Duration;

    use super::super::samples::{NOW, attempt, evidence, operation, principal, story};
    use super::*;
    use crate::auth::{Principal, Role};
    use crate::config::{Config, Environment, Mode};

    fn offered(principal: &Principal, operation: &Operation, story: &Story) -> Right<Resolution> {
        let settings = Config::load(&Environment::of([])).expect("settings").operating;
        resolution(&Reader { principal, settings: &settings, mode: Mode::Live }, operation, story)
    }

    fn granted(principal: &Principal, operation: &Operation, story: &Story) -> Resolution {
        match offered(principal, operation, story) {
            Right::Granted(resolution) => resolution,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_unknown_outcome_is_put_to_a_person_only_when_it_stays_unknown() {
        let [approver, operator] = [Role::Approver, Role::Operator].map(principal);
        let mut unknown = operation(State::Unknown);
        unknown.unknown_since = Some(NOW - Duration::minutes(3));
        assert!(!granted(&approver, &unknown, &story()).is_urgent, "who knows may say so");
        assert!(matches!(offered(&operator, &unknown, &story()), Right::Nothing));
        (unknown.unknown_since, unknown.needs_attention) = (Some(NOW - Duration::minutes(6)), true);
        assert!(granted(&approver, &unknown, &story()).is_urgent);
        assert!(matches!(offered(&operator, &unknown, &story()), Right::Denied(_)));
        assert!(matches!(offered(&approver, &operation(State::Delivered), &story()), Right::Nothing));
    }

    #[test]
    fn nothing_is_sent_again_while_twilio_may_come_to_know_of_the_first() {
        let approver = principal(Role::Approver);
        let mut tried = story();
        tried.attempts = vec![attempt("needs_review")];
        let review = operation(State::NeedsReview);
        assert!(matches!(granted(&approver, &review, &tried).again, Again::Now));
        let early = NOW + Duration::seconds(1);
        tried.attempts[0].settle_at = early;
        assert!(matches!(granted(&approver, &review, &tried).again, Again::From(at) if at == early));
    }

    #[test]
    fn ones_own_is_not_sent_again_under_four_eyes() {
        let approver = principal(Role::Approver);
        let mut own = operation(State::NeedsReview);
        own.requested_by = approver.user;
        let resolution = granted(&approver, &own, &story());
        assert!(matches!(resolution.again, Again::Denied(why) if why.starts_with("You asked for this yourself")));
    }

    #[test]
    fn what_was_found_can_be_chosen_and_what_is_found_now_stands_in_its_place() {
        let mut looked = story();
        let found = json!({ "listed": 1, "candidates": [{ "sid": "SM1", "sameRecipient": true }] });
        looked.evidence = vec![evidence(json!({}), found, "unclear")];
        let mut resolution = granted(&principal(Role::Approver), &operation(State::NeedsReview), &looked);
        let sids = |resolution: &Resolution| -> Vec<String> {
            resolution.candidates.iter().map(|candidate| candidate.sid.clone()).collect()
        };
        assert_eq!(sids(&resolution), ["SM1"]);
        let typed = Typed { outcome: "send_again".to_owned(), ..Typed::default() };
        let problem = Problem::new(StatusCode::CONFLICT, "too_early", "Not yet.");
        refused(&mut resolution, &problem, &typed);
        assert_eq!((sids(&resolution), resolution.chosen.as_str()), (vec!["SM1".to_owned()], "send_again"));
        refused(&mut resolution, &problem.with("candidates", json!(["SM2"])), &typed);
        assert_eq!(sids(&resolution), ["SM2"]);
    }
}
