//! The account: read, renamed, suspended, closed.

use mission_control::sandbox::{Options, Pace};
use serde_json::{Value, json};

use super::{ACCOUNT, Emulator, RECIPIENT, TOKEN, code, options};

const NAME: &str = "Mission Control sandbox";

async fn update(emulator: &Emulator, form: &[(&str, &str)]) -> Value {
    let answer = emulator.post(".json", form).await.expect("an answer");
    assert_eq!(answer.status(), 200, "{form:?}");
    answer.json().await.expect("JSON")
}

/// The list of accounts, which is below none.
async fn list(emulator: &Emulator, query: &str) -> Value {
    emulator.follow(&format!("/2010-04-01/Accounts.json?{query}")).await
}

#[tokio::test]
async fn the_account_has_twilios_shape_and_no_token() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let text = emulator.get(".json").await.text().await.expect("a body");
    assert!(!text.contains(TOKEN));
    let account: Value = serde_json::from_str(&text).expect("JSON");
    for (field, expected) in [
        ("sid", json!(ACCOUNT)),
        ("owner_account_sid", json!(ACCOUNT)),
        ("friendly_name", json!(NAME)),
        ("status", json!("active")),
        ("type", json!("Full")),
        ("uri", json!(format!("/2010-04-01/Accounts/{ACCOUNT}.json"))),
    ] {
        assert_eq!(account[field], expected, "{field}");
    }
    assert_eq!(list(&emulator, "").await["accounts"], json!([account]));
}

#[tokio::test]
async fn accounts_are_found_by_name_and_status() {
    let emulator = Emulator::start(Pace::ByHand).await;
    update(&emulator, &[("FriendlyName", "Night shift"), ("Status", "suspended")]).await;
    for (query, count) in [
        ("FriendlyName=Night+shift", 1),
        ("FriendlyName=Night", 0),
        ("Status=suspended", 1),
        ("Status=active", 0),
        ("Status=&FriendlyName=", 1),
        ("Status=suspended&PageSize=1&Page=1", 0),
    ] {
        let list = list(&emulator, query).await;
        assert_eq!(list["accounts"].as_array().map(Vec::len), Some(count), "{query}");
    }
    let page = list(&emulator, "Status=suspended&PageSize=1").await;
    let first = "/2010-04-01/Accounts.json?Status=suspended&PageSize=1&Page=0";
    assert_eq!((&page["page_size"], &page["next_page_uri"]), (&json!(1), &json!(null)));
    assert_eq!(page["first_page_uri"], json!(first));
    assert_eq!(list(&emulator, "Status=asleep").await["code"], 20001);
}

#[tokio::test]
async fn the_list_needs_the_credentials_too() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let url = emulator.url("/2010-04-01/Accounts.json");
    let answer = emulator.client.get(&url).basic_auth(ACCOUNT, Some("wrong")).send().await.expect("an answer");
    assert_eq!(code(answer).await, (401, 20003));
    // Subaccounts cannot be created.
    let answer = emulator.client.post(&url).basic_auth(ACCOUNT, Some(TOKEN)).send().await.expect("an answer");
    assert_eq!(code(answer).await, (404, 20404));
}

#[tokio::test]
async fn a_suspended_account_sends_and_buys_nothing_until_it_is_active_again() {
    let emulator = Emulator::start(Pace::Immediate).await;
    let before = emulator.send(RECIPIENT, None).await["sid"].as_str().expect("a SID").to_owned();
    emulator.until(&before, "delivered").await;
    assert_eq!(update(&emulator, &[("Status", "suspended")]).await["status"], "suspended");
    assert_eq!(code(emulator.try_send(RECIPIENT).await.expect("an answer")).await, (403, 20005));
    let purchase = emulator.post("/IncomingPhoneNumbers.json", &[("AreaCode", "415")]).await.expect("an answer");
    assert_eq!(code(purchase).await, (403, 20005));
    // What is there can still be read.
    assert_eq!(emulator.message(&before).await["status"], "delivered");
    assert_eq!(emulator.get_json(".json").await["status"], "suspended");
    assert_eq!(emulator.ledger().await.len(), 1);

    assert_eq!(update(&emulator, &[("Status", "active")]).await["status"], "active");
    emulator.send(RECIPIENT, None).await;
}

#[tokio::test]
async fn a_closed_account_stays_closed() {
    let emulator = Emulator::start(Pace::ByHand).await;
    assert_eq!(update(&emulator, &[("Status", "closed")]).await["status"], "closed");
    for status in ["active", "suspended"] {
        let answer = emulator.post(".json", &[("Status", status)]).await.expect("an answer");
        assert_eq!(code(answer).await, (400, 21479), "{status}");
    }
    assert_eq!(update(&emulator, &[("Status", "closed"), ("FriendlyName", "Gone")]).await["friendly_name"], "Gone");
    assert_eq!(code(emulator.try_send(RECIPIENT).await.expect("an answer")).await, (403, 20005));
}

#[tokio::test]
async fn a_refused_update_changes_nothing() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let before = emulator.get_json(".json").await;
    let (longest, too_long) = ("ü".repeat(64), "ü".repeat(65));
    for form in [[("FriendlyName", "New"), ("Status", "asleep")], [("FriendlyName", &too_long), ("Status", "closed")]] {
        let answer = emulator.post(".json", &form).await.expect("an answer");
        assert_eq!(code(answer).await, (400, 20001), "{form:?}");
    }
    assert_eq!(emulator.get_json(".json").await, before);
    assert_eq!(update(&emulator, &[("FriendlyName", &longest)]).await["friendly_name"], longest);
    assert_eq!(update(&emulator, &[("FriendlyName", "")]).await["friendly_name"], NAME);
}

#[tokio::test]
async fn the_account_outlives_a_restart_and_a_reset_renews_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let journalled = || Options { journal: Some(folder.path().join("sandbox.jsonl")), ..options(Pace::ByHand) };
    let emulator = Emulator::with(journalled()).await;
    update(&emulator, &[("FriendlyName", "Night shift")]).await;
    let account = update(&emulator, &[("Status", "suspended")]).await;
    emulator.stop().await;

    let emulator = Emulator::with(journalled()).await;
    assert_eq!(emulator.get_json(".json").await, account);
    assert_eq!(code(emulator.try_send(RECIPIENT).await.expect("an answer")).await, (403, 20005));
    assert_eq!(emulator.control("/sandbox/reset", json!({})).await.status(), 204);
    emulator.send(RECIPIENT, None).await;
    assert_eq!(emulator.get_json(".json").await["friendly_name"], NAME);
}
