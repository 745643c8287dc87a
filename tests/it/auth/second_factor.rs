//! The second factor: what it takes to come in, what a code opens, and who may do without.

use std::time::Duration;

use mission_control::auth::commands::{ResetSecondFactor, reset_second_factor};
use mission_control::auth::{Role, Scope, users};
use reqwest::Method;
use serde_json::{Value, json};

use crate::pages::browser::{Browser, hidden};
use crate::support::authenticator::{self, Authenticator, PATH, textarea};
use crate::support::dump::Dump;
use crate::support::log;
use crate::support::service::{PASSWORD, Service, Setup};

const EMAIL: &str = "anna@example.com";
const CODE: &str = "/login/code";

/// Somebody with a second factor, and their browser.
async fn guarded(service: &Service) -> (Browser<'_>, Authenticator, Vec<String>) {
    let mut browser = Browser::of(service, EMAIL, Role::Approver).await;
    let (app, codes) = authenticator::set(service, &mut browser).await;
    (browser, app, codes)
}

/// A browser whose password was right.
async fn half(service: &Service) -> Browser<'_> {
    let mut browser = Browser::new(service);
    let fields = [("email", EMAIL), ("password", PASSWORD)];
    assert_eq!(browser.submit("/login", &fields).await, CODE);
    browser
}

async fn is_in(browser: &mut Browser<'_>) -> bool {
    browser.get("/dashboard/help").await.status.as_u16() == 200
}

async fn lines(service: &Service, action: &str) -> Vec<Value> {
    sqlx::query_scalar("select details from audit_lines where action = $1 order by id")
        .bind(action)
        .fetch_all(&service.app().db)
        .await
        .expect("lines")
}

#[tokio::test]
async fn the_password_alone_gives_no_session() {
    let service = Service::start().await;
    let (_, app, _) = guarded(&service).await;
    let mut browser = half(&service).await;
    assert!(browser.page(CODE).await.contains("The password is right."));
    for path in ["/dashboard/help", "/dashboard/operations", "/account/password", PATH, "/account/confirm"] {
        let answer = browser.get(path).await;
        assert!(answer.header("location").is_some_and(|way| way.starts_with("/login")), "{path}");
    }
    assert_eq!(browser.get("/api/operations").await.status.as_u16(), 401);
    assert_eq!(browser.post(&format!("{PATH}/remove"), &[]).await.header("location"), Some("/login"));
    let code = app.next_code(&service.clock);
    assert_eq!(browser.submit(CODE, &[("code", &code), ("next", "/dashboard/help")]).await, "/dashboard/help");
    assert!(is_in(&mut browser).await);
    assert!(browser.page("/dashboard/settings/sessions").await.contains("With second factor"));
    assert_eq!(lines(&service, "user.signed_in").await.last(), Some(&json!({ "secondFactor": "code" })));
    service.stop().await;
}

#[tokio::test]
async fn the_table_takes_no_session_that_was_begun_without_it() {
    let service = Service::start().await;
    guarded(&service).await;
    let begun = "insert into sessions (token_hash, user_id, expires_at)
        select sha256('planted'), id, now() + interval '1 hour' from users where email = $1";
    let refused = sqlx::query(begun).bind(EMAIL).execute(&service.app().db).await.expect_err("refused");
    let constraint = refused.as_database_error().and_then(|error| error.constraint().map(str::to_owned));
    assert_eq!(constraint.as_deref(), Some("sessions_need_the_second_factor"));
    service.stop().await;
}

#[tokio::test]
async fn half_a_session_lasts_five_minutes_and_ends_with_a_reset_or_a_shut_door() {
    let service = Service::start().await;
    let (_, app, _) = guarded(&service).await;
    let mut late = half(&service).await;
    service.clock.advance(Duration::from_secs(301));
    let told = late.refused(CODE, &[("code", &app.code(&service.clock))], 401).await;
    assert!(told.contains("within five minutes") && told.contains("id=\"password\""));
    assert!(late.page(CODE).await.contains("id=\"password\""), "it begins again at the password");

    let mut kept = half(&service).await;
    let (state, email) = (service.app(), EMAIL.parse().expect("an address"));
    let actor = mission_control::audit::Actor::command_line();
    users::make_link(&state.db, &state.clock, &state.passwords, &actor, &email, None).await.expect("a link");
    let code = app.next_code(&service.clock);
    assert_eq!(kept.post(CODE, &[("code", &code)]).await.status.as_u16(), 401);
    assert!(!is_in(&mut kept).await);
    service.stop().await;
}

