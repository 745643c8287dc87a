//! The endpoints that Twilio does not have: faults, the ledger, lives driven by hand.

use std::net::IpAddr;

use hyper::{
    StatusCode,
    header::{HOST, ORIGIN},
    http::uri::Authority,
};
use serde::Deserialize;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::{
    answer::{Answer, empty, json_answer},
    callback::Outcome,
    faults::Armed,
    life::{self, Change, Status},
    messages::Message,
    server::Received,
    state::Shared,
};

/// Answers a request below `/sandbox/`.
pub(super) async fn answer(shared: &Shared, received: &Received) -> Answer {
    match carry_out(shared, received).await {
        Ok(Value::Null) => empty(StatusCode::NO_CONTENT),
        Ok(body) => json_answer(StatusCode::OK, &body),
        Err(problem) => problem.answer(),
    }
}

async fn carry_out(shared: &Shared, received: &Received) -> Result<Value, Problem> {
    if !is_local(received) {
        let error = "the sandbox is controlled from this machine only, and not by web pages";
        return Err(Problem::new(StatusCode::FORBIDDEN, error));
    }
    let path = received.uri.path().split('/').skip(2).collect::<Vec<_>>();
    match (received.method.as_str(), path.as_slice()) {
        ("GET", ["faults"]) => Ok(json!(shared.armed())),
        ("POST", ["faults"]) => arm(shared, &received.body),
        ("DELETE", ["faults"]) => {
            shared.disarm();
            Ok(Value::Null)
        }
        ("GET", ["ledger"]) => Ok(ledger(shared)),
        ("POST", ["messages", sid, "status"]) => drive(shared, sid, &received.body).await,
        ("POST", ["reset"]) => {
            let reset = shared.reset();
            reset.map_err(|error| {
                let error = format!("the journal cannot be emptied: {error}");
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error)
            })?;
            Ok(Value::Null)
        }
        _ => Err(Problem::new(StatusCode::NOT_FOUND, "there is no such control")),
    }
}

/// Whether this cannot be a web page: pages send an `Origin`, and one that rebinds its name to loopback sends that name.
fn is_local(received: &Received) -> bool {
    let host = received.headers.get(HOST).and_then(|value| value.to_str().ok());
    let authority = host.and_then(|host| host.parse::<Authority>().ok());
    let is_loopback = authority.is_some_and(|authority| {
        let name = authority.host().trim_matches(['[', ']']);
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    });
    is_loopback && !received.headers.contains_key(ORIGIN)
}

/// Why a control did nothing.
struct Problem {
    status: StatusCode,
    error: String,
}

impl Problem {
    fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into() }
    }

    fn bad_request(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    fn answer(&self) -> Answer {
        json_answer(self.status, &json!({ "error": self.error }))
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::bad_request(error.to_string()))
}

fn arm(shared: &Shared, body: &[u8]) -> Result<Value, Problem> {
    let faults = parse::<Vec<Armed>>(body)?;
    for fault in &faults {
        fault.check().map_err(Problem::bad_request)?;
    }
    shared.arm(faults);
    Ok(json!(shared.armed()))
}

/// What was really accepted, whatever the callers were told.
fn ledger(shared: &Shared) -> Value {
    let line = |message: &Message| {
        json!({
            "sid": message.sid,
            "to": message.to,
            "from": message.from,
            "body": message.body,
            "accepted_at": message.accepted_at.format(&Rfc3339).expect("a time of this century has an RFC 3339 form"),
        })
    };
    let messages = shared.accepted().iter().map(line).collect::<Vec<_>>();
    json!({ "messages": messages, "calls": [], "syntheses": [] })
}

/// A status to put a message into by hand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Drive {
    status: Status,
    #[serde(default)]
    error_code: Option<u32>,
}

/// Puts a message into any status, reports it, and leaves its further life to the hand.
async fn drive(shared: &Shared, sid: &str, body: &[u8]) -> Result<Value, Problem> {
    let Drive { status, error_code } = parse(body)?;
    let message = shared.change(sid, |message| {
        life::enter(message, status, error_code);
        message.driven = true;
        Change::Made
    });
    let message = message.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, format!("there is no message {sid}")))?;
    let callback = match life::report(shared, &message).await {
        Outcome::Answered(status) => format!("answered {status}"),
        Outcome::NotWanted => "not wanted".to_owned(),
        Outcome::Refused(reason) => format!("refused: {reason}"),
        Outcome::Failed(reason) => format!("failed: {reason}"),
        Outcome::Lost => "lost".to_owned(),
        Outcome::Stopped => "stopped".to_owned(),
    };
    Ok(json!({ "sid": sid, "status": status, "callback": callback }))
}
