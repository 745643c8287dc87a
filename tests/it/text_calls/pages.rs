//! Calls from text on the pages: asked for by form, heard, approved, asked for again.

use mission_control::auth::Role;

use super::with_studio;
use crate::pages::browser::{Browser, hidden};
use crate::support::service::{Service, text};
use crate::support::studio::{self, Studio};

const FORM: &str = "/dashboard/operations/new-call";
const TO: &str = "+14155550132";

async fn asked<'a>(browser: &mut Browser<'_>, fields: &[(&'a str, &'a str)]) -> String {
    let key = hidden(&browser.page(FORM).await, "idempotency_key");
    let fields = [&[("kind", "call"), ("idempotency_key", key.as_str()), ("to", TO)], fields].concat();
    browser.submit("/dashboard/operations", &fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_takes_a_text_or_an_address_and_keeps_what_was_typed() {
    let service = Service::start().await;
    let mut browser = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let key = hidden(&browser.page(FORM).await, "idempotency_key");
    let fields = [
        ("kind", "call"),
        ("idempotency_key", key.as_str()),
        ("to", TO),
        ("text", "\r\nGood <b>evening</b>"),
        ("voice_id", "a voice"),
        ("model_id", ""),
        ("audio_url", "https://x.test/a.mp3"),
    ];
    let page = browser.refused("/dashboard/operations", &fields, 422).await;
    assert!(page.contains("href=\"#text\"") && page.contains("href=\"#audio_url\""), "{page}");
    for kept in [
        ">\n\nGood &#60;b&#62;evening&#60;/b&#62;</textarea>",
        "<option value=\"a voice\" selected>a voice (not listed)</option>",
        "value=\"https://x.test/a.mp3\"",
    ] {
        assert!(page.contains(kept), "{kept}: {page}");
    }
    let mut alone = fields;
    alone[6].1 = " ";
    let page = browser.refused("/dashboard/operations", &alone, 422).await;
    assert!(page.contains("href=\"#voice_id\"") && !page.contains("href=\"#audio_url\""), "{page}");
    let neither = [("kind", "call"), ("idempotency_key", key.as_str()), ("to", TO)];
    let page = browser.refused("/dashboard/operations", &neither, 422).await;
    assert!(page.contains("href=\"#text\"") && page.contains("One thing needs a change"), "{page}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_heard_on_its_page_before_it_is_approved() {
    let studio = Studio::closed().await;
    let (service, token) = with_studio(&studio).await;
    let mut browser = Browser::of(&service, "grace@example.com", Role::Approver).await;
    let operation = asked(&mut browser, &[("text", "Good evening.\r\nYour table is ready.")]).await;
    let page = browser.page(&operation).await;
    assert!(page.contains("Its speech is being made") && page.contains("Refresh</a>"), "{page}");
    assert!(!page.contains("<audio ") && !page.contains("/approve\""), "{page}");
    assert!(browser.page("/dashboard/operations").await.contains("Says “Good evening. Your table is ready.”"));
    let early = browser.refused(&format!("{operation}/approve"), &[("digest", &"0".repeat(64))], 409).await;
    assert!(early.contains("Its speech is still being made"), "{early}");

    studio.release();
    let page = browser.until(&operation, "<audio controls preload=\"none\"").await;
    let story = service.operation(&token, operation.rsplit('/').next().expect("an id")).await;
    let address = format!("src=\"/api/public/call-audio/{}\"", text(&story["clipId"]));
    for shown in [
        address.as_str(),
        "<p class=\"slip-text\">Good evening.\nYour table is ready.</p>",
        studio::VOICE,
        studio::MODEL,
        " bytes</span>",
        "What you hear here is what is played",
        "Speech made",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let digest = hidden(&page, "digest");
    assert_eq!(digest, text(&story["digest"]));
    browser.submit(&format!("{operation}/approve"), &[("digest", &digest)]).await;
    browser.until(&operation, "Completed").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_could_not_be_spoken_says_why_and_can_be_asked_for_again() {
    let service = Service::start().await;
    let mut browser = Browser::of(&service, "otto@example.com", Role::Operator).await;
    service.fault(serde_json::json!([{ "fault": "quota_exceeded", "on": "synthesise" }])).await;
    let operation = asked(&mut browser, &[("text", "Good evening"), ("voice_id", "SandboxPremadeAlto00")]).await;
    let page = browser.until(&operation, "This call failed").await;
    assert!(page.contains("are used up") && page.contains("What was asked for"), "{page}");
    let again = format!("{FORM}?again={}", operation.rsplit('/').next().expect("an id"));
    assert!(page.contains(&format!("href=\"{again}\"")), "{page}");
    let form = browser.page(&again).await;
    for filled in [">\nGood evening</textarea>", "value=\"SandboxPremadeAlto00\"", "You are asking again"] {
        assert!(form.contains(filled), "{filled}: {form}");
    }
    let found = browser.page("/dashboard/operations?q=good+evening").await;
    assert_eq!(found.matches("class=\"strip-to\"").count(), 1, "{found}");
    service.stop().await;
}
