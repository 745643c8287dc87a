//! The figures: exact after a known story, closed to strangers, and free of what is nobody's business.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mission_control::auth::{Role, Scope};
use mission_control::sandbox::Pace;
use mission_control::twilio::signature::{SIGNATURE_HEADER, sign};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::service::{Service, Setup, text};

/// Every sample by its name and labels, as they are written.
async fn scrape(service: &Service, token: &str) -> BTreeMap<String, f64> {
    // A reading is good for a second.
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    samples(&figures(service, token).await)
}

async fn figures(service: &Service, token: &str) -> String {
    let answer = service.get("/metrics", token).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    answer.text
}

fn samples(text: &str) -> BTreeMap<String, f64> {
    let samples = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| {
        let (name, value) = line.rsplit_once(' ').expect("a sample");
        let (metric, labels) = name.split_once('{').unwrap_or((name, "}"));
        // In one order, whatever the order of the labels.
        let labels: BTreeSet<&str> =
            labels.trim_end_matches('}').split("\",").map(|label| label.trim_end_matches('"')).collect();
        let labels = labels.into_iter().filter(|label| !label.is_empty()).map(|label| format!("{label}\""));
        let name = format!("{metric}{{{}}}", labels.collect::<Vec<_>>().join(","));
        (name, value.parse().expect("a number"))
    });
    samples.collect()
}

fn expect(samples: &BTreeMap<String, f64>, expected: &[(&str, f64)]) {
    for (name, value) in expected {
        let name = format!("mission_control_{name}");
        assert_eq!(samples.get(&name), Some(value), "{name} in {samples:#?}");
    }
}

