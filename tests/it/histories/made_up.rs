//! Histories that never were, each with one breach: a checker that cannot fail proves nothing.

use mission_control::operation::content::Kind;
use mission_control::operation::status::State;
use time::macros::datetime;

use super::checker::{Breach, check, digest};
use super::history::{Answer, Attempt, Content, Entry, History, Hold, Line, Operation, Request};

/// One operation, from the asking to the delivery.
fn add(history: &mut History, number: usize, content: &Content) {
    let (id, key, sid) = (format!("operation-{number}"), format!("key-{number}"), format!("SM{number}"));
    let answer = Answer { status: 202, operation: Some(id.clone()) };
    history.requests.push(Request {
        key: key.clone(),
        content: content.clone(),
        answers: vec![answer.clone(), answer],
        answers_to_another: vec![Answer { status: 422, operation: None }],
        reads: vec![200],
        approval_asked: true,
        approval_heard: true,
    });
    let mut from = None;
    for to in [State::PendingApproval, State::Approved, State::Sending, State::Accepted, State::Delivered] {
        history.lines.push(Line { object: format!("operation/{id}"), from, to: Some(to), is_chained: true });
        from = Some(to);
    }
    history.attempts.push(Attempt {
        operation: id.clone(),
        digest: digest(content),
        sid: Some(sid.clone()),
        started_at: datetime!(2026-11-24 12:00 UTC),
    });
    history.ledger.push(Entry { sid: sid.clone(), content: content.clone() });
    history.operations.push(Operation {
        id,
        key,
        content: content.clone(),
        state: State::Delivered,
        digest: digest(content),
        approved_digest: Some(digest(content)),
        sid: Some(sid),
        approvals: 1,
        needs_attention: false,
        is_reported: true,
    });
}

fn content(kind: Kind, to: &str, says: &str) -> Content {
    Content { kind, to: to.to_owned(), from: "+15005550006".to_owned(), says: says.to_owned() }
}

/// A message, a call, and two messages that look alike.
fn sound() -> History {
    let mut history = History {
        requests: Vec::new(),
        holds: vec![Hold { from: datetime!(2026-11-24 12:01 UTC), to: datetime!(2026-11-24 12:02 UTC) }],
        operations: Vec::new(),
        lines: Vec::new(),
        attempts: Vec::new(),
        ledger: Vec::new(),
    };
    add(&mut history, 0, &content(Kind::Sms, "+14155550100", "Hello"));
    add(&mut history, 1, &content(Kind::Call, "+14155550101", "https://example.com/1.mp3"));
    add(&mut history, 2, &content(Kind::Sms, "+14155550102", "Twin"));
    add(&mut history, 3, &content(Kind::Sms, "+14155550102", "Twin"));
    history
}

/// The state of an operation and of its last line.
fn put(history: &mut History, number: usize, state: State) {
    history.operations[number].state = state;
    let object = history.operations[number].object();
    let last = history.lines.iter_mut().rfind(|line| line.object == object).expect("a line");
    last.to = Some(state);
}

#[test]
fn a_sound_history_has_no_breach() {
    assert_eq!(check(&sound()), []);
}

#[test]
fn every_breach_is_found() {
    type Spoil = fn(&mut History);
    let cases: [(&str, &[Breach], Spoil); 24] = [
        ("taken twice", &[Breach::Duplicate], |history| {
            history.ledger.push(Entry { sid: "SM9".to_owned(), ..history.ledger[0].clone() });
        }),
        ("a third of two twins", &[Breach::Duplicate], |history| {
            history.ledger.push(Entry { sid: "SM9".to_owned(), ..history.ledger[2].clone() });
        }),
        ("both of two twins bound to one", &[Breach::WrongBinding, Breach::Duplicate], |history| {
            history.attempts[3].operation = "operation-2".to_owned();
            history.operations[3].sid = None;
        }),
        ("sent without an approval", &[Breach::Duplicate, Breach::Duplicate, Breach::Lost], |history| {
            history.operations[0].approvals = 0;
        }),
        ("cancelled and sent", &[Breach::Duplicate, Breach::Duplicate, Breach::IllegalMove], |history| {
            put(history, 0, State::Cancelled);
        }),
        ("told of and not stored", &[Breach::Lost, Breach::OtherContent, Breach::OtherContent], |history| {
            history.operations.remove(0);
        }),
        ("not found by its id", &[Breach::Lost], |history| history.requests[1].reads.push(404)),
        ("an approval that is not stored", &[Breach::Lost], |history| {
            history.operations[0].approvals = 0;
            history.operations[0].sid = None;
            put(history, 0, State::Failed);
            history.attempts.remove(0);
            history.ledger.remove(0);
        }),
        ("left in `unknown`", &[Breach::Unfinished, Breach::IllegalMove], |history| put(history, 1, State::Unknown)),
        ("stored with another text", &[Breach::OtherContent; 4], |history| {
            history.operations[0].content.says = "Hullo".to_owned();
            history.operations[0].sid = None;
            history.attempts[0].sid = None;
            put(history, 0, State::Failed);
        }),
        ("approved as another", &[Breach::OtherContent], |history| {
            history.operations[0].approved_digest = Some("00".to_owned());
        }),
        ("tried as another", &[Breach::OtherContent], |history| history.attempts[0].digest = "00".to_owned()),
        ("sent with another text", &[Breach::OtherContent, Breach::WrongBinding], |history| {
            history.ledger[0].content.says = "Hullo".to_owned();
        }),
        ("sent to somebody else", &[Breach::OtherContent, Breach::WrongBinding], |history| {
            history.ledger[1].content.to = "+14155550199".to_owned();
        }),
        ("two operations told of under one key", &[Breach::SecondOperation, Breach::Lost], |history| {
            history.requests[0].answers[1].operation = Some("operation-9".to_owned());
        }),
        ("two operations stored under one key", &[Breach::SecondOperation], |history| {
            let second = content(Kind::Sms, "+14155550100", "Again");
            add(history, 4, &second);
            history.requests.remove(4);
            history.operations[4].key = "key-0".to_owned();
        }),
        ("another request taken under a used key", &[Breach::SecondOperation], |history| {
            history.requests[0].answers_to_another[0] =
                Answer { status: 202, operation: Some("operation-0".to_owned()) };
        }),
        ("bound to another's message", &[Breach::WrongBinding; 2], |history| {
            history.operations[0].sid = Some("SM1".to_owned());
            history.attempts[0].sid = Some("SM1".to_owned());
            history.attempts[1].sid = None;
        }),
        ("bound to nothing that was taken", &[Breach::WrongBinding], |history| {
            history.ledger.remove(0);
        }),
        ("claimed during a hold", &[Breach::DuringHold], |history| {
            history.attempts[0].started_at = datetime!(2026-11-24 12:01:30 UTC);
        }),
        ("a move that is not legal", &[Breach::IllegalMove], |history| {
            history.lines[2].to = Some(State::PendingApproval);
        }),
        ("a state that no line leads to", &[Breach::IllegalMove], |history| {
            history.operations[0].state = State::Failed;
        }),
        ("a broken chain", &[Breach::BrokenChain], |history| history.lines[7].is_chained = false),
        ("approved by nobody", &[Breach::NobodyApproved], |history| {
            history.requests[0].approval_asked = false;
            history.requests[0].approval_heard = false;
        }),
    ];
    for (what, expected, spoil) in cases {
        let mut history = sound();
        spoil(&mut history);
        let findings = check(&history);
        let mut found: Vec<Breach> = findings.iter().map(|(breach, _)| *breach).collect();
        let mut expected = expected.to_vec();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{what}: {findings:#?}");
    }
}
