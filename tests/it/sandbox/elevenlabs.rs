//! The emulated `ElevenLabs`: its paths, its refusals, audio that can be played, and faults on demand.

use std::time::Duration;

use mission_control::sandbox::KeySource;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::{ACCOUNT, Emulator, OWN, Options, Pace, RECIPIENT, SPEECH_KEY, TOKEN, journalled, options};

const VOICE: &str = "SandboxClonedTenor00";
const MODEL: &str = "eleven_multilingual_v2";
const TEXT: &str = "Your driver is 10 minutes away.";

impl Emulator {
    fn asking(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path)).header("xi-api-key", SPEECH_KEY)
    }

    async fn speech(&self, path: &str) -> Value {
        let answer = self.asking(Method::GET, path).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.expect("JSON")
    }

    async fn try_speak(&self, voice: &str, body: &Value) -> reqwest::Result<Response> {
        let path = format!("/v1/text-to-speech/{voice}?output_format=mp3_44100_64");
        self.asking(Method::POST, &path).json(body).send().await
    }

    async fn speak(&self, text: &str) -> Vec<u8> {
        let answer = self.try_speak(VOICE, &json!({ "text": text, "model_id": MODEL })).await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.bytes().await.expect("a body").into()
    }
}

async fn refused(answer: Response, status: u16) -> Value {
    assert_eq!(answer.status(), status);
    let body: Value = answer.json().await.expect("JSON");
    body["detail"].clone()
}

/// How many frames of MPEG-1, layer III follow one another to the last byte.
fn frames(audio: &[u8]) -> usize {
    let kilobits = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    let (mut rest, mut count) = (audio, 0);
    while !rest.is_empty() {
        let header = rest.get(..4).unwrap_or_else(|| panic!("{} bytes too many after {count} frames", rest.len()));
        assert_eq!(header[..2], [0xff, 0xfb], "frame {count}");
        assert_eq!(header[2] >> 2 & 3, 0, "44.1 kHz");
        let length = 144_000 * kilobits[usize::from(header[2] >> 4)] / 44_100 + usize::from(header[2] >> 1 & 1);
        rest = rest.get(length..).unwrap_or_else(|| panic!("frame {count} ends early"));
        count += 1;
    }
    count
}

#[tokio::test]
async fn who_shows_no_key_or_a_wrong_one_learns_nothing() {
    let emulator = Emulator::start(Pace::ByHand).await;
    for path in ["/v1/models", "/v2/voices", "/v1/voices", "/v1/user/subscription"] {
        let bare = emulator.client.get(emulator.url(path)).send().await.expect("an answer");
        assert_eq!(refused(bare, 401).await["status"], "needs_authorization", "{path}");
        let wrong = emulator.client.get(emulator.url(path)).header("xi-api-key", "sk_wrong").send().await;
        assert_eq!(refused(wrong.expect("an answer"), 401).await["status"], "invalid_api_key", "{path}");
    }
    let twilios = emulator.client.get(emulator.url("/v1/models")).basic_auth(ACCOUNT, Some(TOKEN)).send().await;
    assert_eq!(twilios.expect("an answer").status(), 401, "the credentials of Twilio open nothing here");
    assert!(emulator.ledger_of("syntheses").await.is_empty());
    emulator.stop().await;

    let keyless = Emulator::with(Options { elevenlabs_key: KeySource::Fixed(None), ..options(Pace::ByHand) }).await;
    let answer = keyless.asking(Method::GET, "/v1/models").send().await.expect("an answer");
    assert_eq!(refused(answer, 401).await["status"], "invalid_api_key");
    assert_eq!(keyless.try_send(RECIPIENT).await.expect("an answer").status(), 201, "Twilio is served all the same");
    keyless.stop().await;
}

#[tokio::test]
async fn the_account_has_voices_models_and_characters() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let all = emulator.speech("/v1/voices").await["voices"].as_array().expect("a list").clone();
    let (mut paged, mut token) = (Vec::new(), String::new());
    loop {
        let page = emulator.speech(&format!("/v2/voices?page_size=3{token}")).await;
        paged.extend(page["voices"].as_array().expect("a list").clone());
        assert_eq!(page["total_count"], json!(all.len()));
        match page["next_page_token"].as_str() {
            Some(next) if page["has_more"] == true => token = format!("&next_page_token={next}"),
            _ => break,
        }
    }
    assert_eq!(paged, all);
    assert!(all.iter().any(|voice| voice["voice_id"] == VOICE && voice["category"] == "cloned"));
    for wrong in ["page_size=0", "page_size=101", "page_size=x", "next_page_token=x", "next_page_token=99"] {
        let answer = emulator.asking(Method::GET, &format!("/v2/voices?{wrong}")).send().await.expect("an answer");
        assert!(answer.status().is_client_error(), "{wrong}");
    }
    let models = emulator.speech("/v1/models").await;
    let model =
        models.as_array().and_then(|models| models.iter().find(|model| model["model_id"] == MODEL)).expect("it");
    assert_eq!(
        (&model["maximum_text_length_per_request"], &model["can_do_text_to_speech"]),
        (&json!(10_000), &json!(true))
    );

    let before = emulator.speech("/v1/user/subscription").await;
    emulator.speak("Grüße").await;
    let after = emulator.speech("/v1/user/subscription").await;
    assert_eq!((&before["character_count"], &after["character_count"]), (&json!(0), &json!(5)));
    assert!(after["next_character_count_reset_unix"].is_i64() && after["character_limit"] == 1_000_000);
    emulator.stop().await;
}

