//! What every request goes through, in this order: path, method, a signature at all, not too many of one peer, a body that
//! is bounded and comes in time, the signature, the account, not taken before, the record of the call, the answer. Nothing
//! of a request is believed, kept or worked on before its signature fits, and nothing is answered before it is recorded.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use sqlx::PgPool;

use super::caller::{Admission, Caller, admission};
use super::calls::{Answered, Arrival, Bounds, Calls, Effect, Report, Source, Verdict};
use super::in_flight::PerPeer;
use super::openclaw::VoiceCall;
use super::refusal::Refusal;
use super::signed::{self, Params, Verified};
use super::twiml::Answer;
use super::{body, greeting};
use crate::clock::Clock;
use crate::config::{Mode, PublicUrl};
use crate::operation::content::Kind;
use crate::phone::mask;
use crate::speech::clips;
use crate::twilio::{Sid, Twilio};
use crate::web::client::client_address;

/// Longest word, number or address that is kept of a call.
const LONGEST: usize = 64;

/// What a gateway is made of.
pub struct Setup {
    /// What it is configured to do.
    pub voice_call: VoiceCall,
    /// Sandbox or live; stamped on each record.
    pub mode: Mode,
    /// Where the service hands out the clips that callers hear.
    pub public_url: PublicUrl,
    /// Where calls are looked up; `None`: nowhere.
    pub twilio: Option<Twilio>,
    /// The pool.
    pub db: PgPool,
    /// The time.
    pub clock: Clock,
    /// How much it takes.
    pub limits: Limits,
}

/// How much a gateway takes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests of one peer that are under way at once.
    pub in_flight: usize,
    /// Bytes of a body.
    pub body_bytes: usize,
    /// Longest wait for the head of a request, also of the next one on a connection.
    pub head_time: Duration,
    /// Time for a body to come.
    pub body_time: Duration,
}

impl Limits {
    /// Far more than Twilio needs.
    pub const STANDARD: Self = Self {
        in_flight: 8,
        body_bytes: 64 * 1024,
        head_time: Duration::from_secs(10),
        body_time: Duration::from_secs(5),
    };
}

/// A gateway that answers requests.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    voice_call: VoiceCall,
    public_url: PublicUrl,
    twilio: Option<Twilio>,
    limits: Limits,
    in_flight: PerPeer,
    calls: Calls,
}

/// What the sender of a good request hears.
enum Reply {
    Call(Answer),
    Noted,
}

impl Gateway {
    /// Puts it together; nothing is asked or answered yet.
    pub fn new(setup: Setup) -> Self {
        let Setup { voice_call, mode, public_url, twilio, db, clock, limits } = setup;
        let calls = Calls { db, clock, mode, account_sid: voice_call.account_sid.clone() };
        let in_flight = PerPeer::new(limits.in_flight);
        Self(Arc::new(Inner { voice_call, public_url, twilio, limits, in_flight, calls }))
    }

