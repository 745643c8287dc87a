//! Handing an SMS or a call to Twilio, once, and what is known of it afterwards.

use std::time::Duration;

use serde::Deserialize;

use super::client::{Answer, NoAnswer, Twilio, TwilioError};
use super::errors::is_account_refusal;
use super::{Exchange, SendOutcome, Sid, look_up, twiml};
use crate::dispatch::Fenced;
use crate::operation::content::Kind;
use crate::vault::TwilioCredentials;

/// Twilio's bounds of `ValidityPeriod` in seconds.
const VALIDITY: std::ops::RangeInclusive<i64> = 6..=36_000;

/// The steps of a call that Twilio is to report; without them it reports the last one only.
const CALL_EVENTS: [&str; 4] = ["initiated", "ringing", "answered", "completed"];

/// What the person who is reached reads or hears.
#[derive(Debug)]
pub enum Say {
    /// An SMS with this text.
    Text(String),
    /// A call that plays what Twilio finds at this address.
    Play(String),
}

impl Say {
    const fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Sms,
            Self::Play(_) => Kind::Call,
        }
    }
}

/// An operation as it is handed over.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// E.164.
    pub to: &'a str,
    /// E.164.
    pub from: &'a str,
    /// What it says or plays.
    pub say: &'a Say,
    /// Where Twilio reports, with the attempt's reference.
    pub status_callback: String,
    /// How long a message may still be delivered.
    pub valid_for: Duration,
}

impl Outgoing<'_> {
    /// The form that creates it; `None` if it cannot be written, which its parsing has ruled out.
    fn form(&self) -> Option<Vec<(&'static str, String)>> {
        let mut form = vec![
            ("To", self.to.to_owned()),
            ("From", self.from.to_owned()),
            ("StatusCallback", self.status_callback.clone()),
        ];
        match self.say {
            Say::Text(message) => {
                let validity = i64::try_from(self.valid_for.as_secs()).unwrap_or(i64::MAX);
                form.push(("Body", message.clone()));
                form.push(("ValidityPeriod", validity.clamp(*VALIDITY.start(), *VALIDITY.end()).to_string()));
                // Both would change the text that was approved.
                form.push(("SmartEncoded", "false".to_owned()));
                form.push(("ShortenUrls", "false".to_owned()));
            }
            Say::Play(url) => {
                form.push(("Twiml", twiml::play(url)?));
                form.push(("StatusCallbackMethod", "POST".to_owned()));
                form.extend(CALL_EVENTS.map(|event| ("StatusCallbackEvent", event.to_owned())));
            }
        }
        Some(form)
    }
}

/// What Twilio answers to a create, as far as it is needed.
#[derive(Deserialize)]
struct Created {
    sid: String,
    status: String,
}

impl Twilio {
    /// Hands an SMS or a call to Twilio, once. Infallible on purpose: whatever went wrong is a kind of knowledge. The
    /// fenced claim is the permission; there is no other way to send.
    pub async fn send(&self, fenced: Fenced, credentials: &TwilioCredentials) -> Exchange {
        let outgoing = fenced.outgoing();
        let kind = outgoing.say.kind();
        let Some(form) = outgoing.form() else {
            return Exchange::not_sent("the instructions for the call are longer than Twilio takes");
        };
        let url = match self.resource(&credentials.account_sid, look_up::name(kind)) {
            Ok(url) => url,
            Err(error) => return Exchange::not_sent(format!("Twilio's address is not a URL: {error}")),
        };
        match self.post_once(url, credentials, &form, fenced.checked_at()).await {
            Ok(answer) => judge(kind, &answer),
            Err(NoAnswer::NotConnected(reason)) => Exchange::not_sent(reason),
            Err(NoAnswer::Lost(reason)) => {
                let outcome = SendOutcome::Unknown { reason };
                Exchange { outcome, http_status: None, error_code: None, request_id: None }
            }
        }
    }
}

/// What an answer to a create says. Only a readable one is believed.
fn judge(kind: Kind, answer: &Answer) -> Exchange {
    let body = answer.body.as_deref();
    let error: Option<TwilioError> = body.and_then(|body| serde_json::from_slice(body).ok());
    let code = error.as_ref().map(|error| error.code);
    let created: Option<Created> = body.and_then(|body| serde_json::from_slice(body).ok());
    let outcome = match answer.status {
        200..=299 => match created.and_then(|created| Some((Sid::parse(kind, &created.sid)?, created.status))) {
            Some((sid, status)) => SendOutcome::Accepted { sid, status },
            None => SendOutcome::Unknown {
                reason: format!("Twilio answered {} with a body that cannot be read", answer.status),
            },
        },
        // Never processed, always safe to repeat (Twilio, error 20429).
        429 => SendOutcome::NotSent {
            reason: "Twilio takes no more requests at this moment (429)".to_owned(),
            retry_after: answer.retry_after,
            stops_everything: false,
        },
        status @ 400..=499 if is_account_refusal(status, code) => SendOutcome::NotSent {
            reason: match code {
                Some(code) => format!("Twilio refused our account or credentials ({code})"),
                None => format!("Twilio refused our account or credentials (HTTP {status})"),
            },
            retry_after: None,
            stops_everything: true,
        },
        400..=499 => match error {
            Some(error) => SendOutcome::Refused { code: error.code, message: error.message },
            None => SendOutcome::Unknown { reason: format!("an answer {} that is not Twilio's", answer.status) },
        },
        status => SendOutcome::Unknown { reason: format!("Twilio answered {status}") },
    };
    Exchange { outcome, http_status: Some(answer.status), error_code: code, request_id: answer.request_id.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16, body: Option<&str>) -> SendOutcome {
        let body = body.map(|body| body.as_bytes().to_vec());
        judge(Kind::Sms, &Answer { status, request_id: None, retry_after: None, date: None, body }).outcome
    }

    #[test]
    fn only_what_cannot_have_left_us_may_be_tried_again() {
        let sid = "SM0123456789abcdef0123456789abcdef";
        let created = format!(r#"{{"sid":"{sid}","status":"queued"}}"#);
        assert!(matches!(outcome(201, Some(&created)), SendOutcome::Accepted { .. }));
        let refused = r#"{"code":21211,"message":"no","status":400}"#;
        assert!(matches!(outcome(400, Some(refused)), SendOutcome::Refused { code: 21211, .. }));
        assert!(matches!(outcome(429, None), SendOutcome::NotSent { stops_everything: false, .. }));
        for (status, body) in [(401, None), (403, Some("{}")), (400, Some(r#"{"code":20005}"#))] {
            assert!(matches!(outcome(status, body), SendOutcome::NotSent { stops_everything: true, .. }), "{status}");
        }
        for (status, body) in [
            (500, Some(refused)),
            (503, None),
            (307, None),
            (302, Some(&created)),
            (201, None),
            (201, Some("<html>")),
            (200, Some(r#"{"sid":"SM1","status":"queued"}"#)),
            (400, Some("<html>")),
            (408, None),
        ] {
            assert!(matches!(outcome(status, body), SendOutcome::Unknown { .. }), "{status} {body:?}");
        }
    }

    #[test]
    fn a_message_is_no_answer_to_a_call() {
        let created = br#"{"sid":"SM0123456789abcdef0123456789abcdef","status":"queued"}"#.to_vec();
        let answer = Answer { status: 201, request_id: None, retry_after: None, date: None, body: Some(created) };
        assert!(matches!(judge(Kind::Call, &answer).outcome, SendOutcome::Unknown { .. }));
        assert!(matches!(judge(Kind::Sms, &answer).outcome, SendOutcome::Accepted { .. }));
    }
}
