//! What is known afterwards of whoever came where they may not.

use mission_control::auth::Role;
use reqwest::StatusCode;

use crate::support::log;
use crate::support::service::Service;

#[tokio::test]
async fn a_refusal_is_logged_with_who_was_refused_and_why() {
    let service = Service::start().await;
    let token = service.token("refused-and-logged@example.com", Role::Viewer).await;
    let people = mission_control::auth::users::list(&service.app().db).await.expect("people");
    let person = people.into_iter().find(|person| person.email == "refused-and-logged@example.com").expect("them");
    assert_eq!(service.get("/api/vault", &token).await.status, StatusCode::FORBIDDEN);
    service.stop().await;
    let id = person.id.to_string();
    let log = log::text();
    let line = log.lines().find(|line| line.contains("access.refused") && line.contains(&id));
    assert!(line.is_some_and(|line| line.contains("role_missing")), "{line:?}");
}
