//! The part of the service that asks who is asking, and browsers and programs that use it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::routing::get;
use http_body_util::BodyExt as _;
use mission_control::audit::Actor;
use mission_control::auth::tokens::{self, NewToken};
use mission_control::auth::users::{self, NewUser};
use mission_control::auth::{
    self, Cost, NewPassword, Passwords, Permission, Principal, Role, Scope, SignedIn, Via, standing,
};
use mission_control::clock::Clock;
use mission_control::config::{Config, Environment, PublicUrl};
use mission_control::dispatch::changes::Changes;
use mission_control::error::Problem;
use mission_control::id::TokenId;
use mission_control::metrics::Metrics;
use mission_control::operation::audio_look::Looker;
use mission_control::operation::overview::Overview;
use mission_control::settings::Settings;
use mission_control::speech::catalogue::Catalogue;
use mission_control::speech::clips::ClipStore;
use mission_control::speech::elevenlabs::ElevenLabs;
use mission_control::state::AppState;
use mission_control::twilio::Twilio;
use mission_control::vault::Vault;
use mission_control::web;
use mission_control::web::extract::Path;
use mission_control::web::server::Limits;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::support::postgres::{Database, fresh_database};

/// A hash that costs next to nothing; what it costs in the service is a constant of ours.
pub(super) const CHEAP: Cost = Cost { memory: 8, passes: 1 };

/// Everybody's password, unless a test says otherwise.
pub(super) const PASSWORD: &str = "four unrelated words";

/// A running service with a database of its own.
pub(super) struct Service {
    pub(super) app: AppState,
    routes: Router,
    _database: Option<Database>,
    _data_dir: Option<tempfile::TempDir>,
}

impl Service {
    /// A sandbox on plain http.
    pub(super) async fn sandbox() -> Self {
        Self::start("sandbox", "http://127.0.0.1:3000").await
    }

    /// Live, on https.
    pub(super) async fn live() -> Self {
        Self::start("live", "https://mission.example").await
    }

