//! The account's telephone numbers: bought, set up, listed, released.

use mission_control::sandbox::{Options, Pace};
use serde_json::{Value, json};

use super::{ACCOUNT, Emulator, OWN, RECIPIENT, SECOND, code, options};

const LIST: &str = "/IncomingPhoneNumbers.json";
const BOUGHT: &str = "+14155550123";

fn path(number: &Value) -> String {
    format!("/IncomingPhoneNumbers/{}.json", number["sid"].as_str().expect("a SID"))
}

async fn buy(emulator: &Emulator, form: &[(&str, &str)]) -> Value {
    let answer = emulator.post(LIST, form).await.expect("an answer");
    assert_eq!(answer.status(), 201, "{form:?}");
    answer.json().await.expect("JSON")
}

async fn listed(emulator: &Emulator, query: &str) -> Vec<String> {
    let list = emulator.get_json(&format!("{LIST}?{query}")).await;
    let numbers = list["incoming_phone_numbers"].as_array().expect("a list");
    numbers.iter().map(|number| number["phone_number"].as_str().expect("a number").to_owned()).collect()
}

/// Twilio's code for a message from this number, if it is refused.
async fn refusal(emulator: &Emulator, from: &str) -> Option<(u16, u64)> {
    let form = [("To", RECIPIENT), ("From", from), ("Body", "Hello")];
    let answer = emulator.post("/Messages.json", &form).await.expect("an answer");
    if answer.status() == 201 { None } else { Some(code(answer).await) }
}

#[tokio::test]
async fn a_bought_number_sends_until_it_is_released() {
    let emulator = Emulator::start(Pace::ByHand).await;
    assert_eq!(refusal(&emulator, BOUGHT).await, Some((400, 21659)));
    let number = buy(&emulator, &[("PhoneNumber", BOUGHT)]).await;
    for (field, expected) in [
        ("account_sid", json!(ACCOUNT)),
        ("phone_number", json!(BOUGHT)),
        ("friendly_name", json!("(415) 555-0123")),
        ("capabilities", json!({ "voice": true, "sms": true, "mms": true, "fax": false })),
        ("sms_url", json!("")),
        ("sms_method", json!("POST")),
        ("sms_application_sid", json!("")),
        ("trunk_sid", json!(null)),
        ("voice_caller_id_lookup", json!(false)),
        ("emergency_status", json!("Inactive")),
        ("uri", json!(format!("/2010-04-01/Accounts/{ACCOUNT}{}", path(&number)))),
    ] {
        assert_eq!(number[field], expected, "{field}");
    }
    assert_eq!(emulator.get_json(&path(&number)).await, number);
    assert_eq!(listed(&emulator, "").await, [BOUGHT, OWN, SECOND]);
    assert_eq!(refusal(&emulator, BOUGHT).await, None);

    let answer = emulator.delete(&path(&number)).await;
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.text().await.expect("a body"), "");
    assert_eq!(refusal(&emulator, BOUGHT).await, Some((400, 21659)));
    assert_eq!(listed(&emulator, "").await, [OWN, SECOND]);
    // It can be had again.
    buy(&emulator, &[("PhoneNumber", BOUGHT)]).await;
    assert_eq!(refusal(&emulator, BOUGHT).await, None);
}

#[tokio::test]
async fn every_objection_to_a_purchase_has_its_code() {
    let emulator = Emulator::start(Pace::ByHand).await;
    buy(&emulator, &[("PhoneNumber", BOUGHT)]).await;
    let too_long = "a".repeat(65);
    for (form, expected) in [
        (vec![], 20001),
        (vec![("PhoneNumber", ""), ("AreaCode", "")], 20001),
        (vec![("PhoneNumber", "+15005550000")], 21422),
        (vec![("PhoneNumber", BOUGHT)], 21422),
        (vec![("PhoneNumber", SECOND)], 21422),
        (vec![("PhoneNumber", "+15005550001")], 21421),
        (vec![("PhoneNumber", "4155550124")], 21421),
        (vec![("AreaCode", "533")], 21452),
        (vec![("AreaCode", "41")], 21451),
        (vec![("AreaCode", "115")], 21451),
        (vec![("AreaCode", "4l5")], 21451),
        (vec![("AreaCode", "415"), ("SmsUrl", "nonsense")], 21402),
        (vec![("AreaCode", "415"), ("VoiceUrl", "ftp://example.com/")], 21402),
        (vec![("AreaCode", "415"), ("SmsMethod", "PUT")], 21403),
        (vec![("AreaCode", "415"), ("FriendlyName", too_long.as_str())], 20001),
        (vec![("AreaCode", "415"), ("VoiceCallerIdLookup", "maybe")], 20001),
        (vec![("AreaCode", "415"), ("VoiceReceiveMode", "pigeon")], 20001),
        (vec![("AreaCode", "415"), ("SmsApplicationSid", "AP1")], 20001),
        (vec![("AreaCode", "415"), ("BundleSid", "AP00000000000000000000000000000001")], 20001),
    ] {
        let answer = emulator.post(LIST, &form).await.expect("an answer");
        assert_eq!(code(answer).await, (400, expected), "{form:?}");
    }
    assert_eq!(listed(&emulator, "").await, [BOUGHT, OWN, SECOND]);
}

