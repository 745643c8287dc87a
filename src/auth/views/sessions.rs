//! The page of one's own sessions.

use std::time::Duration;

use askama::Template;
use time::OffsetDateTime;

use crate::auth::open_sessions::OpenSession;
use crate::web::frame::Frame;
use crate::web::settings_tabs::SettingsTab;
use crate::web::text;

/// One's own open sessions.
#[derive(Template)]
#[template(path = "settings/sessions.html")]
pub(crate) struct SessionsPage {
    pub(crate) frame: Frame,
    /// The one used last first.
    pub(crate) sessions: Vec<Row>,
    /// Whether the reader has a second factor.
    pub(crate) has_second_factor: bool,
    pub(crate) now: OffsetDateTime,
    /// A session ends this long after its last request.
    pub(crate) idle: Duration,
    /// A session ends this long after it began.
    pub(crate) longest: Duration,
}

/// A session in the list.
pub(crate) struct Row {
    pub(crate) session: OpenSession,
    /// It is the one with which the list is read.
    pub(crate) is_this: bool,
}

impl SessionsPage {
    fn has_others(&self) -> bool {
        self.sessions.iter().any(|row| !row.is_this)
    }
}

fn span(duration: Duration) -> String {
    text::span(duration.try_into().unwrap_or_default())
}

#[cfg(test)]
impl SessionsPage {
    /// Two sessions whose every text is this one.
    pub(crate) fn sample(text: &str) -> Self {
        let row = |is_this| Row { session: OpenSession::sample(text), is_this };
        Self {
            frame: Frame::sample(crate::web::frame::Place::Settings),
            sessions: vec![row(true), row(false)],
            has_second_factor: false,
            now: OffsetDateTime::UNIX_EPOCH,
            idle: Duration::from_mins(30),
            longest: Duration::from_hours(12),
        }
    }
}
