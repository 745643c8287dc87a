//! The account's voices and models, remembered for a few minutes: which of them speaks where nobody chose, and how much text
//! a model takes. Nothing here is written down, and no voice is ever taken for granted: accounts differ.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::elevenlabs::{ElevenLabs, ElevenLabsError, Model, Voice};
use crate::config::VoiceSettings;

/// How long an answer of `ElevenLabs` is believed.
const FRESH: Duration = Duration::from_mins(5);

/// What the account has to offer; cheap to clone, and all clones know the same.
#[derive(Clone, Default)]
pub struct Catalogue(Arc<Inner>);

#[derive(Default)]
struct Inner {
    known: Mutex<Option<Known>>,
    /// One asks, the others wait for what it learns.
    asking: tokio::sync::Mutex<()>,
}

/// What came of asking with one key.
struct Known {
    key: [u8; 32],
    at: Instant,
    offer: Result<Arc<Offer>, ElevenLabsError>,
}

/// The voices and the models of an account, as `ElevenLabs` lists them.
#[derive(Debug, Default)]
pub struct Offer {
    /// Those who can speak.
    pub voices: Vec<Voice>,
    /// What makes speech of a text.
    pub models: Vec<Model>,
}

/// What a request names; the rest is chosen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// A voice, by its id.
    pub voice: Option<&'a str>,
    /// A model, by its id.
    pub model: Option<&'a str>,
}

/// Who speaks, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The voice, by its id.
    pub voice: String,
    /// The model, by its id.
    pub model: String,
    /// Most characters of a text that the model takes; `None`: `ElevenLabs` does not say.
    pub limit: Option<u32>,
}

/// Why nobody can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotChosen {
    /// `ElevenLabs` could not be asked.
    #[error(transparent)]
    Asked(#[from] ElevenLabsError),
    /// There is no voice.
    #[error("The ElevenLabs account has no voice. Add one to its voices at ElevenLabs, then ask again.")]
    NoVoice,
    /// There is no model.
    #[error("The ElevenLabs account has no model that reads a text aloud. Look at its plan at ElevenLabs.")]
    NoModel,
}

impl NotChosen {
    /// Its name in rows and in the API; stable.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Asked(error) => error.code(),
            Self::NoVoice => "speech_no_voice",
            Self::NoModel => "speech_no_model",
        }
    }

    /// Whether the same question may be answered a little later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Asked(error) if error.is_transient())
    }
}

