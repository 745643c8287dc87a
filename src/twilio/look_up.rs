//! Reading back what Twilio has: one message or call, or those of a sender. Nothing here changes anything.

use anyhow::Context as _;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::Sid;
use super::client::{NoAnswer, Twilio};
use crate::operation::content::Kind;
use crate::vault::TwilioCredentials;

/// Most rows that Twilio lists on a page.
const PAGE_SIZE: u32 = 1000;

/// Most pages that one look reads: a bound of memory and time, far beyond what one sender sends in a few minutes.
const MOST_PAGES: u32 = 20;

/// A message or a call as Twilio tells of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Resource {
    /// Its SID.
    pub sid: String,
    /// E.164.
    #[serde(default)]
    pub to: Option<String>,
    /// E.164; null until a messaging service has picked a sender.
    #[serde(default)]
    pub from: Option<String>,
    /// The text, or nothing where retention is off. A call has none.
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
    /// How long a call lasted, in seconds, once it is over.
    #[serde(default)]
    pub duration: Option<String>,
}

impl Resource {
    /// When Twilio took it.
    pub fn created_at(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::parse(self.date_created.as_deref()?, &Rfc2822).ok()
    }

    /// How long the call lasted, in seconds.
    pub fn seconds(&self) -> Option<i32> {
        self.duration.as_deref()?.parse().ok()
    }
}

/// What Twilio lists, and what its clock said.
#[derive(Debug)]
pub struct Listing {
    /// Newest first.
    pub resources: Vec<Resource>,
    /// How far Twilio's clock is ahead of the asker's; negative if it is behind.
    pub ahead: time::Duration,
}

#[derive(Deserialize)]
struct List {
    #[serde(alias = "messages", alias = "calls")]
    resources: Vec<Resource>,
    next_page_uri: Option<String>,
}

/// The name of the resource in Twilio's addresses.
pub(crate) const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Sms => "Messages",
        Kind::Call => "Calls",
    }
}

impl Twilio {
    /// Fetches one message or call; `None` if Twilio does not know it.
    pub async fn fetch(
        &self,
        kind: Kind,
        sid: &Sid,
        credentials: &TwilioCredentials,
    ) -> anyhow::Result<Option<Resource>> {
        let url = self.resource(&credentials.account_sid, &format!("{}/{}", name(kind), sid.as_str()))?;
        let answer = self.get(url, credentials).await.map_err(no_answer)?;
        match answer.status {
            404 => Ok(None),
            200 => Ok(Some(serde_json::from_slice(answer.body.as_deref().unwrap_or_default())?)),
            status => anyhow::bail!("Twilio answered {status} to a look-up"),
        }
    }

    /// Lists the messages or calls from a sender, newest first, back to `since` on the asker's clock, which says
    /// `asked_at`. Where Twilio's clock is behind, further back. No date filter: Twilio filters by `date_sent` and
    /// `start_time`, which are null while one is queued, so that it would leave out the one that is looked for.
    pub async fn list(
        &self,
        kind: Kind,
        from: &str,
        since: OffsetDateTime,
        asked_at: OffsetDateTime,
        credentials: &TwilioCredentials,
    ) -> anyhow::Result<Listing> {
        let mut url = self.resource(&credentials.account_sid, name(kind))?;
        url.query_pairs_mut().append_pair("From", from).append_pair("PageSize", &PAGE_SIZE.to_string());
        let mut listing = Listing { resources: Vec::new(), ahead: time::Duration::ZERO };
        let mut next = Some(url);
        let mut pages = 0;
        while let Some(url) = next.take() {
            anyhow::ensure!(pages < MOST_PAGES, "Twilio lists more than {} of them", MOST_PAGES * PAGE_SIZE);
            let answer = self.get(url, credentials).await.map_err(no_answer)?;
            anyhow::ensure!(answer.status == 200, "Twilio answered {} to a look-up", answer.status);
            if pages == 0 {
                let date = answer.date.context("Twilio's answer to a look-up has no date")?;
                listing.ahead = date - asked_at;
            }
            pages += 1;
            let since = since + listing.ahead.min(time::Duration::ZERO);
            let body = answer.body.context("Twilio's answer to a look-up ended early")?;
            let page: List = serde_json::from_slice(&body)?;
            let is_past = page.resources.last().and_then(Resource::created_at).is_some_and(|oldest| oldest < since);
            let in_time = |one: &Resource| one.created_at().is_none_or(|at| at >= since);
            listing.resources.extend(page.resources.into_iter().filter(in_time));
            if let Some(uri) = page.next_page_uri.filter(|_| !is_past) {
                next = Some(self.page(&uri).context("Twilio's next page is not at Twilio's address")?);
            }
        }
        Ok(listing)
    }
}

fn no_answer(no_answer: NoAnswer) -> anyhow::Error {
    let (NoAnswer::NotConnected(reason) | NoAnswer::Lost(reason)) = no_answer;
    anyhow::anyhow!("Twilio could not be asked: {reason}")
}
