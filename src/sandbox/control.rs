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
    calls::Call,
    faults::Armed,
    life::{self, Change},
    living::{Living, Vitals},
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
        ("POST", ["messages", sid, "status"]) => drive::<Message>(shared, sid, &received.body).await,
        ("POST", ["calls", sid, "status"]) => drive::<Call>(shared, sid, &received.body).await,
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
    let messages = lines(shared, |message: &Message| json!({ "body": message.body }));
    let calls = lines(shared, |call: &Call| {
        json!({
            "twiml": call.script.twiml,
            "status": call.shown_status(),
            "error_code": call.vitals().error_code,
            "audio": call.audio,
        })
    });
    json!({ "messages": messages, "calls": calls, "syntheses": shared.syntheses() })
}

/// A line for each of one kind: what all have, and what `own` says of it.
fn lines<L: Living>(shared: &Shared, own: impl Fn(&L) -> Value) -> Vec<Value> {
    let line = |living: &L| {
        let Vitals { sid, to, from, accepted_at, .. } = living.vitals();
        let mut line = own(living);
        line["sid"] = json!(sid);
        line["to"] = json!(to);
        line["from"] = json!(from);
        line["accepted_at"] = json!(accepted_at.format(&Rfc3339).expect("a time of this century has an RFC 3339 form"));
        line
    };
    shared.accepted().iter().map(line).collect()
}

/// A status to put something into by hand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Drive<S> {
    status: S,
    #[serde(default)]
    error_code: Option<u32>,
}

/// Puts a message or a call into any status, reports it, does what is to be done in it, and leaves the further life to
/// the hand.
async fn drive<L: Living>(shared: &Shared, sid: &str, body: &[u8]) -> Result<Value, Problem> {
    let Drive { status, error_code } = parse::<Drive<L::Status>>(body)?;
    let driven = shared.change(sid, |living: &mut L| {
        life::enter(living, status, error_code);
        living.vitals_mut().driven = true;
        Change::Made
    });
    let driven = driven.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, format!("there is no {} {sid}", L::KIND)))?;
    let callback = match life::report(shared, &driven).await {
        Outcome::Answered(status) => format!("answered {status}"),
        Outcome::NotWanted => "not wanted".to_owned(),
        Outcome::Refused(reason) => format!("refused: {reason}"),
        Outcome::Failed(reason) => format!("failed: {reason}"),
        Outcome::Lost => "lost".to_owned(),
        Outcome::Stopped => "stopped".to_owned(),
    };
    driven.occupy(shared).await;
    Ok(json!({ "sid": sid, "status": status, "callback": callback }))
}
