//! Why settings are not read or not changed, and what the caller hears of it.

use axum::http::StatusCode;

use crate::config::WrongSetting;
use crate::error::{Error, Problem};

/// Why settings are not read or not changed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A value cannot work.
    #[error(transparent)]
    Invalid(#[from] WrongSetting),
    /// The environment fixes a setting that should change.
    #[error("{setting} is fixed by the environment ({variable}). Change it there, or unset it and restart.")]
    Locked {
        /// As `table.name`.
        setting: String,
        /// The variable that fixes it.
        variable: String,
    },
    /// Somebody else was faster.
    #[error("The settings were changed meanwhile. Look at them as they are now, then change them again.")]
    ChangedMeanwhile,
    /// A stored version means nothing to this program.
    #[error(
        "Version {version} of the stored settings cannot be used: {problem} Fix that setting by its environment variable, or start the program that stored it."
    )]
    Unreadable {
        /// The version.
        version: i64,
        /// What is wrong with it.
        problem: String,
    },
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<SettingsError> for Error {
    fn from(error: SettingsError) -> Self {
        let detail = error.to_string();
        match error {
            SettingsError::Invalid(_) => Problem::new(StatusCode::BAD_REQUEST, "invalid_settings", detail).into(),
            SettingsError::Locked { .. } => Problem::new(StatusCode::CONFLICT, "setting_locked", detail).into(),
            SettingsError::ChangedMeanwhile => {
                Problem::new(StatusCode::CONFLICT, "settings_changed_meanwhile", detail).into()
            }
            SettingsError::Unreadable { .. } => Self::Internal(error.into()),
            SettingsError::Database(error) => error.into(),
        }
    }
}
