//! The page of the voice: filled from the account, changed by admins, heard before it counts, and of use without an answer.

use mission_control::auth::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::pages::browser::{Browser, hidden};
use crate::support::service::{Service, Setup};

const PAGE: &str = "/dashboard/settings/voice";
const HEAR: &str = "/dashboard/settings/voice/hear";
const ALTO: &str = "SandboxPremadeAlto00";
const TENOR: &str = "SandboxClonedTenor00";
const FLASH: &str = "eleven_flash_v2_5";

/// What stands from a field's label to the next one.
fn field<'a>(page: &'a str, name: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("id=\"{name}\"")).unwrap_or_else(|| panic!("no field {name}: {page}"));
    rest.split("class=\"secret\"").next().unwrap_or_default()
}

async fn spoken(service: &Service) -> Vec<Value> {
    service.ledger().await["syntheses"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn the_pickers_offer_what_the_account_has() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let page = admin.page(PAGE).await;
    assert!(page.contains("aria-current=\"page\">Voice</a>"));
    let voice = field(&page, "voice.voice_id");
    assert!(voice.contains("<option value=\"\" selected>Chosen from the account’s own</option>"), "{voice}");
    for words in ["Alto (sandbox) · premade", "Tenor (sandbox) · cloned", "Soprano (sandbox) · generated"] {
        assert!(voice.contains(words), "{words}: {voice}");
    }
    assert!(voice.contains("Now: Tenor (sandbox), chosen from the account’s own."), "{voice}");
    let model = field(&page, "voice.model_id");
    assert!(model.contains("Eleven Flash v2.5 · up to 40,000 characters"), "{model}");
    assert!(!model.contains("voice changer"), "what reads no text is no choice: {model}");
    assert!(model.contains("Now: Eleven Multilingual v2, chosen from the account’s own."), "{model}");
    assert!(page.contains("1,000,000 of 1,000,000") && page.contains("Emulated") && page.contains("creator, active"));

    let mut viewer = Browser::of(&service, "vera@example.com", Role::Viewer).await;
    let page = viewer.page(PAGE).await;
    assert!(page.contains("Tenor (sandbox), chosen from the account’s own") && page.contains("Only admins change"));
    for control in ["<select", "Hear it", "Save settings"] {
        assert!(!page.contains(control), "{control}");
    }
    for path in [PAGE, HEAR] {
        assert_eq!(viewer.post(path, &[("version", "1")]).await.status, StatusCode::FORBIDDEN);
    }
    service.stop().await;
}

#[tokio::test]
async fn a_choice_is_stored_as_a_version_and_said_in_words() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let version = hidden(&admin.page(PAGE).await, "version");
    let fields = [
        ("version", version.as_str()),
        ("voice.voice_id", ALTO),
        ("voice.model_id", FLASH),
        ("voice.clips_kept_hours", "48"),
        // Not of this page: it takes another page, and a typed sentence.
        ("approval.required", "false"),
    ];
    assert_eq!(admin.submit(PAGE, &fields).await, PAGE);
    let current = service.app().settings.current();
    assert_eq!((current.voice.voice_id.as_str(), current.voice.model_id.as_str()), (ALTO, FLASH));
    assert_eq!((current.voice.clips_kept_hours, current.approval.required), (48, true));
    let page = admin.page(PAGE).await;
    assert!(field(&page, "voice.voice_id").contains("Now: Alto (sandbox)."), "{page}");
    assert!(field(&page, "voice.model_id").contains("Now: Eleven Flash v2.5."), "{page}");
    assert!(field(&page, "voice.clips_kept_hours").contains("Now: 2 days. Default: 24 hours."), "{page}");
    assert!(page.contains("<dd>ada@example.com</dd>"));
    let history = admin.page("/dashboard/settings/sending").await;
    let told = format!("Voice: <del>Chosen from the account’s own</del> → <b>{ALTO}</b>");
    assert!(
        history.contains(&told) && history.contains("Recordings are kept: <del>1 day</del> → <b>2 days</b>"),
        "{history}"
    );
    service.stop().await;
}

