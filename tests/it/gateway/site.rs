//! A gateway on a port of its own with a database, and Twilio in front of it.

use std::sync::Arc;

use mission_control::clock::Clock;
use mission_control::config::{Environment, Mode, PublicUrl};
use mission_control::database;
use mission_control::gateway::openclaw::{self, VoiceCall};
use mission_control::gateway::{Gateway, Limits, Running, Setup};
use mission_control::twilio::Twilio;
use mission_control::twilio::signature::{SIGNATURE_HEADER, sign};
use reqwest::StatusCode;
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::net::TcpListener;

use crate::support::postgres::{Database, fresh_database};
use crate::support::service::Answer;
use crate::support::{client, log};

/// The account of the configuration.
pub(crate) const ACCOUNT: &str = "AC00000000000000000000000000000001";

/// Its auth token.
pub(crate) const TOKEN: &str = "an auth token of the gateway tests";

/// What Twilio signs.
pub(crate) const PUBLIC: &str = "https://voice.test-mission.dev/voice/webhook";

/// The path that is served.
pub(crate) const PATH: &str = "/voice/webhook";

/// Who may call.
pub(crate) const ALLOWED: &str = "+14155550132";

/// Who is called.
pub(crate) const NUMBER: &str = "+14155550100";

/// What is answered.
pub(crate) const NOTHING: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>";
pub(crate) const REJECTED: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Reject/></Response>";
pub(crate) const BUSY: &str =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Reject reason=\"busy\"/></Response>";

/// What a caller hears who hears this.
pub(crate) fn said(text: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say>{text}</Say><Hangup/></Response>")
}

/// A configuration that greets one caller, with these members of `config` on top.
pub(crate) fn configuration(changes: &Value) -> Value {
    let mut config = json!({
        "enabled": true,
        "provider": "twilio",
        "twilio": { "accountSid": ACCOUNT, "authToken": TOKEN },
        "fromNumber": NUMBER,
        "inboundPolicy": "allowlist",
        "allowFrom": [ALLOWED],
        "inboundGreeting": "Hello from the tests",
        "maxConcurrentCalls": 100,
        "serve": { "port": 0, "path": PATH },
        "publicUrl": PUBLIC,
    });
    let members = config.as_object_mut().expect("an object");
    members.extend(changes.as_object().expect("an object").clone());
    json!({ "plugins": { "entries": { "voice-call": { "enabled": true, "config": config } } } })
}

/// What the loader makes of it.
pub(crate) fn settings(changes: &Value) -> VoiceCall {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("openclaw.json");
    std::fs::write(&file, configuration(changes).to_string()).expect("a file");
    let loaded = openclaw::load(&file, &Environment::default());
    loaded.unwrap_or_else(|findings| panic!("{findings}")).voice_call
}

/// How a gateway is to be started.
pub(crate) struct Plan {
    pub(crate) settings: VoiceCall,
    pub(crate) mode: Mode,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    twilio: Option<Twilio>,
    database: Arc<Database>,
}

impl Plan {
    pub(crate) async fn new(changes: &Value) -> Self {
        Self::on(Arc::new(fresh_database().await), changes)
    }

    pub(crate) fn on(database: Arc<Database>, changes: &Value) -> Self {
        log::keep();
        Self {
            settings: settings(changes),
            mode: Mode::Sandbox,
            limits: Limits::STANDARD,
            clock: Clock::manual(),
            twilio: None,
            database,
        }
    }

    /// Looks calls up at this address.
    pub(crate) fn twilio(mut self, base: &str) -> Self {
        // The provider of TLS, before anybody makes a client.
        drop(client());
        self.twilio = Some(Twilio::new(Some(base.parse().expect("a URL"))).expect("a client"));
        self
    }

    pub(crate) async fn start(self) -> Site {
        let db = database::pool(self.database.options.clone());
        let setup = Setup {
            voice_call: self.settings,
            mode: self.mode,
            public_url: PublicUrl::parse("https://mission.test-mission.dev").expect("an origin"),
            twilio: self.twilio,
            db,
            clock: self.clock.clone(),
            limits: self.limits,
        };
        let gateway = Gateway::new(setup);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let running = Running::start(listener, gateway.clone()).expect("a gateway");
        let db = database::pool(self.database.options.clone());
        Site { running, gateway, db, clock: self.clock, client: client(), database: self.database }
    }
}

