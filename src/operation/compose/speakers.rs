//! Who can speak a call from text: the account's voices and models, to choose from while a call is written.

use std::time::Duration;

use crate::error::Result;
use crate::speech::catalogue::Offer;
use crate::state::AppState;

/// Longest that the form waits for `ElevenLabs`; past that, ids are typed.
const PATIENCE: Duration = Duration::from_secs(3);

/// Voices and models to choose from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Speakers {
    voices: Option<Vec<Choice>>,
    models: Option<Vec<Choice>>,
    /// Why there is nothing to choose from.
    pub(crate) trouble: Option<String>,
    /// Whether there is a key to make speech with.
    pub(crate) has_key: bool,
}

/// An id, and words for it.
type Choice = (String, String);

/// What the account has, as far as `ElevenLabs` says so in time.
pub(crate) async fn speakers(app: &AppState) -> Result<Speakers> {
    let Some(key) = app.vault.elevenlabs_key().await? else {
        let why = "There is no ElevenLabs API key in the API Vault, so calls from text cannot be made.";
        return Ok(Speakers { has_key: false, ..Speakers::unknown(why.to_owned()) });
    };
    let asked = tokio::time::timeout(PATIENCE, app.catalogue.offer(&app.elevenlabs, &key)).await;
    Ok(match asked {
        Ok(Ok(offer)) => Speakers::of(&offer),
        Ok(Err(error)) => Speakers::unknown(format!("{error} Until then, a voice and a model are named by their ids.")),
        Err(_) => Speakers::unknown(
            "ElevenLabs did not answer in time, so a voice and a model are named by their ids.".to_owned(),
        ),
    })
}

impl Speakers {
    pub(crate) fn of(offer: &Offer) -> Self {
        Self {
            voices: Some(offer.voices.iter().map(|voice| (voice.id.clone(), voice.words())).collect()),
            models: Some(offer.models.iter().map(|model| (model.id.clone(), model.words())).collect()),
            trouble: None,
            has_key: true,
        }
    }

    pub(crate) fn unknown(why: String) -> Self {
        Self { trouble: Some(why), has_key: true, ..Self::default() }
    }

    /// The voices with what is chosen among them; `None`: an id is typed.
    pub(crate) fn voices(&self, chosen: &str) -> Option<Vec<Choice>> {
        self.voices.as_ref().map(|listed| Self::options(listed, chosen))
    }

    /// The models likewise.
    pub(crate) fn models(&self, chosen: &str) -> Option<Vec<Choice>> {
        self.models.as_ref().map(|listed| Self::options(listed, chosen))
    }

    /// Who speaks a clip, by names where they are known.
    pub(crate) fn names(&self, voice: &str, model: &str) -> String {
        let name = |listed: &Option<Vec<Choice>>, id: &str| {
            let known = listed.iter().flatten().find(|(known, _)| known == id);
            known.map_or_else(|| id.to_owned(), |(_, words)| words.clone())
        };
        format!("{}, {}", name(&self.voices, voice), name(&self.models, model))
    }

    fn options(listed: &[Choice], chosen: &str) -> Vec<Choice> {
        let none = (String::new(), "The one in the settings".to_owned());
        // An id that is not listed may still speak: a shared voice does.
        let is_unlisted = !chosen.is_empty() && listed.iter().all(|(id, _)| id != chosen);
        let unlisted = is_unlisted.then(|| (chosen.to_owned(), format!("{chosen} (not listed)")));
        std::iter::once(none).chain(unlisted).chain(listed.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_stays_a_choice_though_nobody_lists_it() {
        let listed = vec![("a".to_owned(), "Alto".to_owned())];
        let speakers = Speakers { voices: Some(listed), ..Speakers::default() };
        let words = |chosen| {
            let options = speakers.voices(chosen).unwrap_or_default();
            options.into_iter().map(|(_, words)| words).collect::<Vec<_>>()
        };
        assert_eq!(words(""), ["The one in the settings", "Alto"]);
        assert_eq!(words("a"), ["The one in the settings", "Alto"]);
        assert_eq!(words("z"), ["The one in the settings", "z (not listed)", "Alto"]);
        assert_eq!(speakers.models(""), None);
        assert_eq!(speakers.names("a", "m"), "Alto, m");
    }
}
