//! The page of the operating settings, and the step before approval is switched off.

use askama::Template;
use time::OffsetDateTime;

use super::catalogue::{Kind, Setting};
use super::history::{Difference, Version};
use crate::web::frame::{FormError, Frame, errors_of};
use crate::web::settings_tabs::SettingsTab;

/// What must be typed to switch approval off.
pub(super) const CONFIRMATION: &str = "send without approval";

/// All operating settings, with their history.
#[derive(Template)]
#[template(path = "settings/sending.html")]
pub(crate) struct SendingPage {
    pub(super) frame: Frame,
    /// The version in force, which the form is made from.
    pub(super) version: i64,
    pub(super) groups: Vec<Group>,
    pub(super) may_change: bool,
    /// What somebody else changed while the reader did.
    pub(super) meanwhile: Option<Vec<Difference>>,
    pub(super) history: Vec<Version>,
    pub(super) errors: Vec<FormError>,
    pub(super) correlation_id: String,
    pub(super) now: OffsetDateTime,
}

/// Settings that belong together.
pub(crate) struct Group {
    pub(super) title: &'static str,
    pub(super) purpose: &'static str,
    pub(super) fields: Vec<Field>,
}

/// One setting as the page shows it.
pub(crate) struct Field {
    pub(super) setting: &'static Setting,
    /// What the field holds.
    pub(super) written: String,
    /// What is in force, in words.
    pub(super) in_force: String,
    /// The variable that fixes it.
    pub(super) locked_by: Option<String>,
    /// Whether somebody else changed it while the reader did.
    pub(super) is_contested: bool,
}

/// The question before approval is switched off.
#[derive(Template)]
#[template(path = "settings/sending_without_approval.html")]
pub(crate) struct WithoutApprovalPage {
    pub(super) frame: Frame,
    pub(super) version: i64,
    /// All fields of the form, to be sent again.
    pub(super) fields: Vec<(&'static str, String)>,
    pub(super) differences: Vec<Difference>,
    pub(super) typed: String,
    pub(super) errors: Vec<FormError>,
    pub(super) correlation_id: String,
}

impl SendingPage {
    fn errors_of(&self, field: &str) -> Vec<&str> {
        errors_of(&self.errors, field)
    }

    fn newest(&self) -> Option<&Version> {
        self.history.first()
    }
}

impl WithoutApprovalPage {
    fn errors_of(&self, field: &str) -> Vec<&str> {
        errors_of(&self.errors, field)
    }
}

impl Field {
    /// What stands behind a typed value; `None` if it is chosen.
    fn unit(&self) -> Option<&'static str> {
        match self.setting.kind {
            Kind::Choice(_) | Kind::SpeechId => None,
            Kind::Hours => Some("hours"),
            Kind::Seconds => Some("seconds"),
            Kind::Rate(_) => Some("a second"),
            Kind::AMinute(_) => Some("a minute"),
            Kind::Price(unit) => Some(unit),
        }
    }
}
