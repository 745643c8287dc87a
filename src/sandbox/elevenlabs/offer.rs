//! What the emulated account has: a handful of voices and models.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::Refusal;

/// A voice, and the pitch by which it can be told from the others.
pub(super) struct Voice {
    pub(super) id: &'static str,
    name: &'static str,
    category: &'static str,
    best_models: &'static [&'static str],
    /// The line of the spectrum that its tone is on; each is 38 Hz.
    pub(super) line: u32,
}

/// A model, and the most text that it takes.
pub(super) struct Model {
    id: &'static str,
    name: &'static str,
    pub(super) reads_text: bool,
    pub(super) limit: u32,
}

/// Made up for the sandbox: with an account of one's own they do not exist.
const VOICES: [Voice; 4] = [
    Voice { id: "SandboxPremadeAlto00", name: "Alto (sandbox)", category: "premade", best_models: &[], line: 11 },
    Voice { id: "SandboxPremadeBass00", name: "Bass (sandbox)", category: "premade", best_models: &[], line: 5 },
    Voice {
        id: "SandboxClonedTenor00",
        name: "Tenor (sandbox)",
        category: "cloned",
        best_models: &["eleven_multilingual_v2"],
        line: 8,
    },
    Voice {
        id: "SandboxDesignSoprano",
        name: "Soprano (sandbox)",
        category: "generated",
        best_models: &["eleven_flash_v2_5"],
        line: 16,
    },
];

const MODELS: [Model; 4] = [
    Model { id: "eleven_multilingual_v2", name: "Eleven Multilingual v2", reads_text: true, limit: 10_000 },
    Model { id: "eleven_flash_v2_5", name: "Eleven Flash v2.5", reads_text: true, limit: 40_000 },
    Model { id: "eleven_v3", name: "Eleven v3", reads_text: true, limit: 5_000 },
    Model {
        id: "eleven_multilingual_sts_v2",
        name: "Eleven Multilingual v2 (voice changer)",
        reads_text: false,
        limit: 10_000,
    },
];

/// Voices on a page unless the request says otherwise, and at most.
const USUAL_PAGE: usize = 10;
const LARGEST_PAGE: usize = 100;

impl Voice {
    pub(super) fn find(id: &str) -> Option<&'static Self> {
        VOICES.iter().find(|voice| voice.id == id)
    }

    fn resource(&self) -> Value {
        json!({
            "voice_id": self.id,
            "name": self.name,
            "category": self.category,
            "labels": {},
            "description": "A tone of the sandbox.",
            "preview_url": null,
            "high_quality_base_model_ids": self.best_models,
        })
    }
}

impl Model {
    pub(super) fn find(id: &str) -> Option<&'static Self> {
        MODELS.iter().find(|model| model.id == id)
    }

    fn resource(&self) -> Value {
        json!({
            "model_id": self.id,
            "name": self.name,
            "can_do_text_to_speech": self.reads_text,
            "can_do_voice_conversion": !self.reads_text,
            "requires_alpha_access": false,
            "maximum_text_length_per_request": self.limit,
            "languages": [{ "language_id": "en", "name": "English" }],
        })
    }
}

pub(super) fn voices() -> Value {
    json!({ "voices": VOICES.iter().map(Voice::resource).collect::<Vec<_>>() })
}

/// The voices from where the page before ended.
pub(super) fn page_of_voices(query: Option<&str>) -> Result<Value, Refusal> {
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    let given = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let size = match given("page_size").map(str::parse) {
        None => USUAL_PAGE,
        Some(Ok(size)) if (1..=LARGEST_PAGE).contains(&size) => size,
        Some(_) => {
            let message = "Input should be 1 to 100";
            return Err(Refusal::unfit(["query", "page_size"], "less_than_equal", message));
        }
    };
    let first = match given("next_page_token").map(str::parse::<usize>) {
        None => 0,
        Some(Ok(first)) if first <= VOICES.len() => first,
        Some(_) => {
            let (status, code) = (StatusCode::BAD_REQUEST, "invalid_page_token");
            return Err(Refusal::coded(status, "validation_error", code, "The page token is not valid."));
        }
    };
    let end = (first + size).min(VOICES.len());
    let has_more = end < VOICES.len();
    Ok(json!({
        "voices": VOICES[first..end].iter().map(Voice::resource).collect::<Vec<_>>(),
        "has_more": has_more,
        "total_count": VOICES.len(),
        "next_page_token": has_more.then(|| end.to_string()),
    }))
}

pub(super) fn models() -> Value {
    json!(MODELS.iter().map(Model::resource).collect::<Vec<_>>())
}
