//! The page of the vault: values in, HTML out. No secret is among the values.

use askama::Template;
use time::OffsetDateTime;

use super::wrapping::Wrapping;
use super::{Entry, EntryState, Finding, KeyUse, SpeechVerification, VaultName, Verification};
use crate::auth::confirmation::Proof;
use crate::web::frame::{FormError, Frame, Tone, errors_of};
use crate::web::settings_tabs::SettingsTab;
use crate::web::text;

/// All entries, and the forms that change them.
#[derive(Template)]
#[template(path = "settings/vault.html")]
pub(crate) struct VaultPage {
    pub(crate) frame: Frame,
    pub(crate) may_manage: bool,
    /// What the forms ask for that take a value, which is kept nowhere while somebody confirms elsewhere.
    pub(crate) proof: Option<Proof>,
    pub(crate) twilio: Vec<Card>,
    pub(crate) elevenlabs: Vec<Card>,
    /// The master keys, the primary one first.
    pub(crate) keys: Vec<KeyUse>,
    /// Whether everything is being wrapped by it.
    pub(crate) wrapping: Wrapping,
    /// What was found out just now.
    pub(crate) outcome: Option<Outcome>,
    /// The same of ElevenLabs.
    pub(crate) speech_outcome: Option<SpeechOutcome>,
    pub(crate) errors: Vec<FormError>,
    pub(crate) correlation_id: String,
    /// The embedded sandbox answers in Twilio's place.
    pub(crate) is_emulated: bool,
    /// Whoever answers for ElevenLabs is an emulator.
    pub(crate) is_speech_emulated: bool,
    pub(crate) now: OffsetDateTime,
}

/// What is said of the field in which its keeper shows again who they are: a wrong one is told on a page of its own.
const NO_TEXTS: [&str; 0] = [];

/// The step before an entry is removed.
#[derive(Template)]
#[template(path = "settings/vault_remove.html")]
pub(crate) struct RemovePage {
    pub(crate) frame: Frame,
    pub(crate) card: Card,
    /// Where the value comes from afterwards.
    pub(crate) left: EntryState,
    pub(crate) errors: Vec<FormError>,
    pub(crate) correlation_id: String,
}

/// One entry.
pub(crate) struct Card {
    pub(crate) entry: Entry,
    /// The reader may see the ends of telephone numbers only.
    pub(crate) is_masked: bool,
    pub(crate) errors: Vec<String>,
}

/// What a verification found, as it is told once.
pub(crate) struct Outcome(pub(crate) Verification);

/// What a verification of the key of ElevenLabs found.
pub(crate) struct SpeechOutcome(pub(crate) SpeechVerification);

impl VaultPage {
    /// Whether one half of the API key is there.
    fn has_half_a_key(&self) -> bool {
        let keys = self.twilio.iter().filter(|card| VaultName::API_KEY.contains(&card.entry.name));
        keys.filter(|card| card.is_there()).count() == 1
    }

    /// What is missing before anything can be sent, and what to do next.
    fn missing(&self) -> Option<&'static str> {
        if self.has_half_a_key() {
            return Some(Finding::ApiKeyHalf.words());
        }
        let is_missing = |name| self.twilio.iter().any(|card| card.entry.name == name && !card.is_there());
        let missing = VaultName::TWILIO.map(is_missing);
        Some(match missing {
            [false, false, false] => return None,
            [true, true, _] => {
                "Nothing is sent without an account. Store the Account SID and the Auth Token, which stand on the start page of Twilio’s console, then a phone number of that account. Then verify them."
            }
            [true, false, _] => {
                "The Account SID is missing, so nothing is sent. Store the one that the Auth Token belongs to."
            }
            [false, true, _] => "The Auth Token is missing, so nothing is sent. Store the one of this account.",
            [false, false, true] => {
                "The phone number is missing. Until it is stored, whoever asks for an SMS or a call must name a sender."
            }
        })
    }

    fn may_verify(&self) -> bool {
        self.may_manage && self.twilio.iter().take(2).all(Card::is_there)
    }

    fn may_verify_elevenlabs(&self) -> bool {
        self.may_manage && self.elevenlabs.iter().all(Card::is_there)
    }
}

/// The states in words.
impl EntryState {
    /// Word, tone and symbol.
    pub(crate) fn badge(self) -> (&'static str, Tone, &'static str) {
        match self {
            Self::Stored => ("Connected", Tone::Ok, "circle-check"),
            Self::Env => ("Env", Tone::Accent, "server"),
            Self::Sandbox => ("Sandbox", Tone::Accent, "sandbox"),
            Self::Missing => ("Not configured", Tone::Mute, "circle-dashed"),
        }
    }
}

impl Card {
    /// The id of the field in which its keeper shows again who they are.
    fn proof_id(&self) -> String {
        format!("{}-proof", self.name())
    }

    fn name(&self) -> VaultName {
        self.entry.name
    }

