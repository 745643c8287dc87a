//! What the database holds of secrets, and of what was done.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mission_control::audit::Actor;
use mission_control::auth::{Role, Scope, tokens};
use sqlx::AssertSqlSafe;

use super::service::{PASSWORD, Service};

#[tokio::test]
async fn a_copy_of_the_database_signs_nobody_in() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let browser = service.signed_in("ada@example.com").await;
    let (_, token) = service.token("ada@example.com", &[Scope::OperationsRead], None).await;
    service.browser().sign_in("my password, in the wrong field", "another one, mistyped").await;
    let session = browser.cookie.expect("a session").trim_start_matches("mc=").to_owned();

    let mut dump = String::new();
    let tables = sqlx::query_scalar!("select tablename::text as \"name!\" from pg_tables where schemaname = 'public'");
    for table in tables.fetch_all(&service.app.db).await.expect("tables") {
        let rows = AssertSqlSafe(format!("select to_jsonb(t)::text from {table} t"));
        let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&service.app.db).await.expect("rows");
        dump.extend(rows);
    }
    assert!(dump.contains("ada@example.com"), "the dump has the rows");
    let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"));
    for secret in [PASSWORD, &session, &token, "my password", "another one"] {
        assert!(!dump.contains(secret), "in plain: {secret}");
        assert!(!dump.contains(&hex(secret.as_bytes())), "as bytes: {secret}");
    }
    for credential in [session.as_str(), token.trim_start_matches("mc_")] {
        let bytes = URL_SAFE_NO_PAD.decode(credential).expect("base64url");
        assert_eq!(bytes.len(), 32);
        assert!(!dump.contains(&hex(&bytes)), "decoded: {credential}");
    }
}

#[tokio::test]
async fn every_change_has_its_line() {
    let service = Service::sandbox().await;
    let app = &service.app;
    service.add("ada@example.com", Role::Operator).await;
    let (id, _) = service.token("ada@example.com", &[Scope::OperationsRead], None).await;
    tokens::revoke(&app.db, &app.clock, &app.token_cache, &Actor::command_line(), id).await.expect("revoked");
    let mut browser = service.signed_in("ada@example.com").await;
    let new = "five more unrelated words";
    let fields = [("current_password", PASSWORD), ("new_password", new), ("new_password_again", new)];
    browser.post("/account/password", &fields).await;
    browser.post("/logout", &[]).await;
    service.disable("ada@example.com").await.expect("disabled");

    let lines = sqlx::query!(
        r#"
        select
            action,
            actor,
            ip,
            actor_id is not null as "by_person!"
        from audit_lines
        where object like 'user/%'
           or object like 'token/%'
        order by id
        "#
    );
    let lines = lines.fetch_all(&app.db).await.expect("lines");
    let lines: Vec<_> = lines
        .iter()
        .map(|line| (line.action.as_str(), line.actor.as_str(), line.ip.as_deref(), line.by_person))
        .collect();
    let (shell, ada) = ("command line", ("ada@example.com", Some("203.0.113.1"), true));
    assert_eq!(
        lines,
        [
            ("user.added", shell, None, false),
            ("token.created", shell, None, false),
            ("token.revoked", shell, None, false),
            ("user.signed_in", ada.0, ada.1, ada.2),
            ("user.password_changed", ada.0, ada.1, ada.2),
            ("user.signed_out", ada.0, ada.1, ada.2),
            ("user.disabled", shell, None, false),
        ]
    );
}
