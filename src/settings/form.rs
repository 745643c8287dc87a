//! The forms of the operating settings: what it asks for, and what is left of it after somebody else was faster.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::catalogue::{SETTINGS, Setting};
use super::document;
use crate::config::Operating;
use crate::web::frame::FormError;

/// The form as it was sent. What it does not name stays as it is: locked settings, and those of another program's version.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct SettingsForm(BTreeMap<String, String>);

/// A field after somebody else changed the settings.
pub(super) struct Rebased {
    pub(super) written: String,
    /// Whether both changed it; then it holds what was typed.
    pub(super) is_contested: bool,
}

impl SettingsForm {
    /// A form of these fields, as if it had been sent.
    pub(super) fn of<const N: usize>(fields: [(&str, String); N]) -> Self {
        Self(fields.map(|(name, value)| (name.to_owned(), value)).into())
    }

    /// The same without the settings that have no place on the page of this table.
    pub(super) fn of_table(mut self, table: &str) -> Self {
        self.0
            .retain(|name, _| name.strip_prefix(table).is_some_and(|rest| rest.starts_with('.')) || name == "version");
        self
    }

    /// The version that the form was made from.
    pub(super) fn seen(&self) -> Option<i64> {
        self.0.get("version")?.parse().ok()
    }

    /// What was typed to confirm, on the step that asks for it.
    pub(super) fn confirmation(&self) -> Option<&str> {
        self.0.get("confirm").map(|typed| typed.trim())
    }

    pub(super) fn typed(&self, setting: &Setting) -> Option<&str> {
        self.0.get(setting.name).map(String::as_str)
    }

    /// The settings that it asks for, or everything that needs a change.
    pub(super) fn read(&self, current: &Operating) -> Result<Operating, Vec<FormError>> {
        let mut wanted = document(current);
        let mut errors = Vec::new();
        for setting in &SETTINGS {
            match self.typed(setting).map(|typed| setting.read(typed)) {
                None => {}
                Some(Ok(value)) => setting.put(&mut wanted, value),
                Some(Err(remedy)) => errors.push(wrong(setting, remedy)),
            }
        }
        let wanted: Operating = match serde_json::from_value(wanted) {
            Ok(wanted) => wanted,
            Err(error) => return Err(vec![FormError { field: None, text: format!("{error}.") }]),
        };
        for one in wanted.wrong() {
            errors.extend(
                SETTINGS
                    .iter()
                    .find(|setting| setting.name == one.setting)
                    .map(|setting| wrong(setting, &format!("{} is outside. {}", one.value, one.remedy))),
            );
        }
        if errors.is_empty() { Ok(wanted) } else { Err(errors) }
    }

    /// A field once the settings it was made from are no longer in force: what the reader changed stays as they typed it,
    /// the rest follows. Without `base` all of it counts as theirs.
    pub(super) fn rebase(&self, setting: &Setting, base: Option<&Value>, now: &Value) -> Rebased {
        let [base, now] = [base, Some(now)].map(|document| {
            document.and_then(|document| setting.value_in(document)).map(|value| setting.written(value))
        });
        let current = now.clone().unwrap_or_default();
        match self.typed(setting).map(str::trim) {
            Some(typed) if base.as_deref() != Some(typed) && typed != current => {
                Rebased { written: typed.to_owned(), is_contested: base != now }
            }
            _ => Rebased { written: current, is_contested: false },
        }
    }
}

fn wrong(setting: &'static Setting, text: &str) -> FormError {
    FormError { field: Some(setting.name), text: format!("{}: {text}", setting.label) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::{Config, Environment};

    fn form<const N: usize>(fields: [(&str, &str); N]) -> SettingsForm {
        SettingsForm(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    fn defaults() -> Operating {
        Config::load(&Environment::default()).expect("the defaults").operating
    }

    #[test]
    fn what_the_form_does_not_name_stays() {
        let wanted = form([("approval.four_eyes", "true"), ("weather.rain", "true")]).read(&defaults()).expect("read");
        assert_eq!(document(&wanted)["approval"]["four_eyes"], json!(true));
        assert_eq!(wanted.dispatch, defaults().dispatch);
    }

    #[test]
    fn everything_wrong_is_told_at_once_at_its_field() {
        let form = form([
            ("approval.required", "perhaps"),
            ("approval.pending_seconds", "5"),
            ("dispatch.sms_segments_per_second", "-1"),
            ("dispatch.settle_seconds", "a minute"),
        ]);
        let errors = form.read(&defaults()).expect_err("refused");
        let mut fields: Vec<_> = errors.iter().filter_map(|error| error.field).collect();
        fields.sort_unstable();
        let expected = [
            "approval.pending_seconds",
            "approval.required",
            "dispatch.settle_seconds",
            "dispatch.sms_segments_per_second",
        ];
        assert_eq!(fields, expected);
        assert!(errors.iter().any(|error| error.text == "Time to decide: 5 is outside. Choose 60 to 1209600 seconds."));
    }

    #[test]
    fn ones_own_changes_survive_somebody_elses() {
        let setting = SETTINGS.iter().find(|setting| setting.name == "approval.pending_seconds").expect("a setting");
        let seconds = |seconds: u32| json!({ "approval": { "pending_seconds": seconds } });
        for (typed, base, now, written, is_contested) in [
            ("60", 60, 60, "60", false),
            ("60", 60, 90, "90", false),
            ("70", 60, 60, "70", false),
            ("70", 60, 90, "70", true),
            ("90", 60, 90, "90", false),
        ] {
            let form = form([(setting.name, typed)]);
            let rebased = form.rebase(setting, Some(&seconds(base)), &seconds(now));
            assert_eq!(
                (rebased.written.as_str(), rebased.is_contested),
                (written, is_contested),
                "{typed} {base} {now}"
            );
        }
    }
}