/// Posts a report of Twilio's on this operation, signed with this secret.
async fn report(service: &Service, operation: &str, sid: &str, status: &str, secret: Option<&str>) -> StatusCode {
    let credentials = service.app().vault.twilio().await.expect("the vault").expect("credentials");
    let params: Vec<(String, String)> =
        [("MessageSid", sid), ("AccountSid", &credentials.account_sid), ("MessageStatus", status)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
    let path = format!("/webhooks/twilio/message-status/{operation}");
    let secret = secret.map_or(credentials.auth_token, Into::into);
    let signature = sign(&service.app().public_url.join(&path), &params, &secret).expect("a signature");
    let request = service.client().post(service.url(&path)).header(SIGNATURE_HEADER, signature).form(&params);
    request.send().await.expect("an answer").status()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_story_has_exact_figures() {
    let service = Setup::new().await.pace(Pace::ByHand).start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let before = scrape(&service, &token).await;
    expect(
        &before,
        &[
            ("operation_transitions_total{kind=\"sms\",state=\"delivered\"}", 0.0),
            ("attempts_total{kind=\"call\",outcome=\"unknown\"}", 0.0),
            ("callbacks_total{result=\"orphan\"}", 0.0),
            ("hold{}", 0.0),
            ("approval_required{}", 1.0),
            ("database_pool_limit{}", 16.0),
        ],
    );

    // One is delivered, one refused by Twilio, one rejected, one waits, one is approved behind a hold.
    let delivered = service.ask_approved(&token, "+14155550132", "Hello").await;
    let sid = text(&service.until(&token, &delivered, "accepted").await["messageSid"]);
    for (operation, sid, status, secret, answer) in [
        (&delivered, sid.as_str(), "delivered", None, 204),
        (&delivered, &sid, "delivered", None, 204),
        (&delivered, &sid, "sent", None, 204),
        (&delivered, "SM00000000000000000000000000000009", "sent", None, 204),
        (&delivered, &sid, "failed", Some("not the token"), 403),
    ] {
        assert_eq!(report(&service, operation, sid, status, secret).await.as_u16(), answer);
    }
    let refused = service.ask_approved(&token, "+15005550001", "Nobody").await;
    service.until(&token, &refused, "failed").await;
    let rejected = text(&service.ask(&token, "+14155550133", "No").await["operationId"]);
    let path = format!("/api/operations/{rejected}/reject");
    assert_eq!(service.post(&path, &token, &json!({ "reason": "no" })).await.status, StatusCode::OK);
    service.ask(&token, "+14155550134", "Wait").await;
    let held = service.ask(&token, "+14155550135", "Held").await;
    let hold = service.request(Method::PUT, "/api/hold", &token).json(&json!({ "reason": "stop" }));
    assert_eq!(service.send(hold).await.status, StatusCode::OK);
    assert_eq!(service.approve(&token, &held).await.status, StatusCode::OK);
    assert_eq!(service.get("/nowhere/+14155550132?secret=1", &token).await.status, StatusCode::NOT_FOUND);

    // The audit is counted once its newest lines are half a minute old.
    service.clock.advance(Duration::from_secs(40));
    let after = scrape(&service, &token).await;
    let moved = |state: &str| format!("operation_transitions_total{{kind=\"sms\",state=\"{state}\"}}");
    for (state, count) in [
        ("pending_approval", 5.0),
        ("approved", 3.0),
        ("sending", 2.0),
        ("accepted", 1.0),
        ("delivered", 1.0),
        ("failed", 1.0),
        ("rejected", 1.0),
        ("unknown", 0.0),
    ] {
        expect(&after, &[(&moved(state), count)]);
    }
    expect(
        &after,
        &[
            ("attempts_total{kind=\"sms\",outcome=\"accepted\"}", 1.0),
            ("attempts_total{kind=\"sms\",outcome=\"refused\"}", 1.0),
            ("attempts_total{kind=\"sms\",outcome=\"not_sent\"}", 0.0),
            ("callbacks_total{result=\"accepted\"}", 1.0),
            ("callbacks_total{result=\"duplicate\"}", 2.0),
            ("callbacks_total{result=\"orphan\"}", 1.0),
            ("callbacks_total{result=\"bad_signature\"}", 1.0),
            ("operations{kind=\"sms\",state=\"pending_approval\"}", 1.0),
            ("operations{kind=\"sms\",state=\"approved\"}", 1.0),
            ("operations{kind=\"call\",state=\"approved\"}", 0.0),
            ("queue_depth{kind=\"sms\"}", 1.0),
            ("waiting_for_approval{}", 1.0),
            ("needs_attention{}", 0.0),
            ("hold{}", 1.0),
            ("http_requests_total{method=\"POST\",route=\"/api/twilio/send-sms\",status=\"202\"}", 5.0),
            ("http_requests_total{method=\"GET\",route=\"none\",status=\"404\"}", 1.0),
            (
                "http_requests_total{method=\"POST\",route=\"/webhooks/twilio/message-status/{operation}\",status=\"403\"}",
                1.0,
            ),
            ("http_request_duration_seconds_count{route=\"/api/twilio/send-sms\"}", 5.0),
            ("http_request_duration_seconds_bucket{le=\"+Inf\",route=\"/api/twilio/send-sms\"}", 5.0),
        ],
    );
    for age in ["queue_oldest_seconds{kind=\"sms\"}", "waiting_for_approval_oldest_seconds{}"] {
        let seconds = after[&format!("mission_control_{age}")];
        assert!((40.0..100.0).contains(&seconds), "{age} {seconds}");
    }
    // Nothing counts twice, and what is gone is gone.
    let lift = service.request(Method::DELETE, "/api/hold", &token);
    assert_eq!(service.send(lift).await.status, StatusCode::OK);
    service.until(&token, &text(&held["operationId"]), "accepted").await;
    let later = scrape(&service, &token).await;
    expect(&later, &[("hold{}", 0.0), ("queue_depth{kind=\"sms\"}", 0.0), (&moved("sending"), 2.0)]);
    service.clock.advance(Duration::from_secs(40));
    let last = scrape(&service, &token).await;
    expect(&last, &[(&moved("sending"), 3.0), (&moved("accepted"), 2.0), (&moved("pending_approval"), 5.0)]);

    let text = figures(&service, &token).await;
    for secret in [&delivered, &sid, "5550132", "5005550001", "Hello", "ada@", "/nowhere", "mc_", "secret"] {
        assert!(!text.contains(secret), "{secret}");
    }
    service.stop().await;
}

#[tokio::test]
async fn figures_are_for_those_who_may_read_operations() {
    let service = Service::start().await;
    service.person("eve@example.com", Role::Viewer).await;
    let reader = service.token_of("eve@example.com", &[Scope::OperationsRead]).await;
    let other = service.token_of("eve@example.com", &[Scope::AuditRead]).await;
    assert_eq!(service.get("/metrics", &reader).await.status, StatusCode::OK);
    assert_eq!(service.get("/metrics", &other).await.status, StatusCode::FORBIDDEN);
    assert_eq!(service.get("/metrics", "mc_wrong").await.status, StatusCode::UNAUTHORIZED);
    let stranger = service.client().get(service.url("/metrics"));
    assert_eq!(service.send(stranger).await.status, StatusCode::UNAUTHORIZED);
    service.stop().await;
}

#[tokio::test]
async fn two_services_in_one_process_do_not_mix() {
    let (one, other) = (Service::start().await, Service::start().await);
    let (mine, yours) =
        (one.token("ada@example.com", Role::Admin).await, other.token("ada@example.com", Role::Admin).await);
    one.ask(&mine, "+14155550132", "Hello").await;
    let asked = "{method=\"POST\",route=\"/api/twilio/send-sms\",status=\"202\"}";
    let asked = format!("mission_control_http_requests_total{asked}");
    assert_eq!(samples(&figures(&one, &mine).await).get(&asked), Some(&1.0));
    assert_eq!(samples(&figures(&other, &yours).await).get(&asked), None);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn labels_do_not_grow_with_what_callers_invent() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    figures(&service, &token).await;
    let count = samples(&figures(&service, &token).await).len();
    for number in 0..50 {
        service.get(&format!("/invented/{number}"), &token).await;
        let method = Method::from_bytes(format!("INVENT{number}").as_bytes()).expect("a method");
        service.send(service.request(method, "/healthz", &token)).await;
    }
    let text = figures(&service, &token).await;
    assert!(!text.contains("invented") && !text.contains("INVENT"));
    // Two routes, each with its durations and one answer.
    assert!(samples(&text).len() - count <= 2 * 20, "{text}");
    service.stop().await;
}

/// The names of figures in a query: what is no function, keyword, label or text.
fn names(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words
        .filter(|word| word.starts_with("mission_control_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn the_dashboard_asks_only_for_what_there_is() {
    let dashboard: Value = serde_json::from_str(include_str!("../../config/grafana-dashboard.json")).expect("JSON");
    assert!(dashboard["schemaVersion"].as_i64().is_some_and(|version| version >= 41));
    assert_eq!(dashboard["templating"]["list"][0]["type"], "datasource");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut asked = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_i64()), "{panel}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}");
        for target in panel["targets"].as_array().expect("targets") {
            let found = names(target["expr"].as_str().expect("a query"));
            assert!(!found.is_empty(), "{target}");
            asked.extend(found);
        }
    }
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    figures(&service, &token).await;
    let text = figures(&service, &token).await;
    let given: BTreeSet<String> =
        samples(&text).keys().map(|name| name.split('{').next().unwrap_or_default().to_owned()).collect();
    assert!(asked.is_subset(&given), "{:?}", asked.difference(&given));
    for name in &given {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(text.contains(&format!("# HELP {family} ")), "{family} says what it is");
    }
    service.stop().await;
}
