//! What stands on a page of settings besides what is in force: a form that was refused, or that somebody else overtook.

use serde_json::Value;

use super::catalogue::Setting;
use super::form::{Rebased, SettingsForm};
use super::history::{Difference, differences};
use super::views::Field;
use super::{SettingsError, document};
use crate::config::{Operating, variable};
use crate::error::Result;
use crate::visit::Visit;
use crate::web::frame::FormError;

/// A form that is shown once more.
#[derive(Default)]
pub(super) struct Draft<'a> {
    form: Option<&'a SettingsForm>,
    /// The settings that the form was made from, if they are no longer in force.
    base: Option<Value>,
    /// What somebody else changed while the reader did.
    pub(super) meanwhile: Option<Vec<Difference>>,
    pub(super) errors: Vec<FormError>,
}

impl<'a> Draft<'a> {
    /// A form that needs a change.
    pub(super) fn refused(form: &'a SettingsForm, errors: Vec<FormError>) -> Self {
        Self { form: Some(form), errors, ..Self::default() }
    }

    /// A form on top of what is in force now: nothing that was typed is lost, and nothing that somebody else chose is
    /// undone unseen.
    pub(super) async fn overtaken(visit: &Visit, form: &'a SettingsForm) -> Result<Self> {
        let settings = &visit.app.settings;
        let base = match form.seen() {
            Some(seen) => settings.at(seen).await?.map(|operating| document(&operating)),
            None => None,
        };
        let meanwhile = base.as_ref().map(|base| differences(base, &document(&settings.current()))).unwrap_or_default();
        Ok(Self { form: Some(form), base, meanwhile: Some(meanwhile), errors: Vec::new() })
    }

    /// Stores what the form asks for. `Some`: it was not stored, and is to be shown once more.
    pub(super) async fn store(
        visit: &Visit,
        form: &'a SettingsForm,
        version: i64,
        wanted: &Operating,
    ) -> Result<Option<Self>> {
        match visit.app.settings.change(version, wanted, &visit.actor).await {
            Ok(()) => Ok(None),
            Err(SettingsError::ChangedMeanwhile) => Self::overtaken(visit, form).await.map(Some),
            Err(error @ SettingsError::Locked { .. }) => {
                Ok(Some(Self::refused(form, vec![FormError { field: None, text: error.to_string() }])))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A setting as the page shows it.
    pub(super) fn field(&self, visit: &Visit, setting: &'static Setting, operating: &Operating, now: &Value) -> Field {
        let value = setting.value_in(now).unwrap_or(&Value::Null);
        let is_locked = visit.app.settings.is_locked(setting.name);
        let Rebased { written, is_contested } = match self.form.filter(|_| !is_locked) {
            None => Rebased { written: setting.written(value), is_contested: false },
            Some(form) if self.meanwhile.is_some() => form.rebase(setting, self.base.as_ref(), now),
            Some(form) => Rebased {
                written: form.typed(setting).map_or_else(|| setting.written(value), str::to_owned),
                is_contested: false,
            },
        };
        Field {
            setting,
            written,
            in_force: setting.in_force(operating, value, visit.app.config.mode),
            locked_by: is_locked.then(|| variable(setting.name)),
            is_contested,
        }
    }
}
