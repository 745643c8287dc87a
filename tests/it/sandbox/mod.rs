//! The emulator of Twilio over real HTTP.

mod accounts;
mod call_audio;
mod call_life;
mod callbacks;
mod calls;
mod control;
mod elevenlabs;
mod faults;
mod lists;
mod messages;
mod numbers;
mod restart;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{OriginalUri, State},
    http::{HeaderMap, StatusCode, Uri},
};
use mission_control::{
    sandbox::{self, CredentialSource, Credentials, KeySource, Options, Pace, Sandbox},
    twilio::signature::{Body, SIGNATURE_HEADER, Signed, verify},
};
use reqwest::{Client, Response};
use secrecy::SecretString;
use serde_json::Value;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const KEY: &str = "SK00000000000000000000000000000001";
const KEY_SECRET: &str = "abcdefghijklmnopqrstuvwxyzABCDEF";
const SPEECH_KEY: &str = "sk_0123456789abcdef0123456789abcdef0123456789abcdef";
const OWN: &str = "+15005550006";
const SECOND: &str = "+15005550016";
const RECIPIENT: &str = "+14155552671";

/// Longer than anything here takes; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// Time in which an unwanted callback would surely have come.
const QUIET: Duration = Duration::from_millis(150);

fn credentials() -> Credentials {
    Credentials {
        account_sid: ACCOUNT.to_owned(),
        auth_token: SecretString::from(TOKEN),
        api_key: Some((KEY.to_owned(), SecretString::from(KEY_SECRET))),
        numbers: vec![SECOND.to_owned()],
    }
}

fn options(pace: Pace) -> Options {
    Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        credentials: CredentialSource::Fixed(credentials()),
        elevenlabs_key: KeySource::Fixed(Some(SecretString::from(SPEECH_KEY))),
        journal: None,
        callbacks_to: None,
        pace,
    }
}

fn journalled(path: &Path, pace: Pace) -> Options {
    Options { journal: Some(path.to_owned()), ..options(pace) }
}

fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(PATIENCE)
        .timeout(PATIENCE)
        .build()
        .expect("a client")
}

/// A sandbox of its own, and a caller with the right credentials.
struct Emulator {
    sandbox: Sandbox,
    client: Client,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Emulator {
    async fn start(pace: Pace) -> Self {
        Self::with(options(pace)).await
    }

    async fn with(options: Options) -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let sandbox = sandbox::start(options, &tasks, stop.clone()).await.expect("the sandbox starts");
        Self { sandbox, client: client(), tasks, stop }
    }

