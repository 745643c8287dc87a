//! Who may come to which address.

mod cross_origin;
mod listed;
mod matrix;
mod objects;
mod one_credential;
mod refused;

use mission_control::access::Route;
use mission_control::auth::{Role, tokens, users};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;

use crate::support::service::{PASSWORD, Service, text};

/// Who asked for everything, and whom everything is done to.
const VICTIM: &str = "victim@example.com";

/// A name for each role.
fn email(role: Role) -> String {
    format!("{role}@example.com")
}

/// The cookie of a new session.
async fn sign_in(service: &Service, email: &str) -> String {
    let form = [("email", email), ("password", PASSWORD)];
    let answer = service.send(service.client().post(service.url("/login")).form(&form)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{email}: {}", answer.text);
    answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned()
}

/// What the parameters of addresses stand for: things that are there, and nobody's who asks.
#[derive(Clone)]
struct Objects {
    operation: String,
    person: String,
    session: String,
    token: String,
}

impl Objects {
    async fn new(service: &Service) -> Self {
        let token = service.token(VICTIM, Role::Operator).await;
        let operation = text(&service.ask(&token, "+14155550132", "Hello").await["operationId"]);
        // Of two, one's own page ends the other.
        sign_in(service, VICTIM).await;
        let cookie = sign_in(service, VICTIM).await;
        let page = service.client().get(service.url("/dashboard/settings/sessions")).header("cookie", cookie);
        let page = service.send(page).await;
        let session = page.text.split("/dashboard/settings/sessions/").find_map(|rest| rest.split_once("/end\""));
        let session = session.map(|(session, _)| session).filter(|session| !session.contains('/')).map(str::to_owned);
        let app = service.app();
        let people = users::list(&app.db).await.expect("people");
        let person = people.into_iter().find(|person| person.email == VICTIM).expect("the person").id.to_string();
        let token = tokens::list(&app.db).await.expect("tokens")[0].id.to_string();
        Self { operation, person, session: session.unwrap_or_else(|| panic!("{}", page.text)), token }
    }

    /// The address of a route with these in it. A parameter that is new here stands for something that is not there: who
    /// comes is looked at first all the same.
    fn fill(&self, path: &str) -> String {
        let fill = |(before, segment): (&str, &str)| match segment {
            "{id}" if before.ends_with("/operations") => self.operation.clone(),
            "{id}" if before.ends_with("/people") => self.person.clone(),
            "{id}" if before.ends_with("/tokens") => self.token.clone(),
            "{operation}" => self.operation.clone(),
            "{session}" => self.session.clone(),
            "{name}" => "twilio_phone_number".to_owned(),
            "{act}" => "cancel".to_owned(),
            "{fingerprint}" => "0".to_owned(),
            "{*file}" => "app.css".to_owned(),
            other if other.starts_with('{') => "0".to_owned(),
            other => other.to_owned(),
        };
        let segments: Vec<&str> = path.split('/').collect();
        let before = |at: usize| path.split('/').take(at).collect::<Vec<_>>().join("/");
        let filled = segments.iter().enumerate().map(|(at, segment)| fill((before(at).as_str(), segment)));
        filled.collect::<Vec<_>>().join("/")
    }
}

/// A request to a route, without anything in it.
fn request(service: &Service, route: &Route, objects: &Objects) -> RequestBuilder {
    service.client().request(route.method.clone(), service.url(&objects.fill(route.path)))
}

/// The same, as a page of ours sends it.
fn from_our_page(service: &Service, request: RequestBuilder, cookie: &str) -> RequestBuilder {
    request.header("cookie", cookie).header("origin", service.url("")).header("sec-fetch-site", "same-origin")
}

fn is_unsafe(route: &Route) -> bool {
    ![Method::GET, Method::HEAD].contains(&route.method)
}

/// What a route says of itself, in the words of the list.
fn words(route: &Route) -> (String, Option<Role>, Option<String>) {
    let words = route.terms.access.to_string();
    let mut words = words.split(' ');
    let kind = words.next().unwrap_or_default().to_owned();
    let (mut role, mut scope) = (None, None);
    for word in words {
        match word.parse() {
            Ok(parsed) => role = Some(parsed),
            Err(_) if word.contains(':') => scope = Some(word.to_owned()),
            Err(_) => {}
        }
    }
    (kind, role, scope)
}

/// What a form of ours has in it, for handlers that need something to look at.
fn nothing() -> serde_json::Value {
    json!({})
}