#[tokio::test]
async fn a_text_becomes_audio_whose_length_follows_it() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let answer = emulator.try_speak(VOICE, &json!({ "text": TEXT, "model_id": MODEL })).await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "audio/mpeg");
    assert_eq!(answer.headers()["character-cost"], "31");
    let request = answer.headers()["request-id"].to_str().expect("text").to_owned();
    let audio = answer.bytes().await.expect("a body");
    // 52 ms for each of 31 characters, and half a second.
    assert_eq!(frames(&audio), 31 * 2 + 20);
    assert_eq!(emulator.speak(TEXT).await, audio, "the same bytes every time");
    assert!(frames(&emulator.speak("Yes.").await) < frames(&audio));

    let ledger = emulator.ledger_of("syntheses").await;
    assert_eq!(ledger.len(), 3);
    let first = &ledger[0];
    assert_eq!((&first["text"], &first["voice_id"], &first["model_id"]), (&json!(TEXT), &json!(VOICE), &json!(MODEL)));
    assert_eq!((&first["characters"], &first["bytes"]), (&json!(31), &json!(audio.len())));
    assert_eq!(first["request_id"], request);
    for (format, status) in [("mp3_44100_32", 200), ("mp3_44100_192", 200), ("ulaw_8000", 422), ("mp3_44100_65", 422)] {
        let path = format!("/v1/text-to-speech/{VOICE}?output_format={format}");
        let answer = emulator.asking(Method::POST, &path).json(&json!({ "text": "Hello" })).send().await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), status, "{format}");
        if status == 200 {
            assert_eq!(frames(&answer.bytes().await.expect("a body")), 5 * 2 + 20, "{format}");
        }
    }
    emulator.stop().await;
}

#[tokio::test]
async fn what_cannot_be_spoken_is_refused_as_elevenlabs_does_and_costs_nothing() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let tries = [
        ("nobody", json!({ "text": "Hello" }), 404, "code", "voice_not_found"),
        (VOICE, json!({ "text": "Hello", "model_id": "none" }), 400, "code", "model_not_found"),
        (
            VOICE,
            json!({ "text": "Hello", "model_id": "eleven_multilingual_sts_v2" }),
            400,
            "code",
            "model_can_not_do_text_to_speech",
        ),
        (VOICE, json!({ "text": "x".repeat(10_001) }), 400, "status", "max_character_limit_exceeded"),
    ];
    for (voice, body, status, name, code) in tries {
        let detail = refused(emulator.try_speak(voice, &body).await.expect("an answer"), status).await;
        assert_eq!(detail[name], code, "{detail}");
        assert!(detail["message"].is_string(), "{detail}");
    }
    for (body, kind) in [
        (json!({}), "missing"),
        (json!({ "text": "" }), "string_too_short"),
        (json!({ "text": " \n" }), "string_too_short"),
        (json!({ "text": 7 }), "string_type"),
    ] {
        let detail = refused(emulator.try_speak(VOICE, &body).await.expect("an answer"), 422).await;
        assert_eq!((&detail[0]["type"], &detail[0]["loc"]), (&json!(kind), &json!(["body", "text"])), "{detail}");
    }
    let path = format!("/v1/text-to-speech/{VOICE}");
    let answer = emulator.asking(Method::POST, &path).body("no JSON").send().await.expect("an answer");
    assert_eq!(refused(answer, 422).await[0]["type"], "json_invalid");
    for (method, path, status, words) in [
        (Method::GET, path.as_str(), 405, "Method Not Allowed"),
        (Method::POST, "/v1/models", 405, "Method Not Allowed"),
        (Method::GET, "/v1/nothing", 404, "Not Found"),
        (Method::GET, "/v2/models", 404, "Not Found"),
    ] {
        let answer = emulator.asking(method, path).send().await.expect("an answer");
        assert_eq!(refused(answer, status).await, words, "{path}");
    }
    assert!(emulator.ledger_of("syntheses").await.is_empty());
    emulator.stop().await;
}

