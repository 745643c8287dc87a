//! Every operating setting as people read and write it: what it means, and its values in words.

mod list;

use std::sync::LazyLock;

use serde_json::{Value, json};

pub(super) use self::list::SETTINGS;
use super::document;
use crate::config::{Config, Environment, Mode, Operating, Price, is_speech_id};
use crate::web::text;

/// The word that leaves a choice to the mode.
const BY_MODE: &str = "by_mode";

const ON_OFF: &[(&str, &str)] = &[("true", "On"), ("false", "Off")];

const SECOND_FACTOR: &[(&str, &str)] =
    &[("optional", "Nobody needs one"), ("approvers", "Approvers and admins"), ("everyone", "Everybody")];

const ON_UNKNOWN: &[(&str, &str)] = &[("auto", "Send again, at most twice"), ("person", "A person decides")];

/// What the program has without any file, environment or change.
static DEFAULTS: LazyLock<(Operating, Value)> = LazyLock::new(|| {
    let defaults = Config::load(&Environment::default()).expect("the compiled-in settings are valid").operating;
    let document = document(&defaults);
    (defaults, document)
});

/// One operating setting.
pub(super) struct Setting {
    /// As `table.name`; also the name and the id of its field.
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    /// What it means, in a sentence or two.
    pub(super) meaning: &'static str,
    pub(super) kind: Kind,
    /// What it comes to in a mode, where the choice may be left to the mode.
    by_mode: Option<fn(&Operating, Mode) -> Value>,
}

