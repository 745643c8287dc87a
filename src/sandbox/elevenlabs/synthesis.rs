//! Text to speech: what is asked for is checked as `ElevenLabs` checks it, counted, and made.

use hyper::{
    StatusCode,
    header::{HeaderName, HeaderValue},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::super::{
    answer::{Answer, with_type},
    now, random_hex,
    server::Received,
    state::Shared,
};
use super::offer::{Model, Voice};
use super::tone::BitRate;
use super::{MONTHLY_CHARACTERS, Refusal, tone, used_in_month};

/// What `ElevenLabs` takes if a request names none.
const USUAL_MODEL: &str = "eleven_multilingual_v2";

/// A text that was read aloud, as the ledger tells of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::sandbox) struct Synthesis {
    pub(super) request_id: String,
    pub(super) text: String,
    pub(super) voice_id: String,
    pub(super) model_id: String,
    pub(super) characters: u64,
    pub(super) bytes: usize,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) accepted_at: OffsetDateTime,
}

/// Reads the text of a request aloud. The same text in the same voice always makes the same bytes.
pub(super) fn make(shared: &Shared, voice: &str, received: &Received) -> Result<Answer, Refusal> {
    let rate = bit_rate(received)?;
    let body: Value = serde_json::from_slice(&received.body)
        .map_err(|_| Refusal::unfit(["body", "0"], "json_invalid", "JSON decode error"))?;
    let text = match body.get("text") {
        None => return Err(Refusal::unfit(["body", "text"], "missing", "Field required")),
        Some(Value::String(text)) if text.trim().is_empty() => {
            let message = "String should have at least 1 character";
            return Err(Refusal::unfit(["body", "text"], "string_too_short", message));
        }
        Some(Value::String(text)) => text,
        Some(_) => return Err(Refusal::unfit(["body", "text"], "string_type", "Input should be a valid string")),
    };
    let model_id = body.get("model_id").and_then(Value::as_str).unwrap_or(USUAL_MODEL);
    let model = model(model_id)?;
    let voice = Voice::find(voice).ok_or_else(|| {
        let message = format!("A voice with the voice_id {voice} was not found.");
        Refusal::coded(StatusCode::NOT_FOUND, "not_found", "voice_not_found", message)
    })?;
    let characters = text.chars().count() as u64;
    if characters > u64::from(model.limit) {
        let message = format!(
            "The text is {characters} characters long, but {model_id} takes {} characters a request.",
            model.limit
        );
        return Err(Refusal::stated(StatusCode::BAD_REQUEST, "max_character_limit_exceeded", message));
    }
    let audio = tone::speak(text, voice.line, rate);
    let synthesis = shared.synthesise(|before| {
        let at = now();
        let left = MONTHLY_CHARACTERS.saturating_sub(used_in_month(before, at));
        if characters > left {
            return Err(Refusal::quota(MONTHLY_CHARACTERS, left, characters));
        }
        Ok(Synthesis {
            request_id: random_hex(),
            text: text.clone(),
            voice_id: voice.id.to_owned(),
            model_id: model_id.to_owned(),
            characters,
            bytes: audio.len(),
            accepted_at: at,
        })
    })?;
    tracing::info!(event = "sandbox.synthesised", characters, "the sandbox read a text aloud");
    let mut answer = with_type(StatusCode::OK, "audio/mpeg", audio);
    let headers = answer.headers_mut();
    let id = HeaderValue::try_from(synthesis.request_id).expect("visible ASCII");
    headers.insert(HeaderName::from_static("request-id"), id);
    headers.insert(HeaderName::from_static("character-cost"), HeaderValue::from(characters));
    Ok(answer)
}

fn model(id: &str) -> Result<&'static Model, Refusal> {
    let refused = |code, message| Refusal::coded(StatusCode::BAD_REQUEST, "validation_error", code, message);
    match Model::find(id) {
        None => Err(refused("model_not_found", format!("A model with model ID {id} does not exist."))),
        Some(model) if !model.reads_text => {
            Err(refused("model_can_not_do_text_to_speech", format!("The model {id} cannot do text to speech.")))
        }
        Some(model) => Ok(model),
    }
}

/// The bit rate of the wanted format; the sandbox makes MP3 of one sample rate.
fn bit_rate(received: &Received) -> Result<BitRate, Refusal> {
    let query = received.uri.query().unwrap_or_default().as_bytes();
    let format = url::form_urlencoded::parse(query).find(|(name, _)| name == "output_format");
    let format = format.map_or_else(|| "mp3_44100_128".into(), |(_, format)| format);
    let rate = format.strip_prefix("mp3_44100_").and_then(|rate| rate.parse().ok()).and_then(BitRate::of_kilobits);
    rate.ok_or_else(|| {
        let message = "Input should be mp3_44100_32, _64, _96, _128 or _192: the sandbox makes no other format";
        Refusal::unfit(["query", "output_format"], "enum", message)
    })
}