/// A gateway that runs.
pub(crate) struct Site {
    running: Running,
    pub(crate) gateway: Gateway,
    /// The test's own way to the database.
    pub(crate) db: PgPool,
    pub(crate) clock: Clock,
    pub(crate) client: reqwest::Client,
    pub(crate) database: Arc<Database>,
}

/// The parameters of a request.
pub(crate) type Params = Vec<(String, String)>;

/// Twilio's name for a call of the tests.
pub(crate) fn sid(number: u32) -> String {
    format!("CA{number:032x}")
}

/// What Twilio says when a call comes in.
pub(crate) fn call(number: u32) -> Params {
    let sid = sid(number);
    let pairs = [
        ("CallSid", sid.as_str()),
        ("AccountSid", ACCOUNT),
        ("From", ALLOWED),
        ("To", NUMBER),
        ("CallStatus", "ringing"),
        ("Direction", "inbound"),
        ("ApiVersion", "2010-04-01"),
        ("CallerCountry", "US"),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// The same with another value, or without the name.
pub(crate) fn with(mut params: Params, name: &str, value: &str) -> Params {
    params.retain(|(known, _)| known != name);
    if !value.is_empty() {
        params.push((name.to_owned(), value.to_owned()));
    }
    params
}

/// What Twilio says of a call.
pub(crate) fn report(number: u32, status: &str) -> Params {
    with(call(number), "CallStatus", status)
}

pub(crate) fn signature(url: &str, params: &[(String, String)]) -> String {
    sign(url, params, &SecretString::from(TOKEN)).expect("a signature")
}

impl Site {
    /// A gateway that greets one caller.
    pub(crate) async fn start() -> Self {
        Plan::new(&json!({})).await.start().await
    }

    /// Another one on the same database.
    pub(crate) fn again(&self, changes: &Value) -> Plan {
        Plan { clock: self.clock.clone(), ..Plan::on(Arc::clone(&self.database), changes) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.address)
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.running.address
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, text: response.text().await.expect("a body") }
    }

    /// Posts a form with this signature.
    pub(crate) async fn post(&self, query: &str, params: &[(String, String)], signature: &str) -> Answer {
        let request = self.client.post(self.url(&format!("{PATH}{query}")));
        self.send(request.header(SIGNATURE_HEADER, signature).form(params)).await
    }

    /// As Twilio does.
    pub(crate) async fn signed(&self, query: &str, params: &[(String, String)]) -> Answer {
        self.post(query, params, &signature(&format!("{PUBLIC}{query}"), params)).await
    }

    /// A call comes in; what is answered?
    pub(crate) async fn comes(&self, params: &[(String, String)]) -> String {
        let answer = self.signed("", params).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.header("content-type"), Some("text/xml; charset=utf-8"));
        answer.text
    }

    /// Twilio reports; the record afterwards.
    pub(crate) async fn reports(&self, number: u32, status: &str) -> Value {
        let answer = self.signed("?type=status", &report(number, status)).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
        self.record(number).await
    }

    /// The record of a call, or null.
    pub(crate) async fn record(&self, number: u32) -> Value {
        let record: Option<Value> = sqlx::query_scalar("select to_jsonb(c) from gateway_calls c where sid = $1")
            .bind(sid(number))
            .fetch_optional(&self.db)
            .await
            .expect("the records");
        record.unwrap_or_default()
    }

    /// How many rows a table has.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        let statement = format!("select count(*) from {table}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(&self.db).await.expect("a count")
    }

    /// Everything that a request could have changed.
    pub(crate) async fn changes(&self) -> [i64; 4] {
        [
            self.count("gateway_calls").await,
            self.count("gateway_call_events").await,
            self.count("gateway_requests").await,
            self.count("audit_lines").await,
        ]
    }

    /// What is written about a call in the audit.
    pub(crate) async fn audit(&self, number: u32) -> Vec<String> {
        sqlx::query_scalar("select action from audit_lines where object = $1 order by seq")
            .bind(format!("inbound_call/{}", sid(number)))
            .fetch_all(&self.db)
            .await
            .expect("the lines")
    }

    pub(crate) async fn execute(&self, statement: &str) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&self.db).await.expect("executed");
    }

    pub(crate) async fn stop(self) {
        self.db.close().await;
        self.running.stop().await;
    }
}