/// How a setting is written.
pub(super) enum Kind {
    /// One of these values, each with its words.
    Choice(&'static [(&'static str, &'static str)]),
    /// Whole seconds.
    Seconds,
    /// So many of these a second; 0 is no limit.
    Rate(&'static str),
    /// So many of these a minute, whole; 0 is no limit.
    AMinute(&'static str),
    /// Whole hours.
    Hours,
    /// The id of a voice or a model at `ElevenLabs`; empty is none in particular.
    SpeechId,
    /// What so much costs; empty is not known.
    Price(&'static str),
}

impl Setting {
    /// Its value in a document, which may come from a program that did not have it.
    pub(super) fn value_in<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        let (table, name) = self.name.split_once('.')?;
        document.get(table)?.get(name)
    }

    /// Puts a value of it into a document of all settings.
    pub(super) fn put(&self, document: &mut Value, value: Value) {
        if let Some((table, name)) = self.name.split_once('.') {
            document[table][name] = value;
        }
    }

    /// Its value without any file, environment or change.
    pub(super) fn default_value(&self) -> &Value {
        self.value_in(&DEFAULTS.1).unwrap_or(&Value::Null)
    }

    /// A value as its field holds it.
    pub(super) fn written(&self, value: &Value) -> String {
        match (&self.kind, value) {
            // The field for a number has no place for a word.
            (Kind::Rate(_), Value::String(_)) => String::new(),
            (_, Value::String(word)) => word.clone(),
            (_, Value::Number(number)) => {
                number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string())
            }
            (_, value) => value.to_string(),
        }
    }

    /// The value that its field holds, or what to write instead.
    pub(super) fn read(&self, typed: &str) -> Result<Value, &'static str> {
        let typed = typed.trim();
        match &self.kind {
            Kind::Choice(options) if options.iter().any(|(value, _)| *value == typed) => {
                Ok(typed.parse::<bool>().map_or_else(|_| json!(typed), |chosen| json!(chosen)))
            }
            Kind::Choice(_) if typed == BY_MODE && self.by_mode.is_some() => Ok(json!(BY_MODE)),
            Kind::Choice(_) => Err("Choose one of the options."),
            Kind::Seconds => {
                typed.parse::<u32>().map(|seconds| json!(seconds)).map_err(|_| "Write whole seconds, for example 3600.")
            }
            Kind::AMinute(_) => {
                typed.parse::<u32>().map(|count| json!(count)).map_err(|_| "Write a whole number, for example 600.")
            }
            Kind::Hours => {
                typed.parse::<u32>().map(|hours| json!(hours)).map_err(|_| "Write whole hours, for example 24.")
            }
            Kind::SpeechId if typed.is_empty() || is_speech_id(typed) => Ok(json!(typed)),
            Kind::SpeechId => Err("Copy the id from ElevenLabs: letters, digits, hyphens and underscores."),
            Kind::Price(_) => Price::parse(typed)
                .map(|price| json!(price))
                .map_err(|_| "Write a price such as 0.0079, with six decimals and 1000 at most, or leave it empty."),
            Kind::Rate(_) if typed.is_empty() && self.by_mode.is_some() => Ok(json!(BY_MODE)),
            Kind::Rate(_) => typed
                .parse::<f64>()
                .ok()
                .filter(|rate| rate.is_finite())
                .map(|rate| json!(rate))
                .ok_or("Write a number, for example 2.5."),
        }
    }

    /// A value as a person says it.
    pub(super) fn in_words(&self, value: &Value) -> String {
        match (&self.kind, value) {
            (_, Value::String(word)) if word == BY_MODE => "As the mode decides".to_owned(),
            (Kind::Choice(options), value) => {
                let written = self.written(value);
                let option = options.iter().find(|(known, _)| *known == written);
                option.map_or(written, |(_, words)| (*words).to_owned())
            }
            (Kind::Seconds, value) => match value.as_i64() {
                Some(seconds) => text::span(time::Duration::seconds(seconds)),
                None => value.to_string(),
            },
            (Kind::Hours, value) => match value.as_i64() {
                Some(hours) => text::span(time::Duration::hours(hours)),
                None => value.to_string(),
            },
            (Kind::SpeechId, Value::String(id)) if id.is_empty() => "Chosen from the account’s own".to_owned(),
            (Kind::Price(_), Value::String(price)) if price.is_empty() => "Not estimated".to_owned(),
            (Kind::Price(unit), Value::String(price)) => format!("{price} {unit}"),
            (Kind::SpeechId | Kind::Price(_), value) => self.written(value),
            (Kind::AMinute(noun), value) => match value.as_u64() {
                Some(0) => "No limit".to_owned(),
                Some(1) => format!("1 {noun} a minute"),
                Some(count) => format!("{count} {noun}s a minute"),
                None => value.to_string(),
            },
            (Kind::Rate(noun), value) => match value.as_f64() {
                Some(0.0) => "No limit of ours".to_owned(),
                Some(1.0) => format!("1 {noun} a second"),
                Some(rate) => format!("{rate} {noun}s a second"),
                None => value.to_string(),
            },
        }
    }

    /// What leaving it to the mode comes to: in words, for the sandbox and for live mode.
    pub(super) fn in_modes(&self) -> Option<[String; 2]> {
        let by_mode = self.by_mode?;
        Some([Mode::Sandbox, Mode::Live].map(|mode| self.in_words(&by_mode(&DEFAULTS.0, mode))))
    }

    /// What is in force, in words; with what it comes to in this mode, if the mode decides.
    pub(super) fn in_force(&self, operating: &Operating, value: &Value, mode: Mode) -> String {
        match self.by_mode {
            Some(by_mode) if value == BY_MODE => {
                format!("{}, because the mode is {mode}", self.in_words(&by_mode(operating, mode)))
            }
            _ => self.in_words(value),
        }
    }

    /// What it is without any choice, in words.
    pub(super) fn default_in_words(&self) -> String {
        let default = self.default_value();
        let words = lower(&self.in_words(default));
        match (&self.kind, self.in_modes()) {
            (_, Some([sandbox, live])) => {
                format!("{words} (sandbox: {}; live: {})", lower(&sandbox), lower(&live))
            }
            (Kind::Hours, None) => format!("{default} hours"),
            (Kind::Seconds, None) if words != format!("{default} s") => format!("{default}, which is {words}"),
            _ => words,
        }
    }

    /// The values to choose from, each with its words; none if the value is typed.
    pub(super) fn options(&self) -> Vec<(&'static str, String)> {
        let Kind::Choice(options) = &self.kind else { return Vec::new() };
        let by_mode = self.by_mode.map(|_| (BY_MODE, self.in_words(&json!(BY_MODE))));
        by_mode.into_iter().chain(options.iter().map(|(value, words)| (*value, (*words).to_owned()))).collect()
    }
}

/// Words inside a sentence.
fn lower(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::settings_of;

    fn setting(name: &str) -> &'static Setting {
        SETTINGS.iter().find(|setting| setting.name == name).expect("a setting")
    }

