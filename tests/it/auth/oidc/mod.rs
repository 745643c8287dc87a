//! Signing in at a provider of OpenID Connect.

mod provider;

use axum::http::StatusCode;
use serde_json::{Value, json};

use self::provider::{CLIENT_ID, CLIENT_SECRET, Fault, Person, Provider};
use super::logs::Lines;
use crate::support::service::{Answer, Service, Setup, eventually};
use mission_control::auth::Role;

const GRACE: Person = Person {
    subject: "4711",
    email: Some("grace@example.com"),
    email_verified: Some(true),
    groups: Value::Null,
    amr: Vec::new(),
    shown_ago: Some(0),
};

fn grace(groups: &[&str]) -> Person {
    Person { groups: json!(groups), ..GRACE }
}

async fn started(provider: &Provider) -> Service {
    setup(provider).await.start().await
}

/// Where everybody needs a second factor.
async fn required(provider: &Provider) -> Service {
    setup(provider).await.with("MISSION_CONTROL_SIGN_IN_SECOND_FACTOR", "everyone").start().await
}

async fn setup(provider: &Provider) -> Setup {
    Setup::new()
        .await
        .with("MISSION_CONTROL_OIDC_ISSUER", &provider.base())
        .with("MISSION_CONTROL_OIDC_CLIENT_ID", CLIENT_ID)
        .with("MISSION_CONTROL_OIDC_CLIENT_SECRET", CLIENT_SECRET)
        .with("MISSION_CONTROL_OIDC_NAME", "Harbour ID")
        .with("MISSION_CONTROL_OIDC_ROLES", "ops=operator,leads=approver,admins=admin")
}

/// A browser at the service, with a cookie jar.
#[derive(Default)]
struct Browser {
    cookies: Vec<(String, String)>,
}

impl Browser {
    async fn get(&mut self, service: &Service, address: &str) -> Answer {
        self.get_from(service, address, "none").await
    }

    async fn get_from(&mut self, service: &Service, address: &str, site: &str) -> Answer {
        let url = if address.starts_with('/') { service.url(address) } else { address.to_owned() };
        self.send(service, service.client().get(url).header("sec-fetch-site", site)).await
    }

    async fn post(&mut self, service: &Service, path: &str, form: &[(&str, &str)]) -> Answer {
        let request = service.client().post(service.url(path)).form(form);
        self.send(service, request.header("sec-fetch-site", "same-origin")).await
    }

    async fn send(&mut self, service: &Service, request: reqwest::RequestBuilder) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header("accept", "text/html").header("cookie", cookies.join("; "));
        let answer = service.send(request).await;
        for set in answer.headers.get_all("set-cookie") {
            let (name, rest) = set.to_str().expect("text").split_once('=').expect("a cookie");
            let value = rest.split(';').next().expect("a value");
            self.cookies.retain(|(known, _)| known != name);
            if !rest.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    /// To the provider, and as far as the way back.
    async fn go_to_the_provider(&mut self, service: &Service, begin: &str) -> String {
        let begun = self.get_from(service, begin, "same-origin").await;
        assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.text);
        let there = begun.header("location").expect("the provider").to_owned();
        let vouched = service.client().get(there).send().await.expect("the provider");
        assert_eq!(vouched.status(), StatusCode::SEE_OTHER);
        vouched.headers()["location"].to_str().expect("text").to_owned()
    }

    async fn sign_in(&mut self, service: &Service) -> Answer {
        let back = self.go_to_the_provider(service, "/login/oidc").await;
        self.get_from(service, &back, "cross-site").await
    }

    fn has_session(&self) -> bool {
        self.cookies.iter().any(|(name, _)| name == "mc")
    }
}

