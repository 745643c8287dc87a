//! A whole service on a port of its own, with a database and an embedded sandbox, and people who use it over HTTP.

use std::time::Duration;

use mission_control::app::{Running, Start};
use mission_control::audit::Actor;
use mission_control::auth::tokens::{self, NewToken};
use mission_control::auth::users::{self, NewUser};
use mission_control::auth::{Cost, NewPassword, Role, Scope};
use mission_control::clock::Clock;
use mission_control::config::{Config, Environment};
use mission_control::sandbox::Pace;
use mission_control::state::AppState;
use mission_control::web::server::Limits;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::net::TcpListener;

use super::described;
use super::log;
use super::postgres::{Database, fresh_database};

/// Everybody's password.
pub(crate) const PASSWORD: &str = "four unrelated words";

/// A hash that costs next to nothing.
const CHEAP: Cost = Cost { memory: 8, passes: 1 };

/// How often a token may ask: a test that waits asks again and again.
const RATE: &str = "MISSION_CONTROL_API_REQUESTS_PER_MINUTE";
const UNLIMITED: &str = "0";

/// Longest that anything in a test may take; a bound against hanging, not a measure.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running service. Dropping it stops nothing in order; [`Service::stop`] does.
pub(crate) struct Service {
    running: Running,
    pub(crate) clock: Clock,
    client: reqwest::Client,
    data_dir: std::sync::Arc<tempfile::TempDir>,
    database: std::sync::Arc<Database>,
}

/// What the service answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text))
    }

    /// The stable code of a problem.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// How a service is to be started.
pub(crate) struct Setup {
    environment: Environment,
    pace: Pace,
    clock: Clock,
    way: PgConnectOptions,
    limits: Limits,
    data_dir: std::sync::Arc<tempfile::TempDir>,
    database: std::sync::Arc<Database>,
}

impl Setup {
    pub(crate) async fn new() -> Self {
        log::keep();
        let data_dir = std::sync::Arc::new(tempfile::tempdir().expect("a folder"));
        let mut environment = Environment::default();
        environment.set("MISSION_CONTROL_DATA_DIR", data_dir.path().to_str().expect("a path"));
        environment.set(RATE, UNLIMITED);
        let database = std::sync::Arc::new(fresh_database().await);
        let way = database.options.clone();
        let limits = Limits::RECOMMENDED;
        Self { environment, pace: Pace::Immediate, clock: Clock::manual(), way, limits, data_dir, database }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.set(name, value);
        self
    }

    pub(crate) fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Lets connections be held as long as this.
    pub(crate) fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Reaches the database another way than straight.
    pub(crate) fn way(mut self, way: PgConnectOptions) -> Self {
        self.way = way;
        self
    }

    /// The straight way to the database.
    pub(crate) fn straight(&self) -> &PgConnectOptions {
        &self.database.options
    }

    pub(crate) async fn start(self) -> Service {
        let mut service = self.launch().await;
        service.until_ready().await.expect("a ready service");
        service
    }

    /// Starts it without waiting for its database.
    pub(crate) async fn launch(self) -> Service {
        let config = Config::load(&self.environment).expect("valid settings");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let start = Start {
            config,
            listener,
            database: self.way,
            clock: self.clock.clone(),
            pace: self.pace,
            password_cost: CHEAP,
            limits: self.limits,
        };
        let running = Running::start(start).expect("a service");
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(90))
            .build()
            .expect("a client");
        Service { running, clock: self.clock, client, data_dir: self.data_dir, database: self.database }
    }
}

impl Service {
    /// A sandbox with nobody in it but the first admin.
    pub(crate) async fn start() -> Self {
        Setup::new().await.start().await
    }

    /// How to start another service on the same database and data folder.
    pub(crate) fn setup_again(&self) -> Setup {
        let mut environment = Environment::default();
        environment.set("MISSION_CONTROL_DATA_DIR", self.data_dir.path().to_str().expect("a path"));
        environment.set(RATE, UNLIMITED);
        let (data_dir, database) = (std::sync::Arc::clone(&self.data_dir), std::sync::Arc::clone(&self.database));
        let way = database.options.clone();
        let (pace, clock, limits) = (Pace::Immediate, self.clock.clone(), Limits::RECOMMENDED);
        Setup { environment, pace, clock, way, limits, data_dir, database }
    }

    pub(crate) async fn until_ready(&mut self) -> anyhow::Result<()> {
        self.running.until_ready().await
    }

    /// The database, for another program that uses it.
    pub(crate) fn database(&self) -> std::sync::Arc<Database> {
        std::sync::Arc::clone(&self.database)
    }

