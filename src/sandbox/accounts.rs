//! The Accounts resource: fetch, list, update. There is one account, that of the credentials.

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{
    answer::{Refusal, date},
    api::{API_VERSION, ApiRequest},
    now,
    number_settings::LONGEST_NAME,
    paging,
    state::Shared,
};

const DEFAULT_NAME: &str = "Mission Control sandbox";

/// The account as requests have left it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) sid: String,
    friendly_name: String,
    standing: Standing,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

/// Twilio's status of an account. A closed one stays closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    Active,
    Suspended,
    Closed,
}

impl Standing {
    fn parse(text: &str) -> Result<Self, Refusal> {
        match text {
            "active" => Ok(Self::Active),
            "suspended" => Ok(Self::Suspended),
            "closed" => Ok(Self::Closed),
            _ => Err(Refusal::invalid("Status")),
        }
    }
}

impl Account {
    pub(super) fn new(sid: &str, at: OffsetDateTime) -> Self {
        Self {
            sid: sid.to_owned(),
            friendly_name: DEFAULT_NAME.to_owned(),
            standing: Standing::Active,
            created_at: at,
            updated_at: at,
        }
    }

    /// Unlike Twilio's, the answer has no auth token in it: nothing needs it, and it would end up in logs.
    fn resource(&self) -> Value {
        let base = format!("/{API_VERSION}/Accounts/{}", self.sid);
        json!({
            "sid": self.sid,
            "owner_account_sid": self.sid,
            "friendly_name": self.friendly_name,
            "status": self.standing,
            "type": "Full",
            "date_created": date(self.created_at),
            "date_updated": date(self.updated_at),
            "subresource_uris": {
                "messages": format!("{base}/Messages.json"),
                "incoming_phone_numbers": format!("{base}/IncomingPhoneNumbers.json"),
            },
            "uri": format!("{base}.json"),
        })
    }
}

fn current(shared: &Shared, request: &ApiRequest) -> Account {
    shared.look_up(|register| register.account(&request.credentials, shared.started_at))
}

pub(super) fn fetch(shared: &Shared, request: &ApiRequest) -> Value {
    current(shared, request).resource()
}

pub(super) fn list(shared: &Shared, request: &ApiRequest) -> Result<Value, Refusal> {
    let given = |name: &str| request.query(name).filter(|value| !value.is_empty());
    let standing = given("Status").map(Standing::parse).transpose()?;
    let name = given("FriendlyName");
    let mut accounts = vec![current(shared, request)];
    accounts.retain(|account| {
        standing.is_none_or(|standing| standing == account.standing)
            && name.is_none_or(|name| name == account.friendly_name)
    });
    paging::page("accounts", &request.path, &request.query, &accounts, |account| &account.sid, Account::resource)
}

/// Renames the account (an empty name brings the default back), suspends it, makes it active again, or closes it.
pub(super) fn update(shared: &Shared, request: &ApiRequest) -> Result<Value, Refusal> {
    let account = shared.amend(|register| {
        let mut account = register.account(&request.credentials, shared.started_at);
        if let Some(name) = request.form("FriendlyName") {
            if name.chars().count() > LONGEST_NAME {
                return Err(Refusal::invalid("FriendlyName"));
            }
            account.friendly_name = String::from(if name.is_empty() { DEFAULT_NAME } else { name });
        }
        if let Some(standing) = request.form("Status").map(Standing::parse).transpose()? {
            if account.standing == Standing::Closed && standing != Standing::Closed {
                return Err(Refusal::bad_request(21479, "Unable to update Status, the account has been closed"));
            }
            account.standing = standing;
        }
        account.updated_at = now();
        Ok(account)
    })?;
    Ok(account.resource())
}

/// What Twilio says to an account that may not use anything at the moment.
pub(super) fn refuse_inactive(shared: &Shared, request: &ApiRequest) -> Result<(), Refusal> {
    if current(shared, request).standing == Standing::Active {
        return Ok(());
    }
    let message = format!("Account {} is not active", request.credentials.account_sid);
    Err(Refusal::new(StatusCode::FORBIDDEN, 20005, message))
}
