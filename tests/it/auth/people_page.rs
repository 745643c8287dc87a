//! The page of people: who may keep whom, what is shown once, and what nobody does to themselves.

use mission_control::auth::{Role, Scope, users};
use serde_json::{Value, json};

use crate::pages::browser::{Browser, hidden};
use crate::support::authenticator::textarea;
use crate::support::log;
use crate::support::service::{PASSWORD, Service};

const LIST: &str = "/dashboard/settings/people";

/// The address of a person's page.
async fn page_of(service: &Service, email: &str) -> String {
    let people = users::list(&service.app().db).await.expect("people");
    let person = people.into_iter().find(|person| person.email == email).expect("the person");
    format!("{LIST}/{}", person.id)
}

/// The path of the link that an answer shows.
fn shown(service: &Service, page: &str) -> String {
    let link = textarea(page, "link");
    link.strip_prefix(&service.url("")).unwrap_or_else(|| panic!("not ours: {link}")).to_owned()
}

/// The last line about an object: action, author, details.
async fn last_line(service: &Service, object: &str) -> (String, String, Value) {
    sqlx::query_as("select action, actor, details from audit_lines where object = $1 order by seq desc limit 1")
        .bind(object)
        .fetch_one(&service.app().db)
        .await
        .expect("a line")
}

#[tokio::test]
async fn a_new_person_gets_a_link_that_is_shown_once() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let fields = [("email", "Otto@Example.com"), ("name", " Otto <b> "), ("role", "operator")];
    let answer = admin.post(LIST, &fields).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    let link = shown(&service, &answer.text);
    assert!(answer.text.contains("Otto &#60;b&#62;") && answer.text.contains("It is shown only now"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));

    let again = admin.refused(LIST, &fields, 422).await;
    assert!(again.contains("Somebody has this address already") && !again.contains(&link));
    let person = page_of(&service, "otto@example.com").await;
    for page in [LIST, &person] {
        let page = admin.page(page).await;
        assert!(page.contains("otto@example.com") && page.contains("Invited"));
        assert!(!page.contains(&link), "never again");
    }
    let mut otto = Browser::new(&service);
    assert!(otto.page(&link).await.contains("Welcome, Otto &#60;b&#62;"));
    let chosen = [("new_password", PASSWORD), ("new_password_again", PASSWORD)];
    assert_eq!(otto.submit(&link, &chosen).await, "/dashboard/operations");
    otto.page("/dashboard/operations").await;
    assert!(admin.page(&person).await.contains("Enabled"));

    let lines: Vec<String> =
        sqlx::query_scalar("select action from audit_lines where object = 'user/otto@example.com' order by seq")
            .fetch_all(&service.app().db)
            .await
            .expect("lines");
    assert_eq!(lines, ["user.invited", "user.joined", "user.signed_in"]);
    let secret = link.trim_start_matches("/welcome/");
    let lines: String = sqlx::query_scalar("select string_agg(audit_lines::text, ' ') from audit_lines")
        .fetch_one(&service.app().db)
        .await
        .expect("lines");
    assert!(!lines.contains(secret) && !log::text().contains(secret));
    service.stop().await;
}