#[tokio::test]
async fn a_code_works_once() {
    let service = Service::start().await;
    let (_, app, _) = guarded(&service).await;
    let used_to_set = app.code(&service.clock);
    let mut first = half(&service).await;
    assert_eq!(first.post(CODE, &[("code", &used_to_set)]).await.status.as_u16(), 401);
    let code = app.next_code(&service.clock);
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    assert_eq!(first.submit(CODE, &[("code", &spaced)]).await, "/dashboard/operations");
    let mut second = half(&service).await;
    let refused = second.refused(CODE, &[("code", &code)], 401).await;
    assert!(refused.contains("used before") && !is_in(&mut second).await);
    // Nor one that is older than one that was used, though it is still shown.
    service.clock.advance(Duration::from_secs(30));
    let (older, newer) = (app.code(&service.clock), app.next_code(&service.clock));
    assert_eq!(second.submit(CODE, &[("code", &newer)]).await, "/dashboard/operations");
    assert_eq!(half(&service).await.post(CODE, &[("code", &older)]).await.status.as_u16(), 401);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_who_show_one_code_at_once_one_comes_in() {
    let service = Service::start().await;
    let (_, app, _) = guarded(&service).await;
    let mut browsers = Vec::new();
    for _ in 0..20 {
        browsers.push(half(&service).await);
    }
    // The throttle would let five of them try.
    sqlx::raw_sql(
        "create function never() returns trigger language plpgsql as $$ begin
            new.failures := 1; new.blocked_until := '-infinity'; return new; end $$;
        create trigger never before insert or update on sign_in_failures for each row execute function never()",
    )
    .execute(&service.app().db)
    .await
    .expect("no throttle");
    let code = app.next_code(&service.clock);
    let tries = browsers.iter_mut().map(|browser| {
        let code = code.clone();
        async move { browser.post(CODE, &[("code", &code)]).await.status.as_u16() }
    });
    let mut statuses = futures_util::future::join_all(tries).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![303], vec![401; 19]].concat());
    service.stop().await;
}

#[tokio::test]
async fn wrong_codes_are_throttled_and_the_password_forgives_none() {
    let service = Service::start().await;
    let (_, app, _) = guarded(&service).await;
    let mut browser = half(&service).await;
    for _ in 0..5 {
        assert_eq!(browser.post(CODE, &[("code", "000000")]).await.status.as_u16(), 401);
    }
    let blocked = browser.post(CODE, &[("code", &app.next_code(&service.clock))]).await;
    // The clock went on by half a minute, the wait was a second: the next wrong ones make it longer.
    assert_eq!(blocked.status.as_u16(), 303, "five are free, and a right one ends the count");
    let mut browser = half(&service).await;
    for _ in 0..9 {
        browser.post(CODE, &[("code", "000000")]).await;
        service.clock.advance(Duration::from_secs(20));
    }
    let code = app.code(&service.clock);
    browser.post(CODE, &[("code", "000000")]).await;
    let mut again = half(&service).await;
    let blocked = again.post(CODE, &[("code", &code)]).await;
    assert_eq!(blocked.status.as_u16(), 429, "knowing the password buys no more guesses");
    assert!(blocked.header("retry-after").is_some());
    service.clock.advance(Duration::from_mins(4));
    let code = app.code(&service.clock);
    assert_eq!(again.submit(CODE, &[("code", &code)]).await, "/dashboard/operations");
    service.stop().await;
}

#[tokio::test]
async fn wrong_codes_for_many_people_count_for_the_network_they_come_from() {
    let service = Service::start().await;
    let people: Vec<String> = (0..7).map(|number| format!("person-{number}@example.com")).collect();
    for email in &people {
        let mut browser = Browser::of(&service, email, Role::Viewer).await;
        authenticator::set(&service, &mut browser).await;
    }
    // A window of its own.
    service.clock.advance(Duration::from_mins(11));
    let mut halves = Vec::new();
    for email in &people {
        let mut browser = Browser::new(&service);
        assert_eq!(browser.submit("/login", &[("email", email), ("password", PASSWORD)]).await, CODE);
        halves.push(browser);
    }
    let mut answers = Vec::new();
    for browser in &mut halves {
        // As many as each account allows.
        for _ in 0..5 {
            answers.push(browser.post(CODE, &[("code", "000000")]).await.status.as_u16());
        }
    }
    assert_eq!(answers, [vec![401; 30], vec![429; 5]].concat());
    service.stop().await;
}

