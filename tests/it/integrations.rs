//! The page "Integrations": what it says of each provider, and tests from the form to Twilio's last report.

use mission_control::auth::Role;
use mission_control::sandbox::Pace;
use serde_json::json;

use crate::pages::browser::{Browser, hidden};
use crate::support::service::{PASSWORD, Service, Setup};

const PAGE: &str = "/dashboard/integrations";
const SMS: &str = "/dashboard/integrations/test-sms";
const CALL: &str = "/dashboard/integrations/test-call";
const TO: &str = "+14155550132";
const SID: &str = "AC0123456789abcdef0123456789ab7c21";
const TOKEN: &str = "an auth token of thirty-two chars";
const MASTER_KEY: &str = "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The card with this heading.
fn card<'a>(page: &'a str, heading: &str) -> &'a str {
    let mark = format!("aria-labelledby=\"{heading}\"");
    let (_, rest) = page.split_once(&mark).unwrap_or_else(|| panic!("no {heading}: {page}"));
    rest.split("</section>").next().unwrap_or_default()
}

/// Fills in a test's form as it stands on the page, and sends it.
async fn test(browser: &mut Browser<'_>, form: &str, to: &str) -> String {
    let page = browser.page(PAGE).await;
    let part = card(&page, form);
    let key = hidden(part, "idempotency_key");
    let (name, content) = match form {
        "test-sms" => ("message", "Test message from Mission Control".to_owned()),
        _ => ("audio_url", hidden(part, "audio_url")),
    };
    let fields = [("idempotency_key", key.as_str()), ("to", to), (name, &content)];
    browser.submit(&format!("{PAGE}/{form}"), &fields).await
}

/// Approves the test that is followed at this address.
async fn approve(approver: &mut Browser<'_>, followed: &str) {
    let page = approver.page(followed).await;
    assert!(card(&page, "followed").contains("Review and decide"), "{page}");
    let (_, id) = followed.split_once("?test=").expect("an id");
    let operation = format!("/dashboard/operations/{id}");
    assert!(page.contains(&format!("href=\"{operation}\"")));
    let digest = hidden(&approver.page(&operation).await, "digest");
    approver.submit(&format!("{operation}/approve"), &[("digest", &digest)]).await;
}

