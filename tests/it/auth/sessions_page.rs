//! Open sessions: one's own on a page of the settings, a person's on theirs, and who may end which.

use mission_control::auth::Role;
use serde_json::{Value, json};

use crate::pages::browser::Browser;
use crate::support::service::{PASSWORD, Service};

const LIST: &str = "/dashboard/settings/sessions";

/// The addresses of the forms that end one session, in order.
fn ends(page: &str) -> Vec<String> {
    let actions = page.split("action=\"").skip(1).filter_map(|rest| rest.split('"').next());
    actions.filter(|action| action.contains("/sessions/") && action.ends_with("/end")).map(str::to_owned).collect()
}

async fn is_in(browser: &mut Browser<'_>) -> bool {
    browser.get(LIST).await.status.as_u16() == 200
}

async fn last_line(service: &Service) -> (String, String, Value) {
    sqlx::query_as(
        "select actor, object, details from audit_lines where action = 'user.sessions_ended' order by id desc limit 1",
    )
    .fetch_one(&service.app().db)
    .await
    .expect("a line")
}

#[tokio::test]
async fn one_or_all_others_of_ones_own_can_be_ended() {
    let service = Service::start().await;
    let mut here = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let alone = here.page(LIST).await;
    assert!(alone.contains("This one") && alone.contains("<code>127.0.0.1</code>") && ends(&alone).is_empty());
    assert!(!alone.contains("End all others"));

    let mut elsewhere = Browser::new(&service);
    elsewhere.sign_in("otto@example.com", PASSWORD).await;
    let page = here.page(LIST).await;
    let others = ends(&page);
    assert_eq!((others.len(), page.matches("This one").count()), (1, 1), "{page}");
    assert_eq!(here.submit(&others[0], &[]).await, LIST);
    assert!(is_in(&mut here).await && !is_in(&mut elsewhere).await);
    let (actor, object, details) = last_line(&service).await;
    assert_eq!((actor.as_str(), object.as_str()), ("otto@example.com", "user/otto@example.com"));
    let expected = json!({
        "before": { "sessions": 2 }, "after": { "sessions": 1 }, "ended": ["An unknown browser from 127.0.0.1"],
    });
    assert_eq!(details, expected);

    for browser in [&mut elsewhere, &mut Browser::new(&service)] {
        browser.sign_in("otto@example.com", PASSWORD).await;
    }
    assert_eq!(ends(&here.page(LIST).await).len(), 2);
    here.submit(&format!("{LIST}/end-others"), &[]).await;
    assert!(is_in(&mut here).await && !is_in(&mut elsewhere).await);
    assert_eq!(last_line(&service).await.2["after"], json!({ "sessions": 1 }));
    assert_eq!(here.get(&format!("{LIST}/end-others")).await.header("location"), Some(LIST), "a look ends nothing");
    service.stop().await;
}

#[tokio::test]
async fn nobody_ends_a_strangers_session_but_an_admin() {
    let service = Service::start().await;
    let mut otto = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let mut second = Browser::new(&service);
    second.sign_in("otto@example.com", PASSWORD).await;
    let mut mallory = Browser::of(&service, "mallory@example.com", Role::Approver).await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;

    let ottos = ends(&otto.page(LIST).await);
    mallory.submit(&ottos[0], &[]).await;
    assert!(is_in(&mut second).await, "the name of a session opens nothing");
    let people = admin.page("/dashboard/settings/people").await;
    let (before, _) = people.split_once("\">otto@example.com</a>").expect("otto");
    let person = before.rsplit("href=\"").next().expect("an address").to_owned();
    for path in [format!("{person}/end-sessions"), ottos[0].replace(LIST, &format!("{person}/sessions"))] {
        assert_eq!(mallory.post(&path, &[]).await.status.as_u16(), 403, "{path}");
    }

    let page = admin.page(&person).await;
    assert_eq!(ends(&page).len(), 2, "{page}");
    let one = ottos[0].replace(LIST, &format!("{person}/sessions"));
    assert_eq!(admin.submit(&one, &[]).await, person);
    assert!(is_in(&mut otto).await && !is_in(&mut second).await);
    admin.submit(&format!("{person}/end-sessions"), &[]).await;
    assert!(!is_in(&mut otto).await && is_in(&mut admin).await);
    let (actor, object, _) = last_line(&service).await;
    assert_eq!((actor.as_str(), object.as_str()), ("ada@example.com", "user/otto@example.com"));
    assert!(admin.page(&person).await.contains("They are not signed in anywhere."));
    let audit = admin.page("/dashboard/audit?action=user.sessions_ended").await;
    assert!(audit.contains("Ended sessions</option>") && audit.contains("sessions: <del>1</del> 0"), "{audit}");
    service.stop().await;
}
