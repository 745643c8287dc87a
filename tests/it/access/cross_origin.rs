//! No other site can act in the name of somebody who is signed in, at any address.

use mission_control::auth::Role;
use mission_control::router;
use reqwest::StatusCode;

use super::{Objects, email, is_unsafe, request, sign_in, words};
use crate::support::service::Service;

#[tokio::test(flavor = "multi_thread")]
async fn what_another_site_causes_is_refused_at_every_address() {
    let service = Service::start().await;
    let objects = Objects::new(&service).await;
    service.person(&email(Role::Admin), Role::Admin).await;
    let cookie = sign_in(&service, &email(Role::Admin)).await;
    let own = service.url("");
    let other_port = format!("{own}0");
    let as_caused_elsewhere: [&[(&str, &str)]; 11] = [
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", &other_port)],
        &[("origin", "http://localhost.evil.example")],
        // Neither of both: an old browser, or one that was made to keep silent.
        &[],
        &[("referer", &own)],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", "null")],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
        &[("sec-fetch-site", "same-site"), ("origin", "https://evil.example")],
    ];
    let mut tried = 0;
    for route in router::routes() {
        // Twilio has no cookie, and is known by its signature.
        if !is_unsafe(&route) || words(&route).0 == "twilio" {
            continue;
        }
        for headers in as_caused_elsewhere {
            let mut request = request(&service, &route, &objects).header("cookie", &cookie);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let form = request.header("content-type", "application/x-www-form-urlencoded").body("reason=x");
            let answer = service.send(form).await;
            let context = format!("{} {} with {headers:?}: {}", route.method, route.path, answer.text);
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{context}");
            assert_eq!(answer.code(), "cross_origin", "{context}");
            tried += 1;
        }
    }
    assert!(tried > 400, "{tried}");
    let still_there = service.client().get(service.url("/dashboard/help")).header("cookie", &cookie);
    assert_eq!(service.send(still_there).await.status, StatusCode::OK, "not even signed out");
    service.stop().await;
}
