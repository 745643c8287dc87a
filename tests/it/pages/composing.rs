//! The forms while somebody writes: helped with numbers, segments and costs, changed from one kind to the other, heard, and
//! repeated from a shell; nothing is asked for before the button, and nothing typed is lost.

use std::process::Stdio;

use mission_control::auth::Role;
use reqwest::StatusCode;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::browser::{Browser, hidden};
use crate::support::log;
use crate::support::service::{Answer, Service, Setup};

const SMS: &str = "/dashboard/operations/new-sms";
const CALL: &str = "/dashboard/operations/new-call";
const CHECK: &str = "/dashboard/operations/new/check";
const ASK: &str = "/dashboard/operations";

/// The page of a form that was sent to be written on.
async fn written(browser: &mut Browser<'_>, path: &str, fields: &[(&str, &str)]) -> String {
    let answer = browser.post(path, fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
    answer.text
}

async fn is_empty(browser: &mut Browser<'_>) -> bool {
    browser.page(ASK).await.contains("Nothing has been asked for yet")
}

/// What stands in the element with this id.
fn part<'a>(page: &'a str, id: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no {id}: {page}"));
    let (_, rest) = rest.split_once('>').expect("an element");
    rest.split("</pre>").next().and_then(|rest| rest.split("id=\"").next()).unwrap_or_default()
}