#[tokio::test]
async fn a_refused_person_keeps_what_was_typed() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let fields = [("email", "no address"), ("name", "\t"), ("role", "emperor")];
    let page = admin.refused(LIST, &fields, 422).await;
    assert!(page.contains("3 things need a change") && page.contains("value=\"no address\""));
    for field in ["email", "name", "role"] {
        assert!(page.contains(&format!("href=\"#{field}\"")) && page.contains(&format!("id=\"{field}\"")), "{field}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_role_ends_the_sessions_and_counts_for_tokens_at_once() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let mut otto = Browser::of(&service, "otto@example.com", Role::Admin).await;
    let token = service.token_of("otto@example.com", &Scope::ALL).await;
    let person = page_of(&service, "otto@example.com").await;
    otto.page(LIST).await;
    let release = service.request(reqwest::Method::DELETE, "/api/hold", &token);
    assert!(service.send(release).await.status.is_success(), "an admin's token");

    assert_eq!(admin.submit(&format!("{person}/role"), &[("role", "viewer")]).await, person);
    assert!(otto.get(LIST).await.header("location").is_some_and(|way| way.starts_with("/login")));
    otto.sign_in("otto@example.com", PASSWORD).await;
    assert_eq!(otto.get(LIST).await.status.as_u16(), 403);
    let asked = service.post("/api/twilio/send-sms", &token, &json!({ "to": "+14155550132", "message": "x" })).await;
    assert_eq!(asked.code(), "role_missing", "the token was cached with the former role");
    let changes = "select actor, details from audit_lines where action = 'user.role_changed'";
    let changes =
        async || -> Vec<(String, Value)> { sqlx::query_as(changes).fetch_all(&service.app().db).await.expect("lines") };
    let details = json!({ "before": { "role": "admin" }, "after": { "role": "viewer" }, "endedSessions": 1 });
    assert_eq!(changes().await, [("ada@example.com".to_owned(), details.clone())]);

    admin.submit(&format!("{person}/role"), &[("role", "viewer")]).await;
    assert_eq!(changes().await.len(), 1, "no change, no line");
    otto.page("/dashboard/help").await;
    admin.refused(&format!("{person}/role"), &[("role", "emperor")], 422).await;
    service.stop().await;
}

#[tokio::test]
async fn whoever_is_disabled_is_out_until_enabled_again() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let mut otto = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let token = service.token_of("otto@example.com", &Scope::ALL).await;
    assert_eq!(service.get("/api/operations", &token).await.status.as_u16(), 200);
    let person = page_of(&service, "otto@example.com").await;

    let question = admin.page(&format!("{person}/disable")).await;
    assert!(question.contains("signed out everywhere") && question.contains("Keep enabled"));
    otto.page("/dashboard/help").await;
    assert_eq!(admin.submit(&format!("{person}/disable"), &[]).await, person);
    assert!(otto.get("/dashboard/help").await.header("location").is_some_and(|way| way.starts_with("/login")));
    assert_eq!(service.get("/api/operations", &token).await.code(), "account_disabled");
    let mut back = Browser::new(&service);
    let credentials = [("email", "otto@example.com"), ("password", PASSWORD)];
    assert_eq!(back.post("/login", &credentials).await.status.as_u16(), 401);
    let (_, _, details) = last_line(&service, "user/otto@example.com").await;
    let expected = json!({ "before": { "disabled": false }, "after": { "disabled": true }, "endedSessions": 1 });
    assert_eq!(details, expected);
    assert!(admin.page(&person).await.contains("Enable again"));
    assert_eq!(admin.get(&format!("{person}/disable")).await.header("location"), Some(person.as_str()));

    admin.submit(&format!("{person}/enable"), &[]).await;
    assert_eq!(service.get("/api/operations", &token).await.status.as_u16(), 200);
    back.sign_in("otto@example.com", PASSWORD).await;
    service.stop().await;
}

#[tokio::test]
async fn a_reset_shows_a_link_once_and_the_same_form_resets_once() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let mut otto = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let person = page_of(&service, "otto@example.com").await;
    let (address, seen) = (format!("{person}/reset-password"), hidden(&admin.page(&person).await, "seen"));
    let answer = admin.post(&address, &[("seen", &seen)]).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    let link = shown(&service, &answer.text);
    assert!(otto.get("/dashboard/help").await.status.is_redirection(), "their session has ended");
    let old = [("email", "otto@example.com"), ("password", PASSWORD)];
    assert_eq!(Browser::new(&service).post("/login", &old).await.status.as_u16(), 401, "and so has the password");

    let reloaded = admin.refused(&address, &[("seen", &seen)], 409).await;
    assert!(reloaded.contains("so the password stays as it is") && !reloaded.contains(&link));
    assert_eq!(admin.get(&address).await.header("location"), Some(person.as_str()));
    let chosen = [("new_password", "five more unrelated words"), ("new_password_again", "five more unrelated words")];
    assert!(otto.page(&link).await.contains("Another password"));
    otto.submit(&link, &chosen).await;
    otto.page("/dashboard/help").await;
    assert!(!log::text().contains(link.trim_start_matches("/welcome/")));
    let reset: Value = sqlx::query_scalar("select details from audit_lines where action = 'user.password_reset'")
        .fetch_one(&service.app().db)
        .await
        .expect("one line");
    assert_eq!(reset, json!({ "hours": 24, "endedSessions": 1 }));
    service.stop().await;
}