#[tokio::test]
async fn a_test_sms_is_followed_to_its_delivery() {
    let service = Service::start().await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    let fresh = operator.page(PAGE).await;
    assert_eq!(card(&fresh, "twilio").matches("None so far").count(), 3, "{fresh}");
    assert!(!fresh.contains("Latest tests") && card(&fresh, "test-sms").contains(" value=\"\""));

    let followed = test(&mut operator, "test-sms", TO).await;
    let waiting = operator.page(&followed).await;
    let told = card(&waiting, "followed");
    assert!(told.contains("Waiting for approval") && told.contains("The decision of an approver is awaited"));
    assert!(told.contains("Refresh</a>") && !told.contains("Review and decide"), "{told}");
    assert!(service.accepted().await.is_empty(), "a test waits like everything");
    approve(&mut approver, &followed).await;

    operator.until(&followed, "It went out, and Twilio’s report came back.").await;
    let done = operator.page(&followed).await;
    let told = card(&done, "followed");
    assert!(told.contains("Delivered") && told.contains("<code>delivered</code>") && !told.contains("Refresh</a>"));
    assert!(!told.contains("Recording") && !told.contains("None has come"), "{told}");
    let twilio = card(&done, "twilio");
    assert!(twilio.contains("SMS to +1 415 555 0132</a> was accepted") && twilio.contains("Received <time"));
    assert_eq!(twilio.matches("None so far").count(), 1, "no failure: {twilio}");
    assert!(done.contains("Latest tests") && done.contains(&format!("href=\"{followed}\">SMS to +1 415 555 0132")));
    for form in ["test-sms", "test-call"] {
        assert!(card(&done, form).contains(&format!("value=\"{TO}\"")), "their last number is proposed");
    }
    assert!(card(&approver.page(PAGE).await, "test-sms").contains(" value=\"\""), "to nobody else");
    let operation = followed.replace(&format!("{PAGE}?test="), "/dashboard/operations/");
    assert!(operator.page(&operation).await.contains("Test from the integrations page"));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_call_shows_that_its_recording_was_fetched() {
    let service = Setup::new().await.pace(Pace::ByHand).start().await;
    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    let followed = test(&mut approver, "test-call", TO).await;
    assert!(card(&approver.page(&followed).await, "followed").contains("Not fetched yet"));
    approve(&mut approver, &followed).await;
    approver.until(&followed, "Twilio’s report is awaited").await;
    let placed = approver.page(&followed).await;
    assert!(card(&placed, "followed").contains("None has come") && card(&placed, "followed").contains("Refresh</a>"));
    let again = service.setup_again();
    service.stop().await;

    let service = again.start().await;
    let mut approver = Browser::new(&service);
    approver.sign_in("anna@example.com", PASSWORD).await;
    let followed = test(&mut approver, "test-call", "+14155550133").await;
    approve(&mut approver, &followed).await;
    approver.until(&followed, "It went out, and Twilio’s report came back.").await;
    let done = approver.page(&followed).await;
    let told = card(&done, "followed");
    assert!(told.contains("Completed") && told.contains("Whoever fetched it goes by the name of Twilio’s"), "{told}");
    assert!(card(&done, "twilio").contains("Call to +1 415 555 0133</a> was accepted"));
    service.stop().await;
}

#[tokio::test]
async fn pressing_twice_makes_one_test() {
    let service = Service::start().await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let page = operator.page(PAGE).await;
    for (form, path, name) in [("test-sms", SMS, "message"), ("test-call", CALL, "audio_url")] {
        let part = card(&page, form);
        let key = hidden(part, "idempotency_key");
        let content = if name == "message" { "Test\r\nmessage".to_owned() } else { hidden(part, name) };
        let fields = [("idempotency_key", key.as_str()), ("to", TO), (name, &content)];
        let first = operator.submit(path, &fields).await;
        assert_eq!(operator.submit(path, &fields).await, first);
        assert_eq!(operator.get(path).await.header("location"), Some(PAGE));

        let fields = [("idempotency_key", key.as_str()), ("to", "+14155550139"), (name, &content)];
        let refused = operator.refused(path, &fields, 422).await;
        assert!(refused.contains("This form was sent before with other content"));
        assert_ne!(hidden(card(&refused, form), "idempotency_key"), key);
    }
    let asked: i64 =
        sqlx::query_scalar("select count(*) from operations").fetch_one(&service.app().db).await.expect("a count");
    assert_eq!(asked, 2);
    service.stop().await;
}

#[tokio::test]
async fn a_test_call_plays_our_own_recording_and_nothing_else() {
    let service = Service::start().await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let key = hidden(card(&operator.page(PAGE).await, "test-call"), "idempotency_key");
    let elsewhere = "https://elsewhere.example/api/public/call-audio/test-recording.mp3?call=1";
    let fields = [("idempotency_key", key.as_str()), ("to", TO), ("audio_url", elsewhere), ("note", "mine")];
    operator.submit(CALL, &fields).await;
    let (url, note): (String, String) = sqlx::query_as("select audio_url, note from operations")
        .fetch_one(&service.app().db)
        .await
        .expect("one operation");
    assert!(url.starts_with(&service.url("/api/public/call-audio/test-recording.mp3?call=")), "{url}");
    assert_eq!(note, "Test from the integrations page");
    service.stop().await;
}

#[tokio::test]
async fn a_refused_test_keeps_what_was_typed_and_says_why() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let key = hidden(card(&admin.page(PAGE).await, "test-sms"), "idempotency_key");
    let fields = [("idempotency_key", key.as_str()), ("to", "+1 555"), ("message", "")];
    let page = admin.refused(SMS, &fields, 422).await;
    assert!(page.contains("2 things need a change") && page.contains("<title>[Sandbox] Needs a change: Integrations"));
    assert!(page.contains("href=\"#sms-to\"") && page.contains("href=\"#sms-message\""));
    assert!(card(&page, "test-sms").contains("value=\"+1 555\"") && !card(&page, "test-call").contains("+1 555"));
    assert_eq!(hidden(card(&page, "test-sms"), "idempotency_key"), key, "still one operation");
    let page = admin.refused(CALL, &[("to", "nobody")], 422).await;
    assert!(page.contains("This form has lost its key") && card(&page, "test-call").contains("value=\"nobody\""));

    sqlx::query("insert into do_not_contact (number, reason, source, added_by) values ('+14155550132', 'asked', 'person', 'test')")
        .execute(&service.app().db)
        .await
        .expect("listed");
    let fields = [("idempotency_key", key.as_str()), ("to", TO), ("message", "Hello")];
    let page = admin.refused(SMS, &fields, 409).await;
    assert!(page.contains("href=\"#sms-to\">The recipient is on the do-not-contact list: asked."), "{page}");
    admin.submit("/dashboard/hold", &[("reason", "Wrong price list")]).await;
    let page = admin.refused(SMS, &[fields[0], ("to", "+14155550133"), fields[2]], 423).await;
    assert!(page.contains("All sending is on hold: Wrong price list.") && page.contains(">\nHello</textarea>"));
    service.stop().await;
}

