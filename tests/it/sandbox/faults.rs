//! Everything that can be made to go wrong.

use std::time::{Duration, Instant};

use mission_control::sandbox::Pace;
use serde_json::{Value, json};

use super::{ACCOUNT, Emulator, OWN, PATIENCE, RECIPIENT, Receiver, TOKEN, code};

const OTHER: &str = "+14155550100";

#[tokio::test]
async fn a_fault_strikes_once_and_only_its_victim() {
    let emulator = Emulator::start(Pace::ByHand).await;
    emulator.arm(json!([{ "fault": "error_500_without", "to": OTHER }])).await;
    assert_eq!(emulator.try_send(RECIPIENT).await.expect("an answer").status(), 201);
    assert_eq!(emulator.try_send(OTHER).await.expect("an answer").status(), 500);
    assert_eq!(emulator.try_send(OTHER).await.expect("an answer").status(), 201);

    emulator.arm(json!([{ "fault": "error_500_without", "times": 2 }])).await;
    for expected in [500, 500, 201] {
        assert_eq!(emulator.try_send(RECIPIENT).await.expect("an answer").status(), expected);
    }
}

#[tokio::test]
async fn answered_faults_accept_or_do_not() {
    for (fault, expected, accepted) in [
        (json!("error_500_after_accepting"), (500, 20500), 1),
        (json!("error_500_without"), (500, 20500), 0),
        (json!("error_503_after_accepting"), (503, 20503), 1),
        (json!("error_503_without"), (503, 20503), 0),
        (json!("too_many_requests_429"), (429, 20429), 0),
        (json!("queue_full_429"), (429, 21611), 0),
        (json!("unauthorized_401"), (401, 20003), 0),
        (json!({ "refuse": { "code": 21610, "status": 400 } }), (400, 21610), 0),
    ] {
        let emulator = Emulator::start(Pace::ByHand).await;
        emulator.arm(json!([{ "fault": fault }])).await;
        let answer = emulator.try_send(RECIPIENT).await.expect("an answer");
        assert_eq!(code(answer).await, expected, "{fault}");
        assert_eq!(emulator.ledger().await.len(), accepted, "{fault}");
    }
}

#[tokio::test]
async fn a_dropped_connection_is_no_answer() {
    for (fault, accepted) in [("accept_then_drop", 1), ("drop_without", 0)] {
        let emulator = Emulator::start(Pace::ByHand).await;
        emulator.arm(json!([{ "fault": fault }])).await;
        let error = emulator.try_send(RECIPIENT).await.expect_err("no answer");
        assert!(!error.is_timeout() && !error.is_connect() && error.status().is_none(), "{fault}: {error:?}");
        assert_eq!(emulator.ledger().await.len(), accepted, "{fault}");
        assert_eq!(emulator.try_send(RECIPIENT).await.expect("an answer").status(), 201, "it goes on after {fault}");
    }
}

/// Waits until `reached` while a request is under way; the request must not be answered before, and is given up then.
async fn give_up_once(emulator: &Emulator, reached: impl AsyncFn() -> bool) {
    let polling = async {
        while !reached().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        answer = emulator.try_send(RECIPIENT) => panic!("it was answered: {answer:?}"),
        () = polling => {}
    }
}

#[tokio::test]
async fn a_hanging_request_is_accepted_and_does_not_hinder_the_stop() {
    let emulator = Emulator::start(Pace::ByHand).await;
    emulator.arm(json!([{ "fault": "accept_then_hang", "times": 2 }])).await;
    give_up_once(&emulator, async || emulator.ledger().await.len() == 1).await;

    let client = emulator.client.clone();
    let request = client.post(emulator.account_url("/Messages.json")).basic_auth(ACCOUNT, Some(TOKEN));
    let request = request.form(&[("To", RECIPIENT), ("From", OWN), ("Body", "Hello")]);
    let stopping = async {
        while emulator.ledger().await.len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        emulator.stop().await;
    };
    let (answer, ()) = tokio::join!(request.send(), stopping);
    assert!(answer.is_err_and(|error| !error.is_timeout()));
}