#[tokio::test]
async fn an_area_code_gives_a_number_that_is_free() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let first = buy(&emulator, &[("AreaCode", "500")]).await;
    let second = buy(&emulator, &[("AreaCode", "500")]).await;
    assert_ne!(first["phone_number"], second["phone_number"]);
    for number in [first, second] {
        let number = number["phone_number"].as_str().expect("a number");
        assert!(number.starts_with("+1500") && number.len() == 12, "{number}");
        assert_eq!(refusal(&emulator, number).await, None, "{number}");
    }
}

#[tokio::test]
async fn what_is_set_is_kept_until_it_is_emptied() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let (application, trunk) = ("AP00000000000000000000000000000001", "TK00000000000000000000000000000001");
    let given = [("PhoneNumber", BOUGHT), ("FriendlyName", "Front desk"), ("SmsUrl", "https://example.com/in?a=1")];
    let number = buy(&emulator, &given).await;
    let update = async |form: &[(&str, &str)]| -> Value {
        let answer = emulator.post(&path(&number), form).await.expect("an answer");
        assert_eq!(answer.status(), 200, "{form:?}");
        let updated = answer.json().await.expect("JSON");
        assert_eq!(emulator.get_json(&path(&number)).await, updated);
        updated
    };
    let form = [
        ("SmsMethod", "GET"),
        ("StatusCallback", "https://example.com/status"),
        ("VoiceUrl", "https://example.com/voice"),
        ("VoiceCallerIdLookup", "true"),
        ("VoiceApplicationSid", application),
    ];
    let updated = update(&form).await;
    for (field, expected) in [
        ("friendly_name", json!("Front desk")),
        ("sms_url", json!("https://example.com/in?a=1")),
        ("sms_method", json!("GET")),
        ("status_callback", json!("https://example.com/status")),
        ("voice_url", json!("https://example.com/voice")),
        ("voice_caller_id_lookup", json!(true)),
        ("voice_application_sid", json!(application)),
    ] {
        assert_eq!(updated[field], expected, "{field}");
    }
    let updated = update(&[("TrunkSid", trunk), ("FriendlyName", ""), ("SmsUrl", ""), ("SmsMethod", "")]).await;
    for (field, expected) in [
        ("trunk_sid", json!(trunk)),
        ("voice_application_sid", json!("")),
        ("friendly_name", json!("(415) 555-0123")),
        ("sms_url", json!("")),
        ("sms_method", json!("POST")),
        ("voice_url", json!("https://example.com/voice")),
    ] {
        assert_eq!(updated[field], expected, "{field}");
    }

    // A refused update changes nothing, not even what was valid in it.
    for (name, value, expected) in
        [("SmsUrl", "nonsense", 21402), ("VoiceMethod", "get", 21403), ("AccountSid", "AC1", 20001)]
    {
        let form = [("FriendlyName", "Back door"), (name, value)];
        assert_eq!(code(emulator.post(&path(&number), &form).await.expect("an answer")).await, (400, expected));
    }
    assert_eq!(emulator.get_json(&path(&number)).await, updated);
}

#[tokio::test]
async fn the_given_numbers_stay() {
    let emulator = Emulator::start(Pace::ByHand).await;
    // As with Twilio's test credentials, the magic number can be bought as often as one likes.
    for name in ["One", "Two"] {
        let number = buy(&emulator, &[("PhoneNumber", OWN), ("FriendlyName", name)]).await;
        assert_eq!(number["friendly_name"], name);
    }
    assert_eq!(listed(&emulator, "").await, [OWN, SECOND]);
    for number in emulator.get_json(LIST).await["incoming_phone_numbers"].as_array().expect("a list") {
        assert_eq!(code(emulator.delete(&path(number)).await).await, (403, 20403));
    }
    assert_eq!(listed(&emulator, "").await, [OWN, SECOND]);
    assert_eq!(refusal(&emulator, OWN).await, None);
}

