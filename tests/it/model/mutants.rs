//! The protocol with one mechanism missing, or a world that is worse than promised: the checker finds what it prevented.

use super::properties::{BY_ITSELF, ONCE, OWN};
use super::rules::{Budget, OnUnknown, Rules};
use super::walk::{breaks, holds};

#[test]
fn without_the_fence_a_process_that_stood_still_sends_what_others_sent() {
    breaks("no fence", ONCE, Rules { lock: false, recheck: false, freshness: false, ..Rules::ours() });
}

#[test]
fn without_the_lock_a_paused_owner_is_judged_and_sends_all_the_same() {
    breaks("no lock", ONCE, Rules { lock: false, ..Rules::ours() });
}

#[test]
fn without_the_second_check_what_was_judged_meanwhile_is_sent() {
    breaks("no recheck", ONCE, Rules { recheck: false, ..Rules::ours() });
}

#[test]
fn without_freshness_a_process_that_lost_its_session_writes_too_late() {
    breaks("no freshness", ONCE, Rules { freshness: false, ..Rules::ours() });
}

#[test]
fn without_the_settle_time_a_request_arrives_after_it_was_called_absent() {
    breaks("no settle time", ONCE, Rules { settle: false, ..Rules::ours() });
}

#[test]
fn a_settle_time_that_ran_while_the_owner_was_paused_is_none() {
    breaks("settle time from the deadline", ONCE, Rules { settle_from_unknown: false, ..Rules::ours() });
}

#[test]
fn without_reading_the_list_what_arrived_is_sent_again() {
    breaks("no evidence before absence", ONCE, Rules { reads_list: false, ..Rules::ours() });
}

#[test]
fn one_look_at_the_list_is_one_too_few() {
    breaks("one look", ONCE, Rules { reads_twice: false, ..Rules::ours() });
}

#[test]
fn without_taking_turns_a_person_is_asked_whose_message_it_is() {
    breaks("no turns", BY_ITSELF, Rules { one_at_a_time: false, ..Rules::ours() });
}

#[test]
fn without_taking_turns_twins_are_mixed_up_if_whatever_fits_is_bound() {
    breaks("no serialisation", OWN, Rules { one_at_a_time: false, sole_suspect: false, ..Rules::ours() });
}

#[test]
fn a_timer_that_leads_back_to_approved_is_the_duplicate() {
    breaks("requeued on a timer", ONCE, Rules { requeues_on_a_timer: true, ..Rules::ours() });
}

#[test]
fn a_message_that_two_attempts_could_own_is_bound_to_the_wrong_one() {
    let beyond = Rules { on_unknown: OnUnknown::Person, lag_is_bounded: false, ..Rules::ours() };
    holds("two suspects", beyond);
    breaks("two suspects, and bound", OWN, Rules { sole_suspect: false, ..beyond });
}

#[test]
fn a_list_that_lags_without_bound_fools_whoever_sends_again_by_itself() {
    breaks("unbounded lag, auto", ONCE, Rules { lag_is_bounded: false, ..Rules::ours() });
}

#[test]
fn a_stranger_is_taken_for_ours_where_the_sender_is_called_exclusive() {
    let faults = Budget { strangers: 1, ..Rules::ours().faults };
    breaks("a stranger, exclusive", OWN, Rules { faults, ..Rules::ours() });
}

#[test]
fn the_one_instruction_that_no_client_can_close() {
    breaks("a pause and a lost session at the last step", ONCE, Rules { last_step_is_prompt: false, ..Rules::ours() });
}