#[tokio::test]
async fn a_late_acceptance_happens_though_the_caller_has_gone() {
    let emulator = Emulator::start(Pace::ByHand).await;
    emulator.arm(json!([{ "fault": { "accept_late": { "ms": 1000 } } }])).await;
    give_up_once(&emulator, async || emulator.armed().await == json!([])).await;
    assert_eq!(emulator.ledger().await.len(), 0);
    let accepted = async {
        while emulator.ledger().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, accepted).await.expect("it is accepted at last");
}

#[tokio::test]
async fn a_slow_answer_comes_after_the_acceptance() {
    let emulator = Emulator::start(Pace::ByHand).await;
    emulator.arm(json!([{ "fault": { "slow": { "ms": 60_000 } } }])).await;
    give_up_once(&emulator, async || emulator.ledger().await.len() == 1).await;

    emulator.arm(json!([{ "fault": { "slow": { "ms": 100 } } }])).await;
    let started = Instant::now();
    assert_eq!(emulator.try_send(RECIPIENT).await.expect("an answer").status(), 201);
    assert!(started.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn garbage_is_a_success_without_a_sid() {
    let emulator = Emulator::start(Pace::ByHand).await;
    emulator.arm(json!([{ "fault": "garbage_2xx" }])).await;
    let answer = emulator.try_send(RECIPIENT).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert!(answer.json::<Value>().await.is_err());
    assert_eq!(emulator.ledger().await.len(), 1);
}

#[tokio::test]
async fn a_redirect_leads_back_and_accepts_nothing() {
    let emulator = Emulator::start(Pace::ByHand).await;
    emulator.arm(json!([{ "fault": "redirect_307" }])).await;
    let answer = emulator.try_send(RECIPIENT).await.expect("an answer");
    assert_eq!(answer.status(), 307);
    assert!(answer.headers()["location"].to_str().is_ok_and(|location| location.ends_with("/Messages.json")));
    assert_eq!(emulator.ledger().await.len(), 0);
}

#[tokio::test]
async fn look_ups_can_fail_too() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let sid = emulator.send(RECIPIENT, None).await["sid"].as_str().expect("a SID").to_owned();
    emulator
        .arm(json!([{ "fault": "unauthorized_401", "on": "list" }, { "fault": "error_500_without", "on": "fetch" }]))
        .await;
    assert_eq!(emulator.try_send(RECIPIENT).await.expect("an answer").status(), 201);
    assert_eq!(code(emulator.get("/Messages.json").await).await, (401, 20003));
    assert_eq!(code(emulator.get(&format!("/Messages/{sid}.json")).await).await, (500, 20500));
    assert_eq!(emulator.get("/Messages.json").await.status(), 200);
    assert_eq!(emulator.message(&sid).await["sid"], sid);
}

#[tokio::test]
async fn a_lagging_list_shows_a_message_later() {
    let emulator = Emulator::start(Pace::ByHand).await;
    emulator.arm(json!([{ "fault": { "list_lag": { "ms": 1000 } } }])).await;
    let sid = emulator.send(RECIPIENT, None).await["sid"].clone();
    let prompt = emulator.send(RECIPIENT, None).await["sid"].clone();
    let list = emulator.get_json("/Messages.json").await;
    assert_eq!(
        list["messages"].as_array().expect("a list").iter().map(|message| &message["sid"]).collect::<Vec<_>>(),
        [&prompt]
    );
    assert_eq!(emulator.message(sid.as_str().expect("a SID")).await["sid"], sid);
    let listed = async {
        while emulator.get_json("/Messages.json").await["messages"].as_array().map(Vec::len) != Some(2) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, listed).await.expect("it is listed at last");
}

#[tokio::test]
async fn a_lost_callback_never_comes() {
    let emulator = Emulator::start(Pace::Immediate).await;
    let mut receiver = Receiver::start().await;
    emulator.arm(json!([{ "fault": "callback_lost" }])).await;
    emulator.send(RECIPIENT, Some(&receiver.url("/"))).await;
    assert_eq!(receiver.statuses(1).await, ["delivered"]);
    receiver.expect_nothing().await;
}

#[tokio::test]
async fn a_repeated_callback_is_the_same_each_time() {
    let emulator = Emulator::start(Pace::Immediate).await;
    let mut receiver = Receiver::start().await;
    emulator.arm(json!([{ "fault": { "callback_repeated": { "n": 3 } } }])).await;
    emulator.send(RECIPIENT, Some(&receiver.url("/"))).await;
    let first = receiver.next().await;
    for _ in 0..2 {
        let again = receiver.next().await;
        assert_eq!(again.params, first.params);
        assert_eq!(again.header("i-twilio-idempotency-token"), first.header("i-twilio-idempotency-token"));
    }
    assert_eq!(receiver.statuses(1).await, ["delivered"]);
    receiver.expect_nothing().await;
}

#[tokio::test]
async fn reordered_callbacks_come_last_first() {
    let emulator = Emulator::start(Pace::Immediate).await;
    let mut receiver = Receiver::start().await;
    emulator.arm(json!([{ "fault": "callbacks_reordered" }])).await;
    emulator.send(RECIPIENT, Some(&receiver.url("/"))).await;
    assert_eq!(receiver.statuses(2).await, ["delivered", "sent"]);
    receiver.expect_nothing().await;
    emulator.send(RECIPIENT, Some(&receiver.url("/"))).await;
    assert_eq!(receiver.statuses(2).await, ["sent", "delivered"]);
}

#[tokio::test]
async fn a_callback_can_come_before_the_answer() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let mut receiver = Receiver::start().await;
    emulator.arm(json!([{ "fault": "callback_before_answer" }])).await;
    let answer = emulator.send(RECIPIENT, Some(&receiver.url("/"))).await;
    // By hand nothing else would have reported it, and the answer is here already.
    let arrived = receiver.arrivals.try_recv().expect("it came before the answer");
    assert_eq!(arrived.status(), "sent");
    assert_eq!(arrived.param("MessageSid"), answer["sid"].as_str());
    assert_eq!(answer["status"], "queued");
}

