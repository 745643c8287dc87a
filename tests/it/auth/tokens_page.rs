//! The page of API tokens: made once, shown once, ended by those who may.

use std::time::Duration;

use mission_control::auth::{Role, Scope, tokens};
use serde_json::Value;

use crate::pages::browser::{Browser, hidden};
use crate::support::log;
use crate::support::service::Service;

const LIST: &str = "/dashboard/settings/tokens";

/// The fields of a form with a key of its own.
async fn fields(browser: &mut Browser<'_>, name: &str, scopes: &[&str]) -> Vec<(String, String)> {
    let key = hidden(&browser.page(LIST).await, "key");
    let mut fields = vec![("key".to_owned(), key), ("name".to_owned(), name.to_owned())];
    fields.push(("lifetime".to_owned(), "30".to_owned()));
    fields.extend(scopes.iter().map(|scope| ("scope".to_owned(), (*scope).to_owned())));
    fields
}

async fn post(browser: &mut Browser<'_>, fields: &[(String, String)]) -> crate::support::service::Answer {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post(LIST, &fields).await
}

/// The token that an answer shows.
fn shown(page: &str) -> String {
    let (_, rest) = page.split_once("value=\"mc_").expect("a token");
    format!("mc_{}", rest.split('"').next().unwrap_or_default())
}

/// The address that ends the newest token.
async fn newest(service: &Service) -> String {
    let id = tokens::list(&service.app().db).await.expect("tokens")[0].id;
    format!("{LIST}/{id}/revoke")
}

#[tokio::test]
async fn a_token_is_shown_once_and_the_same_form_makes_one() {
    let service = Service::start().await;
    let mut otto = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let form = fields(&mut otto, "billing-worker", &["operations:read", "operations:write"]).await;
    let answer = post(&mut otto, &form).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, Some("no-store")), "{}", answer.text);
    let token = shown(&answer.text);
    assert_eq!(answer.text.matches(&token).count(), 1, "the example does not repeat it");
    assert!(answer.text.contains("$MC_TOKEN") && answer.text.contains("/api/twilio/send-sms"));
    assert_eq!(service.get("/api/operations", &token).await.status.as_u16(), 200);
    assert!(!service.get("/api/audit", &token).await.status.is_success(), "another scope");

    let reloaded = post(&mut otto, &form).await;
    assert_eq!(reloaded.status.as_u16(), 409);
    assert!(reloaded.text.contains("made its token before") && !reloaded.text.contains(&token));
    assert_ne!(hidden(&reloaded.text, "key"), form[0].1, "the next one is another");
    let page = otto.page(LIST).await;
    assert_eq!(page.matches("/revoke\"").count(), 1);
    assert!(page.contains(&format!("…{}", &token[token.len() - 4..])) && !page.contains(&token));

    let details: Value = sqlx::query_scalar("select details from audit_lines where action = 'token.created'")
        .fetch_one(&service.app().db)
        .await
        .expect("one line");
    assert_eq!((&details["owner"], &details["name"]), (&"otto@example.com".into(), &"billing-worker".into()));
    assert!(!details.to_string().contains(&token[3..]) && !log::text().contains(&token[3..]));
    service.clock.advance(Duration::from_hours(30 * 24));
    assert_eq!(service.get("/api/operations", &token).await.code(), "token_expired");
    service.stop().await;
}