#[tokio::test]
async fn the_last_failure_is_told_and_its_number_hidden_from_viewers() {
    let service = Service::start().await;
    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    let mut viewer = Browser::of(&service, "vera@example.com", Role::Viewer).await;
    let followed = test(&mut approver, "test-sms", "+15005550001").await;
    approve(&mut approver, &followed).await;
    approver.until(&followed, "It is not tried again.").await;
    // A page reads in several statements: only one that begins after the failure shows it everywhere.
    let failed = approver.page(&followed).await;
    let told = card(&failed, "followed");
    assert!(told.contains("number is not valid"), "{told}");
    assert!(told.contains("Twilio error 21211") && told.contains("None has come"));
    let twilio = card(&failed, "twilio");
    assert!(twilio.contains("Refused</span>") && twilio.contains("SMS to +1 500 555 0001</a>"), "{twilio}");
    assert!(twilio.contains("number is not valid") && !twilio.contains("was accepted"), "{twilio}");

    let seen = viewer.page(&followed).await;
    assert!(card(&seen, "twilio").contains("SMS to +1•••••0001") && card(&seen, "followed").contains("+1•••••0001"));
    assert!(!seen.contains("15005550001") && !seen.contains("500 555 0001"), "{seen}");

    let delivered = test(&mut approver, "test-sms", TO).await;
    approve(&mut approver, &delivered).await;
    approver.until(&delivered, "It went out").await;
    let both = approver.page(&delivered).await;
    let twilio = card(&both, "twilio");
    assert!(twilio.contains("was accepted") && twilio.contains("Refused</span>"), "both stay: {twilio}");
    service.stop().await;
}

#[tokio::test]
async fn who_may_not_ask_finds_no_form_and_who_may_not_verify_no_button() {
    let service = Service::start().await;
    let mut viewer = Browser::of(&service, "vera@example.com", Role::Viewer).await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let page = viewer.page(PAGE).await;
    assert!(page.contains("An operator can send a test SMS and place a test call.") && !page.contains("test-sms"));
    for path in [SMS, CALL] {
        assert_eq!(viewer.post(path, &[("to", TO), ("message", "x")]).await.status.as_u16(), 403);
        assert_eq!(admin.post_from(path, &[("to", TO)], "cross-site", "/").await.status.as_u16(), 403);
    }
    let page = operator.page(PAGE).await;
    assert!(page.contains("Request test SMS") && page.contains("Request test call") && !page.contains("Verify now"));
    assert!(card(&admin.page(PAGE).await, "twilio").contains("action=\"/dashboard/settings/vault/verify\""));

    for unknown in ["no-id", "019ab2c4-7e10-7c3a-9f21-5b8e0d6a41c2"] {
        assert!(viewer.page(&format!("{PAGE}?test={unknown}")).await.contains("There is no such test"));
    }
    let other = operator.ask(TO, "No test").await.replace("/dashboard/operations/", &format!("{PAGE}?test="));
    assert!(viewer.page(&other).await.contains("There is no such test"), "an operation that is none");
    service.stop().await;
}

