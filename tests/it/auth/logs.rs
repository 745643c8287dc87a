//! What log lines say of people.

use std::io;
use std::sync::{Arc, Mutex};

use mission_control::auth::{Role, Scope};
use tracing_subscriber::fmt::MakeWriter;

use super::service::{PASSWORD, Service};

/// Log lines, kept.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Takes everything that this thread tells from now on, at `trace`, until the guard is dropped.
    pub(super) fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::TRACE)
            .with_writer(self.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("text")
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn log_lines_name_accounts_but_neither_people_nor_secrets() {
    let lines = Lines::default();
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let (_, token) = service.token("ada@example.com", &[Scope::OperationsRead], None).await;

    let logging = lines.listen();
    let mut browser = service.browser();
    browser.sign_in("nobody@example.com", "some other words").await;
    browser.sign_in("ada@example.com", "some other words").await;
    browser.sign_in("ada@example.com", PASSWORD).await;
    service.ask("/api/who", &token).await;
    service.ask("/api/who", &format!("mc_{}", "A".repeat(43))).await;
    drop(logging);

    let lines = lines.text();
    let user = sqlx::query_scalar!("select id from users").fetch_one(&service.app.db).await.expect("a user");
    assert!(lines.contains(r#"event="auth.verified""#) && lines.contains(&user.to_string()), "{lines}");
    assert_eq!(lines.matches(r#"event="auth.failed""#).count(), 3, "{lines}");
    assert!(lines.contains("203.0.113.*"), "{lines}");
    let session = browser.cookie.expect("a session").trim_start_matches("mc=").to_owned();
    for hidden in ["nobody@", "ada@", "203.0.113.1", "other words", PASSWORD, &token, &session, "AAAAAAAA"] {
        assert!(!lines.contains(hidden), "{hidden} is in {lines}");
    }
}