    #[test]
    fn every_setting_is_on_the_page() {
        let mut known: Vec<String> =
            settings_of(&DEFAULTS.1).map(|(table, name, _)| format!("{table}.{name}")).collect();
        let mut shown: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
        known.sort();
        shown.sort_unstable();
        assert_eq!(shown, known);
    }

    #[test]
    fn the_mode_decides_by_default_wherever_it_can() {
        for setting in SETTINGS.iter().filter(|setting| setting.by_mode.is_some()) {
            assert_eq!(setting.default_value(), BY_MODE, "{}", setting.name);
        }
    }

    #[test]
    fn what_a_field_holds_is_read_back_as_it_was() {
        for setting in &SETTINGS {
            let default = setting.default_value();
            assert_eq!(setting.read(&setting.written(default)).as_ref(), Ok(default), "{}", setting.name);
            for (value, _) in setting.options() {
                assert_eq!(setting.written(&setting.read(value).expect("an option")), value, "{}", setting.name);
            }
        }
        assert_eq!(setting("dispatch.sms_segments_per_second").read(" 2.5 "), Ok(json!(2.5)));
        for (name, typed) in [
            ("approval.required", "by_mode"),
            ("approval.required", ""),
            ("approval.pending_seconds", "1 day"),
            ("approval.pending_seconds", "-1"),
            ("dispatch.calls_per_second", ""),
            ("dispatch.calls_per_second", "inf"),
            ("dispatch.on_unknown", "true"),
            ("prices.sms_segment", "1,5"),
            ("prices.currency", "Taler"),
            ("api.requests_per_minute", "2.5"),
        ] {
            assert!(setting(name).read(typed).is_err(), "{name}: {typed}");
        }
    }

    #[test]
    fn values_are_said_in_words() {
        for (name, value, words) in [
            ("approval.required", json!(false), "Off"),
            ("approval.four_eyes", json!("by_mode"), "As the mode decides"),
            ("approval.pending_seconds", json!(86_400), "1 day"),
            ("dispatch.calls_per_second", json!(0.0), "No limit of ours"),
            ("dispatch.calls_per_second", json!(1.0), "1 call a second"),
            ("dispatch.sms_segments_per_second", json!(2.5), "2.5 segments a second"),
            ("dispatch.on_unknown", json!("person"), "A person decides"),
            ("api.requests_per_minute", json!(0), "No limit"),
            ("api.requests_per_minute", json!(600), "600 requests a minute"),
            ("prices.sms_segment", json!("0.0079"), "0.0079 a segment"),
            ("prices.call_minute", json!(""), "Not estimated"),
            ("dispatch.on_unknown", json!("ask the stars"), "ask the stars"),
        ] {
            assert_eq!(setting(name).in_words(&value), words);
        }
        let four_eyes = setting("approval.four_eyes");
        assert_eq!(four_eyes.in_force(&DEFAULTS.0, &json!("by_mode"), Mode::Live), "On, because the mode is live");
        assert_eq!(four_eyes.default_in_words(), "as the mode decides (sandbox: off; live: on)");
        assert_eq!(setting("dispatch.deadline_seconds").default_in_words(), "30 s");
        assert_eq!(setting("approval.pending_seconds").default_in_words(), "86400, which is 1 day");
    }
}
