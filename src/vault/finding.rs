//! What a verification found out, in plain words.

use time::OffsetDateTime;

/// What Twilio says of an account or of a number, and `ElevenLabs` of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The account accepts the credentials and is active.
    Active,
    /// The same, and it is a trial.
    Trial,
    /// The account exists and may do nothing.
    Suspended,
    /// The account is gone for good.
    Closed,
    /// Account SID and auth token do not fit.
    Refused,
    /// They are Twilio's test credentials.
    TestCredentials,
    /// Twilio knows no such account.
    NoSuchAccount,

    /// The API key is accepted.
    ApiKeyAccepted,
    /// It is accepted, and may not read all that is looked at.
    ApiKeyLimited,
    /// It is not accepted, or may read nothing.
    ApiKeyRefused,
    /// There is one half of it.
    ApiKeyHalf,

    /// The number is the account's, and can send and call.
    Ready,
    /// It is the account's, and can only call.
    NoSms,
    /// It is the account's, and can only send.
    NoVoice,
    /// It is the account's, and can do neither.
    NoSmsNoVoice,
    /// It is not the account's.
    NotOwned,
    /// The API key may not read the account's numbers.
    NotReadable,
    /// There is no number to ask about.
    NoNumber,
    /// The account was not accepted, so the number was not judged.
    NotChecked,

    /// `ElevenLabs` accepts the key.
    KeyAccepted,
    /// It accepts the key, and no characters are left.
    CharactersUsedUp,
    /// It does not accept the key.
    KeyRefused,
    /// It knows the key, which may not be used for all that is needed.
    KeyLimited,
    /// It blocked the account.
    SpeechBlocked,
    /// In sandbox mode there is nobody to ask about the key.
    NotEmulated,
    /// `ElevenLabs` did not answer.
    SpeechUnreachable,
    /// Its answer was about something else.
    SpeechUnclear,

    /// There was no answer.
    Unreachable,
    /// The answer was about something else.
    Unclear,
}

impl Finding {
    /// Those that say something about a value, and are kept with it.
    const KEPT: [Self; 20] = [
        Self::Active,
        Self::Trial,
        Self::Suspended,
        Self::Closed,
        Self::Refused,
        Self::TestCredentials,
        Self::NoSuchAccount,
        Self::ApiKeyAccepted,
        Self::ApiKeyLimited,
        Self::ApiKeyRefused,
        Self::Ready,
        Self::NoSms,
        Self::NoVoice,
        Self::NoSmsNoVoice,
        Self::NotOwned,
        Self::KeyAccepted,
        Self::CharactersUsedUp,
        Self::KeyRefused,
        Self::KeyLimited,
        Self::SpeechBlocked,
    ];

