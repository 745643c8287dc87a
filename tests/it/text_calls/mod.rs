//! Calls from text: made into speech before anybody decides, heard by the approver, and played as they were heard.

mod deciding;
mod failing;
mod pages;
mod sharing;
mod way;

use mission_control::auth::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::service::{Answer, Service, Setup, text};
use crate::support::studio::{self, Studio};

const TO: &str = "+14155550132";

/// A service, and the token of somebody who may do everything.
async fn start(setup: Setup) -> (Service, String) {
    let service = setup.start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    (service, token)
}

/// A service whose speech is made in this studio.
async fn with_studio(studio: &Studio) -> (Service, String) {
    start(in_studio(Setup::new().await, studio)).await
}

fn in_studio(setup: Setup, studio: &Studio) -> Setup {
    setup.with("MISSION_CONTROL_ELEVENLABS_BASE_URL", &studio.url).with("ELEVENLABS_API_KEY", studio::KEY)
}

async fn make_call(service: &Service, token: &str, body: &Value) -> Answer {
    service.post("/api/twilio/make-call", token, body).await
}

/// Asks for a call that says this.
async fn ask(service: &Service, token: &str, to: &str, says: &str) -> Value {
    let asked = make_call(service, token, &json!({ "to": to, "text": says })).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
    asked.json()
}

/// Asks, and waits until it can be heard.
async fn ask_prepared(service: &Service, token: &str, to: &str, says: &str) -> Value {
    let asked = ask(service, token, to, says).await;
    service.until(token, &id(&asked), "pending_approval").await
}

fn id(asked: &Value) -> String {
    text(&asked["operationId"])
}

/// The texts that the embedded ElevenLabs read aloud.
async fn syntheses(service: &Service) -> Vec<Value> {
    service.ledger().await["syntheses"].as_array().expect("a list").clone()
}

async fn calls(service: &Service) -> Vec<Value> {
    service.ledger().await["calls"].as_array().expect("a list").clone()
}

/// The actions of its history, oldest first.
fn history(story: &Value) -> Vec<String> {
    story["history"].as_array().expect("lines").iter().map(|line| text(&line["action"])).collect()
}
