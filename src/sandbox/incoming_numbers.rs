//! The `IncomingPhoneNumbers` resource: create (buy), fetch, list, update, delete (release).

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::{
    accounts,
    answer::{Refusal, date},
    api::{API_VERSION, ApiRequest},
    credentials::NUMBER_OF_EVERY_ACCOUNT,
    now,
    number_settings::{self, Settings},
    numbers, paging,
    register::Register,
    state::Shared,
};

/// A number of the account. One that came with the credentials is only written down once it was changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OwnNumber {
    pub(super) account_sid: String,
    pub(super) phone_number: String,
    pub(super) tenure: Tenure,
    settings: Settings,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

/// How the account has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tenure {
    /// It came with the credentials, and is the account's for as long as they say so.
    Given,
    Bought,
    Released,
}

impl OwnNumber {
    pub(super) fn new(account_sid: &str, phone_number: &str, tenure: Tenure, at: OffsetDateTime) -> Self {
        Self {
            account_sid: account_sid.to_owned(),
            phone_number: phone_number.to_owned(),
            tenure,
            settings: Settings::new(),
            created_at: at,
            updated_at: at,
        }
    }

    fn sid(&self) -> String {
        sid_of(&self.phone_number)
    }

    fn name(&self) -> String {
        self.settings.get("friendly_name").cloned().unwrap_or_else(|| number_settings::formatted(&self.phone_number))
    }

    fn resource(&self) -> Value {
        let sid = self.sid();
        let mut fields = number_settings::fields(&self.settings, &self.phone_number);
        let fixed = json!({
            "sid": sid,
            "account_sid": self.account_sid,
            "phone_number": self.phone_number,
            "beta": false,
            "capabilities": { "voice": true, "sms": true, "mms": true, "fax": false },
            "address_requirements": "none",
            "emergency_address_status": "unregistered",
            "date_created": date(self.created_at),
            "date_updated": date(self.updated_at),
            "origin": "twilio",
            "status": "in-use",
            "type": "local",
            "uri": format!("/{API_VERSION}/Accounts/{}/IncomingPhoneNumbers/{sid}.json", self.account_sid),
        });
        if let Value::Object(fixed) = fixed {
            fields.extend(fixed);
        }
        Value::Object(fields)
    }
}

/// The SID of a number: the same in every sandbox.
pub(super) fn sid_of(phone_number: &str) -> String {
    let digest = Sha256::digest(phone_number);
    let half = digest.first_chunk::<16>().expect("SHA-256 has 32 bytes");
    format!("PN{:032x}", u128::from_be_bytes(*half))
}

fn find(shared: &Shared, register: &Register, request: &ApiRequest, sid: &str) -> Result<OwnNumber, Refusal> {
    let numbers = register.numbers(&request.credentials, shared.started_at);
    numbers.into_iter().find(|number| number.sid() == sid).ok_or_else(|| Refusal::not_found(&request.path))
}

/// Buys the number `PhoneNumber`, or one in `AreaCode`.
pub(super) fn create(shared: &Shared, request: &ApiRequest) -> Result<Value, Refusal> {
    accounts::refuse_inactive(shared, request)?;
    let number = shared.amend(|register| {
        let owned = register.numbers(&request.credentials, shared.started_at);
        let given = |name: &str| request.form(name).filter(|value| !value.is_empty());
        let phone_number = match (given("PhoneNumber"), given("AreaCode")) {
            (Some(number), _) => {
                numbers::refuse_purchase(number)?;
                number.to_owned()
            }
            (None, Some(area)) => numbers::in_area(area)?
                .find(|free| owned.iter().all(|number| number.phone_number != *free))
                .ok_or_else(|| numbers::nothing_in_area(area))?,
            (None, None) => return Err(Refusal::bad_request(20001, "PhoneNumber or AreaCode is required")),
        };
        let at = now();
        let mut number = match owned.into_iter().find(|number| number.phone_number == phone_number) {
            None => OwnNumber::new(&request.credentials.account_sid, &phone_number, Tenure::Bought, at),
            // Twilio's magic number can be bought again and again.
            Some(number) if phone_number == NUMBER_OF_EVERY_ACCOUNT => OwnNumber { updated_at: at, ..number },
            Some(_) => return Err(numbers::unavailable(&phone_number)),
        };
        number_settings::take_over(&mut number.settings, request)?;
        Ok(number)
    })?;
    let sid = number.sid();
    tracing::info!(event = "sandbox.number.bought", sid, "the sandbox sold the number {sid}");
    Ok(number.resource())
}

pub(super) fn fetch(shared: &Shared, request: &ApiRequest, sid: &str) -> Result<Value, Refusal> {
    shared.look_up(|register| find(shared, register, request, sid)).map(|number| number.resource())
}

pub(super) fn update(shared: &Shared, request: &ApiRequest, sid: &str) -> Result<Value, Refusal> {
    let number = shared.amend(|register| {
        let mut number = find(shared, register, request, sid)?;
        // With Twilio this moves the number to another account; here there is no other.
        if request.form("AccountSid").is_some_and(|account| account != number.account_sid) {
            return Err(Refusal::invalid("AccountSid"));
        }
        number_settings::take_over(&mut number.settings, request)?;
        number.updated_at = now();
        Ok(number)
    })?;
    Ok(number.resource())
}

/// Gives a bought number back; from now on it cannot send.
pub(super) fn delete(shared: &Shared, request: &ApiRequest, sid: &str) -> Result<(), Refusal> {
    shared.amend(|register| {
        let number = find(shared, register, request, sid)?;
        if request.credentials.owns(&number.phone_number) {
            let message = format!("{} came with the sandbox's credentials and cannot be released", number.phone_number);
            return Err(Refusal::new(StatusCode::FORBIDDEN, 20403, message));
        }
        Ok(OwnNumber { tenure: Tenure::Released, ..number })
    })?;
    Ok(())
}

/// The account's numbers. `Beta` asks whether to *include* numbers new to Twilio, of which there are none.
pub(super) fn list(shared: &Shared, request: &ApiRequest) -> Result<Value, Refusal> {
    let part = request.query("PhoneNumber").unwrap_or_default();
    let name = request.query("FriendlyName").filter(|name| !name.is_empty());
    let is_hosted = match request.query("Origin") {
        None | Some("" | "twilio") => false,
        Some("hosted") => true,
        Some(_) => return Err(Refusal::invalid("Origin")),
    };
    let mut found = shared.look_up(|register| register.numbers(&request.credentials, shared.started_at));
    found.retain(|number| {
        !is_hosted && numbers::contains(&number.phone_number, part) && name.is_none_or(|name| name == number.name())
    });
    let found = found.iter().map(|number| (number.sid(), number)).collect::<Vec<_>>();
    paging::page(
        "incoming_phone_numbers",
        &request.path,
        &request.query,
        &found,
        |(sid, _)| sid,
        |(_, number)| number.resource(),
    )
}