    async fn start(mode: &str, public_url: &str) -> Self {
        let (database, data_dir) = (fresh_database().await, tempfile::tempdir().expect("a folder"));
        let mut environment = Environment::of([
            ("MISSION_CONTROL_MODE", mode),
            ("MISSION_CONTROL_PUBLIC_URL", public_url),
            ("MISSION_CONTROL_MASTER_KEY", "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        ]);
        environment.set("MISSION_CONTROL_DATA_DIR", data_dir.path().to_str().expect("a path"));
        let public_url = PublicUrl::parse(public_url).expect("a URL");
        let config = Config::load(&environment).expect("settings");
        let (db, clock) = (mission_control::database::pool(database.options.clone()), Clock::manual());
        let key = &config.master_key;
        let vault = Vault::open(db.clone(), config.mode, key, &config.data_dir, &config.credentials, clock.clone());
        let app = AppState {
            hosts: Arc::new([public_url.host().to_owned()]),
            public_url: Arc::new(public_url),
            settings: Settings::load(db.clone(), &config).await.expect("settings"),
            vault: vault.await.expect("a vault"),
            twilio: Twilio::new(None).expect("a client"),
            elevenlabs: ElevenLabs::nowhere().expect("a client"),
            catalogue: Catalogue::default(),
            clips: ClipStore::open(&config).expect("a folder"),
            looker: Looker::new(config.mode).expect("a client"),
            overview: Overview::default(),
            shared_keys: Arc::new([]),
            metrics: Metrics::new(config.mode, &clock),
            changes: Changes::new().0,
            live: mission_control::live::Live::default(),
            config: Arc::new(config),
            db,
            clock,
            passwords: Passwords::new(CHEAP).expect("a cost"),
            oidc: None,
            token_cache: auth::TokenCache::default(),
            tasks: mission_control::state::Tasks::default(),
        };
        Self { routes: routes(&app), app, _database: Some(database), _data_dir: Some(data_dir) }
    }

    /// Another process of the same installation, with hashes of this cost.
    pub(super) fn replica(&self, cost: Cost) -> Self {
        let passwords = Passwords::new(cost).expect("a cost");
        let app = AppState { passwords, token_cache: auth::TokenCache::default(), ..self.app.clone() };
        Self { routes: routes(&app), app, _database: None, _data_dir: None }
    }

    pub(super) async fn add(&self, email: &str, role: Role) {
        let email: auth::EmailAddress = email.parse().expect("an address");
        let password = NewPassword::choose(PASSWORD.into(), &email).expect("a good password");
        let new = NewUser { email, name: "Somebody".to_owned(), role, password, must_change_password: false };
        let actor = Actor::command_line();
        users::add(&self.app.db, &self.app.clock, &self.app.passwords, &actor, new).await.expect("a new user");
    }

    pub(super) async fn disable(&self, email: &str) -> Result<bool, Problem> {
        let (app, email) = (&self.app, email.parse().expect("an address"));
        let disabled = standing::disable(&app.db, &app.clock, &app.token_cache, &Actor::command_line(), &email).await;
        disabled.map_err(Problem::from)
    }

    pub(super) async fn token(&self, email: &str, scopes: &[Scope], days: Option<u32>) -> (TokenId, String) {
        let owner = email.parse().expect("an address");
        let new = NewToken { owner, name: "ci".to_owned(), scopes: scopes.to_vec(), days };
        let made = tokens::create(&self.app.db, &self.app.clock, &Actor::command_line(), new).await;
        let (id, token) = made.expect("a token");
        (id, text(&token))
    }

    /// Sends a request as it is, from this address.
    pub(super) async fn send_from(&self, address: &str, mut request: Request<Body>) -> Answer {
        let address: IpAddr = address.parse().expect("an address");
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(address, 40_000)));
        let host = self.app.public_url.host().parse().expect("a host");
        request.headers_mut().entry(header::HOST).or_insert(host);
        let response = self.routes.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let body = String::from_utf8(body.to_vec()).expect("text");
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        self.send_from("203.0.113.1", request).await
    }

    /// Asks as a program with this token.
    pub(super) async fn ask(&self, path: &str, token: &str) -> Answer {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    pub(super) fn browser(&self) -> Browser<'_> {
        Browser { service: self, cookie: None, address: "203.0.113.1".to_owned() }
    }

    /// A browser that has signed in.
    pub(super) async fn signed_in(&self, email: &str) -> Browser<'_> {
        let mut browser = self.browser();
        let answer = browser.sign_in(email, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        browser
    }
}

/// The routes of this subject, and some that only look at who asks.
fn routes(app: &AppState) -> Router {
    let who = |principal: Principal| async move {
        let via = match principal.via {
            Via::Session { .. } => "session".to_owned(),
            Via::Token { name, .. } => format!("token {name}"),
        };
        format!("{} {} {via}", principal.email, principal.role)
    };
    let may = |principal: Principal, Path(number): Path<usize>| async move {
        principal.require(Permission::ALL[number]).map(|()| "yes")
    };
    let page = |SignedIn(principal): SignedIn| async move { principal.email };
    let probes = Router::new()
        .route("/api/who", get(who).post(who))
        .route("/api/may/{number}", get(may))
        .route("/dashboard/help", get(page).post(page));
    web::manners(web::same_origin(auth::routes().into_router().merge(probes), app), app, Limits::RECOMMENDED.body)
        .with_state(app.clone())
}

/// A browser with a cookie jar of one.
#[derive(Clone)]
pub(super) struct Browser<'a> {
    service: &'a Service,
    pub(super) cookie: Option<String>,
    pub(super) address: String,
}

impl Browser<'_> {
    pub(super) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path), Body::empty()).await
    }

    pub(super) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, Body::from(body)).await
    }

    pub(super) async fn sign_in(&mut self, email: &str, password: &str) -> Answer {
        self.post("/login", &[("email", email), ("password", password)]).await
    }

    async fn send(&mut self, mut request: axum::http::request::Builder, body: Body) -> Answer {
        request = request.header("sec-fetch-site", "same-origin").header(header::ACCEPT, "text/html");
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let request = request.body(body).expect("a request");
        let answer = self.service.send_from(&self.address, request).await;
        if let Some(set) = answer.header("set-cookie") {
            let pair = set.split(';').next().unwrap_or_default();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        answer
    }

    /// Whether the session is alive.
    pub(super) async fn is_signed_in(&mut self) -> bool {
        self.get("/dashboard/help").await.status == StatusCode::OK
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    /// The code of a problem document.
    pub(super) fn code(&self) -> String {
        let document: Value = serde_json::from_str(&self.body).expect("a problem document");
        document["code"].as_str().expect("a code").to_owned()
    }
}

/// A secret, in a test that made it.
#[expect(clippy::disallowed_methods, reason = "tests look at what they made")]
pub(super) fn text(secret: &SecretString) -> String {
    secret.expose_secret().to_owned()
}
