//! Twilio's REST interface: who may ask, what is asked, and the faults in between.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use hyper::{
    StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue},
};
use serde_json::Value;
use url::Url;

use super::{
    Credentials, accounts,
    answer::{Answer, Refusal, Unanswered, empty, json_answer},
    calls::{self, Call},
    credentials::Shown,
    faults::Moment,
    incoming_numbers, life,
    messages::{self, Message},
    random_hex,
    route::Route,
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

impl ApiRequest {
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        values(&self.query, name).next()
    }

    pub(super) fn form(&self, name: &str) -> Option<&str> {
        self.form_values(name).next()
    }

    pub(super) fn form_values(&self, name: &str) -> impl Iterator<Item = &str> {
        values(&self.form, name)
    }

    /// A parameter that is there and not empty.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        self.form(name).filter(|value| !value.is_empty())
    }

    /// The URL to report to. Whether the *sandbox* may call it is decided when the time has come.
    pub(super) fn status_callback(&self) -> Result<Option<String>, Refusal> {
        let Some(url) = self.given("StatusCallback") else {
            return Ok(None);
        };
        if is_callable(url) {
            return Ok(Some(url.to_owned()));
        }
        Err(Refusal::bad_request(21609, format!("The 'StatusCallback' URL {url} is not a valid URL.")))
    }

    /// Whether a list's filter, if it is there, lets this value through.
    pub(super) fn filters(&self, name: &str, value: Option<&str>) -> bool {
        self.query(name).is_none_or(|wanted| Some(wanted) == value)
    }

    /// Whom it is about, if it says so.
    fn recipient(&self) -> Option<&str> {
        self.form("To").or_else(|| self.query("To"))
    }

    async fn admit(shared: &Shared, received: &Received) -> Result<Self, Refusal> {
        // Not 401: that would say that the caller's are wrong.
        let credentials = shared.credentials.current().await.map_err(|_| Refusal::unavailable())?;
        let credentials = credentials.ok_or_else(Refusal::unauthorized)?;
        let shown = credentials.shown_by(received.headers.get(AUTHORIZATION)).ok_or_else(Refusal::unauthorized)?;
        let path = received.uri.path().to_owned();
        let (account, route) = Route::parse(&received.method, &path).ok_or_else(|| Refusal::not_found(&path))?;
        if account.is_some_and(|account| account != credentials.account_sid) {
            return Err(Refusal::unauthorized());
        }
        // Of the account itself Twilio tells a standard key nothing.
        if shown == Shown::ApiKey && route.is_about_accounts() {
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
            Route::ListAccounts => accounts::list(shared, self),
            Route::FetchAccount => Ok(accounts::fetch(shared, self)),
            Route::UpdateAccount => accounts::update(shared, self),
            Route::CreateNumber => incoming_numbers::create(shared, self),
            Route::ListNumbers => incoming_numbers::list(shared, self),
            Route::FetchNumber(sid) => incoming_numbers::fetch(shared, self, sid),
            Route::UpdateNumber(sid) => incoming_numbers::update(shared, self, sid),
            Route::DeleteNumber(sid) => incoming_numbers::delete(shared, self, sid).map(|()| Value::Null),
            Route::CreateMessage => messages::create(shared, self).await,
            Route::ListMessages => messages::list(shared, self),
            Route::FetchMessage(sid) => messages::fetch(shared, self, sid),
            Route::UpdateMessage(sid) => messages::update(shared, self, sid),
            Route::DeleteMessage(sid) => life::delete::<Message>(shared, self, sid).map(|()| Value::Null),
            Route::CreateCall => calls::create(shared, self).await,
            Route::ListCalls => calls::list(shared, self),
            Route::FetchCall(sid) => calls::fetch(shared, self, sid),
            Route::UpdateCall(sid) => calls::update(shared, self, sid),
            Route::DeleteCall(sid) => life::delete::<Call>(shared, self, sid).map(|()| Value::Null),
        };
        match (result, self.route.success()) {
            (Ok(_), StatusCode::NO_CONTENT) => empty(StatusCode::NO_CONTENT),
            (Ok(body), status) => json_answer(status, &body),
            (Err(refusal), _) => refusal.answer(),
        }
    }
}

/// Whether Twilio would call this URL.
pub(super) fn is_callable(url: &str) -> bool {
    let parsed = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let host = parsed.as_ref().and_then(Url::host_str).unwrap_or_default();
    !host.is_empty() && !host.contains('_')
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
pub(super) struct Leaving<'a>(pub(super) &'a Shared);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