    /// Answers a request that came from this address.
    pub async fn answer<B: Body<Data = Bytes> + Unpin>(
        &self,
        peer: IpAddr,
        request: Request<B>,
    ) -> Response<Full<Bytes>> {
        let mut response = match self.take(peer, request).await {
            Ok(Reply::Call(answer)) => document(&answer),
            Ok(Reply::Noted) => {
                let mut response = Response::new(Full::default());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response
            }
            Err(refusal) => refusal.answer(),
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }

    async fn take<B: Body<Data = Bytes> + Unpin>(&self, peer: IpAddr, request: Request<B>) -> Result<Reply, Refusal> {
        let (parts, body) = request.into_parts();
        if without_slash(parts.uri.path()) != without_slash(&self.settings().serve.path) {
            return Err(Refusal::NotFound);
        }
        if parts.method != Method::POST {
            return Err(Refusal::Method);
        }
        signed::signature_of(&parts)?;
        let _place = self.0.in_flight.take(self.client(&parts, peer)).ok_or(Refusal::Busy)?;
        let body = body::read(&parts, body, self.0.limits).await?;
        let settings = self.settings();
        let security = &settings.webhook_security;
        let verified = signed::verify(&parts, &body, peer, &settings.public_url, security, &settings.auth_token)?;
        if verified.params.get("AccountSid") != Some(settings.account_sid.as_str()) {
            return Err(Refusal::OtherAccount);
        }
        if is_report(parts.uri.query()) { self.report(&verified).await } else { self.call(&verified).await }
    }

    /// A call comes in: what does its caller hear?
    async fn call(&self, Verified { params, identity }: &Verified) -> Result<Reply, Refusal> {
        let words = Words::of(params)?;
        let greeting = greeting::of(self.settings(), &words.to);
        let arrival = Arrival {
            identity: *identity,
            sid: &words.sid,
            is_inbound: words.is_inbound,
            from: &words.from,
            to: &words.to,
            status: &words.status,
            verdict: self.verdict(&words),
            greeting,
            payload: params.document(),
        };
        let answered = self.calls().arrive(&arrival, self.bounds()).await?;
        let (from, to, sid) = (mask(&words.from), mask(&words.to), words.sid.as_str());
        let Some(answered) = answered else {
            tracing::info!(event = "gateway.replay", sid, "it was taken before");
            return Ok(Reply::Call(Answer::Nothing));
        };
        let verdict = answered.verdict.as_str();
        tracing::info!(event = "gateway.call", sid, from, to, verdict, clip = answered.clip.as_deref().map(clips::in_log).map(tracing::field::display), mode = %self.calls().mode);
        Ok(Reply::Call(self.heard(answered)))
    }

    fn verdict(&self, words: &Words) -> Verdict {
        if !words.is_inbound {
            return Verdict::NotInbound;
        }
        match admission(self.settings(), &Caller::parse(&words.from)) {
            Admission::Allowed => Verdict::Greeted,
            Admission::Disabled => Verdict::PolicyDisabled,
            Admission::Withheld => Verdict::CallerWithheld,
            Admission::NotAllowed => Verdict::CallerNotAllowed,
        }
    }

    fn heard(&self, answered: Answered) -> Answer {
        match (answered.verdict, answered.clip) {
            (Verdict::Greeted, Some(clip)) => Answer::Play(clips::address(&self.0.public_url, &clip)),
            (Verdict::Greeted, None) => Answer::Say(answered.greeting),
            (Verdict::OverLimit, _) => Answer::Busy,
            (Verdict::NotInbound, _) => Answer::HangUp,
            _ => Answer::Reject,
        }
    }

    /// Twilio says how a call stands.
    async fn report(&self, Verified { params, identity }: &Verified) -> Result<Reply, Refusal> {
        let words = Words::of(params)?;
        let report = Report {
            source: Source::Callback(*identity),
            sid: &words.sid,
            is_inbound: words.is_inbound,
            from: &words.from,
            to: &words.to,
            status: Some(&words.status),
            duration: params.get("CallDuration").and_then(|seconds| seconds.parse().ok()),
            payload: params.document(),
        };
        let effect = self.calls().take(&report, self.bounds()).await?;
        let (sid, status) = (words.sid.as_str(), &words.status);
        tracing::info!(event = "gateway.report", sid, status, ?effect, mode = %self.calls().mode);
        Ok(if effect == Effect::Replay { Reply::Call(Answer::Nothing) } else { Reply::Noted })
    }

    pub(super) fn settings(&self) -> &VoiceCall {
        &self.0.voice_call
    }

    /// How much it takes.
    pub(super) fn limits(&self) -> Limits {
        self.0.limits
    }

    pub(super) fn calls(&self) -> &Calls {
        &self.0.calls
    }

    pub(super) fn twilio(&self) -> Option<&Twilio> {
        self.0.twilio.as_ref()
    }

    pub(super) fn bounds(&self) -> Bounds {
        let settings = self.settings();
        Bounds {
            at_once: settings.max_concurrent_calls.into(),
            unanswered: settings.stale_call_reaper,
            longest: settings.max_duration,
        }
    }

    /// Whose request it is, for the limit: behind a trusted proxy, the one that the proxy names.
    fn client(&self, parts: &Parts, peer: IpAddr) -> IpAddr {
        let proxies = &self.settings().webhook_security.trusted_proxies;
        client_address(peer, &parts.headers, |address| proxies.contains(&address))
    }
}

/// What every request about a call says.
struct Words {
    sid: Sid,
    is_inbound: bool,
    from: String,
    to: String,
    status: String,
}

impl Words {
    fn of(params: &Params) -> Result<Self, Refusal> {
        let sid = params.get("CallSid").and_then(|sid| Sid::parse(Kind::Call, sid));
        let status = params.get("CallStatus").filter(|word| (1..=LONGEST).contains(&word.len()) && word.is_ascii());
        Ok(Self {
            sid: sid.ok_or(Refusal::Malformed("CallSid"))?,
            status: status.map(kept).ok_or(Refusal::Malformed("CallStatus"))?,
            is_inbound: params.get("Direction") == Some("inbound"),
            from: params.get("From").map(kept).unwrap_or_default(),
            to: params.get("To").map(kept).unwrap_or_default(),
        })
    }
}

/// A word as it is kept: nothing that a page or a log cannot show.
fn kept(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect()
}

fn document(answer: &Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(answer.document()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    response
}

/// Twilio's reports come to the same path with `?type=status`.
fn is_report(query: Option<&str>) -> bool {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .any(|(name, value)| name == "type" && value == "status")
}

/// A path with and without a slash at its end is the same door.
fn without_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}