async fn people(service: &Service) -> Vec<(String, String)> {
    sqlx::query_as("select email, role from users where email <> 'admin@localhost' order by email")
        .fetch_all(&mut service.direct().await)
        .await
        .expect("the people")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_of_the_provider_gets_an_account_with_the_role_of_their_groups() {
    let provider = Provider::start(grace(&["others", "ops", "leads"])).await;
    let service = started(&provider).await;
    let mut browser = Browser::default();
    let door = browser.get(&service, "/login").await;
    assert!(
        door.text.contains("Sign in with Harbour ID") && door.text.contains("href=\"/login/oidc\""),
        "{}",
        door.text
    );

    let back = browser.go_to_the_provider(&service, "/login/oidc?next=%2Fdashboard%2Faudit").await;
    let asked = provider.last();
    assert_eq!((&asked["response_type"], &asked["code_challenge_method"]), (&json!("code"), &json!("S256")));
    assert_eq!(asked["redirect_uri"], service.url("/login/oidc/callback"));
    assert!(asked["state"].as_str().is_some_and(|state| state.len() == 43), "{asked}");
    let entered = browser.get_from(&service, &back, "cross-site").await;
    assert_eq!((entered.status, entered.header("location")), (StatusCode::SEE_OTHER, Some("/dashboard/audit")));
    assert!(browser.has_session() && browser.cookies.len() == 1, "{:?}", browser.cookies);
    let page = browser.get(&service, "/dashboard/operations").await;
    assert!(page.text.contains("grace@example.com") && page.text.contains("Grace &#60;b&#62;Hopper"), "{}", page.text);
    assert_eq!(people(&service).await, [("grace@example.com".to_owned(), "approver".to_owned())]);

    // The same person again, with another address and other groups: the account is theirs by the provider's name for them.
    provider.vouch_for(Person { email: Some("hopper@example.com"), ..grace(&["ops"]) });
    let mut other = Browser::default();
    assert_eq!(other.sign_in(&service).await.status, StatusCode::SEE_OTHER);
    assert_eq!(people(&service).await, [("grace@example.com".to_owned(), "operator".to_owned())]);
    let first = browser.get(&service, "/dashboard/operations").await;
    assert_eq!(
        first.header("location"),
        Some("/login?next=%2Fdashboard%2Foperations"),
        "another role is another session"
    );

    let lines: Vec<String> =
        sqlx::query_scalar("select action from audit_lines where object = 'user/grace@example.com' order by seq")
            .fetch_all(&mut service.direct().await)
            .await
            .expect("the lines");
    let expected = ["user.added", "user.identity_linked", "user.signed_in", "user.role_changed", "user.signed_in"];
    assert_eq!(lines, expected);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_a_verified_address_becomes_theirs_and_no_other() {
    let provider = Provider::start(grace(&["ops"])).await;
    let service = started(&provider).await;
    service.person("grace@example.com", Role::Viewer).await;
    service.person("disabled@example.com", Role::Viewer).await;
    sqlx::query("update users set disabled_at = clock_timestamp() where email = 'disabled@example.com'")
        .execute(&mut service.direct().await)
        .await
        .expect("disabled");

    // What anybody may write about themselves proves nothing, whether the provider says so or says nothing.
    for email_verified in [Some(false), None] {
        provider.vouch_for(Person { email_verified, ..grace(&["ops"]) });
        let refused = Browser::default().sign_in(&service).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{email_verified:?}");
        assert!(refused.text.contains("vouches for no email address"), "{}", refused.text);
    }

    provider.vouch_for(grace(&["ops"]));
    assert_eq!(Browser::default().sign_in(&service).await.status, StatusCode::SEE_OTHER);
    // Another person whom the provider gives the same address later does not inherit the account.
    provider.vouch_for(Person { subject: "4712", ..grace(&["admins"]) });
    assert_eq!(Browser::default().sign_in(&service).await.status, StatusCode::FORBIDDEN);
    provider.vouch_for(Person { subject: "4713", email: Some("disabled@example.com"), ..grace(&["admins"]) });
    assert_eq!(Browser::default().sign_in(&service).await.status, StatusCode::FORBIDDEN);
    let roles = people(&service).await;
    assert_eq!(roles[1], ("grace@example.com".to_owned(), "operator".to_owned()), "{roles:?}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_in_no_group_with_a_role_is_not_let_in() {
    let provider = Provider::start(grace(&["others"])).await;
    let service = started(&provider).await;
    for groups in [json!(["others"]), json!([]), json!("others"), json!({ "ops": true }), Value::Null] {
        provider.vouch_for(Person { groups: groups.clone(), ..GRACE });
        let mut browser = Browser::default();
        let refused = browser.sign_in(&service).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{groups}");
        assert!(refused.text.contains("None of your groups") && !browser.has_session(), "{}", refused.text);
    }
    assert_eq!(people(&service).await, []);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_did_not_say_to_us_just_now_is_not_believed() {
    let provider = Provider::start(grace(&["admins"])).await;
    let service = started(&provider).await;
    for fault in Fault::UNSOUND {
        provider.break_by(fault);
        let mut browser = Browser::default();
        let refused = browser.sign_in(&service).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{fault:?}: {}", refused.text);
        assert!(
            refused.text.contains("could not be believed") && !browser.has_session(),
            "{fault:?}: {}",
            refused.text
        );
    }
    provider.break_by(Fault::None);
    provider.vouch_for(Person { shown_ago: None, ..grace(&["admins"]) });
    assert_eq!(Browser::default().sign_in(&service).await.status, StatusCode::UNAUTHORIZED, "it has to say when");
    assert_eq!(people(&service).await, []);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_counts_once_and_in_the_browser_that_asked() {
    let provider = Provider::start(grace(&["ops"])).await;
    let service = started(&provider).await;
    let (mut victim, mut attacker) = (Browser::default(), Browser::default());
    let answer = attacker.go_to_the_provider(&service, "/login/oidc").await;
    // Sent to somebody who began nothing, or something else.
    let refused = victim.get_from(&service, &answer, "cross-site").await;
    assert_eq!((refused.status, provider.exchanges()), (StatusCode::UNAUTHORIZED, 0));
    assert!(refused.text.contains("begun in another browser"), "{}", refused.text);
    victim.go_to_the_provider(&service, "/login/oidc").await;
    assert_eq!(victim.get_from(&service, &answer, "cross-site").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(provider.exchanges(), 0, "nobody asked the provider");

    // The code of one sign-in in another: only the verifier that belongs to it opens it.
    let other = attacker.go_to_the_provider(&service, "/login/oidc").await;
    let code = answer.split_once("code=").and_then(|(_, rest)| rest.split('&').next()).expect("a code");
    let (before, after) = other.split_once("code=").expect("a code");
    let mixed = format!("{before}code={code}&{}", after.split_once('&').expect("a state").1);
    assert!(!attacker.get_from(&service, &mixed, "cross-site").await.status.is_redirection());
    assert_eq!(provider.exchanges(), 1);

    let mut browser = Browser::default();
    let back = browser.go_to_the_provider(&service, "/login/oidc").await;
    assert_eq!(browser.get_from(&service, &back, "cross-site").await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get_from(&service, &back, "cross-site").await.status, StatusCode::UNAUTHORIZED, "it is used up");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_network_has_thirty_answers_that_were_not_believed_in_ten_minutes() {
    let provider = Provider::start(grace(&["ops"])).await;
    let service = started(&provider).await;
    assert_eq!(Browser::default().sign_in(&service).await.status, StatusCode::SEE_OTHER, "a sound one counts nothing");
    provider.break_by(Fault::NoToken);
    for number in 0..30 {
        assert_eq!(Browser::default().sign_in(&service).await.status, StatusCode::UNAUTHORIZED, "{number}");
    }
    let exchanges = provider.exchanges();
    let blocked = Browser::default().sign_in(&service).await;
    assert_eq!((blocked.status, blocked.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, Some("600")));
    assert_eq!(provider.exchanges(), exchanges, "nobody asked the provider");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_site_begins_it_and_nobody_is_sent_elsewhere_by_it() {
    let provider = Provider::start(grace(&["ops"])).await;
    let service = started(&provider).await;
    let mut browser = Browser::default();
    for site in ["cross-site", "same-site"] {
        let sent = browser.get_from(&service, "/login/oidc", site).await;
        assert_eq!((sent.status, sent.header("location")), (StatusCode::SEE_OTHER, Some("/login")), "{site}");
    }
    let back = browser.go_to_the_provider(&service, "/login/oidc?next=%2F%2Fevil.example").await;
    let entered = browser.get_from(&service, &back, "cross-site").await;
    assert_eq!(entered.header("location"), Some("/dashboard/operations"));

    let denied = browser.get_from(&service, "/login/oidc/callback?error=access_denied&state=x", "cross-site").await;
    assert_eq!(denied.status, StatusCode::UNAUTHORIZED);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_away_or_changes_its_key_is_told_and_gone_on_with() {
    let provider = Provider::start(grace(&["ops"])).await;
    provider.break_by(Fault::Impostor);
    let service = started(&provider).await;
    let mut browser = Browser::default();
    let away = browser.get_from(&service, "/login/oidc", "same-origin").await;
    assert_eq!(away.status, StatusCode::SERVICE_UNAVAILABLE, "it is not the provider that was configured");
    provider.break_by(Fault::Broken);
    let away = browser.get_from(&service, "/login/oidc", "same-origin").await;
    assert_eq!(away.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        away.text.contains("Harbour ID does not answer") && away.text.contains("name=\"password\""),
        "{}",
        away.text
    );
    provider.break_by(Fault::None);
    for fault in [Fault::Broken, Fault::Endless] {
        let back = browser.go_to_the_provider(&service, "/login/oidc").await;
        provider.break_by(fault);
        let away = browser.get_from(&service, &back, "cross-site").await;
        assert_eq!(away.status, StatusCode::SERVICE_UNAVAILABLE, "{fault:?}");
        provider.break_by(Fault::None);
    }
    provider.change_key();
    assert_eq!(browser.sign_in(&service).await.status, StatusCode::SEE_OTHER, "its new key was asked for");
    service.stop().await;
}

#[tokio::test]
async fn nothing_that_would_let_somebody_in_is_told_even_at_trace() {
    let provider = Provider::start(grace(&["ops"])).await;
    let service = started(&provider).await;
    let lines = Lines::default();
    let logging = lines.listen();
    let mut browser = Browser::default();
    assert_eq!(browser.sign_in(&service).await.status, StatusCode::SEE_OTHER);
    for fault in [Fault::Nonce, Fault::Changed, Fault::NoToken, Fault::Broken] {
        provider.break_by(fault);
        assert!(!Browser::default().sign_in(&service).await.status.is_redirection(), "{fault:?}");
    }
    drop(logging);
    service.stop().await;
    // The test's own browser tells which addresses it goes to.
    let told: String =
        lines.text().lines().filter(|line| line.contains("mission_control") || line.contains("request{")).collect();
    assert!(told.contains("auth.verified") && told.contains("auth.failed"), "the log is one: {told}");
    let mut secrets = provider.secrets();
    secrets.extend(browser.cookies.into_iter().map(|(_, value)| value));
    assert!(secrets.len() > 10, "{secrets:?}");
    for secret in secrets {
        assert!(!told.contains(&secret), "{secret} is in {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_that_the_provider_asked_for_counts_and_a_password_there_does_not() {
    let provider = Provider::start(grace(&["leads"])).await;
    let service = required(&provider).await;
    let mut browser = Browser::default();
    assert_eq!(browser.sign_in(&service).await.status, StatusCode::SEE_OTHER);
    let sent = browser.get(&service, "/dashboard/operations").await;
    assert_eq!(sent.header("location"), Some("/account/second-factor"), "{}", sent.text);
    let token = service.token_of("grace@example.com", &[mission_control::auth::Scope::OperationsRead]).await;
    assert_eq!(service.get("/api/operations", &token).await.code(), "second_factor_required");

    provider.vouch_for(Person { amr: vec!["pwd", "otp"], ..grace(&["leads"]) });
    assert_eq!(browser.sign_in(&service).await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get(&service, "/dashboard/operations").await.status, StatusCode::OK);
    eventually("the token", || async {
        let answer = service.get("/api/operations", &token).await;
        if answer.status == StatusCode::OK { Ok(()) } else { Err(answer.text) }
    })
    .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_back_asks_the_provider_anew() {
    // Signed in there this morning, and here just now.
    let provider = Provider::start(Person { shown_ago: Some(7200), ..grace(&["admins"]) }).await;
    let service = started(&provider).await;
    let mut browser = Browser::default();
    browser.sign_in(&service).await;
    assert_eq!(provider.last()["max_age"], "43200");
    let asked = browser
        .post(
            &service,
            "/dashboard/settings/people",
            &[("email", "eve@example.com"), ("name", "Eve"), ("role", "viewer")],
        )
        .await;
    assert_eq!(asked.status, StatusCode::FORBIDDEN, "{}", asked.text);
    assert!(asked.text.contains("/login/oidc?anew=true") && asked.text.contains("eve@example.com"), "{}", asked.text);

    // In another tab of the same browser.
    provider.vouch_for(grace(&["admins"]));
    let back = browser.go_to_the_provider(&service, "/login/oidc?anew=true").await;
    assert_eq!((&provider.last()["max_age"], &provider.last()["prompt"]), (&json!("0"), &json!("login")));
    browser.get_from(&service, &back, "cross-site").await;
    let done = browser
        .post(
            &service,
            "/dashboard/settings/people",
            &[("email", "eve@example.com"), ("name", "Eve"), ("role", "viewer"), ("proof", "")],
        )
        .await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    assert!(people(&service).await.contains(&("eve@example.com".to_owned(), "viewer".to_owned())));
    service.stop().await;
}
