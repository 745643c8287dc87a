//! The page of the voice: values in, HTML out.

use askama::Template;
use time::OffsetDateTime;

use super::super::history::{Difference, Version};
use super::super::views::Field;
use super::Account;
use super::sample::{Sample, TEXT};
use crate::config::VoiceSettings;
use crate::speech::catalogue::{Offer, Wanted};
use crate::speech::elevenlabs::{ElevenLabsError, Subscription};
use crate::speech::preparing::beside::Sound;
use crate::web::frame::{FormError, Frame, errors_of};
use crate::web::settings_tabs::SettingsTab;
use crate::web::text;

/// Voice and model, with what they can be.
#[derive(Template)]
#[template(path = "settings/voice.html")]
pub(crate) struct VoicePage {
    pub(super) frame: Frame,
    /// The version in force, which the form is made from.
    pub(super) version: i64,
    pub(super) voice: Picker,
    pub(super) model: Picker,
    pub(super) kept: Field,
    pub(super) sample: Option<Sample>,
    pub(super) account: Account,
    pub(super) may_change: bool,
    /// Who stored the version in force.
    pub(super) newest: Option<Version>,
    /// What somebody else changed while the reader did.
    pub(super) meanwhile: Option<Vec<Difference>>,
    pub(super) errors: Vec<FormError>,
    pub(super) correlation_id: String,
    pub(super) now: OffsetDateTime,
}

/// A choice among what the account has.
pub(crate) struct Picker {
    pub(super) field: Field,
    /// Values with their words; `None`: what there is to choose from is not known, so an id is typed.
    pub(super) options: Option<Vec<(String, String)>>,
    /// Who or what speaks now, as far as it is known.
    pub(super) in_force: String,
}

impl Picker {
    pub(super) fn of_voices(field: Field, account: &Account, settings: &VoiceSettings) -> Self {
        let listed = account.offer().map(|offer| offer.voices.iter().map(|voice| (voice.id.clone(), voice.words())));
        let name = |offer: &Offer, id: &str| offer.voice(id).map(|voice| voice.name.clone());
        let chosen =
            account.offer().and_then(|offer| Some((offer, offer.choose(Wanted::default().or(settings)).ok()?.voice)));
        Self::of(
            field,
            listed.map(Iterator::collect),
            &settings.voice_id,
            chosen.map(|(offer, id)| (name(offer, &id), id)),
        )
    }

    pub(super) fn of_models(field: Field, account: &Account, settings: &VoiceSettings) -> Self {
        let listed = account.offer().map(|offer| offer.models.iter().map(|model| (model.id.clone(), model.words())));
        let name = |offer: &Offer, id: &str| offer.model(id).map(|model| model.name.clone());
        let chosen =
            account.offer().and_then(|offer| Some((offer, offer.choose(Wanted::default().or(settings)).ok()?.model)));
        Self::of(
            field,
            listed.map(Iterator::collect),
            &settings.model_id,
            chosen.map(|(offer, id)| (name(offer, &id), id)),
        )
    }

    /// `chosen` is what speaks now, its name before its id.
    fn of(
        field: Field,
        listed: Option<Vec<(String, String)>>,
        set: &str,
        chosen: Option<(Option<String>, String)>,
    ) -> Self {
        let chosen = chosen.map(|(name, id)| name.filter(|name| !name.is_empty()).unwrap_or(id));
        let in_force = match (set.is_empty(), chosen) {
            (true, None) => "chosen from the account’s own".to_owned(),
            (true, Some(chosen)) => format!("{chosen}, chosen from the account’s own"),
            (false, chosen) => chosen.unwrap_or_else(|| set.to_owned()),
        };
        let options = listed.map(|listed| {
            let none = (String::new(), "Chosen from the account’s own".to_owned());
            // An id that is not listed may still speak: a shared voice does.
            let is_unlisted = !field.written.is_empty() && listed.iter().all(|(id, _)| *id != field.written);
            let unlisted = is_unlisted.then(|| (field.written.clone(), format!("{} (not listed)", field.written)));
            std::iter::once(none).chain(unlisted).chain(listed).collect()
        });
        Self { field, options, in_force }
    }
}

impl VoicePage {
    fn errors_of(&self, field: &str) -> Vec<&str> {
        errors_of(&self.errors, field)
    }

    fn pickers(&self) -> [(&Picker, &Field); 2] {
        [&self.voice, &self.model].map(|picker| (picker, &picker.field))
    }

    /// What is in the way of speech, the gravest first.
    fn trouble(&self) -> Option<&ElevenLabsError> {
        match &self.account {
            Account::Asked { offer: Err(error), .. } | Account::Asked { subscription: Err(error), .. } => Some(error),
            _ => None,
        }
    }

    fn subscription(&self) -> Option<&Subscription> {
        match &self.account {
            Account::Asked { subscription: Ok(subscription), .. } => Some(subscription),
            _ => None,
        }
    }

    fn has_key(&self) -> bool {
        !matches!(self.account, Account::NoKey)
    }

    fn is_emulated(&self) -> bool {
        matches!(self.account, Account::Asked { is_emulated: true, .. })
    }

    /// `12,000 of 100,000`
    fn left(subscription: &Subscription) -> String {
        let [left, limit] = [subscription.left(), subscription.limit].map(text::characters);
        format!("{left} of {limit}")
    }

    /// What the sample costs.
    fn cost() -> String {
        text::counted(i64::try_from(TEXT.chars().count()).unwrap_or(i64::MAX), "character")
    }
}