#[tokio::test]
async fn numbers_are_found_by_a_part_a_name_and_their_origin() {
    let emulator = Emulator::start(Pace::ByHand).await;
    buy(&emulator, &[("PhoneNumber", BOUGHT), ("FriendlyName", "Front desk")]).await;
    buy(&emulator, &[("PhoneNumber", "+442079460123")]).await;
    for (query, expected) in [
        ("PhoneNumber=%2B14155550123", vec![BOUGHT]),
        ("PhoneNumber=4155550123", vec![BOUGHT]),
        ("PhoneNumber=0123", vec!["+442079460123", BOUGHT]),
        ("PhoneNumber=%2B1***5550***", vec![BOUGHT, OWN, SECOND]),
        ("PhoneNumber=*4155550123", vec![BOUGHT]),
        ("PhoneNumber=**4155550123", vec![]),
        ("PhoneNumber=%2B14155550124", vec![]),
        ("FriendlyName=Front+desk", vec![BOUGHT]),
        ("FriendlyName=Front", vec![]),
        ("FriendlyName=%2B442079460123", vec!["+442079460123"]),
        ("FriendlyName=Front+desk&PhoneNumber=44", vec![]),
        ("Origin=hosted", vec![]),
        ("Origin=twilio&Beta=false&FriendlyName=", vec!["+442079460123", BOUGHT, OWN, SECOND]),
    ] {
        assert_eq!(listed(&emulator, query).await, expected, "{query}");
    }
    assert_eq!(code(emulator.get(&format!("{LIST}?Origin=elsewhere")).await).await, (400, 20001));
}

#[tokio::test]
async fn pages_of_numbers_follow_each_other() {
    let emulator = Emulator::start(Pace::ByHand).await;
    for _ in 0..3 {
        buy(&emulator, &[("AreaCode", "415")]).await;
    }
    let all = listed(&emulator, "").await;
    assert_eq!(all.len(), 5);
    let mut page = emulator.get_json(&format!("{LIST}?PhoneNumber=555&PageSize=2")).await;
    let mut seen = Vec::new();
    loop {
        let numbers = page["incoming_phone_numbers"].as_array().expect("a list");
        seen.extend(numbers.iter().map(|number| number["phone_number"].as_str().expect("a number").to_owned()));
        let Some(next) = page["next_page_uri"].as_str() else {
            break;
        };
        assert!(next.contains("PhoneNumber=555"), "{next}");
        // One that is bought in between moves no page.
        buy(&emulator, &[("AreaCode", "415")]).await;
        page = emulator.follow(next).await;
    }
    assert_eq!(seen, all);
    assert_eq!(page["page"], 2);
}

#[tokio::test]
async fn numbers_outlive_a_restart_and_end_with_a_reset() {
    let folder = tempfile::tempdir().expect("a folder");
    let journalled = || Options { journal: Some(folder.path().join("sandbox.jsonl")), ..options(Pace::ByHand) };
    let emulator = Emulator::with(journalled()).await;
    let kept = buy(&emulator, &[("PhoneNumber", BOUGHT), ("SmsUrl", "https://example.com/in")]).await;
    let released = buy(&emulator, &[("AreaCode", "415")]).await;
    emulator.delete(&path(&released)).await;
    let own = buy(&emulator, &[("PhoneNumber", OWN), ("FriendlyName", "Mine")]).await;
    emulator.send(RECIPIENT, None).await;
    emulator.stop().await;

    let emulator = Emulator::with(journalled()).await;
    assert_eq!(listed(&emulator, "").await, [BOUGHT, OWN, SECOND]);
    assert_eq!(emulator.get_json(&path(&kept)).await, kept);
    assert_eq!(emulator.get_json(&path(&own)).await, own);
    assert_eq!(code(emulator.get(&path(&released)).await).await, (404, 20404));
    assert_eq!(refusal(&emulator, BOUGHT).await, None);
    assert_eq!(emulator.ledger().await.len(), 2);

    assert_eq!(emulator.control("/sandbox/reset", json!({})).await.status(), 204);
    assert_eq!(listed(&emulator, "").await, [OWN, SECOND]);
    emulator.stop().await;
    let emulator = Emulator::with(journalled()).await;
    assert_eq!(listed(&emulator, "FriendlyName=Mine").await, Vec::<String>::new());
    assert_eq!(refusal(&emulator, BOUGHT).await, Some((400, 21659)));
}

#[tokio::test]
async fn a_number_that_the_account_does_not_have_is_not_found() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let path = "/IncomingPhoneNumbers/PN00000000000000000000000000000000.json";
    assert_eq!(code(emulator.get(path).await).await, (404, 20404));
    assert_eq!(code(emulator.post(path, &[("SmsUrl", "")]).await.expect("an answer")).await, (404, 20404));
    assert_eq!(code(emulator.delete(path).await).await, (404, 20404));
}
