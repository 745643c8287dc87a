//! The operating settings: what people change while the service runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Mode;
use super::prices::{CURRENCIES, Prices};
use crate::auth::Role;

/// A choice that is the safe one in live mode and the convenient one in the sandbox, unless it is made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum ByMode<T> {
    /// Somebody chose.
    Chosen(T),
    /// The mode decides.
    ByMode(ByModeWord),
}

/// The word `by_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ByModeWord {
    /// `by_mode`
    ByMode,
}

impl<T: Copy> ByMode<T> {
    fn resolve(self, mode: Mode, sandbox: T, live: T) -> T {
        match (self, mode) {
            (Self::Chosen(value), _) => value,
            (Self::ByMode(_), Mode::Sandbox) => sandbox,
            (Self::ByMode(_), Mode::Live) => live,
        }
    }
}

/// What becomes of an attempt that Twilio provably never accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// It is sent again, at most twice.
    Auto,
    /// A person decides.
    Person,
}

/// All operating settings as they are stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operating {
    /// How people prove who they are.
    pub sign_in: SignIn,
    /// Who may let what go, and how long it waits.
    pub approval: Approval,
    /// How fast and how carefully it is sent.
    pub dispatch: Dispatch,
    /// What callers must bring.
    pub api: Api,
    /// Who speaks in calls from text.
    pub voice: VoiceSettings,
    /// What an SMS and a call are estimated to cost.
    pub prices: Prices,
}

/// Of whom a second factor is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactor {
    /// Of nobody; everybody may set one.
    Optional,
    /// Of approvers and admins.
    Approvers,
    /// Of everybody.
    Everyone,
}

/// Settings of signing in; see `config/default.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    second_factor: ByMode<SecondFactor>,
}

impl SignIn {
    /// Of whom a second factor is asked.
    pub fn second_factor(&self, mode: Mode) -> SecondFactor {
        self.second_factor.resolve(mode, SecondFactor::Optional, SecondFactor::Approvers)
    }

    /// Whether somebody of this role needs one.
    pub fn asks_second_factor_of(&self, role: Role, mode: Mode) -> bool {
        match self.second_factor(mode) {
            SecondFactor::Optional => false,
            SecondFactor::Approvers => role >= Role::Approver,
            SecondFactor::Everyone => true,
        }
    }
}

/// Settings of the approval; see `config/default.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Whether every operation waits for a person.
    pub required: bool,
    four_eyes: ByMode<bool>,
    /// Lets the requester approve in spite of four eyes.
    pub allow_self_approval: bool,
    tokens_may_decide: ByMode<bool>,
    pending_seconds: u32,
    execution_window_seconds: u32,
}

impl Approval {
    /// Whether the requester is kept from approving.
    pub fn four_eyes(&self, mode: Mode) -> bool {
        self.four_eyes.resolve(mode, false, true)
    }

    /// Whether API tokens may decide.
    pub fn tokens_may_decide(&self, mode: Mode) -> bool {
        self.tokens_may_decide.resolve(mode, true, false)
    }

    /// How long an operation waits for a decision.
    pub fn pending(&self) -> Duration {
        Duration::from_secs(self.pending_seconds.into())
    }

    /// How long after its approval an operation may go out.
    pub fn execution_window(&self) -> Duration {
        Duration::from_secs(self.execution_window_seconds.into())
    }
}

/// Settings of sending; see `config/default.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dispatch {
    sms_segments_per_second: ByMode<f64>,
    /// Calls a second that one sender starts; 0 is no limit.
    pub calls_per_second: f64,
    deadline_seconds: u32,
    settle_seconds: u32,
    on_unknown: ByMode<OnUnknown>,
    sender_is_exclusive: ByMode<bool>,
}

impl Dispatch {
    /// Segments a second that one sender sends; 0 is no limit.
    pub fn sms_segments_per_second(&self, mode: Mode) -> f64 {
        self.sms_segments_per_second.resolve(mode, 0.0, 1.0)
    }

    /// How long an attempt may take before its outcome counts as unknown.
    pub fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_seconds.into())
    }

    /// How long after the deadline Twilio may still come to know of an accepted message.
    pub fn settle(&self) -> Duration {
        Duration::from_secs(self.settle_seconds.into())
    }

    /// What becomes of an attempt that Twilio provably never accepted.
    pub fn on_unknown(&self, mode: Mode) -> OnUnknown {
        self.on_unknown.resolve(mode, OnUnknown::Auto, OnUnknown::Person)
    }

    /// Whether nobody else sends from our numbers.
    pub fn sender_is_exclusive(&self, mode: Mode) -> bool {
        self.sender_is_exclusive.resolve(mode, true, false)
    }
}

/// Settings of the API; see `config/default.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Refuses requests without an idempotency key.
    pub require_idempotency_key: bool,
    /// Requests a minute that one token may make of one process; 0 is no limit.
    pub requests_per_minute: u32,
}

/// Settings of speech; see `config/default.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoiceSettings {
    /// The voice at `ElevenLabs` that speaks unless a request names another; empty: chosen from the account's own.
    pub voice_id: String,
    /// The model that makes the speech unless a request names another; empty: chosen from the account's own.
    pub model_id: String,
    /// How long a recording is kept after the last operation that needs it ended.
    pub clips_kept_hours: u32,
}