#[tokio::test]
async fn a_delayed_callback_comes_late() {
    let emulator = Emulator::start(Pace::Immediate).await;
    let mut receiver = Receiver::start().await;
    emulator.arm(json!([{ "fault": { "callback_delayed": { "ms": 250 } } }])).await;
    let started = Instant::now();
    emulator.send(RECIPIENT, Some(&receiver.url("/"))).await;
    assert_eq!(receiver.next().await.status(), "sent");
    assert!(started.elapsed() >= Duration::from_millis(250));
}

#[tokio::test]
async fn faults_are_shown_and_cleared() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let armed = json!([
        { "fault": "accept_then_drop", "times": 2, "to": OTHER, "on": "create" },
        { "fault": { "slow": { "ms": 5 } }, "times": 1, "on": "list" },
    ]);
    emulator.arm(armed.clone()).await;
    assert_eq!(emulator.armed().await, armed);
    let cleared = emulator.client.delete(emulator.url("/sandbox/faults")).send().await.expect("an answer");
    assert_eq!(cleared.status(), 204);
    assert_eq!(emulator.armed().await, json!([]));
    assert_eq!(emulator.try_send(OTHER).await.expect("an answer").status(), 201);
}

#[tokio::test]
async fn a_wrong_fault_is_refused_by_name() {
    let emulator = Emulator::start(Pace::ByHand).await;
    for (faults, named) in [
        (json!([{ "fault": "accept_then_drop", "tims": 2 }]), "tims"),
        (json!([{ "fault": "accept_then_dorp" }]), "accept_then_dorp"),
        (json!([{ "fault": { "slow": { "ms": 1, "seconds": 2 } } }]), "seconds"),
        (json!([{ "fault": { "slow": {} } }]), "ms"),
        (json!([{ "times": 2 }]), "fault"),
        (json!([{ "fault": "accept_then_drop", "times": 0 }]), "times"),
        (json!([{ "fault": { "refuse": { "code": 1, "status": 200 } } }]), "status"),
        (json!([{ "fault": { "callback_repeated": { "n": 1 } } }]), "n"),
        // One wrong fault keeps out the right ones beside it.
        (json!([{ "fault": "garbage_2xx" }, { "fault": "garbage_2xx", "on": "delete" }]), "delete"),
    ] {
        let answer = emulator.control("/sandbox/faults", faults).await;
        assert_eq!(answer.status(), 400, "{named}");
        let body: Value = answer.json().await.expect("JSON");
        assert!(body["error"].as_str().is_some_and(|error| error.contains(&format!("`{named}`"))), "{named}: {body}");
    }
    assert_eq!(emulator.try_send(RECIPIENT).await.expect("an answer").status(), 201);
}
