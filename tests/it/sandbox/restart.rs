//! The journal: what outlives a stop or a kill.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::PermissionsExt,
};

use mission_control::sandbox::{self, Error, Pace};
use serde_json::json;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Emulator, RECIPIENT, Receiver, journalled};

#[tokio::test]
async fn messages_outlive_a_restart_and_unfinished_lives_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("sandbox.jsonl");
    let mut receiver = Receiver::start().await;

    let emulator = Emulator::with(journalled(&journal, Pace::ByHand)).await;
    let message = emulator.send(RECIPIENT, Some(&receiver.url("/"))).await;
    let sid = message["sid"].as_str().expect("a SID").to_owned();
    let deleted = emulator.send(RECIPIENT, None).await["sid"].as_str().expect("a SID").to_owned();
    emulator.delete(&format!("/Messages/{deleted}.json")).await;
    emulator.stop().await;
    assert_eq!(fs::metadata(&journal).expect("a file").permissions().mode() & 0o777, 0o600);
    receiver.expect_nothing().await;

    let emulator = Emulator::with(journalled(&journal, Pace::Immediate)).await;
    assert_eq!(receiver.statuses(2).await, ["sent", "delivered"]);
    assert_eq!(emulator.until(&sid, "delivered").await["date_created"], message["date_created"]);
    assert_eq!(emulator.get_json("/Messages.json").await["messages"].as_array().map(Vec::len), Some(1));
    assert_eq!(emulator.ledger().await.len(), 2);
    emulator.stop().await;

    // What is finished and reported stays so.
    let emulator = Emulator::with(journalled(&journal, Pace::Immediate)).await;
    receiver.expect_nothing().await;
    assert_eq!(emulator.message(&sid).await["status"], "delivered");
}

#[tokio::test]
async fn a_report_that_the_stop_cut_off_is_made_after_the_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("sandbox.jsonl");
    let mut receiver = Receiver::start().await;
    let emulator = Emulator::with(journalled(&journal, Pace::Immediate)).await;
    emulator.arm(json!([{ "fault": { "callback_delayed": { "ms": 60_000 } } }])).await;
    let sid = emulator.send(RECIPIENT, Some(&receiver.url("/"))).await["sid"].as_str().expect("a SID").to_owned();
    emulator.until(&sid, "sent").await;
    emulator.stop().await;

    let _emulator = Emulator::with(journalled(&journal, Pace::Immediate)).await;
    assert_eq!(receiver.statuses(2).await, ["sent", "delivered"]);
}

#[tokio::test]
async fn a_message_driven_by_hand_goes_no_further_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("sandbox.jsonl");
    let mut receiver = Receiver::start().await;
    let emulator = Emulator::with(journalled(&journal, Pace::ByHand)).await;
    let sid = emulator.send(RECIPIENT, Some(&receiver.url("/"))).await["sid"].as_str().expect("a SID").to_owned();
    emulator.drive(&sid, json!({ "status": "sending" })).await;
    assert_eq!(receiver.statuses(1).await, ["sending"]);
    emulator.stop().await;

    let emulator = Emulator::with(journalled(&journal, Pace::Immediate)).await;
    receiver.expect_nothing().await;
    assert_eq!(emulator.message(&sid).await["status"], "sending");
}

#[tokio::test]
async fn a_torn_last_line_is_cut_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("sandbox.jsonl");
    let emulator = Emulator::with(journalled(&journal, Pace::ByHand)).await;
    emulator.send(RECIPIENT, None).await;
    emulator.stop().await;
    let whole = fs::read(&journal).expect("a file");
    let mut file = OpenOptions::new().append(true).open(&journal).expect("a file");
    file.write_all(&whole[..whole.len() / 2]).expect("half a line");

    let emulator = Emulator::with(journalled(&journal, Pace::ByHand)).await;
    assert_eq!(emulator.ledger().await.len(), 1);
    emulator.send(RECIPIENT, None).await;
    emulator.stop().await;
    let emulator = Emulator::with(journalled(&journal, Pace::ByHand)).await;
    assert_eq!(emulator.ledger().await.len(), 2);
}

#[tokio::test]
async fn an_unreadable_line_in_the_middle_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("sandbox.jsonl");
    fs::write(&journal, "nonsense\n{}\n").expect("a file");
    let started =
        sandbox::start(journalled(&journal, Pace::ByHand), &TaskTracker::new(), CancellationToken::new()).await;
    let Err(error @ Error::Journal(..)) = started else { panic!("it started") };
    assert!(error.to_string().contains("line 1"), "{error}");
}

#[tokio::test]
async fn a_reset_empties_the_journal() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("sandbox.jsonl");
    let emulator = Emulator::with(journalled(&journal, Pace::ByHand)).await;
    emulator.send(RECIPIENT, None).await;
    assert_eq!(emulator.control("/sandbox/reset", json!({})).await.status(), 204);
    let after = emulator.send(RECIPIENT, None).await["sid"].clone();
    emulator.stop().await;
    let emulator = Emulator::with(journalled(&journal, Pace::ByHand)).await;
    let ledger = emulator.ledger().await;
    assert_eq!(ledger.iter().map(|message| &message["sid"]).collect::<Vec<_>>(), [&after]);
}