#[tokio::test]
async fn nobody_decides_on_themselves() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    service.person("bob@example.com", Role::Admin).await;
    let own = page_of(&service, "ada@example.com").await;
    let page = admin.page(&own).await;
    assert!(page.contains("Nobody changes their own role") && !page.contains(&format!("{own}/")), "no such button");
    for (act, fields) in [("role", &[("role", "viewer")][..]), ("disable", &[]), ("reset-password", &[("seen", "1")])] {
        let page = admin.refused(&format!("{own}/{act}"), fields, 409).await;
        assert!(page.contains("Nobody "), "{act}: {page}");
    }
    assert!(admin.page(&own).await.contains("You are Admin"));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_admins_who_demote_or_disable_each_other_one_stays() {
    let service = Service::start().await;
    let mut ada = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let mut bob = Browser::of(&service, "bob@example.com", Role::Admin).await;
    let first = page_of(&service, "admin@localhost").await;
    ada.submit(&format!("{first}/disable"), &[]).await;
    let (to_ada, to_bob) = (page_of(&service, "ada@example.com").await, page_of(&service, "bob@example.com").await);
    // Held until both are under way, so that neither sees what the other did by being early.
    let db = &service.app().db;
    let mut held = mission_control::database::begin(db).await.expect("a transaction");
    sqlx::query("select id from users for update").fetch_all(&mut *held).await.expect("the rows");
    let release = async {
        let waiting =
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(db).await.expect("a count") < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        held.rollback().await.expect("released");
    };
    let (demote, disable) = (format!("{to_bob}/role"), format!("{to_ada}/disable"));
    let (one, other, ()) = tokio::join!(ada.post(&demote, &[("role", "viewer")]), bob.post(&disable, &[]), release);
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 403], "the slower one is no admin any more");
    let people = users::list(db).await.expect("people");
    let admins = people.iter().filter(|person| person.role == Role::Admin && person.disabled_at.is_none()).count();
    assert_eq!(admins, 1);
    service.stop().await;
}

#[tokio::test]
async fn only_admins_see_or_change_people() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let person = page_of(&service, "ada@example.com").await;
    let acts = ["role", "disable", "enable", "reset-password", "withdraw-link", "reset-second-factor"]
        .map(|act| format!("{person}/{act}"));
    let new = [("email", "new@example.com"), ("name", "New"), ("role", "admin")];
    for role in [Role::Viewer, Role::Operator, Role::Approver] {
        let mut browser = Browser::of(&service, &format!("{role}@example.com"), role).await;
        for address in [LIST, person.as_str()].into_iter().chain(acts.iter().map(String::as_str)) {
            assert_eq!(browser.get(address).await.status.as_u16(), 403, "{role} {address}");
        }
        for address in [LIST].into_iter().chain(acts.iter().map(String::as_str)) {
            assert_eq!(browser.post(address, &new).await.status.as_u16(), 403, "{role} {address}");
        }
        assert!(!browser.page("/dashboard/settings/tokens").await.contains(LIST), "{role}: no tab either");
    }
    let mut nobody = Browser::new(&service);
    assert!(nobody.get(&person).await.status.is_redirection());
    for address in [LIST, &acts[0], &acts[1]] {
        let to_sign_in = |way: Option<&str>| way.is_some_and(|way| way.starts_with("/login"));
        assert!(to_sign_in(nobody.get(address).await.header("location")), "{address}");
        assert!(to_sign_in(nobody.post(address, &new).await.header("location")), "{address}");
    }
    let token = service.token_of("ada@example.com", &Scope::ALL).await;
    assert!(service.get(LIST, &token).await.status.is_redirection(), "no page opens for a token");
    for address in [LIST, &acts[0], &acts[1]] {
        let answer = admin.post_from(address, &new, "cross-site", "/").await;
        assert_eq!(answer.status.as_u16(), 403, "{address}");
    }
    let known = users::list(&service.app().db).await.expect("people");
    assert!(known.iter().all(|person| person.email != "new@example.com" && person.disabled_at.is_none()));
    for nothing in [format!("{LIST}/no-id"), format!("{LIST}/019ab2c4-7e10-7c3a-9f21-5b8e0d6a41c2")] {
        assert_eq!(admin.get(&nothing).await.status.as_u16(), 404, "{nothing}");
    }
    service.stop().await;
}