#[tokio::test]
async fn each_state_of_the_credentials_says_what_is_next() {
    let service = Setup::new().await.with("ELEVENLABS_API_KEY", "a key of ElevenLabs").start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let page = admin.page(PAGE).await;
    let twilio = card(&page, "twilio");
    assert!(twilio.contains("Sandbox</span>") && twilio.contains("The sandbox made its own"), "{twilio}");
    assert!(twilio.contains("emulated") && twilio.contains("and not kept") && page.contains("Stays on this machine"));
    assert!(page.contains(&format!("<code>{}", service.url("/webhooks/twilio/message-status/…"))), "{page}");
    assert!(page.contains("/webhooks/twilio/call-status/…"));
    let key = card(&page, "elevenlabs");
    assert!(key.contains("Env</span>") && key.contains("Verify it, then place a test call from text"), "{key}");
    assert!(
        key.contains("emulated") && key.contains("and not kept") && key.matches("None so far").count() == 2,
        "{key}"
    );

    let store = async |admin: &mut Browser<'_>, name: &str, value: &str| {
        admin.submit(&format!("/dashboard/settings/vault/{name}"), &[("value", value)]).await;
        admin.page(PAGE).await
    };
    let half = store(&mut admin, "twilio_account_sid", SID).await;
    let twilio = card(&half, "twilio");
    assert!(twilio.contains("Not configured</span>") && twilio.contains("Store both in the API Vault"), "{twilio}");
    assert!(!twilio.contains("Verify now") && half.contains("A test needs an account") && !half.contains("test-sms"));
    let whole = store(&mut admin, "twilio_auth_token", TOKEN).await;
    let twilio = card(&whole, "twilio");
    assert!(twilio.contains("Connected</span>") && twilio.contains("Not verified yet"), "{twilio}");
    store(&mut admin, "twilio_phone_number", TO).await;
    admin.refused("/dashboard/settings/vault/verify", &[], 200).await;
    let verified = admin.page(PAGE).await;
    let twilio = card(&verified, "twilio");
    assert!(twilio.contains("and accepted. Send a test") && twilio.matches("Verified <time").count() == 2, "{twilio}");
    let key = store(&mut admin, "elevenlabs_api_key", TOKEN).await;
    let key = card(&key, "elevenlabs").to_owned();
    assert!(key.contains("Connected</span>") && key.contains("Not verified yet"), "{key}");
    service.fault(json!([{ "fault": "unauthorized_401", "on": "account" }])).await;
    admin.refused("/dashboard/settings/vault/verify-elevenlabs", &[], 200).await;
    let page = admin.page(PAGE).await;
    let key = card(&page, "elevenlabs");
    assert!(key.contains("Not in order</span>") && key.contains("replace the key in the API Vault"), "{key}");
    admin.refused("/dashboard/settings/vault/verify-elevenlabs", &[], 200).await;
    let page = admin.page(PAGE).await;
    let key = card(&page, "elevenlabs");
    assert!(key.contains("In order</span>") && key.contains("and accepted. Choose a voice in Settings"), "{key}");
    assert!(!verified.contains(TOKEN) && !verified.contains(SID));
    service.stop().await;
}

#[tokio::test]
async fn in_live_mode_the_address_must_be_reached_from_outside() {
    for (public_url, host, words) in [
        ("https://mission.example", "mission.example", "No report has come yet"),
        ("https://10.0.0.7", "10.0.0.7", "Set MISSION_CONTROL_PUBLIC_URL to the address"),
    ] {
        let setup = Setup::new()
            .await
            .with("MISSION_CONTROL_MODE", "live")
            .with("MISSION_CONTROL_SIGN_IN_SECOND_FACTOR", "optional")
            .with("MISSION_CONTROL_PUBLIC_URL", public_url);
        let setup = setup.with("TWILIO_ACCOUNT_SID", SID).with("TWILIO_AUTH_TOKEN", TOKEN);
        let setup = setup.with("ELEVENLABS_API_KEY", "placeholder");
        let service = setup.with("MISSION_CONTROL_MASTER_KEY", MASTER_KEY).start().await;
        service.person("ada@example.com", Role::Admin).await;
        let signing_in =
            service.client().post(service.url("/login")).header("host", host).header("accept", "text/html");
        let answer = service.send(signing_in.form(&[("email", "ada@example.com"), ("password", PASSWORD)])).await;
        let cookie = answer.header("set-cookie").and_then(|set| set.split(';').next()).expect("a session").to_owned();
        let request = service.client().get(service.url(PAGE)).header("host", host).header("cookie", cookie);
        let answer = service.send(request).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        assert!(answer.text.contains(words) && answer.text.contains(public_url), "{}", answer.text);
        let twilio = card(&answer.text, "twilio");
        assert!(twilio.contains("Env</span>") && twilio.contains("There is no phone number to send from"), "{twilio}");
        assert!(!answer.text.contains("[Sandbox]") && !twilio.contains("emulated"));
        assert!(!answer.text.contains("test-sms"), "nothing to test with");
        service.stop().await;
    }
}

