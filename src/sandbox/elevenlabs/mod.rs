//! `ElevenLabs` as far as calls need it: text to speech, voices, models, subscription, with the paths and the errors of the
//! original. What it "says" is a tone for each letter, as real MP3 of a length that follows the text.

mod offer;
mod refusal;
mod strike;
mod synthesis;
mod tone;

use std::sync::{Arc, atomic::Ordering};

use hyper::{
    Method, StatusCode,
    header::{HeaderName, HeaderValue},
};
use serde_json::{Value, json};
use time::{Date, OffsetDateTime, Time};

use self::refusal::Refusal;
use super::{
    answer::{Answer, Unanswered, json_answer},
    faults::{Moment, On},
    now, random_hex,
    server::Received,
    state::Shared,
};

pub(super) use self::synthesis::Synthesis;

const KEY: &str = "xi-api-key";

/// Characters that the account may use in a month.
const MONTHLY_CHARACTERS: u64 = 1_000_000;

/// Whether a path is one of `ElevenLabs`' and not of Twilio's.
pub(super) fn is_at(path: &str) -> bool {
    path.starts_with("/v1/") || path.starts_with("/v2/")
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    Synthesise(String),
    Voices,
    PageOfVoices,
    Models,
    Subscription,
}

impl Route {
    fn parse(method: &Method, path: &str) -> Result<Self, Refusal> {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let (wanted, route) = match segments.as_slice() {
            ["v1", "text-to-speech", voice] => (Method::POST, Self::Synthesise(decoded(voice))),
            ["v1", "voices"] => (Method::GET, Self::Voices),
            ["v2", "voices"] => (Method::GET, Self::PageOfVoices),
            ["v1", "models"] => (Method::GET, Self::Models),
            ["v1", "user", "subscription"] => (Method::GET, Self::Subscription),
            _ => return Err(Refusal::said(StatusCode::NOT_FOUND, "Not Found")),
        };
        if *method == wanted {
            Ok(route)
        } else {
            Err(Refusal::said(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"))
        }
    }

    /// The kind of request that faults know it as.
    fn on(&self) -> On {
        if matches!(self, Self::Synthesise(_)) { On::Synthesise } else { On::Account }
    }

    /// Whom a fault can single out.
    fn voice(&self) -> Option<&str> {
        match self {
            Self::Synthesise(voice) => Some(voice),
            _ => None,
        }
    }
}

/// A request that has shown the right key.
struct SpeechRequest {
    route: Route,
    received: Received,
}

impl SpeechRequest {
    async fn admit(shared: &Shared, received: Received) -> Result<Self, Refusal> {
        let route = Route::parse(&received.method, received.uri.path())?;
        let Some(given) = received.headers.get(KEY) else { return Err(Refusal::no_key()) };
        // Not 401: that would say that the caller's is wrong.
        let is_key = shared.elevenlabs_key.admits(given).await.map_err(|_| Refusal::internal())?;
        if is_key { Ok(Self { route, received }) } else { Err(Refusal::wrong_key()) }
    }

    /// Does what is asked, whatever becomes of the answer.
    fn carry_out(&self, shared: &Shared) -> Answer {
        let done = match &self.route {
            Route::Synthesise(voice) => synthesis::make(shared, voice, &self.received),
            Route::Voices => Ok(json_answer(StatusCode::OK, &offer::voices())),
            Route::PageOfVoices => {
                offer::page_of_voices(self.received.uri.query()).map(|page| json_answer(StatusCode::OK, &page))
            }
            Route::Models => Ok(json_answer(StatusCode::OK, &offer::models())),
            Route::Subscription => Ok(json_answer(StatusCode::OK, &subscription(shared))),
        };
        done.unwrap_or_else(|refusal| refusal.answer())
    }
}

/// An answer with the headers that are on all of them.
pub(super) async fn answer(shared: &Arc<Shared>, received: Received) -> Result<Answer, Unanswered> {
    let concurrent = shared.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
    let _leaving = super::api::Leaving(shared);
    let mut answer = match SpeechRequest::admit(shared, received).await {
        Err(refusal) => refusal.answer(),
        Ok(request) => match shared.take_fault(Moment::Request(request.route.on()), request.route.voice()) {
            None => request.carry_out(shared),
            Some(fault) => strike::answer(shared, request, fault).await?,
        },
    };
    let headers = answer.headers_mut();
    headers.entry("request-id").or_insert_with(|| HeaderValue::try_from(random_hex()).expect("visible ASCII"));
    headers.insert(HeaderName::from_static("current-concurrent-requests"), HeaderValue::from(concurrent));
    headers.insert(HeaderName::from_static("maximum-concurrent-requests"), HeaderValue::from(10));
    Ok(answer)
}

/// Characters that were used in the month of this moment.
fn used_in_month(syntheses: &[Synthesis], at: OffsetDateTime) -> u64 {
    let is_now = |one: &&Synthesis| (one.accepted_at.year(), one.accepted_at.month()) == (at.year(), at.month());
    syntheses.iter().filter(is_now).map(|one| one.characters).sum()
}

fn subscription(shared: &Shared) -> Value {
    let at = now();
    json!({
        "tier": "creator",
        "status": "active",
        "character_count": used_in_month(&shared.syntheses(), at),
        "character_limit": MONTHLY_CHARACTERS,
        "can_extend_character_limit": false,
        "next_character_count_reset_unix": next_month(at).unix_timestamp(),
        "currency": "usd",
    })
}

fn next_month(at: OffsetDateTime) -> OffsetDateTime {
    let month = at.month().next();
    let year = at.year() + i32::from(month == time::Month::January);
    let first = Date::from_calendar_date(year, month, 1).expect("every month has a first day");
    first.with_time(Time::MIDNIGHT).assume_utc()
}

/// A part of a path without its escapes.
fn decoded(segment: &str) -> String {
    // A plus is a plus in a path.
    let pairs = format!("v={}", segment.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(pairs.as_bytes()).map(|(_, value)| value.into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_path_leads_to_what_it_names() {
        let post = |path: &str| Route::parse(&Method::POST, path);
        assert_eq!(post("/v1/text-to-speech/a%2Fb+c"), Ok(Route::Synthesise("a/b+c".to_owned())));
        assert!(post("/v1/voices").is_err() && post("/v1/text-to-speech/a/stream").is_err());
        assert_eq!(Route::parse(&Method::GET, "/v2/voices"), Ok(Route::PageOfVoices));
    }

    #[test]
    fn the_characters_begin_anew_with_the_month() {
        assert_eq!(next_month(datetime!(2026-11-27 10:00 UTC)), datetime!(2026-12-01 00:00 UTC));
        assert_eq!(next_month(datetime!(2026-12-31 23:59 UTC)), datetime!(2027-01-01 00:00 UTC));
    }
}
