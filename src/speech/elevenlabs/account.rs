//! What the account has: its voices, the models that it may use, and what is left of its characters.

use std::time::Duration;

use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use super::exchange::Bounds;
use super::{ElevenLabs, ElevenLabsError};
use crate::web::text;

/// Voices on a page; the most that `ElevenLabs` gives.
const PAGE_SIZE: &str = "100";

/// Most pages that are read: a bound of time and memory, far beyond what an account has.
const MOST_PAGES: usize = 20;

/// A person waits for these answers, and their page for no longer than its own time-out.
const BOUNDS: Bounds =
    Bounds { budget: Duration::from_secs(3), patience: Duration::from_secs(5), largest: 8 * 1024 * 1024 };

/// One who can speak.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Voice {
    /// By which it is asked for.
    #[serde(rename = "voice_id")]
    pub id: String,
    /// For people.
    #[serde(default)]
    pub name: String,
    /// Where it comes from: `premade`, `cloned`, `generated`, `professional`.
    #[serde(default)]
    pub category: Option<String>,
    /// A sample at `ElevenLabs`.
    #[serde(default)]
    pub preview_url: Option<String>,
    /// The models that suit it best; often none is named.
    #[serde(default, rename = "high_quality_base_model_ids", deserialize_with = "or_default")]
    pub best_models: Vec<String>,
}

impl Voice {
    /// Its name and where it comes from, for people who choose.
    pub(crate) fn words(&self) -> String {
        let name = if self.name.is_empty() { &self.id } else { &self.name };
        self.category.as_ref().map_or_else(|| name.clone(), |category| format!("{name} · {category}"))
    }
}

/// What makes speech.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Model {
    /// By which it is asked for.
    #[serde(rename = "model_id")]
    pub id: String,
    /// For people.
    #[serde(default)]
    pub name: String,
    /// Whether it reads a text aloud; others only change voices.
    #[serde(default)]
    pub can_do_text_to_speech: bool,
    /// Whether only some accounts may use it.
    #[serde(default)]
    pub requires_alpha_access: bool,
    /// Longest text of one request.
    #[serde(default, rename = "maximum_text_length_per_request")]
    pub max_characters: Option<u32>,
}

impl Model {
    /// Its name and how much it takes, for people who choose.
    pub(crate) fn words(&self) -> String {
        let name = if self.name.is_empty() { &self.id } else { &self.name };
        let limit = self.max_characters.map(|limit| format!(" · up to {}", text::counted(limit.into(), "character")));
        format!("{name}{}", limit.unwrap_or_default())
    }
}

/// What the account may use.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Subscription {
    /// Its plan, such as `free`.
    #[serde(default)]
    pub tier: String,
    /// How it stands, such as `active`.
    #[serde(default)]
    pub status: String,
    /// Characters that were used since the last reset.
    #[serde(rename = "character_count")]
    pub used: u64,
    /// Characters that may be used until the next reset.
    #[serde(rename = "character_limit")]
    pub limit: u64,
    #[serde(default)]
    next_character_count_reset_unix: Option<i64>,
}

impl Subscription {
    /// Characters that are left.
    pub fn left(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    /// When they begin anew.
    pub fn resets_at(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp(self.next_character_count_reset_unix?).ok()
    }
}

#[derive(Deserialize)]
struct PageOfVoices {
    #[serde(rename = "voices")]
    listed: Vec<Voice>,
    #[serde(default)]
    has_more: bool,
    #[serde(default)]
    next_page_token: Option<String>,
}

impl ElevenLabs {
    /// All voices of the account, in the order of `ElevenLabs`.
    pub async fn voices(&self, key: &SecretString) -> Result<Vec<Voice>, ElevenLabsError> {
        let mut voices = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut query = vec![("page_size", PAGE_SIZE)];
            query.extend(next.as_deref().map(|token| ("next_page_token", token)));
            let page: PageOfVoices = self.read(key, &["v2", "voices"], &query).await?;
            voices.extend(page.listed);
            next = page.next_page_token.filter(|token| page.has_more && !token.is_empty());
            if next.is_none() {
                break;
            }
        }
        Ok(voices)
    }

    /// The models that the account may use.
    pub async fn models(&self, key: &SecretString) -> Result<Vec<Model>, ElevenLabsError> {
        self.read(key, &["v1", "models"], &[]).await
    }

    /// How much the account has used, and may use.
    pub async fn subscription(&self, key: &SecretString) -> Result<Subscription, ElevenLabsError> {
        self.read(key, &["v1", "user", "subscription"], &[]).await
    }

    async fn read<T: DeserializeOwned>(
        &self,
        key: &SecretString,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, ElevenLabsError> {
        let answer = self.exchange(Method::GET, path, key)?.query(query).send(BOUNDS).await?;
        serde_json::from_slice(&answer.body).map_err(|_| ElevenLabsError::Unreadable)
    }
}

/// Null as nothing.
fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_is_no_obstacle() {
        let voice: Voice = serde_json::from_str(r#"{"voice_id": "a", "name": "A"}"#).expect("a voice");
        assert!(voice.category.is_none() && voice.best_models.is_empty());
        let nulls = r#"{"voice_id": "a", "category": null, "high_quality_base_model_ids": null, "labels": {}}"#;
        assert!(serde_json::from_str::<Voice>(nulls).is_ok());
        let model: Model = serde_json::from_str(r#"{"model_id": "m", "languages": []}"#).expect("a model");
        assert!(!model.can_do_text_to_speech && model.max_characters.is_none());
    }

    #[test]
    fn more_may_be_used_than_there_is() {
        let text = r#"{"character_count": 12, "character_limit": 10, "next_character_count_reset_unix": null}"#;
        let subscription: Subscription = serde_json::from_str(text).expect("a subscription");
        assert_eq!((subscription.left(), subscription.resets_at()), (0, None));
    }
}