#[tokio::test]
async fn a_test_call_from_text_is_spoken_approved_and_followed_to_its_end() {
    let service = Service::start().await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    let page = operator.page(PAGE).await;
    let part = card(&page, "test-speech");
    assert!(part.contains("This is a test call from Mission Control. Goodbye."), "{part}");
    let key = hidden(part, "idempotency_key");
    let form = "/dashboard/integrations/test-speech";
    let empty = [("idempotency_key", key.as_str()), ("to", "nobody"), ("text", " ")];
    let refused = operator.refused(form, &empty, 422).await;
    assert!(refused.contains("href=\"#speech-to\"") && refused.contains("href=\"#speech-text\""), "{refused}");
    // Whatever else is sent along: this form has a text spoken.
    let fields = [
        ("idempotency_key", key.as_str()),
        ("to", TO),
        ("text", "Hello from a test"),
        ("audio_url", "https://x.example/a.mp3"),
    ];
    let followed = operator.submit(form, &fields).await;
    operator.until(&followed, "The decision of an approver is awaited").await;
    approve(&mut approver, &followed).await;
    let page = operator.until(&followed, "Twilio’s report came back").await;
    assert!(card(&page, "followed").contains("Fetched"), "{page}");
    let elevenlabs = card(&page, "elevenlabs");
    assert!(elevenlabs.contains("A text was read aloud") && elevenlabs.contains("None so far"), "{elevenlabs}");

    // What could not be spoken is told, too.
    service.fault(json!([{ "fault": "quota_exceeded" }])).await;
    let key = hidden(card(&operator.page(PAGE).await, "test-speech"), "idempotency_key");
    let fields = [("idempotency_key", key.as_str()), ("to", TO), ("text", "Hello once more")];
    let followed = operator.submit(form, &fields).await;
    let page = operator.until(&followed, "It is not tried again").await;
    let elevenlabs = card(&page, "elevenlabs");
    assert!(elevenlabs.contains("are used up") && elevenlabs.contains("A text was read aloud"), "{elevenlabs}");
    let spoken = service.ledger().await["syntheses"].clone();
    assert_eq!(spoken.as_array().map(Vec::len), Some(1));
    assert_eq!(spoken[0]["text"], "Hello from a test");
    service.stop().await;
}

#[tokio::test]
async fn an_admin_finds_out_whether_the_public_address_reaches_this_service() {
    const CHECK: &str = "/dashboard/integrations/check-address";
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    assert!(admin.page(PAGE).await.contains("Check the public address"));
    assert!(!operator.page(PAGE).await.contains("Check the public address"));
    assert_eq!(operator.post(CHECK, &[]).await.status.as_u16(), 403);
    let page = admin.refused(CHECK, &[], 200).await;
    assert!(
        page.contains("The public address reaches this service") && page.contains("Nothing is to be done"),
        "{page}"
    );
    assert!(page.contains(&format!("Asked was <code>{}</code>", service.url(""))), "{page}");
    assert_eq!(admin.get(CHECK).await.header("location"), Some(PAGE), "loading it again asks nothing");

    // The answer depends on the question, and is the same wherever this installation runs.
    let answer = async |service: &Service, question: &str| {
        service.send(service.client().get(service.url(&format!("/webhooks/twilio/reach/{question}")))).await.text
    };
    let ours = answer(&service, "a").await;
    assert_eq!(ours.len(), 64, "{ours}");
    assert_ne!(ours, answer(&service, "b").await);
    let again = service.setup_again();
    service.stop().await;
    let again = again.start().await;
    assert_eq!(ours, answer(&again, "a").await, "another process of it answers alike");
    again.stop().await;
}

#[tokio::test]
async fn in_the_sandbox_nobody_else_is_asked_for_the_public_address() {
    let setup = Setup::new().await.with("MISSION_CONTROL_PUBLIC_URL", "http://192.0.2.1:3000");
    let service = setup.start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let page = admin.refused("/dashboard/integrations/check-address", &[], 200).await;
    assert!(page.contains("The public address was not checked"), "{page}");
    service.stop().await;
}
