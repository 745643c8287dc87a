//! Reading the account and its numbers, to find out whether credentials are good. Nothing here changes anything.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::client::{NoAnswer, Twilio, TwilioError};
use crate::phone::PhoneNumber;
use crate::vault::TwilioCredentials;

/// An account as Twilio tells of it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Account {
    /// `active`, `suspended` or `closed`.
    pub(crate) status: String,
    /// `Trial` or `Full`.
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
}

/// What a number can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Capabilities {
    pub(crate) sms: bool,
    pub(crate) voice: bool,
}

/// Why nothing was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// Twilio says no, with its error code where it named one.
    Refused { status: u16, code: Option<i32> },
    /// There was no answer.
    Unreachable,
    /// There was one, and it says nothing: a fault of Twilio's own, too many requests, or something in between.
    Unclear,
}

#[derive(Deserialize)]
struct Numbers {
    incoming_phone_numbers: Vec<OwnNumber>,
}

#[derive(Deserialize)]
struct OwnNumber {
    phone_number: String,
    #[serde(default)]
    capabilities: Capabilities,
}

impl Twilio {
    /// The account of the credentials.
    pub(crate) async fn account(&self, credentials: &TwilioCredentials) -> Result<Account, Unread> {
        let url = self.page(&format!("/2010-04-01/Accounts/{}.json", credentials.account_sid));
        self.read(url, credentials).await
    }

    /// What a number of the account can do; `None` if the account has no such number.
    pub(crate) async fn own_number(
        &self,
        number: &PhoneNumber,
        credentials: &TwilioCredentials,
    ) -> Result<Option<Capabilities>, Unread> {
        let mut url = self.resource(&credentials.account_sid, "IncomingPhoneNumbers").ok();
        if let Some(url) = &mut url {
            url.query_pairs_mut().append_pair("PhoneNumber", number.as_str());
        }
        let numbers: Numbers = self.read(url, credentials).await?;
        // Twilio lists every number that contains the digits.
        let own = numbers.incoming_phone_numbers.into_iter().find(|own| own.phone_number == number.as_str());
        Ok(own.map(|own| own.capabilities))
    }

    /// Whether the credentials may read the account's messages.
    pub(crate) async fn may_read_messages(&self, credentials: &TwilioCredentials) -> Result<(), Unread> {
        let mut url = self.resource(&credentials.account_sid, "Messages").ok();
        if let Some(url) = &mut url {
            url.query_pairs_mut().append_pair("PageSize", "1");
        }
        self.read::<serde::de::IgnoredAny>(url, credentials).await.map(drop)
    }

    /// Whether they may read its phone numbers.
    pub(crate) async fn may_read_numbers(&self, credentials: &TwilioCredentials) -> Result<(), Unread> {
        let mut url = self.resource(&credentials.account_sid, "IncomingPhoneNumbers").ok();
        if let Some(url) = &mut url {
            url.query_pairs_mut().append_pair("PageSize", "1");
        }
        self.read::<serde::de::IgnoredAny>(url, credentials).await.map(drop)
    }

    async fn read<T: DeserializeOwned>(&self, url: Option<Url>, credentials: &TwilioCredentials) -> Result<T, Unread> {
        let Some(url) = url else { return Err(Unread::Unclear) };
        let answer = self.get(url, credentials).await.map_err(|no_answer| {
            let (NoAnswer::NotConnected(reason) | NoAnswer::Lost(reason)) = no_answer;
            tracing::warn!(event = "twilio.look_up.failed", reason, "Twilio could not be asked about the account");
            Unread::Unreachable
        })?;
        let body = answer.body.unwrap_or_default();
        match answer.status {
            200 => serde_json::from_slice(&body).map_err(|_| Unread::Unclear),
            429 => Err(Unread::Unclear),
            status @ 400..500 => {
                let code = serde_json::from_slice::<TwilioError>(&body).ok().map(|error| error.code);
                Err(Unread::Refused { status, code })
            }
            _ => Err(Unread::Unclear),
        }
    }
}
