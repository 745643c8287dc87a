//! Everybody at every address: who may not come is refused, and who may is not. The list is the router's own, so that a
//! new route is looked at because it is there.

use std::collections::BTreeMap;

use mission_control::access::Route;
use mission_control::auth::{Role, Scope};
use mission_control::router;
use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::{Objects, email, from_our_page, is_unsafe, nothing, request, sign_in, words};
use crate::support::service::{Service, text};

/// Who comes.
#[derive(Clone, Debug)]
enum Caller {
    Nobody,
    /// By a browser.
    Person(Role),
    /// By a token of somebody with this role.
    Token(Role, Vec<Scope>),
}

impl Caller {
    fn all() -> Vec<Self> {
        let mut all = vec![Self::Nobody];
        all.extend(Role::ALL.map(Self::Person));
        all.extend(Role::ALL.map(|role| Self::Token(role, Scope::ALL.to_vec())));
        all.extend(Scope::ALL.map(|scope| Self::Token(Role::Admin, vec![scope])));
        all
    }

    /// What is expected at this route: `None`, to be let in.
    fn refusal(&self, route: &Route) -> Option<&'static str> {
        let (kind, role, scope) = words(route);
        match (kind.as_str(), self) {
            ("anybody", _) => None,
            ("twilio", _) => Some("invalid signature"),
            ("person", Self::Nobody | Self::Token(..)) => Some("led to the door"),
            ("caller", Self::Nobody) => Some("unauthenticated"),
            ("person" | "caller", Self::Person(own) | Self::Token(own, _)) if role.is_some_and(|role| *own < role) => {
                Some("role_missing")
            }
            ("caller", Self::Token(_, scopes)) => match scope {
                Some(scope) if scopes.iter().any(|own| own.as_str() == scope) => None,
                Some(_) => Some("scope_missing"),
                None => Some("session_required"),
            },
            ("person" | "caller", Self::Person(_)) => None,
            (other, _) => panic!("{} {} is for {other}: say here whom that lets in", route.method, route.path),
        }
    }
}

/// What was answered, as far as it is about who came.
async fn verdict(answer: Response) -> Option<String> {
    let to_the_door = answer.status() == StatusCode::SEE_OTHER
        && answer.headers()["location"].to_str().is_ok_and(|place| place.starts_with("/login"));
    if to_the_door {
        return Some("led to the door".to_owned());
    }
    let (status, is_bare) = (answer.status(), !answer.headers().contains_key("www-authenticate"));
    // Streams do not end.
    let code = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let text = answer.text().await.expect("a body");
            let problem: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no document: {text}"));
            problem["code"].as_str().expect("a code").to_owned()
        }
        _ => return None,
    };
    assert!(status == StatusCode::FORBIDDEN || !is_bare, "{status} {code} does not say how to be known");
    Some(code)
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_let_in_where_the_route_says_so_and_nowhere_else() {
    let service = Service::start().await;
    let objects = Objects::new(&service).await;
    let (mut sessions, mut tokens, mut own) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for role in Role::ALL {
        let token = service.token(&email(role), role).await;
        sessions.insert(role, sign_in(&service, &email(role)).await);
        // Each acts on an operation of their own: what is somebody else's is the second look, at the object.
        let mut objects = objects.clone();
        if role > Role::Viewer {
            objects.operation = text(&service.ask(&token, "+14155550132", "My own").await["operationId"]);
        }
        own.insert(role, objects);
    }
    for caller in Caller::all() {
        if let Caller::Token(role, scopes) = caller {
            let token = service.token_of(&email(role), &scopes).await;
            tokens.insert((role, scopes), token);
        }
    }
    let mut wrong = Vec::new();
    let mut asked = 0;
    for route in router::routes() {
        for caller in Caller::all() {
            let objects = match &caller {
                Caller::Nobody => &objects,
                Caller::Person(role) | Caller::Token(role, _) => &own[role],
            };
            let mut request = request(&service, &route, objects);
            match &caller {
                Caller::Nobody => {}
                // What was signed out or ended by an earlier request must not be what refuses this one.
                Caller::Person(role) if is_unsafe(&route) => {
                    let fresh = sign_in(&service, &email(*role)).await;
                    request = from_our_page(&service, request, &fresh);
                }
                Caller::Person(role) => request = request.header("cookie", &sessions[role]),
                Caller::Token(role, scopes) => request = request.bearer_auth(&tokens[&(*role, scopes.clone())]),
            }
            if is_unsafe(&route) && route.path.starts_with("/api/") {
                request = request.json(&nothing());
            }
            let answer = request.send().await.expect("an answer");
            let status = answer.status();
            let found = verdict(answer).await;
            asked += 1;
            let expected = caller.refusal(&route);
            let is_right = match (expected, found.as_deref()) {
                (None, None) => true,
                // Twilio's signature is missing, whoever sends it.
                (Some("invalid signature"), Some(_)) => status == StatusCode::FORBIDDEN,
                // Whoever signs out is at the door, and whoever comes to its second lock without the first.
                (None, Some("led to the door")) => ["/logout", "/login/code"].contains(&route.path),
                // A page is for browsers: a token is refused there, in whatever words.
                (Some("led to the door"), Some(_)) => {
                    matches!(caller, Caller::Token(..)) || found.as_deref() == expected
                }
                (expected, found) => expected == found,
            };
            if !is_right {
                let line = format!("{} {}: {caller:?}: {status} {found:?}, not {expected:?}", route.method, route.path);
                wrong.push(line);
            }
            // Ending one's sessions ends those of the other requests too.
            if let Caller::Person(role) = &caller
                && is_unsafe(&route)
            {
                let probe = service.client().get(service.url("/dashboard/help")).header("cookie", &sessions[role]);
                if service.send(probe).await.status != StatusCode::OK {
                    sessions.insert(*role, sign_in(&service, &email(*role)).await);
                }
            }
        }
    }
    service.stop().await;
    assert!(asked > 1_000, "{asked} requests");
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
}