    /// The finding's name in rows and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Trial => "trial",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
            Self::Refused => "refused",
            Self::TestCredentials => "test_credentials",
            Self::NoSuchAccount => "no_such_account",
            Self::Ready => "ready",
            Self::NoSms => "no_sms",
            Self::NoVoice => "no_voice",
            Self::NoSmsNoVoice => "no_sms_no_voice",
            Self::NotOwned => "not_owned",
            Self::ApiKeyAccepted => "api_key_accepted",
            Self::ApiKeyLimited => "api_key_limited",
            Self::ApiKeyRefused => "api_key_refused",
            Self::ApiKeyHalf => "api_key_half",
            Self::NotReadable => "not_readable",
            Self::NoNumber => "no_number",
            Self::NotChecked => "not_checked",
            Self::KeyAccepted => "key_accepted",
            Self::CharactersUsedUp => "characters_used_up",
            Self::KeyRefused => "key_refused",
            Self::KeyLimited => "key_limited",
            Self::SpeechBlocked => "account_blocked",
            Self::NotEmulated => "not_emulated",
            Self::Unreachable | Self::SpeechUnreachable => "unreachable",
            Self::Unclear | Self::SpeechUnclear => "unclear",
        }
    }

    /// The kept finding of that name. A name that only another release knows is none: it must not close the vault.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::KEPT.into_iter().find(|finding| finding.as_str() == name)
    }

    /// Whether it says something about a value, and not only about the moment.
    pub(super) fn is_kept(self) -> bool {
        Self::KEPT.contains(&self)
    }

    /// Whether what was looked at can be used.
    pub fn is_good(self) -> bool {
        matches!(
            self,
            Self::Active | Self::Trial | Self::ApiKeyAccepted | Self::ApiKeyLimited | Self::Ready | Self::KeyAccepted
        )
    }

    /// What is so, then what to do.
    pub fn words(self) -> &'static str {
        match self {
            Self::Active => "The account accepts these credentials and is active.",
            Self::Trial => {
                "The account accepts these credentials and is active, but it is a trial: it reaches only numbers that are verified in Twilio’s console."
            }
            Self::Suspended => {
                "Twilio suspended the account and sends nothing for it. Look at the account in Twilio’s console."
            }
            Self::Closed => "The account is closed. Store the credentials of another one.",
            Self::Refused => {
                "Twilio refused these credentials (20003). The Account SID and the Auth Token do not belong together, or the token was changed at Twilio. Copy both from Twilio’s console."
            }
            Self::TestCredentials => {
                "These are Twilio’s test credentials, which send nothing. Store the live ones from Twilio’s console."
            }
            Self::NoSuchAccount => "Twilio knows no account with this SID. Copy it from Twilio’s console.",
            Self::Ready => "The number belongs to the account and can send SMS and place calls.",
            Self::NoSms => "The number belongs to the account, but cannot send SMS. Calls from it work.",
            Self::NoVoice => "The number belongs to the account, but cannot place calls. SMS from it work.",
            Self::NoSmsNoVoice => {
                "The number belongs to the account, but can neither send SMS nor place calls. Store another number."
            }
            Self::NotOwned => {
                "The number is not one of the account’s numbers, so Twilio will not send from it. Store one that is listed in Twilio’s console."
            }
            Self::ApiKeyAccepted => "Twilio accepts the API key, and requests are made with it.",
            Self::ApiKeyLimited => {
                "Twilio accepts the API key, which may not read all that was looked at. Whether it may send was not checked: it needs to read and create Messages and Calls, and to read IncomingPhoneNumbers."
            }
            Self::ApiKeyRefused => {
                "Twilio refused the API key. Its SID and secret do not belong together, it was deleted, it is another account’s, or it is restricted and may read nothing. Copy both halves, or make a standard key in Twilio’s console."
            }
            Self::ApiKeyHalf => {
                "Only one half of the API key is there, so nothing is sent. Store the other half, or remove this one to send with the Auth Token."
            }
            Self::NotReadable => {
                "The phone number was not checked, because the API key may not read the account’s numbers."
            }
            Self::NoNumber => "There is no phone number to check.",
            Self::NotChecked => "The phone number was not checked, because that needs an account that is accepted.",
            Self::KeyAccepted => "ElevenLabs accepts the key.",
            Self::CharactersUsedUp => {
                "ElevenLabs accepts the key, but the account’s characters are used up. Wait for their reset, or buy more at ElevenLabs."
            }
            Self::KeyRefused => "ElevenLabs refused the key. Copy a valid one from ElevenLabs, under API keys.",
            Self::KeyLimited => {
                "ElevenLabs knows the key, but it lacks a permission. Give it access to text to speech, voices, models and user at ElevenLabs, under API keys."
            }
            Self::SpeechBlocked => {
                "ElevenLabs blocked the account because of unusual activity. Look at the account at ElevenLabs."
            }
            Self::NotEmulated => {
                "In sandbox mode nothing leaves this machine, and no emulator of ElevenLabs is known, so nobody was asked. Set MISSION_CONTROL_ELEVENLABS_BASE_URL to one."
            }
            Self::SpeechUnreachable => {
                "ElevenLabs could not be reached, so nothing was learnt. Check this server’s way to the internet, then verify again."
            }
            Self::SpeechUnclear => {
                "ElevenLabs’ answer says nothing about this: it may be busy, or have a fault of its own. Verify again in a minute."
            }
            Self::Unreachable => {
                "Twilio could not be reached, so nothing was learnt. Check this server’s way to the internet, then verify again."
            }
            Self::Unclear => {
                "Twilio’s answer says nothing about this: it may be busy, or have a fault of its own. Verify again in a minute."
            }
        }
    }
}

/// A finding and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What was found.
    pub finding: Finding,
    /// When.
    pub at: OffsetDateTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_as_it_was_written() {
        for finding in Finding::KEPT {
            assert_eq!(Finding::parse(finding.as_str()), Some(finding));
        }
        for name in ["", "not_checked", "unreachable", "of a later release"] {
            assert_eq!(Finding::parse(name), None, "{name}");
        }
    }
}
