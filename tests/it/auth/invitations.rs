//! Links by which people choose a password: what they open, how often, for how long, and what is told of the others.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mission_control::audit::Actor;
use mission_control::auth::links::Link;
use mission_control::auth::users::{self, Invitation};
use mission_control::auth::{Role, Scope, standing};
use secrecy::ExposeSecret as _;

use crate::pages::browser::Browser;
use crate::support::authenticator;
use crate::support::dump::Dump;
use crate::support::service::{Answer, PASSWORD, Service};

const EMAIL: &str = "otto@example.com";
const ANOTHER: &str = "five more unrelated words";

/// The path of a link.
fn path(service: &Service, link: &Link) -> String {
    let address = link.address(&service.app().public_url);
    #[expect(clippy::disallowed_methods, reason = "the test uses the link")]
    let address = address.expose_secret();
    address.strip_prefix(&service.app().public_url.to_string()).expect("our address").to_owned()
}

/// Invites somebody; answers the path of the link.
async fn invite(service: &Service) -> String {
    let (app, actor) = (service.app(), Actor::command_line());
    let email = EMAIL.parse().expect("an address");
    let invitation = Invitation { email, name: "Otto".to_owned(), role: Role::Operator };
    let (_, link) = users::invite(&app.db, &app.clock, &app.passwords, &actor, &invitation).await.expect("invited");
    path(service, &link)
}

/// Makes another link for the same person.
async fn renew(service: &Service) -> String {
    let (app, email) = (service.app(), EMAIL.parse().expect("an address"));
    let made = users::make_link(&app.db, &app.clock, &app.passwords, &Actor::command_line(), &email, None).await;
    path(service, &made.expect("a link"))
}

async fn choose(service: &Service, link: &str, password: &str) -> Answer {
    let fields = [("new_password", password), ("new_password_again", password)];
    Browser::new(service).post(link, &fields).await
}

async fn signs_in(service: &Service, password: &str) -> bool {
    let answer = Browser::new(service).post("/login", &[("email", EMAIL), ("password", password)]).await;
    answer.status.as_u16() == 303
}

#[tokio::test]
async fn an_invited_person_chooses_a_good_password_and_is_in() {
    let service = Service::start().await;
    let link = invite(&service).await;
    let mut browser = Browser::new(&service);
    let page = browser.page(&link).await;
    assert!(page.contains("Welcome, Otto") && page.contains("value=\"otto@example.com\""), "{page}");
    for (one, again, said) in [
        ("short", "short", "shorter than 12"),
        ("Password1234", "Password1234", "tried first"),
        (ANOTHER, PASSWORD, "not the same"),
        (EMAIL, EMAIL, "email address"),
    ] {
        let fields = [("new_password", one), ("new_password_again", again)];
        assert!(browser.refused(&link, &fields, 422).await.contains(said), "{one}");
    }
    let fields = [("new_password", ANOTHER), ("new_password_again", ANOTHER)];
    assert_eq!(browser.submit(&link, &fields).await, "/dashboard/operations");
    browser.page("/dashboard/operations").await;
    assert!(signs_in(&service, ANOTHER).await);
    service.stop().await;
}

#[tokio::test]
async fn an_account_that_is_only_invited_opens_nothing() {
    let service = Service::start().await;
    invite(&service).await;
    assert!(!signs_in(&service, PASSWORD).await && !signs_in(&service, "").await);
    let token = service.token_of(EMAIL, &Scope::ALL).await;
    let answer = service.get("/api/operations", &token).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "account_invited"));
    // Whatever hash stands there: that of an account that waits is never the way in.
    service.person("ada@example.com", Role::Operator).await;
    let copied = "update users set password_hash = (select password_hash from users where email = 'ada@example.com') \
        where email = 'otto@example.com'";
    sqlx::query(copied).execute(&service.app().db).await.expect("copied");
    assert!(!signs_in(&service, PASSWORD).await);
    service.stop().await;
}

#[tokio::test]
async fn looking_at_a_link_uses_nothing_up_and_using_it_does() {
    let service = Service::start().await;
    let link = invite(&service).await;
    for _ in 0..3 {
        Browser::new(&service).page(&link).await;
        let head = service.send(service.client().head(service.url(&link))).await;
        assert_eq!(head.status.as_u16(), 200);
    }
    assert_eq!(choose(&service, &link, ANOTHER).await.status.as_u16(), 303);
    assert_eq!(choose(&service, &link, PASSWORD).await.status.as_u16(), 404);
    assert!(signs_in(&service, ANOTHER).await && !signs_in(&service, PASSWORD).await);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_use_a_link_at_once_one_chooses_the_password() {
    let service = Service::start().await;
    let link = invite(&service).await;
    let tries = (0..12).map(|number| {
        let (service, link) = (&service, &link);
        async move { choose(service, link, &format!("unrelated words {number}")).await.status.as_u16() }
    });
    let statuses = futures_util::future::join_all(tries).await;
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [303, 404].contains(status)), "{statuses:?}");
    let sessions: i64 =
        sqlx::query_scalar("select count(*) from sessions").fetch_one(&service.app().db).await.expect("a count");
    assert_eq!(sessions, 1);
    service.stop().await;
}

