//! The master keys on the page: which there are, what is under each, and wrapping everything by the first one, beside
//! whatever else goes on.

use mission_control::audit::Actor;
use mission_control::auth::Role;
use mission_control::vault::VaultName::{TwilioAccountSid, TwilioAuthToken};
use secrecy::SecretString;
use uuid::Uuid;

use crate::pages::browser::Browser;
use crate::support::service::{PASSWORD, Service, Setup, eventually};

const OLD: &str = "old:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const BOTH: &str = "new:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=,old:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const KEYS: &str = "MISSION_CONTROL_MASTER_KEY";
const PAGE: &str = "/dashboard/settings?tab=integrations";
const WRAP: &str = "/dashboard/settings/vault/wrap";

/// A service that has the new key first, with secrets under the old one; and one that had only that.
async fn promoted() -> (Service, Service) {
    let before = Setup::new().await.with(KEYS, OLD).start().await;
    let app = before.app();
    for (name, value) in [
        (TwilioAccountSid, "AC0123456789abcdef0123456789abcdef"),
        (TwilioAuthToken, "first"),
        (TwilioAuthToken, "second"),
    ] {
        app.vault.set(name, value.into(), &Actor::command_line()).await.expect("stored");
    }
    let mut tx = mission_control::database::begin(&app.db).await.expect("begun");
    for number in 0..250 {
        let secret = SecretString::from(format!("secret {number}"));
        app.vault.keep(&mut tx, "one_time_codes", Uuid::from_u128(number), &secret).await.expect("kept");
    }
    tx.commit().await.expect("committed");
    let after = before.setup_again().with(KEYS, BOTH).start().await;
    (before, after)
}

/// The part of the page about the keys.
async fn keys(browser: &mut Browser<'_>) -> String {
    let page = browser.page(PAGE).await;
    let (_, rest) = page.split_once("id=\"master-keys\"").expect("the keys");
    rest.split("</section>").next().unwrap_or_default().to_owned()
}

async fn until_wrapped(browser: &mut Browser<'_>) -> String {
    let mut last = String::new();
    for _ in 0..500 {
        last = keys(browser).await;
        if last.contains("It may leave the key ring of every process.") {
            return last;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("waited in vain: {last}");
}

async fn lines(service: &Service) -> Vec<(String, i64, i64)> {
    sqlx::query_as(
        "select actor, (details->>'rewrapped')::bigint, (details->>'remaining')::bigint from audit_lines
         where action = 'vault.rotated' order by id",
    )
    .fetch_all(&service.app().db)
    .await
    .expect("the lines")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_what_is_under_each_key_and_wraps_everything_by_the_first() {
    let (_before, service) = promoted().await;
    let mut ada = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let shown = keys(&mut ada).await;
    for text in
        ["<code>new</code>", "Primary", "<code>old</code>", "253", "3 of the vault, 250 of others", "Still needed"]
    {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    assert!(shown.contains("Wrap everything by new"), "{shown}");

    assert_eq!(ada.submit(WRAP, &[]).await, format!("{PAGE}#master-keys"));
    let shown = until_wrapped(&mut ada).await;
    assert!(!shown.contains("Wrap everything by new") && shown.contains("Not needed"), "{shown}");
    eventually("the audit line", || async {
        let lines = lines(&service).await;
        if lines == [("ada@example.com".to_owned(), 253, 0)] { Ok(()) } else { Err(format!("{lines:?}")) }
    })
    .await;
    let credentials = service.app().vault.twilio().await.expect("it opens").expect("credentials");
    assert_eq!(credentials.account_sid, "AC0123456789abcdef0123456789abcdef");
    assert_eq!(ada.get(WRAP).await.header("location"), Some(PAGE), "loading the address again shows the page");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_admin_begins_it() {
    let (_before, service) = promoted().await;
    let mut anna = Browser::of(&service, "anna@example.com", Role::Approver).await;
    let shown = keys(&mut anna).await;
    assert!(shown.contains("Still needed") && !shown.contains("Wrap everything by new"), "{shown}");
    assert_eq!(anna.post(WRAP, &[]).await.status.as_u16(), 403);
    assert!(lines(&service).await.is_empty());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_at_once_do_it_once() {
    let (_before, one) = promoted().await;
    let other = one.setup_again().with(KEYS, BOTH).start().await;
    let mut here = Browser::of(&one, "ada@example.com", Role::Admin).await;
    let mut there = Browser::new(&other);
    there.sign_in("ada@example.com", PASSWORD).await;
    for _ in 0..3 {
        tokio::join!(here.submit(WRAP, &[]), there.submit(WRAP, &[]));
    }
    until_wrapped(&mut here).await;
    until_wrapped(&mut there).await;
    let wrapped: i64 = eventually("every line", || async {
        let lines = lines(&one).await;
        let sum = lines.iter().map(|(_, rewrapped, _)| rewrapped).sum();
        if sum >= 253 { Ok(sum) } else { Err(format!("{lines:?}")) }
    })
    .await;
    assert_eq!(wrapped, 253, "each secret was wrapped anew once");
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_is_finished_by_the_next_process() {
    let (_before, service) = promoted().await;
    let mut ada = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let mut held_up = mission_control::database::begin(&service.app().db).await.expect("begun");
    sqlx::query("select from kept_secrets where id <= $1 for update")
        .bind(Uuid::from_u128(9))
        .execute(&mut *held_up)
        .await
        .expect("locked");
    ada.submit(WRAP, &[]).await;
    eventually("it to end", || async {
        let lines = lines(&service).await;
        if lines.len() == 1 { Ok(()) } else { Err(format!("{lines:?}")) }
    })
    .await;
    held_up.rollback().await.expect("let go");
    assert_eq!(lines(&service).await, [("ada@example.com".to_owned(), 243, 10)]);
    let next = service.setup_again().with(KEYS, BOTH).start().await;
    service.stop().await;
    let mut ada = Browser::new(&next);
    ada.sign_in("ada@example.com", PASSWORD).await;
    assert!(keys(&mut ada).await.contains("Wrap everything by new"), "it can be begun again");
    ada.submit(WRAP, &[]).await;
    until_wrapped(&mut ada).await;
    next.stop().await;
}