    /// Ends it as the server would, and waits until nothing of it runs.
    async fn stop(self) {
        drop(self.client);
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(PATIENCE, self.tasks.wait()).await.expect("the sandbox stops");
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.base_url())
    }

    fn account_url(&self, path: &str) -> String {
        self.url(&format!("/2010-04-01/Accounts/{ACCOUNT}{path}"))
    }

    async fn get(&self, path: &str) -> Response {
        self.client.get(self.account_url(path)).basic_auth(ACCOUNT, Some(TOKEN)).send().await.expect("an answer")
    }

    async fn get_json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.expect("JSON")
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> reqwest::Result<Response> {
        self.client.post(self.account_url(path)).basic_auth(ACCOUNT, Some(TOKEN)).form(form).send().await
    }

    async fn delete(&self, path: &str) -> Response {
        self.client.delete(self.account_url(path)).basic_auth(ACCOUNT, Some(TOKEN)).send().await.expect("an answer")
    }

    /// What is at an address as given in a list.
    async fn follow(&self, uri: &str) -> Value {
        let answer = self.client.get(self.url(uri)).basic_auth(ACCOUNT, Some(TOKEN)).send().await;
        answer.expect("an answer").json().await.expect("JSON")
    }

    /// Tries to create a message with a body, from the account's own number.
    async fn try_send(&self, to: &str) -> reqwest::Result<Response> {
        self.post("/Messages.json", &[("To", to), ("From", OWN), ("Body", "Hello")]).await
    }

    /// A message that was accepted.
    async fn send(&self, to: &str, callback: Option<&str>) -> Value {
        let mut form = vec![("To", to), ("From", OWN), ("Body", "Hello")];
        form.extend(callback.map(|url| ("StatusCallback", url)));
        let answer = self.post("/Messages.json", &form).await.expect("an answer");
        assert_eq!(answer.status(), 201);
        answer.json().await.expect("JSON")
    }

    /// Tries to create a call from the account's own number.
    async fn try_call(&self, to: &str, more: &[(&str, &str)]) -> reqwest::Result<Response> {
        self.post("/Calls.json", &[&[("To", to), ("From", OWN)], more].concat()).await
    }

    /// A call that was accepted.
    async fn call(&self, to: &str, more: &[(&str, &str)]) -> Value {
        let answer = self.try_call(to, more).await.expect("an answer");
        assert_eq!(answer.status(), 201);
        answer.json().await.expect("JSON")
    }

    async fn message(&self, sid: &str) -> Value {
        self.get_json(&format!("/Messages/{sid}.json")).await
    }

    async fn control(&self, path: &str, body: Value) -> Response {
        self.client.post(self.url(path)).json(&body).send().await.expect("an answer")
    }

    async fn arm(&self, faults: Value) {
        assert_eq!(self.control("/sandbox/faults", faults).await.status(), 200);
    }

    async fn armed(&self) -> Value {
        let answer = self.client.get(self.url("/sandbox/faults")).send().await.expect("an answer");
        answer.json().await.expect("JSON")
    }

    async fn drive(&self, sid: &str, body: Value) -> Value {
        let kind = if sid.starts_with("CA") { "calls" } else { "messages" };
        let answer = self.control(&format!("/sandbox/{kind}/{sid}/status"), body).await;
        assert_eq!(answer.status(), 200);
        answer.json().await.expect("JSON")
    }

    /// What was really accepted of one kind.
    async fn ledger_of(&self, kind: &str) -> Vec<Value> {
        let answer = self.client.get(self.url("/sandbox/ledger")).send().await.expect("an answer");
        let ledger: Value = answer.json().await.expect("JSON");
        ledger[kind].as_array().expect("a list").clone()
    }

    async fn ledger(&self) -> Vec<Value> {
        self.ledger_of("messages").await
    }

    /// Waits until a message has this status.
    async fn until(&self, sid: &str, status: &str) -> Value {
        self.until_at(&format!("/Messages/{sid}.json"), status).await
    }

    /// Waits until what is at this path has this status.
    async fn until_at(&self, path: &str, status: &str) -> Value {
        let reached = async {
            loop {
                let resource = self.get_json(path).await;
                if resource["status"] == status {
                    return resource;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{path} never became {status}"))
    }
}

/// A callback as it arrived.
struct Arrived {
    uri: Uri,
    headers: HeaderMap,
    params: Vec<(String, String)>,
}

impl Arrived {
    fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn status(&self) -> &str {
        self.param("MessageStatus").or_else(|| self.param("CallStatus")).expect("a status")
    }

    /// Whether the signature is right for this origin and what arrived.
    fn is_signed_for(&self, origin: &str) -> bool {
        let url = format!("{origin}{}", self.uri);
        let signature = self.header(SIGNATURE_HEADER);
        let request = Signed { url: &url, signature, settings: None, body: Body::Form(&self.params) };
        verify(&request, &[&SecretString::from(TOKEN)], &[]).is_some()
    }
}

/// A listener for callbacks that answers as told, else with 204.
struct Receiver {
    address: SocketAddr,
    arrivals: mpsc::UnboundedReceiver<Arrived>,
    answers: Arc<Mutex<VecDeque<StatusCode>>>,
    _stop: tokio_util::sync::DropGuard,
}

#[derive(Clone)]
struct Receiving {
    arrivals: mpsc::UnboundedSender<Arrived>,
    answers: Arc<Mutex<VecDeque<StatusCode>>>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, arrivals) = mpsc::unbounded_channel();
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let app =
            Router::new().fallback(receive).with_state(Receiving { arrivals: sender, answers: Arc::clone(&answers) });
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        TaskTracker::new().spawn(async move { axum::serve(listener, app).with_graceful_shutdown(stopped).await });
        Self { address, arrivals, answers, _stop: stop.drop_guard() }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    fn answer_next_with(&self, statuses: &[u16]) {
        let statuses = statuses.iter().map(|status| StatusCode::from_u16(*status).expect("a status"));
        self.answers.lock().expect("the lock").extend(statuses);
    }

    async fn next(&mut self) -> Arrived {
        tokio::time::timeout(PATIENCE, self.arrivals.recv()).await.expect("a callback in time").expect("a listener")
    }

    async fn statuses(&mut self, count: usize) -> Vec<String> {
        let mut statuses = Vec::new();
        for _ in 0..count {
            statuses.push(self.next().await.status().to_owned());
        }
        statuses
    }

    async fn expect_nothing(&mut self) {
        if let Ok(Some(arrived)) = tokio::time::timeout(QUIET, self.arrivals.recv()).await {
            panic!("an unexpected callback: {}", arrived.status());
        }
    }
}

async fn receive(
    State(receiving): State<Receiving>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let params = url::form_urlencoded::parse(&body).into_owned().collect();
    let _ = receiving.arrivals.send(Arrived { uri, headers, params });
    receiving.answers.lock().expect("the lock").pop_front().unwrap_or(StatusCode::NO_CONTENT)
}

/// A code by the name of what was asked, for tables in tests.
async fn code(answer: Response) -> (u16, u64) {
    let status = answer.status().as_u16();
    let header = answer.headers().get("X-Twilio-Error-Code").map(|value| value.to_str().expect("ASCII").to_owned());
    let body: HashMap<String, Value> = answer.json().await.expect("an error body");
    let code = body["code"].as_u64().expect("a code");
    assert_eq!(body["status"], status);
    assert_eq!(body["more_info"], format!("https://www.twilio.com/docs/errors/{code}"));
    assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()));
    assert_eq!(header, Some(code.to_string()));
    (status, code)
}