/// Text as a browser shows it, and copies it.
fn shown(html: &str) -> String {
    let entities = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    entities.iter().fold(html.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

#[tokio::test]
async fn what_is_typed_for_one_kind_goes_along_to_the_other_and_back() {
    let service = Service::start().await;
    let mut browser = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let form = browser.page(SMS).await;
    assert!(
        form.contains("id=\"from\" name=\"from\" type=\"tel\" autocomplete=\"off\" value=\"+15005550006\""),
        "{form}"
    );
    let key = hidden(&form, "idempotency_key");
    let typed = [
        ("kind", "sms"),
        ("idempotency_key", key.as_str()),
        ("to", "+14155550132"),
        ("from", "+15005550001"),
        ("message", "One\r\n\"two\""),
        ("note", "why"),
        ("text", "Spoken"),
        ("voice_id", "v"),
        ("audio_url", "https://x.test/a.mp3"),
    ];
    let call = written(&mut browser, CALL, &typed).await;
    assert!(call.contains("<h1>New call</h1>") && call.contains("aria-pressed=\"true\">"), "{call}");
    for kept in [
        "value=\"+14155550132\"",
        "value=\"+15005550001\"",
        "value=\"why\"",
        ">\nSpoken</textarea>",
        "value=\"https://x.test/a.mp3\"",
        "<option value=\"v\" selected>",
    ] {
        assert!(call.contains(kept), "{kept}: {call}");
    }
    assert_eq!((hidden(&call, "idempotency_key"), hidden(&call, "kind")), (key.clone(), "call".to_owned()));
    let message = shown(&hidden(&call, "message"));
    let back = [&typed[1..4], &[("kind", "call"), ("message", &message)], &typed[5..]].concat();
    let sms = written(&mut browser, SMS, &back).await;
    assert!(sms.contains("<h1>New SMS</h1>") && sms.contains(">\nOne\n&#34;two&#34;</textarea>"), "{sms}");
    assert_eq!((hidden(&sms, "text").as_str(), hidden(&sms, "voice_id").as_str()), ("Spoken", "v"));
    assert!(is_empty(&mut browser).await, "nobody pressed the button that asks");
    service.stop().await;
}

#[tokio::test]
async fn a_message_is_counted_priced_and_made_plain_without_a_script() {
    let setup = Setup::new().await.with("MISSION_CONTROL_PRICES_SMS_SEGMENT", "0.0079");
    let service = setup.with("MISSION_CONTROL_PRICES_CURRENCY", "EUR").start().await;
    let mut browser = Browser::of(&service, "otto@example.com", Role::Operator).await;
    assert!(browser.page(SMS).await.contains("About 0.0079 EUR, an estimate"));
    let message = format!("We’ll come at “ten” {}", "a".repeat(60));
    let fields = |then| [("kind", "sms"), ("to", "+14155550132"), ("message", message.as_str()), ("then", then)];
    let counted = written(&mut browser, SMS, &fields("count")).await;
    for told in [
        "<b>2 segments, UCS-2</b>, 80 of 1,600 characters, about 0.0158 EUR",
        "54 left in this segment",
        "<mark>’</mark>ll come at “</q> has a curly apostrophe (U+2019, character 3)",
        "With plain characters it is 1 segment, GSM-7.",
        "Use plain characters for all 3",
        "About 0.0158 EUR, an estimate",
        "2 segments at 0.0079 EUR",
        "<progress value=\"67\" max=\"67\"></progress><progress value=\"13\" max=\"67\"></progress>",
    ] {
        assert!(counted.contains(told), "{told}: {counted}");
    }
    let plain = written(&mut browser, SMS, &fields("plain")).await;
    assert!(plain.contains(">\nWe&#39;ll come at &#34;ten&#34; aaa") && plain.contains("1 segment, GSM-7"), "{plain}");
    assert!(!plain.contains("Use plain") && plain.contains("About 0.0079 EUR"), "{plain}");
    let long = "x".repeat(1_602);
    let long = written(&mut browser, SMS, &[("message", &long), ("then", "count")]).await;
    assert!(long.contains("2 characters too many. Shorten it, or send two."), "{long}");
    assert!(is_empty(&mut browser).await);
    service.stop().await;
}

#[tokio::test]
async fn prices_are_settings_and_calls_cost_by_the_minute() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let page = "/dashboard/settings/sending";
    let version = hidden(&admin.page(page).await, "version");
    let with = |price| [("version", version.as_str()), ("prices.call_minute", price), ("prices.currency", "GBP")];
    assert!(admin.refused(page, &with("0,014"), 422).await.contains("Write a price such as 0.0079"));
    assert!(admin.page(CALL).await.contains("Not estimated: no price is set"));
    admin.submit(page, &with("0.0140")).await;
    let told = admin.page(page).await;
    assert!(told.contains("Price of a call minute: <del>Not estimated</del> → <b>0.014 a minute</b>"), "{told}");
    assert!(admin.page(CALL).await.contains("About 0.014 GBP a minute, an estimate"));
    let audited = "select details -> 'after' -> 'prices' ->> 'call_minute' from audit_lines
        where object = 'settings' order by seq desc limit 1";
    let audited: String = sqlx::query_scalar(audited).fetch_one(&service.app().db).await.expect("a line");
    assert_eq!(audited, "0.014");
    service.stop().await;
}

#[tokio::test]
async fn the_parts_that_follow_the_typing_say_what_the_page_says() {
    let service = Service::start().await;
    let mut browser = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let check = |to: &'static str, from: &'static str| {
        [("kind", "sms"), ("idempotency_key", "k-1"), ("to", to), ("from", from), ("message", "It’s here")]
    };
    let told = browser.post(CHECK, &check("+447400123456", "+1415555")).await;
    assert_eq!((told.status, told.header("cache-control")), (StatusCode::OK, Some("no-store")));
    assert_eq!(part(&told.text, "to-hint").lines().next(), Some("United Kingdom: +44 7400 123456, mobile</div>"));
    assert!(part(&told.text, "from-hint").contains("too short for its country code"), "{}", told.text);
    assert!(part(&told.text, "from-hint").contains("With +1 one looks like +1 201 555 0123."), "{}", told.text);
    assert!(part(&told.text, "message-hint").contains("<b>1 segment, UCS-2</b>"));
    assert!(part(&told.text, "message-remedy").contains("Use plain &#39; instead"), "{}", told.text);
    assert!(part(&told.text, "cost").contains("Not estimated"));
    assert!(part(&told.text, "command-curl").contains("Idempotency-Key: k-1"));
    let page = written(&mut browser, SMS, &check("+447400123456", "+1415555")).await;
    for id in ["to-hint", "from-hint", "command-curl", "command-fetch"] {
        let of = |text| part(text, id).split("</").next().unwrap_or_default().to_owned();
        assert_eq!(of(&page), of(&told.text), "{id}");
    }

    let call = [("kind", "call"), ("source", "audio"), ("audio_url", "https://x.test/a?b=1&c=2"), ("text", "Hello")];
    let told = browser.post(CHECK, &call).await.text;
    let twiml = shown(part(&told, "twiml"));
    assert!(twiml.contains("<Play>https://x.test/a?b=1&amp;c=2</Play>"), "{told}");
    assert!(part(&told, "audio_url-hint").contains("href=\"https://x.test/a?b=1&#38;c=2\""), "{told}");
    assert!(part(&told, "text-hint").contains("5 characters to be spoken"), "{told}");
    let told = browser.post(CHECK, &[("kind", "call"), ("audio_url", "javascript:alert(1)")]).await.text;
    assert!(part(&told, "audio_url-hint").contains("must begin with https://") && !told.contains("href=\"javascript"));
    assert!(is_empty(&mut browser).await);
    service.stop().await;
}

#[tokio::test]
async fn only_who_may_ask_is_helped_and_no_number_is_logged() {
    let service = Service::start().await;
    let fields = [("kind", "sms"), ("to", "+447400987654"), ("message", "private words")];
    let mut viewer = Browser::of(&service, "vera@example.com", Role::Viewer).await;
    let mut nobody = Browser::new(&service);
    for path in [CHECK, SMS, CALL] {
        assert_eq!(viewer.post(path, &fields).await.status, StatusCode::FORBIDDEN, "{path}");
        assert!(nobody.post(path, &fields).await.header("location").is_some_and(|way| way.starts_with("/login")));
    }
    let mut browser = Browser::of(&service, "otto@example.com", Role::Operator).await;
    for path in [CHECK, SMS, CALL] {
        assert_eq!(browser.post_from(path, &fields, "cross-site", "/").await.status, StatusCode::FORBIDDEN, "{path}");
        let answer = browser.post(path, &fields).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let lines = log::of(answer.header("x-correlation-id").expect("an id"));
        assert!(!lines.is_empty(), "the request is logged");
        let lines = format!("{lines:?}");
        assert!(!lines.contains("7400987654") && !lines.contains("private words"), "{lines}");
    }
    assert_eq!(browser.post(CHECK, &[("kind", "fax")]).await.status, StatusCode::BAD_REQUEST);
    service.stop().await;
}

#[tokio::test]
async fn whatever_was_refused_is_as_it_was_typed() {
    let service = Service::start().await;
    let mut browser = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let key = hidden(&browser.page(CALL).await, "idempotency_key");
    let fields = [
        ("kind", "call"),
        ("idempotency_key", key.as_str()),
        ("to", "+1 555"),
        ("source", "audio"),
        ("text", "Good <b>evening</b>"),
        ("voice_id", "SandboxPremadeAlto00"),
        ("model_id", "eleven_flash_v2_5"),
        ("audio_url", "hello.mp3"),
        ("note", "why"),
        ("message", "of the SMS"),
    ];
    let page = browser.refused(ASK, &fields, 422).await;
    assert!(page.contains("href=\"#to\"") && page.contains("href=\"#audio_url\"") && !page.contains("href=\"#text\""));
    for kept in [
        "value=\"+1 555\"",
        "value=\"audio\" id=\"src-audio\" checked",
        ">\nGood &#60;b&#62;evening&#60;/b&#62;</textarea>",
        "<option value=\"SandboxPremadeAlto00\" selected>Alto (sandbox) · premade</option>",
        "<option value=\"eleven_flash_v2_5\" selected>",
        "value=\"hello.mp3\"",
        "value=\"why\"",
        "name=\"message\" value=\"of the SMS\"",
    ] {
        assert!(page.contains(kept), "{kept}: {page}");
    }
    assert_eq!(hidden(&page, "idempotency_key"), key);
    // What is not chosen does not count, and is no mistake.
    let mut fine = fields;
    (fine[2].1, fine[3].1) = ("+14155550132", "text");
    let operation = browser.submit(ASK, &fine).await;
    assert_eq!(browser.submit(ASK, &fine).await, operation, "pressed twice, asked once");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_heard_before_it_is_asked_for_and_is_made_once() {
    let service = Service::start().await;
    let mut browser = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let key = hidden(&browser.page(CALL).await, "idempotency_key");
    let fields = [
        ("kind", "call"),
        ("idempotency_key", key.as_str()),
        ("to", "+14155550132"),
        ("source", "text"),
        ("text", "Your table\r\nis ready."),
        ("then", "hear"),
    ];
    let heard = written(&mut browser, CALL, &fields).await;
    let (_, rest) = heard.split_once("<audio controls preload=\"none\" src=\"").expect("a player");
    let clip = rest.split('"').next().expect("an address").to_owned();
    assert_eq!(browser.get(&clip).await.header("content-type"), Some("audio/mpeg"));
    assert!(heard.contains(">\nYour table\nis ready.</textarea>") && is_empty(&mut browser).await);

    let operation = browser.submit(ASK, &fields[..5]).await;
    let page = browser.until(&operation, "<audio controls").await;
    assert!(page.contains(&format!("src=\"{clip}\"")), "what was heard is what is approved: {page}");
    let made = service.ledger().await["syntheses"].as_array().expect("a list").len();
    assert_eq!(made, 1);

    let empty =
        browser.refused(CALL, &[("kind", "call"), ("text", " "), ("voice_id", "a/b"), ("then", "hear")], 422).await;
    assert!(empty.contains("href=\"#text\"") && empty.contains("href=\"#voice_id\""), "{empty}");
    service.stop().await;
}

/// Runs a line in a shell that has nothing but these variables.
async fn run(line: &str, variables: &[(&str, &str)]) -> String {
    let mut shell = Command::new("sh");
    shell.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).envs(variables.iter().copied());
    let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a shell");
    let mut input = shell.stdin.take().expect("its input");
    input.write_all(line.as_bytes()).await.expect("the line");
    drop(input);
    let output = shell.wait_with_output().await.expect("its output");
    assert!(output.status.success(), "{line}");
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test]
async fn the_line_for_a_shell_asks_for_exactly_what_was_typed() {
    let service = Service::start().await;
    let mut browser = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let token = service.token_of("otto@example.com", &mission_control::auth::Scope::ALL).await;
    let key = hidden(&browser.page(SMS).await, "idempotency_key");
    let message = "It's 5 \\ 3 $HOME `id` \"now\" 😀\n'; exit 1 #!!";
    let typed = [
        ("kind", "sms"),
        ("idempotency_key", key.as_str()),
        ("to", "+14155550132"),
        ("message", message),
        ("note", "@x"),
    ];
    let page = written(&mut browser, SMS, &typed).await;
    let line = |answer: &str| shown(part(answer, "command-curl"));
    let asked = run(&line(&page), &[("MC_TOKEN", &token)]).await;
    let asked: serde_json::Value = serde_json::from_str(&asked).unwrap_or_else(|_| panic!("{asked}"));
    let operation = browser.submit(ASK, &typed).await;
    assert_eq!(operation.rsplit('/').next(), asked["operationId"].as_str(), "the key of the form makes one of both");
    let told = service.operation(&token, asked["operationId"].as_str().expect("an id")).await;
    assert_eq!((told["message"].as_str(), told["note"].as_str()), (Some(message), Some("@x")));

    // From its page, with a new key, another operation with the same content.
    let page = browser.page(&operation).await;
    let variables = [("MC_TOKEN", token.as_str()), ("MC_KEY", "another")];
    let again: serde_json::Value = serde_json::from_str(&run(&line(&page), &variables).await).expect("JSON");
    assert_ne!(again["operationId"], asked["operationId"]);
    assert_eq!(again["digest"], told["digest"], "{again}");
    let mut viewer = Browser::of(&service, "vera@example.com", Role::Viewer).await;
    let Answer { text, .. } = viewer.get(&operation).await;
    assert!(!text.contains("command-curl") && !text.contains("4155550132"));
    service.stop().await;
}