#[tokio::test]
async fn what_opens_nothing_is_told_alike_whatever_it_was() {
    let service = Service::start().await;
    let replaced = invite(&service).await;
    let expired = renew(&service).await;
    service.clock.advance(Duration::from_hours(72) + Duration::from_secs(1));
    let mut said = vec![Browser::new(&service).refused(&expired, &[("new_password", ANOTHER)], 404).await];
    let used = renew(&service).await;
    assert_eq!(choose(&service, &used, ANOTHER).await.status.as_u16(), 303);
    let withdrawn = renew(&service).await;
    renew(&service).await;
    let unknown = format!("/welcome/{}", "A".repeat(43));
    for link in [&replaced, &used, &withdrawn, &unknown, "/welcome/A", "/welcome/%00"] {
        let answer = Browser::new(&service).get(link).await;
        assert_eq!(answer.status.as_u16(), 404, "{link}");
        said.push(answer.text);
        said.push(choose(&service, link, ANOTHER).await.text);
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:#?}");
    service.stop().await;
}

#[tokio::test]
async fn whoever_tries_links_has_to_wait() {
    let service = Service::start().await;
    let link = invite(&service).await;
    let mut last = 404;
    for number in 0..40 {
        let answer = Browser::new(&service).get(&format!("/welcome/{number:043}")).await;
        last = answer.status.as_u16();
        if last == 429 {
            assert!(answer.header("retry-after").is_some(), "{number}");
            break;
        }
    }
    assert_eq!(last, 429);
    assert_eq!(Browser::new(&service).get(&link).await.status.as_u16(), 429, "a right one is not looked at either");
    service.clock.advance(Duration::from_mins(11));
    Browser::new(&service).page(&link).await;
    service.stop().await;
}

#[tokio::test]
async fn a_reset_ends_everything_when_it_is_made_and_lasts_a_day() {
    let service = Service::start().await;
    let mut otto = Browser::of(&service, EMAIL, Role::Operator).await;
    let link = renew(&service).await;
    assert!(otto.get("/dashboard/help").await.status.is_redirection());
    assert!(!signs_in(&service, PASSWORD).await);
    service.clock.advance(Duration::from_hours(24) - Duration::from_mins(1));
    Browser::new(&service).page(&link).await;
    service.clock.advance(Duration::from_mins(2));
    assert_eq!(choose(&service, &link, ANOTHER).await.status.as_u16(), 404);
    service.stop().await;
}

#[tokio::test]
async fn disabling_or_withdrawing_voids_a_link_for_good() {
    let service = Service::start().await;
    let (app, actor, email) = (service.app(), Actor::command_line(), EMAIL.parse().expect("an address"));
    let link = invite(&service).await;
    standing::disable(&app.db, &app.clock, &app.token_cache, &actor, &email).await.expect("disabled");
    standing::enable(&app.db, &app.token_cache, &actor, &email).await.expect("enabled");
    assert_eq!(choose(&service, &link, ANOTHER).await.status.as_u16(), 404);

    let link = renew(&service).await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let people = users::list(&app.db).await.expect("people");
    let person = people.iter().find(|person| person.email == EMAIL).expect("the person").id;
    let person = format!("/dashboard/settings/people/{person}");
    assert!(admin.page(&person).await.contains("Withdraw the link"));
    admin.submit(&format!("{person}/withdraw-link"), &[]).await;
    assert_eq!(choose(&service, &link, ANOTHER).await.status.as_u16(), 404);
    let page = admin.page(&person).await;
    assert!(page.contains("New invitation link") && !page.contains("Withdraw the link"));
    let lines = "select count(*) from audit_lines where action = 'user.link_withdrawn'";
    assert_eq!(sqlx::query_scalar::<_, i64>(lines).fetch_one(&app.db).await.expect("a count"), 1);
    service.stop().await;
}

#[tokio::test]
async fn a_link_is_no_way_around_the_second_factor() {
    let service = Service::start().await;
    let mut otto = Browser::of(&service, EMAIL, Role::Operator).await;
    let (app, _) = authenticator::set(&service, &mut otto).await;
    let link = renew(&service).await;
    let mut browser = Browser::new(&service);
    let fields = [("new_password", ANOTHER), ("new_password_again", ANOTHER)];
    assert_eq!(browser.submit(&link, &fields).await, "/login/code");
    assert!(browser.get("/dashboard/help").await.status.is_redirection());
    let code = app.next_code(&service.clock);
    assert_eq!(browser.submit("/login/code", &[("code", &code)]).await, "/dashboard/operations");
    browser.page("/dashboard/help").await;
    service.stop().await;
}

#[tokio::test]
async fn a_copy_of_the_database_opens_no_link() {
    let service = Service::start().await;
    let link = invite(&service).await;
    let dump = Dump::of(&service.database().options).await.text();
    let secret = link.trim_start_matches("/welcome/");
    assert!(dump.contains(EMAIL) && !dump.contains(secret) && !dump.contains(&hex_of(secret)));
    service.stop().await;
}

/// The bytes that a link stands for, as a dump would show them.
fn hex_of(secret: &str) -> String {
    let bytes = URL_SAFE_NO_PAD.decode(secret).expect("base64url");
    bytes.iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}