#[tokio::test]
async fn faults_strike_speech_and_the_ledger_tells_what_was_done() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let body = json!({ "text": "Hello" });
    let mut done = 0;
    for (fault, status, is_done) in [
        (json!("quota_exceeded"), 401, false),
        (json!("unauthorized_401"), 401, false),
        (json!("too_many_requests_429"), 429, false),
        (json!("error_500_without"), 500, false),
        (json!("error_503_without"), 503, false),
        (json!("error_500_after_accepting"), 500, true),
        (json!("error_503_after_accepting"), 503, true),
        (json!("redirect_307"), 307, false),
        (json!("garbage_2xx"), 200, true),
        (json!("not_audio"), 200, false),
        (json!({ "refuse_speech": { "code": "detected_unusual_activity", "status": 401 } }), 401, false),
        (json!({ "slow": { "ms": 5 } }), 200, true),
    ] {
        emulator.arm(json!([{ "fault": fault, "on": "synthesise" }])).await;
        let answer = emulator.try_speak(VOICE, &body).await.expect("an answer");
        assert_eq!(answer.status(), status, "{fault}");
        done += usize::from(is_done);
        assert_eq!(emulator.ledger_of("syntheses").await.len(), done, "{fault}");
        assert_eq!(emulator.armed().await, json!([]), "{fault} is used up");
    }
    for (fault, is_done) in [("drop_without", false), ("accept_then_drop", true)] {
        emulator.arm(json!([{ "fault": fault, "on": "synthesise" }])).await;
        assert!(emulator.try_speak(VOICE, &body).await.is_err(), "{fault}");
        done += usize::from(is_done);
        assert_eq!(emulator.ledger_of("syntheses").await.len(), done, "{fault}");
    }
    emulator.arm(json!([{ "fault": "accept_then_hang", "on": "synthesise" }])).await;
    let hanging = emulator.asking(Method::POST, &format!("/v1/text-to-speech/{VOICE}")).json(&body);
    assert!(hanging.timeout(Duration::from_millis(300)).send().await.is_err());
    assert_eq!(emulator.ledger_of("syntheses").await.len(), done + 1);
    emulator.stop().await;
}

#[tokio::test]
async fn faults_keep_to_what_they_are_armed_for() {
    let emulator = Emulator::start(Pace::ByHand).await;
    // Those of speech need no word about it; a recipient is a voice here.
    emulator.arm(json!([{ "fault": "quota_exceeded", "to": "SandboxPremadeAlto00" }])).await;
    emulator.arm(json!([{ "fault": "error_500_without", "on": "account" }, { "fault": "error_500_without" }])).await;
    emulator.speak("Hello").await;
    let answer = emulator.try_speak("SandboxPremadeAlto00", &json!({ "text": "Hello" })).await.expect("an answer");
    assert_eq!(refused(answer, 401).await["status"], "quota_exceeded");
    let answer = emulator.asking(Method::GET, "/v1/models").send().await.expect("an answer");
    assert_eq!(refused(answer, 500).await, "Internal Server Error");
    assert_eq!(emulator.try_send(RECIPIENT).await.expect("an answer").status(), 500, "this one was Twilio's");
    for fault in [
        json!({ "fault": "queue_full_429", "on": "synthesise" }),
        json!({ "fault": { "refuse": { "code": 21211, "status": 400 } }, "on": "synthesise" }),
        json!({ "fault": { "accept_late": { "ms": 1 } }, "on": "account" }),
        json!({ "fault": { "refuse_speech": { "code": "x", "status": 200 } } }),
    ] {
        let answer = emulator.control("/sandbox/faults", json!([fault])).await;
        assert_eq!(answer.status(), 400, "{fault}");
    }
    assert_eq!(emulator.control("/sandbox/reset", json!({})).await.status(), 204);
    assert!(emulator.ledger_of("syntheses").await.is_empty());
    emulator.stop().await;
}

#[tokio::test]
async fn what_was_spoken_is_known_after_a_restart_and_still_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("sandbox.jsonl");
    let emulator = Emulator::with(journalled(&journal, Pace::ByHand)).await;
    emulator.speak(TEXT).await;
    emulator.send(RECIPIENT, None).await;
    let before = emulator.ledger_of("syntheses").await;
    emulator.stop().await;

    // As if it had spoken almost all that it may.
    let written = std::fs::read_to_string(&journal).expect("the journal");
    std::fs::write(&journal, written.replace("\"characters\":31", "\"characters\":999990")).expect("the journal");
    let emulator = Emulator::with(journalled(&journal, Pace::ByHand)).await;
    let after = emulator.ledger_of("syntheses").await;
    assert_eq!((after.len(), &after[0]["request_id"]), (1, &before[0]["request_id"]));
    assert_eq!(emulator.ledger().await[0]["from"], OWN, "a message is still one");
    let left = emulator.speech("/v1/user/subscription").await;
    let used = left["character_count"].as_u64().expect("a count");
    // The month may have changed since; then there is nothing to be used up.
    if used == 999_990 {
        let detail = refused(emulator.try_speak(VOICE, &json!({ "text": TEXT })).await.expect("an answer"), 401).await;
        assert_eq!(detail["status"], "quota_exceeded");
        assert!(
            detail["message"].as_str().is_some_and(|words| words.contains("You have 10 credits remaining")),
            "{detail}"
        );
        emulator.speak("Ten letter").await;
    }
    emulator.stop().await;
}