    fn label(&self) -> &'static str {
        label(self.entry.name)
    }

    fn is_stored(&self) -> bool {
        self.entry.state == EntryState::Stored
    }

    fn is_there(&self) -> bool {
        self.entry.state != EntryState::Missing
    }

    fn badge(&self) -> (&'static str, Tone, &'static str) {
        self.entry.state.badge()
    }

    /// Enough of the value to tell which one it is.
    fn hint(&self) -> String {
        match (self.entry.name, self.entry.ending()) {
            (_, None) if self.is_there() => "••••".to_owned(),
            (VaultName::TwilioPhoneNumber, Some(number)) if self.is_masked => text::masked_phone(&number),
            (VaultName::TwilioPhoneNumber, Some(number)) => text::phone(&number),
            (VaultName::TwilioAccountSid, Some(end)) => format!("AC•• •••• {end}"),
            (VaultName::TwilioApiKeySid, Some(end)) => format!("SK•• •••• {end}"),
            (_, Some(end)) => format!("•••• •••• {end}"),
            (_, None) => match self.entry.name {
                VaultName::TwilioPhoneNumber => "No number yet",
                VaultName::ElevenlabsApiKey => "No key yet",
                VaultName::TwilioAccountSid => "No account yet",
                VaultName::TwilioAuthToken => "No token yet",
                VaultName::TwilioApiKeySid | VaultName::TwilioApiKeySecret => "No API key; it is optional",
            }
            .to_owned(),
        }
    }

    /// Where a value that is not stored comes from.
    fn origin(&self) -> String {
        let name = self.entry.name;
        match self.entry.state {
            EntryState::Env => {
                format!("Comes from {} in this server’s environment. One stored here takes precedence.", name.variable())
            }
            EntryState::Sandbox if name == VaultName::TwilioPhoneNumber => {
                "Comes from the sandbox. One stored here takes precedence.".to_owned()
            }
            EntryState::Sandbox if name == VaultName::ElevenlabsApiKey => {
                "Made by the sandbox. One stored here takes precedence.".to_owned()
            }
            EntryState::Sandbox => {
                "Made by the sandbox. One stored here takes precedence; Account SID and Auth Token are then stored together."
                    .to_owned()
            }
            EntryState::Missing | EntryState::Stored => purpose(name).to_owned(),
        }
    }

    fn form(&self) -> &'static str {
        match self.entry.state {
            EntryState::Stored => "Replace",
            EntryState::Env | EntryState::Sandbox => "Store one here instead",
            EntryState::Missing => "Store it",
        }
    }

    fn form_hint(&self) -> &'static str {
        match self.entry.name {
            VaultName::TwilioAccountSid => "AC and 32 hexadecimal digits. Twilio’s console shows it on its start page.",
            VaultName::TwilioAuthToken if self.is_stored() => {
                "Twilio’s console shows it below the Account SID. The one before keeps checking callbacks until 24 h after the first callback signed with the new one."
            }
            VaultName::TwilioAuthToken => "Twilio’s console shows it below the Account SID.",
            VaultName::TwilioApiKeySid => {
                "SK and 32 hexadecimal digits, of a standard key. Store it first: with the SID of another key the stored secret is removed, and nothing is sent until the new one is stored."
            }
            VaultName::TwilioApiKeySecret => "Twilio’s console shows it once, when the key is made.",
            VaultName::TwilioPhoneNumber => "E.164: a plus, the country code and digits, for example +15005550006.",
            VaultName::ElevenlabsApiKey => {
                "ElevenLabs shows it under API keys. It needs access to text to speech, voices, models and user."
            }
        }
    }

    /// A number is no secret: it is better seen while it is typed.
    fn input_type(&self) -> &'static str {
        if self.entry.name == VaultName::TwilioPhoneNumber { "tel" } else { "password" }
    }

    fn autocomplete(&self) -> &'static str {
        if self.entry.name == VaultName::TwilioPhoneNumber { "off" } else { "new-password" }
    }

    fn errors(&self) -> Vec<&str> {
        self.errors.iter().map(String::as_str).collect()
    }
}

impl RemovePage {
    fn consequence(&self) -> String {
        let name = self.card.entry.name;
        match self.left {
            EntryState::Env => {
                format!("From then on the value of {} in this server’s environment is used.", name.variable())
            }
            EntryState::Sandbox => "From then on the sandbox’s own is used.".to_owned(),
            EntryState::Missing | EntryState::Stored => match name {
                VaultName::TwilioAccountSid => {
                    "Nothing is sent from then on. Approved operations wait, and each still expires on time. Twilio’s callbacks cannot be checked and are refused."
                }
                VaultName::TwilioAuthToken => {
                    "Nothing is sent from then on. Approved operations wait, and each still expires on time. Twilio’s callbacks cannot be checked and are refused, also those about what is already on its way."
                }
                VaultName::TwilioApiKeySid | VaultName::TwilioApiKeySecret => {
                    "While the other half is there, nothing is sent. Once both are removed requests are made with the Auth Token again."
                }
                VaultName::TwilioPhoneNumber => {
                    "From then on whoever asks for an SMS or a call must name a sender. What was asked for before keeps its sender."
                }
                VaultName::ElevenlabsApiKey => {
                    "From then on no call from text can be asked for, and those whose speech is not made yet fail. Speech that is made already is still played."
                }
            }
            .to_owned(),
        }
    }