#[tokio::test]
async fn what_cannot_be_an_id_is_refused_and_what_is_not_listed_is_kept() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let version = hidden(&admin.page(PAGE).await, "version");
    let wrong = [("version", version.as_str()), ("voice.voice_id", "../models"), ("voice.clips_kept_hours", "0")];
    let page = admin.refused(PAGE, &wrong, 422).await;
    assert!(page.contains("Voice: Copy the id from ElevenLabs"), "{page}");
    assert!(page.contains("value=\"../models\" selected"), "what was sent is still there: {page}");
    let page = admin.refused(PAGE, &[("version", &version), ("voice.clips_kept_hours", "0")], 422).await;
    assert!(page.contains("Choose 1 to 8760 hours."), "{page}");
    admin.submit(PAGE, &[("version", &version), ("voice.voice_id", "sharedByOthers_1")]).await;
    let page = admin.page(PAGE).await;
    assert!(page.contains("<option value=\"sharedByOthers_1\" selected>sharedByOthers_1 (not listed)"), "{page}");
    service.stop().await;
}

#[tokio::test]
async fn nobody_undoes_the_choice_of_another_unseen() {
    let service = Service::start().await;
    let mut ada = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let mut alan = Browser::of(&service, "alan@example.com", Role::Admin).await;
    let seen = hidden(&ada.page(PAGE).await, "version");
    alan.submit(PAGE, &[("version", &seen), ("voice.voice_id", ALTO)]).await;
    let mine = [("version", seen.as_str()), ("voice.voice_id", ""), ("voice.model_id", FLASH)];
    let page = ada.refused(PAGE, &mine, 409).await;
    assert!(page.contains("nothing was saved") && page.contains("alan@example.com stored version 2"), "{page}");
    assert!(field(&page, "voice.voice_id").contains(&format!("value=\"{ALTO}\" selected")), "{page}");
    assert!(field(&page, "voice.model_id").contains(&format!("value=\"{FLASH}\" selected")), "{page}");
    assert_eq!(service.app().settings.current().voice.model_id, "");
    service.stop().await;
}

#[tokio::test]
async fn a_choice_is_heard_before_it_counts_and_paid_for_once() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let version = hidden(&admin.page(PAGE).await, "version");
    assert!(spoken(&service).await.is_empty(), "looking costs nothing");
    let fields = [("version", version.as_str()), ("voice.voice_id", ALTO), ("voice.model_id", FLASH)];
    let way = admin.submit(HEAR, &fields).await;
    let way = way.split('#').next().expect("an address").to_owned();
    let page = admin.until(&way, "<audio controls").await;
    assert!(field(&page, "voice.voice_id").contains(&format!("value=\"{ALTO}\" selected")), "{page}");
    let (_, rest) = page.split_once("src=\"/api/public/call-audio/").expect("a player");
    let clip = rest.split('"').next().expect("an id");
    let audio = admin.get(&format!("/api/public/call-audio/{clip}")).await;
    assert_eq!((audio.status, audio.header("content-type")), (StatusCode::OK, Some("audio/mpeg")));
    let current = service.app().settings.current();
    assert_eq!((service.app().settings.version(), current.voice.voice_id.as_str()), (1, ""), "nothing was saved");

    let again = admin.submit(HEAR, &fields).await;
    assert!(again.contains(clip), "the same recording");
    let made = spoken(&service).await;
    assert_eq!(made.len(), 1);
    assert_eq!((&made[0]["voice_id"], &made[0]["model_id"]), (&json!(ALTO), &json!(FLASH)));
    admin.submit(HEAR, &[("version", &version), ("voice.voice_id", ""), ("voice.model_id", "")]).await;
    let made = spoken(&service).await;
    assert_eq!((made.len(), &made[1]["voice_id"]), (2, &json!(TENOR)), "another voice is another recording");

    let askers: Vec<(String, String)> =
        sqlx::query_as("select actor, details->>'voice' from audit_lines where action = 'clip.asked' order by id")
            .fetch_all(&mut service.direct().await)
            .await
            .expect("the lines");
    let ada = |voice: &str| ("ada@example.com".to_owned(), voice.to_owned());
    assert_eq!(askers, [ada(ALTO), ada(TENOR)], "who had what spoken");

    // What a call says is no sample, whoever names it.
    let none = admin.page(&format!("{PAGE}?voice={ALTO}&sample={}", "x".repeat(43))).await;
    assert!(!none.contains("id=\"sample\""));
    service.stop().await;
}