impl Catalogue {
    /// Who speaks: as the request says, else as the settings say, else the first of the account that is fit for it. Asks
    /// `ElevenLabs` if what it said is not known or too old.
    pub async fn choose(
        &self,
        elevenlabs: &ElevenLabs,
        key: &SecretString,
        settings: &VoiceSettings,
        wanted: Wanted<'_>,
    ) -> Result<Chosen, NotChosen> {
        let wanted = wanted.or(settings);
        match (self.offer(elevenlabs, key).await, wanted) {
            (Ok(offer), wanted) => offer.choose(wanted),
            // A key may be good for speech alone: where both are named, nobody needs the lists.
            (Err(_), Wanted { voice: Some(voice), model: Some(model) }) => {
                Ok(Chosen { voice: voice.to_owned(), model: model.to_owned(), limit: None })
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    /// The same without asking anybody; `None` while it is not known.
    pub fn choice_at_hand(
        &self,
        key: &SecretString,
        settings: &VoiceSettings,
        wanted: Wanted<'_>,
    ) -> Option<Result<Chosen, NotChosen>> {
        let offer = self.remembered(digest(key))?;
        Some(offer.choose(wanted.or(settings)))
    }

    /// The account's voices and models, from memory while they are fresh.
    pub async fn offer(&self, elevenlabs: &ElevenLabs, key: &SecretString) -> Result<Arc<Offer>, ElevenLabsError> {
        let digest = digest(key);
        if let Some(offer) = self.remembered(digest) {
            return Ok(offer);
        }
        let began = Instant::now();
        let _asking = self.0.asking.lock().await;
        // Whoever asked meanwhile did so for all who waited, whatever came of it: they do not queue up for one who is silent.
        if let Some(offer) = self.learnt_since(began, digest) {
            return offer;
        }
        let asked = tokio::try_join!(elevenlabs.voices(key), elevenlabs.models(key));
        let offer = asked.map(|(voices, models)| {
            let models = models.into_iter().filter(|model| model.can_do_text_to_speech).collect();
            Arc::new(Offer { voices, models })
        });
        *self.known() = Some(Known { key: digest, at: Instant::now(), offer: offer.clone() });
        offer
    }

    fn learnt_since(&self, began: Instant, key: [u8; 32]) -> Option<Result<Arc<Offer>, ElevenLabsError>> {
        let known = self.known();
        known.as_ref().filter(|known| known.key == key && known.at >= began).map(|known| known.offer.clone())
    }

    fn remembered(&self, key: [u8; 32]) -> Option<Arc<Offer>> {
        let known = self.known();
        let known = known.as_ref().filter(|known| known.key == key && known.at.elapsed() < FRESH)?;
        known.offer.as_ref().ok().map(Arc::clone)
    }

    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        // Every change is one assignment, so a panic elsewhere while it was held does not matter.
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Wanted<'a> {
    /// Where nothing is wanted, what the settings say.
    pub(crate) fn or(self, settings: &'a VoiceSettings) -> Self {
        let set = |id: &'a String| Some(id.as_str()).filter(|id| !id.is_empty());
        Self {
            voice: self.voice.or_else(|| set(&settings.voice_id)),
            model: self.model.or_else(|| set(&settings.model_id)),
        }
    }
}

impl Offer {
    /// The voice of this id.
    pub fn voice(&self, id: &str) -> Option<&Voice> {
        self.voices.iter().find(|voice| voice.id == id)
    }

    /// The model of this id.
    pub fn model(&self, id: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.id == id)
    }

    /// Completes what is wanted. An id that is not listed is taken as it is: a shared voice can speak without being the
    /// account's, and `ElevenLabs` says so if it cannot.
    pub(crate) fn choose(&self, wanted: Wanted<'_>) -> Result<Chosen, NotChosen> {
        let voice = match wanted.voice {
            Some(id) => id,
            None => &self.first_voice().ok_or(NotChosen::NoVoice)?.id,
        };
        let model = match wanted.model {
            Some(id) => id,
            None => &self.first_model_for(voice).ok_or(NotChosen::NoModel)?.id,
        };
        let limit = self.model(model).and_then(|model| model.max_characters);
        Ok(Chosen { voice: voice.to_owned(), model: model.to_owned(), limit })
    }

    /// The account's own voices come before those that `ElevenLabs` gives to everybody, and may take away again.
    fn first_voice(&self) -> Option<&Voice> {
        let is_own = |voice: &&Voice| voice.category.as_deref().is_some_and(|category| category != "premade");
        self.voices.iter().find(is_own).or_else(|| self.voices.first())
    }

    /// The first model that suits the voice best, else the first of those that everybody may use.
    fn first_model_for(&self, voice: &str) -> Option<&Model> {
        let best = self.voice(voice).map_or(&[][..], |voice| &voice.best_models);
        let usable = || self.models.iter().filter(|model| !model.requires_alpha_access);
        usable().find(|model| best.contains(&model.id)).or_else(|| usable().next())
    }
}

/// What tells one key from another.
#[expect(clippy::disallowed_methods, reason = "only the hash of the key is kept")]
fn digest(key: &SecretString) -> [u8; 32] {
    Sha256::digest(key.expose_secret().as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn offer(voices: &serde_json::Value, models: &serde_json::Value) -> Offer {
        Offer {
            voices: serde_json::from_value(voices.clone()).expect("voices"),
            models: serde_json::from_value(models.clone()).expect("models"),
        }
    }

    fn usual() -> Offer {
        offer(
            &json!([
                { "voice_id": "everybodys", "category": "premade" },
                { "voice_id": "own", "category": "cloned", "high_quality_base_model_ids": ["gone", "second"] },
            ]),
            &json!([
                { "model_id": "alpha", "requires_alpha_access": true },
                { "model_id": "first", "maximum_text_length_per_request": 10_000 },
                { "model_id": "second", "maximum_text_length_per_request": 40_000 },
            ]),
        )
    }

    fn settings(voice_id: &str, model_id: &str) -> VoiceSettings {
        VoiceSettings { voice_id: voice_id.to_owned(), model_id: model_id.to_owned(), clips_kept_hours: 24 }
    }

    #[test]
    fn the_request_comes_before_the_settings_and_these_before_the_accounts_own() {
        let chosen = |wanted: Wanted<'_>, voice_id: &str, model_id: &str| {
            let settings = settings(voice_id, model_id);
            let Chosen { voice, model, limit } = usual().choose(wanted.or(&settings)).expect("a choice");
            (voice, model, limit)
        };
        let own = |voice: &str, model: &str, limit| (voice.to_owned(), model.to_owned(), limit);
        let none = Wanted::default();
        assert_eq!(chosen(none, "", ""), own("own", "second", Some(40_000)));
        assert_eq!(chosen(none, "everybodys", ""), own("everybodys", "first", Some(10_000)));
        assert_eq!(chosen(none, "shared", "elsewhere"), own("shared", "elsewhere", None));
        let both = Wanted { voice: Some("everybodys"), model: Some("second") };
        assert_eq!(chosen(both, "own", "first"), own("everybodys", "second", Some(40_000)));
        assert_eq!(chosen(Wanted { model: Some("first"), ..none }, "own", "second"), own("own", "first", Some(10_000)));
    }

    #[test]
    fn an_account_without_voices_or_models_is_told_so() {
        let none = offer(&json!([]), &json!([]));
        assert_eq!(none.choose(Wanted::default()), Err(NotChosen::NoVoice));
        let voice = Wanted { voice: Some("v"), model: None };
        assert_eq!(none.choose(voice), Err(NotChosen::NoModel));
        let premade =
            offer(&json!([{ "voice_id": "everybodys", "category": "premade" }]), &json!([{ "model_id": "m" }]));
        let chosen = premade.choose(Wanted::default()).expect("a choice");
        assert_eq!((chosen.voice.as_str(), chosen.limit), ("everybodys", None));
    }

    #[test]
    fn what_was_learnt_with_one_key_is_not_believed_of_another() {
        let (catalogue, key) = (Catalogue::default(), SecretString::from("one"));
        let settings = settings("", "");
        assert!(catalogue.choice_at_hand(&key, &settings, Wanted::default()).is_none());
        let known = Known { key: digest(&key), at: Instant::now(), offer: Ok(Arc::new(usual())) };
        *catalogue.known() = Some(known);
        assert!(
            catalogue.clone().choice_at_hand(&key, &settings, Wanted::default()).is_some_and(|choice| choice.is_ok())
        );
        assert!(catalogue.choice_at_hand(&SecretString::from("two"), &settings, Wanted::default()).is_none());
    }
}