#[tokio::test]
async fn a_recovery_code_opens_once() {
    let service = Service::start().await;
    let (_, _, codes) = guarded(&service).await;
    assert_eq!(codes.len(), 10);
    assert!(codes.iter().all(|code| code.replace('-', "").len() == 16), "80 bits each: {codes:?}");
    let mut browser = half(&service).await;
    let typed = codes[3].to_uppercase().replace('-', " ");
    assert_eq!(browser.submit(CODE, &[("code", &typed)]).await, "/dashboard/operations");
    assert!(browser.page(PATH).await.contains("<dd>9</dd>"));
    let expected = json!({ "before": { "recoveryCodes": 10 }, "after": { "recoveryCodes": 9 } });
    assert_eq!(lines(&service, "user.recovery_code_used").await, [expected]);
    let mut again = half(&service).await;
    assert_eq!(again.post(CODE, &[("code", &codes[3])]).await.status.as_u16(), 401);
    assert_eq!(again.submit(CODE, &[("code", &codes[4])]).await, "/dashboard/operations");
    service.stop().await;
}

#[tokio::test]
async fn new_recovery_codes_void_the_former_and_the_same_form_makes_them_once() {
    let service = Service::start().await;
    let (mut browser, _, codes) = guarded(&service).await;
    let (address, seen) = (format!("{PATH}/recovery-codes"), hidden(&browser.page(PATH).await, "seen"));
    let made = browser.post(&address, &[("seen", &seen)]).await;
    assert_eq!(made.status.as_u16(), 200, "{}", made.text);
    let new: Vec<String> = textarea(&made.text, "codes").lines().map(str::to_owned).collect();
    let reloaded = browser.refused(&address, &[("seen", &seen)], 409).await;
    assert!(reloaded.contains("stay as they are") && !reloaded.contains(&new[0]));
    let mut other = half(&service).await;
    assert_eq!(other.post(CODE, &[("code", &codes[0])]).await.status.as_u16(), 401);
    assert_eq!(other.submit(CODE, &[("code", &new[0])]).await, "/dashboard/operations");
    assert_eq!(lines(&service, "user.recovery_codes_made").await.len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn setting_replacing_and_removing_one_ends_the_other_sessions() {
    let service = Service::start().await;
    let mut here = Browser::of(&service, EMAIL, Role::Approver).await;
    let mut elsewhere = Browser::new(&service);
    elsewhere.sign_in(EMAIL, PASSWORD).await;
    let mut before = here.clone();
    let (app, _) = authenticator::set(&service, &mut here).await;
    assert!(is_in(&mut here).await && !is_in(&mut elsewhere).await && !is_in(&mut before).await);

    let mut elsewhere = half(&service).await;
    elsewhere.submit(CODE, &[("code", &app.next_code(&service.clock))]).await;
    let offered = here.post(&format!("{PATH}/offer"), &[]).await;
    let newer = Authenticator::typed_from(&offered.text);
    let wrong = here.refused(&format!("{PATH}/set"), &[("code", "000000")], 422).await;
    assert_eq!(textarea(&wrong, "secret"), textarea(&offered.text, "secret"), "the same secret once more");
    assert!(is_in(&mut elsewhere).await, "what was set counts until the new one has shown a code");
    let set = here.post(&format!("{PATH}/set"), &[("code", &newer.next_code(&service.clock))]).await;
    assert_eq!(set.status.as_u16(), 200, "{}", set.text);
    assert!(!is_in(&mut elsewhere).await);
    let mut elsewhere = half(&service).await;
    assert_eq!(elsewhere.post(CODE, &[("code", &app.next_code(&service.clock))]).await.status.as_u16(), 401);
    elsewhere.submit(CODE, &[("code", &newer.code(&service.clock))]).await;

    assert_eq!(here.submit(&format!("{PATH}/remove"), &[]).await, PATH);
    assert!(is_in(&mut here).await && !is_in(&mut elsewhere).await);
    Browser::new(&service).sign_in(EMAIL, PASSWORD).await;
    let kept: i64 =
        sqlx::query_scalar("select count(*) from kept_secrets").fetch_one(&service.app().db).await.expect("a count");
    assert_eq!((lines(&service, "user.second_factor_removed").await.len(), kept), (1, 0), "and nothing is kept of it");
    service.stop().await;
}

#[tokio::test]
async fn where_one_is_asked_for_nothing_else_opens_before_it_is_set() {
    let setup = Setup::new().await.with("MISSION_CONTROL_SIGN_IN_SECOND_FACTOR", "approvers");
    let service = setup.start().await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    assert!(is_in(&mut operator).await, "it is not asked of operators");
    let mut anna = Browser::of(&service, EMAIL, Role::Approver).await;
    let token = service.token_of(EMAIL, &Scope::ALL).await;
    for path in ["/dashboard/help", "/dashboard/operations", "/dashboard/settings/sessions"] {
        assert_eq!(anna.get(path).await.header("location"), Some(PATH), "{path}");
    }
    let refused = service.get("/api/operations", &token).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "second_factor_required"));
    let refused = anna.get("/api/operations").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "second_factor_required"));
    assert!(anna.page(PATH).await.contains("Your role needs one"));
    anna.page("/account/password").await;

    authenticator::set(&service, &mut anna).await;
    assert!(is_in(&mut anna).await);
    assert_eq!(service.get("/api/operations", &token).await.status.as_u16(), 200);
    let refused = anna.refused(&format!("{PATH}/remove"), &[], 409).await;
    assert!(refused.contains("Your role needs a second factor") && is_in(&mut anna).await);
    service.stop().await;
}