#[tokio::test]
async fn a_sample_that_cannot_be_made_says_why_and_may_be_asked_for_again() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let fields = [("version", "1"), ("voice.voice_id", ALTO)];
    service.fault(json!([{ "fault": "quota_exceeded" }])).await;
    let way = admin.submit(HEAR, &fields).await;
    let page = admin.until(way.split('#').next().expect("an address"), "could not be made").await;
    assert!(page.contains("are used up. Wait for their reset"), "{page}");
    let again = admin.submit(HEAR, &fields).await;
    admin.until(again.split('#').next().expect("an address"), "<audio controls").await;
    let refused = admin.refused(HEAR, &[("version", "1"), ("voice.voice_id", "not an id")], 422).await;
    assert!(refused.contains("Copy the id from ElevenLabs"));
    assert_eq!(admin.get(HEAR).await.status, StatusCode::SEE_OTHER);
    service.stop().await;
}

#[tokio::test]
async fn without_an_answer_the_page_says_why_and_still_serves() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let refusal = json!({ "refuse_speech": { "code": "detected_unusual_activity", "status": 401 } });
    for (fault, words) in [
        (json!("unauthorized_401"), "ElevenLabs refused the key. Replace the ElevenLabs API key in the API Vault."),
        (refusal, "blocked the account because of unusual activity"),
    ] {
        // Voices, models and characters are asked for at once, and one refusal of the lists is enough.
        service.fault(json!([{ "fault": fault, "times": 10, "on": "account" }])).await;
        let page = admin.page(PAGE).await;
        assert!(page.contains(words) && page.contains("a voice and a model are named by their ids"), "{page}");
        assert!(field(&page, "voice.voice_id").contains("Its id at ElevenLabs, or nothing."), "{page}");
        assert!(page.contains("How many characters are left is not known"), "{page}");
        let gone = service.client().delete(format!("{}/sandbox/faults", service.sandbox())).send().await;
        assert!(gone.expect("the sandbox").status().is_success());
    }
    let version = hidden(&admin.page(PAGE).await, "version");
    admin.submit(PAGE, &[("version", &version), ("voice.voice_id", ALTO)]).await;
    service.stop().await;

    let setup = Setup::new().await.with("MISSION_CONTROL_TWILIO_BASE_URL", "http://127.0.0.1:9");
    let service = setup.with("MISSION_CONTROL_VOICE_VOICE_ID", "locked_1").start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let page = admin.page(PAGE).await;
    assert!(page.contains("There is no ElevenLabs API key") && !page.contains("Hear it"), "{page}");
    assert!(page.contains("Locked by MISSION_CONTROL_VOICE_VOICE_ID") && page.contains(" disabled"), "{page}");
    let refused = admin.refused(HEAR, &[("version", "1")], 409).await;
    assert!(refused.contains("nothing can be spoken. Store one in the API Vault."), "{refused}");
    admin.submit("/dashboard/settings/vault/elevenlabs_api_key", &[("value", "sk_0123456789abcdef0123")]).await;
    assert!(admin.page(PAGE).await.contains("nothing leaves this machine"));
    service.stop().await;
}