#[tokio::test]
async fn two_sends_of_one_form_at_once_make_one_token() {
    let service = Service::start().await;
    let mut one = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let mut other = Browser::new(&service);
    other.sign_in("otto@example.com", crate::support::service::PASSWORD).await;
    let form = fields(&mut one, "twice", &["operations:read"]).await;
    let (first, second) = tokio::join!(post(&mut one, &form), post(&mut other, &form));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(tokens::list(&service.app().db).await.expect("tokens").len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn a_role_is_offered_what_it_can_use_and_gets_no_more() {
    let service = Service::start().await;
    for role in Role::ALL {
        let mut browser = Browser::of(&service, &format!("{role}@example.com"), role).await;
        let page = browser.page(LIST).await;
        for scope in Scope::ALL {
            let may = scope.role() <= role;
            assert_eq!(page.contains(&format!("value=\"{scope}\"")), may, "{role} {scope}");
            let form = fields(&mut browser, "x", &[scope.as_str()]).await;
            let answer = post(&mut browser, &form).await;
            assert_eq!(answer.status.as_u16(), if may { 200 } else { 422 }, "{role} {scope}");
            assert_eq!(answer.text.contains(&format!("{scope} needs the role")), !may, "{role} {scope}");
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn a_refused_form_keeps_what_was_chosen() {
    let service = Service::start().await;
    let mut otto = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let mut form = fields(&mut otto, " ", &[]).await;
    let answer = post(&mut otto, &form).await;
    assert_eq!(answer.status.as_u16(), 422);
    for part in ["2 things need a change", "href=\"#name\"", "href=\"#scope\"", "<option value=\"30\" selected>"] {
        assert!(answer.text.contains(part), "{part}");
    }
    assert_eq!(hidden(&answer.text, "key"), form[0].1, "still the same token");
    form[0].1 = "no key".to_owned();
    assert!(post(&mut otto, &form).await.text.contains("This form has lost its key"));
    assert!(tokens::list(&service.app().db).await.expect("tokens").is_empty());
    service.stop().await;
}

#[tokio::test]
async fn tokens_are_ended_by_their_owner_and_by_admins_alone() {
    let service = Service::start().await;
    let mut otto = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let mut vera = Browser::of(&service, "vera@example.com", Role::Approver).await;
    let mut ada = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let of_otto = service.token_of("otto@example.com", &[Scope::OperationsRead]).await;
    let address = newest(&service).await;
    assert!(!vera.page(LIST).await.contains(&address));
    for answer in [vera.get(&address).await, vera.post(&address, &[]).await] {
        assert_eq!(answer.status.as_u16(), 404, "not even known");
    }
    assert_eq!(ada.post_from(&address, &[], "cross-site", "/").await.status.as_u16(), 403);
    let mut nobody = Browser::new(&service);
    assert!(nobody.post(&address, &[]).await.header("location").is_some_and(|way| way.starts_with("/login")));
    assert_eq!(service.get("/api/operations", &of_otto).await.status.as_u16(), 200);

    let list = ada.page(LIST).await;
    assert!(list.contains("otto@example.com") && list.contains(&address));
    assert!(ada.page(&address).await.contains("It cannot be taken back"));
    assert_eq!(ada.submit(&address, &[]).await, LIST);
    assert_eq!(service.get("/api/operations", &of_otto).await.code(), "token_revoked", "also where it was cached");
    let (by, details): (String, Value) =
        sqlx::query_as("select actor, details from audit_lines where action = 'token.revoked'")
            .fetch_one(&service.app().db)
            .await
            .expect("one line");
    assert_eq!((by.as_str(), &details["owner"]), ("ada@example.com", &"otto@example.com".into()));
    assert_eq!((&details["before"]["revoked"], &details["after"]["revoked"]), (&false.into(), &true.into()));
    assert!(otto.page(LIST).await.contains("Revoked"));
    assert_eq!(otto.get(&address).await.header("location"), Some(LIST), "there is nothing more to end");

    service.token_of("otto@example.com", &[Scope::OperationsRead]).await;
    let own = newest(&service).await;
    assert_eq!(otto.submit(&own, &[]).await, LIST);
    assert_eq!(ada.get(&format!("{LIST}/no-id/revoke")).await.status.as_u16(), 404);
    assert!(nobody.get(LIST).await.header("location").is_some_and(|way| way.starts_with("/login")));
    assert_eq!(ada.post_from(LIST, &[("name", "x")], "cross-site", "/").await.status.as_u16(), 403);
    service.stop().await;
}

#[tokio::test]
async fn a_token_is_rotated_on_its_page_by_its_owner_alone() {
    let service = Service::start().await;
    let mut otto = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let form = fields(&mut otto, "billing-worker", &["operations:read"]).await;
    let old = shown(&post(&mut otto, &form).await.text);
    let list = otto.page(LIST).await;
    let address = newest(&service).await.replace("/revoke", "/rotate");
    assert!(list.contains(&format!("href=\"{address}\"")));

    let key = hidden(&otto.page(&address).await, "key");
    let refused = otto.refused(&address, &[("key", &key), ("overlap", "a while")], 422).await;
    assert!(refused.contains("An overlap is 0 or a number with a unit"), "{refused}");
    let rotated = [("key", key.as_str()), ("overlap", "1h")];
    let answer = otto.post(&address, &rotated).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, Some("no-store")), "{}", answer.text);
    let new = shown(&answer.text);
    assert!(new != old && answer.text.contains("The old one works until"), "{}", answer.text);
    for token in [&old, &new] {
        assert_eq!(service.get("/api/operations", token).await.status.as_u16(), 200);
    }
    let again = otto.refused(&address, &rotated, 409).await;
    assert!(again.contains("was rotated before") && !again.contains(&new), "{again}");
    let list = otto.page(LIST).await;
    assert!(list.contains("Replaced by") && !list.contains(&address) && !list.contains(&new));

    // The new one acts for its owner, so nobody else may see it: not an admin either.
    let mut ada = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let theirs = newest(&service).await.replace("/revoke", "/rotate");
    assert!(!ada.page(LIST).await.contains("/rotate\""));
    assert_eq!(ada.get(&theirs).await.status.as_u16(), 404);
    assert_eq!(ada.post(&theirs, &[("key", &key), ("overlap", "0")]).await.status.as_u16(), 404);
    service.clock.advance(Duration::from_hours(2));
    assert_eq!(service.get("/api/operations", &old).await.code(), "token_expired");
    service.stop().await;
}
