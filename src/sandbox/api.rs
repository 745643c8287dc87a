//! Twilio's REST interface: who may ask, what is asked, and the faults in between.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use hyper::{
    Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue},
};

use super::{
    Credentials, accounts,
    answer::{Answer, Refusal, Unanswered, empty, json_answer},
    faults::{Moment, On},
    messages, random_hex,
    server::Received,
    state::Shared,
    strike,
};

pub(super) const API_VERSION: &str = "2010-04-01";

/// A request that has shown the right credentials.
pub(super) struct ApiRequest {
    pub(super) credentials: Credentials,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    form: Vec<(String, String)>,
    route: Route,
}

/// What is asked for. Calls will stand beside messages.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    FetchAccount,
    ListNumbers,
    FetchNumber(String),
    CreateMessage,
    ListMessages,
    FetchMessage(String),
    UpdateMessage(String),
    DeleteMessage(String),
}

impl Route {
    /// The account in the path and what is asked of it.
    fn parse(method: &Method, path: &str) -> Option<(String, Self)> {
        let path =
            path.strip_prefix('/')?.strip_prefix(API_VERSION)?.strip_prefix("/Accounts/")?.strip_suffix(".json")?;
        let segments = path.split('/').collect::<Vec<_>>();
        let route = match (method.as_str(), &segments[1..]) {
            ("GET", []) => Self::FetchAccount,
            ("GET", ["IncomingPhoneNumbers"]) => Self::ListNumbers,
            ("GET", ["IncomingPhoneNumbers", sid]) => Self::FetchNumber((*sid).to_owned()),
            ("POST", ["Messages"]) => Self::CreateMessage,
            ("GET", ["Messages"]) => Self::ListMessages,
            ("GET", ["Messages", sid]) => Self::FetchMessage((*sid).to_owned()),
            ("POST", ["Messages", sid]) => Self::UpdateMessage((*sid).to_owned()),
            ("DELETE", ["Messages", sid]) => Self::DeleteMessage((*sid).to_owned()),
            _ => return None,
        };
        Some((segments[0].to_owned(), route))
    }

    /// The kind of request that faults know it as.
    fn on(&self) -> Option<On> {
        match self {
            Self::CreateMessage => Some(On::Create),
            Self::FetchMessage(_) => Some(On::Fetch),
            Self::ListMessages => Some(On::List),
            _ => None,
        }
    }
}

impl ApiRequest {
    /// The path of the account, without `.json`.
    pub(super) fn base(&self) -> String {
        format!("/{API_VERSION}/Accounts/{}", self.credentials.account_sid)
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        values(&self.query, name).next()
    }

    pub(super) fn form(&self, name: &str) -> Option<&str> {
        self.form_values(name).next()
    }

    pub(super) fn form_values(&self, name: &str) -> impl Iterator<Item = &str> {
        values(&self.form, name)
    }

    /// Whom it is about, if it says so.
    fn recipient(&self) -> Option<&str> {
        self.form("To").or_else(|| self.query("To"))
    }

    async fn admit(shared: &Shared, received: &Received) -> Result<Self, Refusal> {
        let credentials = shared.credentials.current().await;
        let credentials = credentials
            .filter(|credentials| credentials.admits(received.headers.get(AUTHORIZATION)))
            .ok_or_else(Refusal::unauthorized)?;
        let path = received.uri.path().to_owned();
        let (account, route) = Route::parse(&received.method, &path).ok_or_else(|| Refusal::not_found(&path))?;
        if account != credentials.account_sid {
            return Err(Refusal::unauthorized());
        }
        // Twilio does not read any other body: a JSON request lacks its parameters.
        let is_form = received
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
        let form = if is_form { decode(&received.body) } else { Vec::new() };
        let query = decode(received.uri.query().unwrap_or_default().as_bytes());
        Ok(Self { credentials, path, query, form, route })
    }

    /// Does what is asked, whatever becomes of the answer.
    pub(super) async fn carry_out(&self, shared: &Arc<Shared>) -> Answer {
        let result = match &self.route {
            Route::FetchAccount => Ok(accounts::fetch(shared, self)),
            Route::ListNumbers => accounts::list_numbers(shared, self),
            Route::FetchNumber(sid) => accounts::fetch_number(shared, self, sid),
            Route::CreateMessage => messages::create(shared, self).await,
            Route::ListMessages => messages::list(shared, self),
            Route::FetchMessage(sid) => messages::fetch(shared, self, sid),
            Route::UpdateMessage(sid) => messages::update(shared, self, sid),
            Route::DeleteMessage(sid) => match messages::delete(shared, self, sid) {
                Ok(()) => return empty(StatusCode::NO_CONTENT),
                Err(refusal) => Err(refusal),
            },
        };
        let status = if self.route == Route::CreateMessage { StatusCode::CREATED } else { StatusCode::OK };
        result.map_or_else(|refusal| refusal.answer(), |body| json_answer(status, &body))
    }
}

fn decode(pairs: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(pairs).into_owned().collect()
}

fn values<'a>(pairs: &'a [(String, String)], name: &str) -> impl Iterator<Item = &'a str> {
    pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Twilio's answer, with the headers that are on all of them.
pub(super) async fn answer(shared: &Arc<Shared>, received: Received) -> Result<Answer, Unanswered> {
    let started = Instant::now();
    let concurrent = shared.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
    let _leaving = Leaving(shared);
    let mut answer = match ApiRequest::admit(shared, &received).await {
        Err(refusal) => refusal.answer(),
        Ok(request) => {
            let fault = request.route.on().and_then(|on| shared.take_fault(Moment::Request(on), request.recipient()));
            match fault {
                None => request.carry_out(shared).await,
                Some(fault) => strike::answer(shared, request, fault).await?,
            }
        }
    };
    let headers = answer.headers_mut();
    let mut insert = |name: &'static str, value: String| {
        headers.insert(HeaderName::from_static(name), HeaderValue::try_from(value).expect("visible ASCII"));
    };
    insert("twilio-request-id", format!("RQ{}", random_hex()));
    insert("twilio-concurrent-requests", concurrent.to_string());
    insert("twilio-request-duration", format!("{:.3}", started.elapsed().as_secs_f64()));
    Ok(answer)
}

/// Counts a request out, also when its caller has hung up.
struct Leaving<'a>(&'a Shared);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