/// Longest name of a voice or a model; those of `ElevenLabs` have some 20 characters.
const LONGEST_ID: usize = 120;

/// Whether this can be the id of a voice or a model: letters, digits, hyphens and underscores.
pub(crate) fn is_speech_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LONGEST_ID
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// A setting whose value cannot work.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{setting} is {value}. {remedy}")]
pub struct WrongSetting {
    /// As `table.name`.
    pub setting: &'static str,
    /// What it is.
    pub value: String,
    /// What to choose, as a sentence.
    pub remedy: String,
}

impl Operating {
    /// The first setting that cannot work.
    pub fn validate(&self) -> Result<(), WrongSetting> {
        self.wrong().into_iter().next().map_or(Ok(()), Err)
    }

    /// All settings that cannot work.
    pub(crate) fn wrong(&self) -> Vec<WrongSetting> {
        let seconds = [
            ("approval.pending_seconds", self.approval.pending_seconds, 60, 14 * 86_400),
            ("approval.execution_window_seconds", self.approval.execution_window_seconds, 60, 86_400),
            // Shorter than connect, request and record together would call sends unknown that are under way.
            ("dispatch.deadline_seconds", self.dispatch.deadline_seconds, 30, 300),
            ("dispatch.settle_seconds", self.dispatch.settle_seconds, 10, 3600),
        ];
        let rates = [
            ("dispatch.sms_segments_per_second", self.dispatch.sms_segments_per_second(Mode::Live)),
            ("dispatch.calls_per_second", self.dispatch.calls_per_second),
        ];
        let seconds = seconds.into_iter().filter(|(_, value, least, most)| !(least..=most).contains(&value)).map(
            |(setting, value, least, most)| WrongSetting {
                setting,
                value: value.to_string(),
                remedy: format!("Choose {least} to {most} seconds."),
            },
        );
        let rates = rates.into_iter().filter(|(_, rate)| !(0.0..=10_000.0).contains(rate)).map(|(setting, rate)| {
            let remedy = "Choose 0 (no limit) to 10000 a second.".to_owned();
            WrongSetting { setting, value: rate.to_string(), remedy }
        });
        let ids = [("voice.voice_id", &self.voice.voice_id), ("voice.model_id", &self.voice.model_id)];
        let ids = ids.into_iter().filter(|(_, id)| !id.is_empty() && !is_speech_id(id)).map(|(setting, id)| {
            let remedy = "Copy the id from ElevenLabs: letters, digits, hyphens and underscores.".to_owned();
            WrongSetting { setting, value: format!("{:?}", id.chars().take(40).collect::<String>()), remedy }
        });
        let hours = Some(self.voice.clips_kept_hours).filter(|hours| !(1..=8760).contains(hours)).map(|hours| {
            let remedy = "Choose 1 to 8760 hours.".to_owned();
            WrongSetting { setting: "voice.clips_kept_hours", value: hours.to_string(), remedy }
        });
        let currency = Some(&self.prices.currency).filter(|chosen| CURRENCIES.iter().all(|(known, _)| chosen != known));
        let currency = currency.map(|chosen| {
            let known: Vec<&str> = CURRENCIES.iter().map(|(known, _)| *known).collect();
            let value = format!("{:?}", chosen.chars().take(40).collect::<String>());
            WrongSetting { setting: "prices.currency", value, remedy: format!("Choose one of {}.", known.join(", ")) }
        });
        let asking = Some(self.api.requests_per_minute).filter(|limit| *limit > 1_000_000).map(|limit| {
            let remedy = "Choose 0 (no limit) to 1000000 a minute.".to_owned();
            WrongSetting { setting: "api.requests_per_minute", value: limit.to_string(), remedy }
        });
        seconds.chain(rates).chain(ids).chain(hours).chain(asking).chain(currency).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment};

    fn asked(value: Option<&str>, mode: Mode) -> [bool; 4] {
        let mut environment = Environment::default();
        if let Some(value) = value {
            environment.set("MISSION_CONTROL_SIGN_IN_SECOND_FACTOR", value);
        }
        let settings = Config::load(&environment).expect("settings").operating.sign_in;
        Role::ALL.map(|role| settings.asks_second_factor_of(role, mode))
    }

    #[test]
    fn live_mode_asks_a_second_factor_of_whoever_lets_things_go_and_the_sandbox_of_nobody() {
        assert_eq!(asked(None, Mode::Live), [false, false, true, true]);
        assert_eq!(asked(None, Mode::Sandbox), [false; 4]);
        assert_eq!(asked(Some("everyone"), Mode::Sandbox), [true; 4]);
        assert_eq!(asked(Some("approvers"), Mode::Sandbox), [false, false, true, true]);
        assert_eq!(asked(Some("optional"), Mode::Live), [false; 4]);
    }

    #[test]
    fn a_word_that_does_not_exist_stops_the_start() {
        let environment = Environment::of([("MISSION_CONTROL_SIGN_IN_SECOND_FACTOR", "nobody")]);
        assert!(Config::load(&environment).is_err());
    }
}
