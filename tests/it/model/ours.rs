//! The protocol as it is: every promise holds on every way through it.

use super::rules::{Budget, OnUnknown, Rules};
use super::walk::holds;
use crate::support::torture;

/// One more crash if everything is to be run.
fn crashes(slice: u8) -> u8 {
    slice + u8::from(torture::is_full())
}

#[test]
fn a_bit_of_everything_that_can_go_wrong() {
    let unseen = holds("a bit of everything", Rules::ours());
    assert!(unseen.is_empty(), "the model cannot show that {unseen:?}");
}

#[test]
fn processes_that_crash_again_and_again() {
    let faults = Budget { crashes: crashes(3), refusals: 1, sessions: 0, pauses: 0, ..Rules::ours().faults };
    holds("several crashes", Rules { faults, ..Rules::ours() });
}

#[test]
fn requests_and_answers_that_are_lost_again_and_again() {
    let faults = Budget { losses: 2, sessions: u8::from(torture::is_full()), ..Rules::ours().faults };
    holds("several losses", Rules { faults, ..Rules::ours() });
}

#[test]
fn sends_that_provably_did_not_happen() {
    let faults = Budget { refusals: 1 + u8::from(torture::is_full()), pauses: 0, ..Rules::ours().faults };
    holds("refusals", Rules { faults, ..Rules::ours() });
}

#[test]
fn a_third_process() {
    let faults = Budget { crashes: crashes(1), sessions: 0, ..Rules::ours().faults };
    holds("three processes", Rules { workers: 3, faults, ..Rules::ours() });
}

#[test]
fn somebody_else_who_sends_the_same_from_the_same_number() {
    let faults = Budget { strangers: 1, pauses: u8::from(torture::is_full()), ..Rules::ours().faults };
    holds("a stranger", Rules { sender_is_exclusive: false, faults, ..Rules::ours() });
}

#[test]
fn a_list_that_never_shows_what_was_accepted_where_a_person_decides() {
    let faults = Budget { crashes: crashes(1), refusals: 1, ..Rules::ours().faults };
    let rules = Rules { on_unknown: OnUnknown::Person, lag_is_bounded: false, faults, ..Rules::ours() };
    holds("unbounded lag, a person decides", rules);
}

#[test]
fn live_mode_by_default() {
    // A person decides, others send from the same number, and Twilio lists whenever it likes.
    let faults = Budget { strangers: 1, pauses: u8::from(torture::is_full()), ..Rules::ours().faults };
    let rules = Rules {
        on_unknown: OnUnknown::Person,
        sender_is_exclusive: false,
        lag_is_bounded: false,
        faults,
        ..Rules::ours()
    };
    holds("live mode by default", rules);
}
