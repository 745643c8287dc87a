//! The request to create a call: what Twilio objects to, and the call it becomes.

use super::{
    super::{
        answer::Refusal,
        api::{ApiRequest, is_callable},
        living::Vitals,
        numbers, random_hex,
        state::Shared,
    },
    Call, Script, Status,
    life::Event,
};

/// Twilio's own limit, in characters.
const LONGEST_TWIML: usize = 4000;

/// Twilio's own limit for ringing, in seconds.
const LONGEST_TIMEOUT: u32 = 600;

/// The call that the form asks for, or Twilio's first objection to it.
pub(super) fn parse(shared: &Shared, request: &ApiRequest) -> Result<Call, Refusal> {
    let to = request.given("To").ok_or_else(|| Refusal::bad_request(21201, "No 'To' number is specified"))?;
    let from = request.given("From").ok_or_else(|| Refusal::bad_request(21213, "No 'From' number is specified"))?;
    if request.given("ApplicationSid").is_some() {
        return Err(Refusal::bad_request(21218, "Invalid ApplicationSid: the sandbox has no applications"));
    }
    let script = script(request)?.ok_or_else(|| Refusal::bad_request(21205, "Url parameter is required."))?;
    numbers::refuse_callee(to)?;
    numbers::refuse_caller(from)?;
    if !shared.look_up(|register| register.owns(&request.credentials, from)) {
        let message = format!(
            "The source phone number provided, {from}, is not yet verified for your account. You may only make calls from phone numbers that you've verified or purchased from Twilio."
        );
        return Err(Refusal::bad_request(21210, message));
    }
    let status_callback = request.status_callback()?;
    let is_ringing_time = |seconds: &str| seconds.parse::<u32>().is_ok_and(|seconds| seconds <= LONGEST_TIMEOUT);
    if !request.given("Timeout").is_none_or(is_ringing_time) {
        return Err(Refusal::invalid("Timeout"));
    }
    let sid = format!("CA{}", random_hex());
    Ok(Call {
        vitals: Vitals { status_callback, ..Vitals::new(sid, request, to, from, Status::Queued) },
        script,
        events: events(request)?,
        steps: 0,
        started_at: None,
        answered_at: None,
        ended_at: None,
        performed: false,
        audio: Vec::new(),
    })
}

/// The script that a request brings along, if it does. Of a URL and a script the URL wins.
pub(super) fn script(request: &ApiRequest) -> Result<Option<Script>, Refusal> {
    for method in ["Method", "StatusCallbackMethod"] {
        // The sandbox's requests have their parameters in a form.
        if request.given(method).is_some_and(|method| method != "POST") {
            return Err(Refusal::invalid(method));
        }
    }
    match (request.given("Url"), request.given("Twiml")) {
        (Some(url), _) if !is_callable(url) => {
            Err(Refusal::bad_request(21205, format!("Url is not a valid URL: {url}")))
        }
        (Some(url), _) => Ok(Some(Script { url: Some(url.to_owned()), twiml: None })),
        (None, Some(twiml)) if twiml.chars().count() > LONGEST_TWIML => Err(Refusal::invalid("Twiml")),
        (None, Some(twiml)) => Ok(Some(Script { url: None, twiml: Some(twiml.to_owned()) })),
        (None, None) => Ok(None),
    }
}

/// The steps to report; by default the end alone.
fn events(request: &ApiRequest) -> Result<Vec<Event>, Refusal> {
    let event = |name| match name {
        "initiated" => Ok(Event::Initiated),
        "ringing" => Ok(Event::Ringing),
        "answered" => Ok(Event::Answered),
        "completed" => Ok(Event::Completed),
        _ => Err(Refusal::invalid("StatusCallbackEvent")),
    };
    let events = request.form_values("StatusCallbackEvent").map(event).collect::<Result<Vec<_>, _>>()?;
    Ok(if events.is_empty() { vec![Event::Completed] } else { events })
}
