//! What belongs to somebody else, to the other mode, or to oneself where that must not be: the second look, at the object.

use mission_control::auth::{Role, Scope};
use mission_control::router;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Objects, VICTIM, email, from_our_page, is_unsafe, sign_in};
use crate::support::service::{Answer, Service, Setup, text};

async fn post(service: &Service, path: &str, cookie: &str, form: &[(&str, &str)]) -> Answer {
    let request = service.client().post(service.url(path)).form(form);
    service.send(from_our_page(service, request, cookie)).await
}

async fn page(service: &Service, path: &str, cookie: &str) -> Answer {
    service.send(service.client().get(service.url(path)).header("cookie", cookie)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_somebody_elses_is_not_touched_by_those_who_may_touch_their_own() {
    let service = Service::start().await;
    let objects = Objects::new(&service).await;
    let session = sign_in(&service, VICTIM).await;
    let token = service.token_of(VICTIM, &[Scope::OperationsRead]).await;
    for role in [Role::Viewer, Role::Operator, Role::Approver] {
        service.person(&email(role), role).await;
        let cookie = sign_in(&service, &email(role)).await;
        // Sessions.
        let end = format!("/dashboard/settings/sessions/{}/end", objects.session);
        post(&service, &end, &cookie, &[]).await;
        post(&service, "/dashboard/settings/sessions/end-others", &cookie, &[]).await;
        assert_eq!(
            page(&service, "/dashboard/help", &session).await.status,
            StatusCode::OK,
            "{role}: the session lives"
        );
        let sessions = page(&service, "/dashboard/settings/sessions", &cookie).await;
        assert!(!sessions.text.contains(&objects.session), "{role} sees it");
        // Tokens.
        let revoke = format!("/dashboard/settings/tokens/{}/revoke", objects.token);
        for answer in [page(&service, &revoke, &cookie).await, post(&service, &revoke, &cookie, &[]).await] {
            assert!([StatusCode::NOT_FOUND, StatusCode::FORBIDDEN].contains(&answer.status), "{role}: {}", answer.text);
        }
        assert_eq!(service.get("/api/operations", &token).await.status, StatusCode::OK, "{role}: the token lives");
        let tokens = page(&service, "/dashboard/settings/tokens", &cookie).await;
        assert!(!tokens.text.contains(&objects.token), "{role} sees it");
        // The person, by any of the pages about people.
        for route in router::routes().iter().filter(|route| route.path.starts_with("/dashboard/settings/people")) {
            let path = objects.fill(route.path);
            let answer = match route.method {
                Method::GET => page(&service, &path, &cookie).await,
                _ => post(&service, &path, &cookie, &[("role", "admin")]).await,
            };
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{role}: {path}");
        }
        // What somebody else asked for is withdrawn by whoever decides, and by nobody else.
        let cancel = format!("/dashboard/operations/{}/cancel", objects.operation);
        if role < Role::Approver {
            let answer = post(&service, &cancel, &cookie, &[]).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{role}: {}", answer.text);
        }
    }
    assert_eq!(
        service.get(&format!("/api/operations/{}", objects.operation), &token).await.json()["state"],
        "pending_approval"
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_approves_what_they_asked_for_by_any_way() {
    let setup = Setup::new().await.with("MISSION_CONTROL_APPROVAL_FOUR_EYES", "true");
    let service = setup.with("MISSION_CONTROL_APPROVAL_TOKENS_MAY_DECIDE", "true").start().await;
    for role in [Role::Approver, Role::Admin] {
        let token = service.token(&email(role), role).await;
        let second = service.token_of(&email(role), &Scope::ALL).await;
        let cookie = sign_in(&service, &email(role)).await;
        let asked = service.ask(&token, "+14155550132", "To myself").await;
        let (id, digest) = (text(&asked["operationId"]), text(&asked["digest"]));
        for token in [&token, &second] {
            let answer = service.approve(token, &asked).await;
            assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "own_request"), "{role}");
        }
        let approve = format!("/dashboard/operations/{id}/approve");
        let answer = post(&service, &approve, &cookie, &[("digest", &digest), ("duplicate_seen", "yes")]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{role}: {}", answer.text);
        let together = format!("{id}:{digest}");
        post(
            &service,
            "/dashboard/operations/review/approve",
            &cookie,
            &[("operation", &together), ("verdict", "approve")],
        )
        .await;
        assert_eq!(service.operation(&token, &id).await["state"], "pending_approval", "{role}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_the_other_mode_is_not_there() {
    let service = Service::start().await;
    let token = service.token(&email(Role::Admin), Role::Admin).await;
    let cookie = sign_in(&service, &email(Role::Admin)).await;
    let mut objects = Objects::new(&service).await;
    let asked = service.ask(&token, "+14155550133", "Of the other mode").await;
    let digest = text(&asked["digest"]);
    let live: uuid::Uuid = sqlx::query_scalar(
        "insert into operations select (jsonb_populate_record(o, jsonb_build_object(
             'id', gen_random_uuid(), 'mode', 'live', 'idempotency_key', 'live'))).*
         from operations o where id = $1::uuid returning id",
    )
    .bind(text(&asked["operationId"]))
    .fetch_one(&service.app().db)
    .await
    .expect("inserted");
    objects.operation = live.to_string();
    let mut tried = 0;
    for route in router::routes() {
        if !route.path.contains("/operations/{id}") {
            continue;
        }
        let (path, request) = (objects.fill(route.path), super::request(&service, &route, &objects));
        let answer = if route.path.starts_with("/api/") {
            let body = match path.rsplit('/').next() {
                Some("approve") => json!({ "digest": digest }),
                Some("reject") => json!({ "reason": "x" }),
                Some("resolve") => json!({ "outcome": "failed", "reason": "x" }),
                _ => json!({}),
            };
            let request = request.bearer_auth(&token);
            service.send(if is_unsafe(&route) { request.json(&body) } else { request }).await
        } else if is_unsafe(&route) {
            post(&service, &path, &cookie, &[("digest", &digest), ("reason", "x")]).await
        } else {
            page(&service, &path, &cookie).await
        };
        // A form's own address only leads back to the page.
        let leads_back = answer.status == StatusCode::SEE_OTHER && !is_unsafe(&route);
        assert!(leads_back || answer.status == StatusCode::NOT_FOUND, "{} {path}: {}", route.method, answer.status);
        assert!(!answer.text.contains("Of the other mode"), "{path} shows it");
        tried += 1;
    }
    assert!(tried >= 8, "{tried}");
    for list in ["/api/operations?limit=200", "/dashboard/operations"] {
        let request = service.client().get(service.url(list));
        let request =
            if list.starts_with("/api") { request.bearer_auth(&token) } else { request.header("cookie", &cookie) };
        assert!(!service.send(request).await.text.contains(&objects.operation), "{list}");
    }
    service.stop().await;
}
