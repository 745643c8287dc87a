//! Twilio's Messages resource: create, fetch, list.

use std::time::Duration;

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::client::{Answer, NoAnswer, Twilio, TwilioError};
use super::errors::is_account_refusal;
use super::{Exchange, SendOutcome};
use crate::dispatch::Fenced;
use crate::vault::TwilioCredentials;

/// Twilio's bounds of `ValidityPeriod` in seconds.
const VALIDITY: std::ops::RangeInclusive<i64> = 6..=36_000;

/// Most rows that Twilio lists on a page.
const PAGE_SIZE: u32 = 1000;

/// Twilio's name for a message: `SM` or `MM` and 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageSid(String);

impl MessageSid {
    /// Reads a SID.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("SM").or_else(|| text.strip_prefix("MM"))?;
        let is_sid = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_sid.then(|| Self(text.to_owned()))
    }

    /// The SID.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A message as it is handed over.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// E.164.
    pub to: &'a str,
    /// E.164.
    pub from: &'a str,
    /// The text.
    pub body: &'a str,
    /// Where Twilio reports, with the attempt's reference.
    pub status_callback: String,
    /// How long it may still be delivered.
    pub valid_for: Duration,
}

/// A message as Twilio tells of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Message {
    /// Its SID.
    pub sid: String,
    /// E.164.
    #[serde(default)]
    pub to: Option<String>,
    /// E.164; null until a messaging service has picked a sender.
    #[serde(default)]
    pub from: Option<String>,
    /// The text, or nothing where retention is off.
    #[serde(default)]
    pub body: Option<String>,
    /// Twilio's word.
    pub status: String,
    /// `outbound-api` for what was sent like ours.
    #[serde(default)]
    pub direction: String,
    /// RFC 2822.
    #[serde(default)]
    pub date_created: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub error_code: Option<i32>,
}

impl Message {
    /// When Twilio took it.
    pub fn created_at(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::parse(self.date_created.as_deref()?, &Rfc2822).ok()
    }
}

#[derive(Deserialize)]
struct List {
    messages: Vec<Message>,
    next_page_uri: Option<String>,
}

impl Twilio {
    /// Hands a message to Twilio, once. Infallible on purpose: whatever went wrong is a kind of knowledge. The fenced
    /// claim is the permission; there is no other way to send.
    pub async fn send(&self, fenced: Fenced, credentials: &TwilioCredentials) -> Exchange {
        let outgoing = fenced.outgoing();
        let validity = i64::try_from(outgoing.valid_for.as_secs()).unwrap_or(i64::MAX);
        let form = [
            ("To", outgoing.to.to_owned()),
            ("From", outgoing.from.to_owned()),
            ("Body", outgoing.body.to_owned()),
            ("StatusCallback", outgoing.status_callback.clone()),
            ("ValidityPeriod", validity.clamp(*VALIDITY.start(), *VALIDITY.end()).to_string()),
            // Both would change the text that was approved.
            ("SmartEncoded", "false".to_owned()),
            ("ShortenUrls", "false".to_owned()),
        ];
        let url = match self.resource(&credentials.account_sid, "Messages") {
            Ok(url) => url,
            Err(error) => return Exchange::not_sent(format!("Twilio's address is not a URL: {error}")),
        };
        match self.post_once(url, credentials, &form, fenced.checked_at()).await {
            Ok(answer) => judge(&answer),
            Err(NoAnswer::NotConnected(reason)) => Exchange::not_sent(reason),
            Err(NoAnswer::Lost(reason)) => {
                let outcome = SendOutcome::Unknown { reason };
                Exchange { outcome, http_status: None, error_code: None, request_id: None }
            }
        }
    }

    /// Fetches one message; `None` if Twilio does not know it.
    pub async fn fetch_message(
        &self,
        sid: &MessageSid,
        credentials: &TwilioCredentials,
    ) -> anyhow::Result<Option<Message>> {
        let url = self.resource(&credentials.account_sid, &format!("Messages/{}", sid.as_str()))?;
        let answer = self.get(url, credentials).await.map_err(no_answer)?;
        match answer.status {
            404 => Ok(None),
            200 => Ok(Some(serde_json::from_slice(answer.body.as_deref().unwrap_or_default())?)),
            status => anyhow::bail!("Twilio answered {status} to a look-up"),
        }
    }

    /// Lists the messages from a sender, newest first, back to `since`. No date filter: Twilio filters by `date_sent`,
    /// which is null while a message is queued, so that it would leave out the one that is looked for.
    pub async fn list_messages(
        &self,
        from: &str,
        since: OffsetDateTime,
        credentials: &TwilioCredentials,
    ) -> anyhow::Result<Vec<Message>> {
        let mut url = self.resource(&credentials.account_sid, "Messages")?;
        url.query_pairs_mut().append_pair("From", from).append_pair("PageSize", &PAGE_SIZE.to_string());
        let mut found = Vec::new();
        let mut next = Some(url);
        while let Some(url) = next.take() {
            let answer = self.get(url, credentials).await.map_err(no_answer)?;
            anyhow::ensure!(answer.status == 200, "Twilio answered {} to a look-up", answer.status);
            let page: List = serde_json::from_slice(answer.body.as_deref().unwrap_or_default())?;
            let is_past = page.messages.last().and_then(Message::created_at).is_some_and(|oldest| oldest < since);
            found.extend(page.messages.into_iter().filter(|message| message.created_at().is_none_or(|at| at >= since)));
            if !is_past {
                next = page.next_page_uri.as_deref().and_then(|uri| self.page(uri));
            }
        }
        Ok(found)
    }
}

fn no_answer(no_answer: NoAnswer) -> anyhow::Error {
    let (NoAnswer::NotConnected(reason) | NoAnswer::Lost(reason)) = no_answer;
    anyhow::anyhow!("Twilio could not be asked: {reason}")
}

/// What an answer to a create says. Only a readable one is believed.
fn judge(answer: &Answer) -> Exchange {
    let body = answer.body.as_deref();
    let error: Option<TwilioError> = body.and_then(|body| serde_json::from_slice(body).ok());
    let code = error.as_ref().map(|error| error.code);
    let created: Option<Message> = body.and_then(|body| serde_json::from_slice(body).ok());
    let outcome = match answer.status {
        200..=299 => match created.and_then(|message| Some((MessageSid::parse(&message.sid)?, message.status))) {
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
        judge(&Answer { status, request_id: None, retry_after: None, body }).outcome
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
}