    /// A connection of the test's own to the service's database.
    pub(crate) async fn direct(&self) -> PgConnection {
        self.database.options.connect().await.expect("the database")
    }

    pub(crate) fn app(&self) -> &AppState {
        self.running.app().expect("a ready service")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.address)
    }

    pub(crate) fn sandbox(&self) -> &str {
        self.running.sandbox_url().expect("an embedded sandbox")
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    pub(crate) fn data_dir(&self) -> &std::path::Path {
        self.data_dir.path()
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await.expect("a clean stop");
    }

    /// Adds a person with this role, known by it.
    pub(crate) async fn person(&self, email: &str, role: Role) {
        let app = self.app();
        let email: mission_control::auth::EmailAddress = email.parse().expect("an address");
        let password = NewPassword::choose(PASSWORD.into(), &email).expect("a good password");
        let new = NewUser { name: email.to_string(), email, role, password, must_change_password: false };
        users::add(&app.db, &app.clock, &app.passwords, &Actor::command_line(), new).await.expect("a person");
    }

    /// A token of a new person with this role and every scope.
    pub(crate) async fn token(&self, email: &str, role: Role) -> String {
        self.person(email, role).await;
        self.token_of(email, &Scope::ALL).await
    }

    pub(crate) async fn token_of(&self, email: &str, scopes: &[Scope]) -> String {
        let app = self.app();
        let owner = email.parse().expect("an address");
        let new = NewToken { owner, name: "test".to_owned(), scopes: scopes.to_vec(), days: None };
        let (_, token) = tokens::create(&app.db, &app.clock, &Actor::command_line(), new).await.expect("a token");
        #[expect(clippy::disallowed_methods, reason = "the test uses the token")]
        let token = token.expose_secret().to_owned();
        token
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let (client, request) = request.build_split();
        let request = request.expect("a request");
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = client.execute(request).await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.expect("a body");
        described::check(&method, &path, status, &headers, &text);
        Answer { status, headers, text }
    }

    pub(crate) fn request(&self, method: Method, path: &str, token: &str) -> reqwest::RequestBuilder {
        self.client.request(method, self.url(path)).bearer_auth(token)
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path, token).json(body)).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(self.request(Method::GET, path, token)).await
    }

    /// Asks for an SMS.
    pub(crate) async fn ask(&self, token: &str, to: &str, message: &str) -> Value {
        let answer = self.post("/api/twilio/send-sms", token, &json!({ "to": to, "message": message })).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        answer.json()
    }

    /// Approves what stands there.
    pub(crate) async fn approve(&self, token: &str, asked: &Value) -> Answer {
        let path = format!("/api/operations/{}/approve", text(&asked["operationId"]));
        self.post(&path, token, &json!({ "digest": asked["digest"] })).await
    }

    /// Asks and approves.
    pub(crate) async fn ask_approved(&self, token: &str, to: &str, message: &str) -> String {
        let asked = self.ask(token, to, message).await;
        let approved = self.approve(token, &asked).await;
        assert_eq!(approved.status, StatusCode::OK, "{}", approved.text);
        text(&asked["operationId"])
    }

    pub(crate) async fn operation(&self, token: &str, id: &str) -> Value {
        let answer = self.get(&format!("/api/operations/{id}"), token).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    }

    /// Waits until the operation is in this state.
    pub(crate) async fn until(&self, token: &str, id: &str, state: &str) -> Value {
        let path = format!("operation {id} to be {state}");
        eventually(&path, || async {
            let operation = self.operation(token, id).await;
            if operation["state"] == state { Ok(operation) } else { Err(operation.to_string()) }
        })
        .await
    }

    /// What the sandbox really accepted.
    pub(crate) async fn ledger(&self) -> Value {
        let answer = self.client.get(format!("{}/sandbox/ledger", self.sandbox())).send().await.expect("the ledger");
        answer.json().await.expect("JSON")
    }

    /// The messages that the sandbox really accepted.
    pub(crate) async fn accepted(&self) -> Vec<Value> {
        self.ledger().await["messages"].as_array().expect("a list").clone()
    }

    /// Arms faults of the sandbox.
    pub(crate) async fn fault(&self, faults: Value) {
        let answer = self.client.post(format!("{}/sandbox/faults", self.sandbox())).json(&faults).send().await;
        let answer = answer.expect("the sandbox");
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
    }
}

/// A JSON string.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}")).to_owned()
}

/// Tries until it holds; fails with the last word if it never does.
pub(crate) async fn eventually<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let began = tokio::time::Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(last) if began.elapsed() > PATIENCE => panic!("waited in vain for {what}; last: {last}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
