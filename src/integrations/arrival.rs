//! Whether what is sent to the public address arrives here: asked from this server, of nothing but that address.

use std::time::Duration;

use anyhow::Context as _;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use reqwest::redirect::Policy;
use url::{Host, Url};
use uuid::Uuid;

use crate::access::{Access, Routes};
use crate::config::{Mode, is_loopback};
use crate::error::{Problem, Result};
use crate::state::AppState;
use crate::tls;
use crate::web::extract::Path;

/// Longest that the question may take, with the name, the connection and the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most bytes of an answer that are read; ours is shorter.
const LARGEST: usize = 256;

/// Longest question that is answered.
const LONGEST_QUESTION: usize = 64;

/// What became of the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// This installation answered.
    Here,
    /// It was not asked: in sandbox mode nothing leaves the machine.
    NotAsked,
    /// The name has no address.
    NoName,
    /// Nothing takes a connection there.
    NoConnection,
    /// Its certificate is not one that Twilio would trust.
    NoTrust,
    /// Nothing came in time.
    TooLate,
    /// The connection broke off, or what came is not HTTP.
    BrokenOff,
    /// Somebody else answered, with this status.
    Elsewhere(u16),
}

/// The door at which the question arrives, beside Twilio's own: what keeps it out keeps Twilio's reports out.
pub(crate) fn routes() -> Routes {
    Routes::new().get("/webhooks/twilio/reach/{question}", Access::Anybody, answer)
}

/// What documents say of this address.
#[derive(utoipa::OpenApi)]
#[openapi(paths(answer))]
pub(crate) struct Described;

/// Prove that this installation answers
///
/// What only this installation can say to a question, for the check of the public address.
#[utoipa::path(
    get, path = "/webhooks/twilio/reach/{question}", operation_id = "reach", tag = "running",
    params(("question" = String, Path, description = "64 bytes at most.")),
    responses(
        (status = 200, description = "The answer.", body = String, content_type = "text/plain"),
        (status = 404, description = "`not_found`: the question is too long.", body = crate::error::ProblemDocument,
            content_type = "application/problem+json"),
    ),
)]
async fn answer(State(app): State<AppState>, Path(question): Path<String>) -> Result<Response> {
    if question.len() > LONGEST_QUESTION {
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "This question is too long.").into());
    }
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, app.vault.sign_of_presence(&question)).into_response())
}

/// Asks, and says what came of it.
pub(super) async fn ask(app: &AppState) -> Arrival {
    let question = Uuid::now_v7().simple().to_string();
    let address = app.public_url.join(&format!("/webhooks/twilio/reach/{question}"));
    let expected = app.vault.sign_of_presence(&question);
    let asked = tokio::time::timeout(PATIENCE, fetch(&address, app.config.mode)).await;
    let arrival = match asked {
        Err(_) => Arrival::TooLate,
        Ok(Err(arrival)) => arrival,
        Ok(Ok((200, body))) if body == expected.as_bytes() => Arrival::Here,
        Ok(Ok((status, _))) => Arrival::Elsewhere(status),
    };
    tracing::info!(event = "integrations.public_address_checked", ?arrival, "the public address was asked");
    arrival
}

async fn fetch(address: &str, mode: Mode) -> Result<(u16, Vec<u8>), Arrival> {
    let url = Url::parse(address).map_err(|_| Arrival::NoName)?;
    if mode == Mode::Sandbox && !is_loopback(&url) {
        return Err(Arrival::NotAsked);
    }
    if let (Some(Host::Domain(name)), Some(port)) = (url.host(), url.port_or_known_default()) {
        let mut found = tokio::net::lookup_host((name, port)).await.map_err(|_| Arrival::NoName)?;
        found.next().ok_or(Arrival::NoName)?;
    }
    let client = client().map_err(|error| {
        tracing::error!(error = format!("{error:#}"), "the public address cannot be asked");
        Arrival::BrokenOff
    })?;
    let mut answer = client.get(url).send().await.map_err(|error| why(&error))?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| why(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST {
            break;
        }
    }
    Ok((answer.status().as_u16(), body))
}

/// Follows nothing: where the address leads on, Twilio's signature would be for another one.
fn client() -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls::client()?)
        .http1_only()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(PATIENCE)
        .user_agent(concat!("mission-control/", env!("CARGO_PKG_VERSION")))
        .build()
        .context("the HTTP client")
}

fn why(error: &reqwest::Error) -> Arrival {
    let mut causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    if error.is_timeout() {
        Arrival::TooLate
    } else if causes.any(is_tls) {
        Arrival::NoTrust
    } else if error.is_connect() {
        Arrival::NoConnection
    } else {
        Arrival::BrokenOff
    }
}

/// An input error hides what it was made of from its sources.
fn is_tls(cause: &(dyn std::error::Error + 'static)) -> bool {
    let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    cause.is::<rustls::Error>() || inner.is_some_and(|inner| is_tls(inner))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// A server that answers one request with these bytes.
    fn answering(bytes: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let _ = stream.read(&mut [0; 16_384]);
            let _ = stream.write_all(bytes.as_bytes());
        });
        address.to_string()
    }

    #[tokio::test]
    async fn what_answers_is_told_apart_from_what_does_not() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let other =
            answering("HTTP/1.1 301 Moved\r\nlocation: https://elsewhere.example/\r\ncontent-length: 2\r\n\r\nno");
        assert_eq!(fetch(&format!("http://{other}/"), Mode::Live).await, Ok((301, b"no".to_vec())), "not followed");
        let no_http = answering("220 smtp.example\r\n");
        assert_eq!(fetch(&format!("http://{no_http}/"), Mode::Live).await, Err(Arrival::BrokenOff));
        let no_tls = answering("HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!(fetch(&format!("https://{no_tls}/"), Mode::Live).await, Err(Arrival::NoTrust));
        let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        assert_eq!(fetch(&format!("http://{closed}/"), Mode::Live).await, Err(Arrival::NoConnection));
        assert_eq!(fetch("https://mission.invalid/", Mode::Live).await, Err(Arrival::NoName));
    }

    #[tokio::test]
    async fn in_the_sandbox_nothing_leaves_the_machine() {
        for address in ["https://mission.example/", "https://192.0.2.1/"] {
            assert_eq!(fetch(address, Mode::Sandbox).await, Err(Arrival::NotAsked), "{address}");
        }
    }
}