    fn errors_of(&self, field: &str) -> Vec<&str> {
        errors_of(&self.errors, field)
    }
}

impl Outcome {
    fn tone(&self) -> Tone {
        let Verification { account, api_key, number, .. } = self.0;
        let is_bad = |finding: Finding| finding.is_kept() && !finding.is_good();
        match (account, api_key, number) {
            (Finding::Active, None | Some(Finding::ApiKeyAccepted), Finding::Ready) => Tone::Ok,
            _ if is_bad(account) || api_key.is_some_and(is_bad) || is_bad(number) => Tone::Bad,
            _ => Tone::Warn,
        }
    }

    fn icon(&self) -> &'static str {
        icon(self.tone())
    }

    fn title(&self) -> &'static str {
        let Verification { account, api_key, number, .. } = self.0;
        match (account, number) {
            (Finding::Unreachable | Finding::Unclear, _) => "Nothing is known yet",
            (account, _) if account.is_good() && api_key == Some(Finding::ApiKeyHalf) => {
                "Half of the API key is missing"
            }
            (account, _) if account.is_good() && api_key == Some(Finding::ApiKeyRefused) => {
                "Twilio does not accept the API key"
            }
            (account, _) if !account.is_good() => "Twilio does not accept these credentials",
            (_, Finding::NoSms | Finding::NoVoice | Finding::NoSmsNoVoice | Finding::NotOwned) => {
                "The account is good, the phone number is not"
            }
            _ => "Twilio accepts these credentials",
        }
    }

    /// What is kept of it, where that is not all.
    fn note(&self) -> Option<&'static str> {
        let Verification { account, api_key, number, kept_with, is_outdated, .. } = &self.0;
        let pair = |finding: Finding| if finding.is_kept() { 2 } else { 0 };
        let worth_keeping = pair(*account) + api_key.map_or(0, pair) + usize::from(number.is_kept());
        if *is_outdated {
            Some("A value was replaced meanwhile. This is about the one before it and is not kept. Verify again.")
        } else if kept_with.len() < worth_keeping {
            Some("What concerns a value that is not stored here is shown once and not kept.")
        } else {
            None
        }
    }
}

impl SpeechOutcome {
    fn tone(&self) -> Tone {
        match self.0.finding {
            finding if finding.is_good() => Tone::Ok,
            finding if finding.is_kept() => Tone::Bad,
            _ => Tone::Warn,
        }
    }

    fn icon(&self) -> &'static str {
        icon(self.tone())
    }

    fn title(&self) -> &'static str {
        match self.0.finding {
            finding if finding.is_good() => "ElevenLabs accepts this key",
            Finding::CharactersUsedUp => "The key is good, but no characters are left",
            finding if finding.is_kept() => "ElevenLabs does not accept this key",
            _ => "Nothing is known yet",
        }
    }

    /// How much may still be said.
    fn left(&self) -> Option<String> {
        let subscription = self.0.subscription.as_ref()?;
        let [left, limit] = [subscription.left(), subscription.limit].map(text::characters);
        Some(format!("{left} of {limit} characters are left."))
    }

    /// What is kept of it, where that is not all.
    fn note(&self) -> Option<&'static str> {
        if self.0.is_outdated {
            Some("The key was replaced meanwhile. This is about the one before it and is not kept. Verify again.")
        } else if self.0.finding.is_kept() && !self.0.is_kept {
            Some("The key is not stored here, so this is shown once and not kept.")
        } else {
            None
        }
    }
}

fn icon(tone: Tone) -> &'static str {
    match tone {
        Tone::Ok => "shield-check",
        Tone::Bad => "circle-x",
        _ => "warning",
    }
}

/// The entry as people call it.
fn label(name: VaultName) -> &'static str {
    match name {
        VaultName::TwilioAccountSid => "Twilio Account SID",
        VaultName::TwilioAuthToken => "Twilio Auth Token",
        VaultName::TwilioApiKeySid => "Twilio API key SID",
        VaultName::TwilioApiKeySecret => "Twilio API key secret",
        VaultName::TwilioPhoneNumber => "Twilio Phone Number",
        VaultName::ElevenlabsApiKey => "ElevenLabs API key",
    }
}

fn purpose(name: VaultName) -> &'static str {
    match name {
        VaultName::TwilioAccountSid => "Names the account that sends.",
        VaultName::TwilioAuthToken => "Signs what is sent, and checks Twilio’s callbacks.",
        VaultName::TwilioApiKeySid => {
            "Optional. With an API key requests are made with it, and the Auth Token only checks callbacks."
        }
        VaultName::TwilioApiKeySecret => "The other half of the API key.",
        VaultName::TwilioPhoneNumber => "The sender, unless a request names another.",
        VaultName::ElevenlabsApiKey => "Makes the speech of calls from text.",
    }
}