#[tokio::test]
async fn an_admin_or_a_shell_resets_a_lost_one() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let (mut anna, ..) = guarded(&service).await;
    let people = users::list(&service.app().db).await.expect("people");
    let id = |email: &str| people.iter().find(|person| person.email == email).expect("the person").id;
    let person = format!("/dashboard/settings/people/{}", id(EMAIL));
    assert!(admin.page(&person).await.contains("Reset second factor"));
    assert_eq!(anna.post(&format!("{person}/reset-second-factor"), &[]).await.status.as_u16(), 403);
    admin.submit(&format!("{person}/reset-second-factor"), &[]).await;
    assert!(!is_in(&mut anna).await);
    anna.sign_in(EMAIL, PASSWORD).await;
    assert!(is_in(&mut anna).await);
    let own = format!("/dashboard/settings/people/{}/reset-second-factor", id("ada@example.com"));
    assert!(admin.refused(&own, &[], 409).await.contains("Nobody resets their own"));

    authenticator::set(&service, &mut anna).await;
    let (state, mut output) = (service.app(), Vec::new());
    let wanted = || ResetSecondFactor { email: EMAIL.parse().expect("an address") };
    reset_second_factor(&state.db, &state.vault, wanted(), &mut output).await.expect("reset");
    reset_second_factor(&state.db, &state.vault, wanted(), &mut output).await.expect("nothing to reset");
    let said = String::from_utf8(output).expect("text");
    assert_eq!(said, format!("{EMAIL} has no second factor any more\n{EMAIL} has no second factor\n"));
    assert!(!is_in(&mut anna).await);
    assert_eq!(lines(&service, "user.second_factor_reset").await.len(), 2);
    service.stop().await;
}

#[tokio::test]
async fn a_copy_of_the_database_holds_no_secret_no_recovery_code_and_no_half_session() {
    let service = Service::start().await;
    let mut anna = Browser::of(&service, EMAIL, Role::Approver).await;
    let offered = anna.post(&format!("{PATH}/offer"), &[]).await;
    let (app, secret) = (Authenticator::typed_from(&offered.text), textarea(&offered.text, "secret"));
    let set = anna.post(&format!("{PATH}/set"), &[("code", &app.code(&service.clock))]).await;
    let codes = textarea(&set.text, "codes");
    let half = half(&service).await;
    let half = half.cookie("mc-half").expect("half a session");

    let dump = Dump::of(&service.database().options).await.text();
    let secret = secret.replace(' ', "");
    let bytes = totp_rs::Secret::try_from_base32(&secret).expect("base32");
    let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"));
    let plain = codes.lines().next().expect("a code").replace('-', "");
    assert!(dump.contains(EMAIL), "the dump has the rows");
    let everything = format!("{dump}\n{}", log::text());
    for text in
        [secret.as_str(), &hex(secret.as_bytes()), &hex(bytes.as_bytes()), &plain, &hex(plain.as_bytes()), &half]
    {
        assert!(!everything.contains(text), "in plain: {text}");
    }
    for code in codes.lines() {
        assert!(!everything.contains(code), "in plain: {code}");
    }
    service.stop().await;
}

#[tokio::test]
async fn the_picture_stands_in_the_page_and_has_a_name() {
    let service = Service::start().await;
    let mut anna = Browser::of(&service, EMAIL, Role::Approver).await;
    let offered = anna.refused(&format!("{PATH}/offer"), &[], 200).await;
    assert!(offered.contains("<svg class=\"qr\" role=\"img\" aria-label=\"QR code"), "{offered}");
    assert!(textarea(&offered, "secret").split(' ').all(|group| group.len() == 4));
    assert_eq!(anna.get(&format!("{PATH}/offer")).await.header("location"), Some(PATH), "no address shows it again");
    let request = service.client().request(Method::POST, service.url(&format!("{PATH}/offer")));
    assert_eq!(service.send(request).await.header("location"), Some("/login"));
    service.stop().await;
}
