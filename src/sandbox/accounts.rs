//! The account and its telephone numbers.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    answer::{Refusal, date},
    api::{API_VERSION, ApiRequest},
    paging,
    state::Shared,
};

/// The account. Unlike Twilio's, the answer has no auth token in it: nothing needs it, and it would end up in logs.
pub(super) fn fetch(shared: &Shared, request: &ApiRequest) -> Value {
    let account = &request.credentials.account_sid;
    let base = request.base();
    json!({
        "sid": account,
        "owner_account_sid": account,
        "friendly_name": "Mission Control sandbox",
        "status": "active",
        "type": "Full",
        "date_created": date(shared.started_at),
        "date_updated": date(shared.started_at),
        "subresource_uris": {
            "messages": format!("{base}/Messages.json"),
            "incoming_phone_numbers": format!("{base}/IncomingPhoneNumbers.json"),
        },
        "uri": format!("{base}.json"),
    })
}

/// The account's numbers; `PhoneNumber` matches a part of one, as with Twilio.
pub(super) fn list_numbers(shared: &Shared, request: &ApiRequest) -> Result<Value, Refusal> {
    let wanted = request.query("PhoneNumber").unwrap_or_default();
    let numbers = request.credentials.numbers().filter(|number| number.contains(wanted));
    let numbers = numbers.map(|number| (sid(number), number)).collect::<Vec<_>>();
    paging::page(
        "incoming_phone_numbers",
        &request.path,
        &request.query,
        &numbers,
        |(sid, _)| sid,
        |(_, number)| resource(shared, request, number),
    )
}

pub(super) fn fetch_number(shared: &Shared, request: &ApiRequest, wanted: &str) -> Result<Value, Refusal> {
    let number = request.credentials.numbers().find(|number| sid(number) == wanted);
    number.map(|number| resource(shared, request, number)).ok_or_else(|| Refusal::not_found(&request.path))
}

/// The same number has the same SID in every sandbox.
fn sid(number: &str) -> String {
    let digest = Sha256::digest(number);
    let half = digest.first_chunk::<16>().expect("SHA-256 has 32 bytes");
    format!("PN{:032x}", u128::from_be_bytes(*half))
}

fn resource(shared: &Shared, request: &ApiRequest, number: &str) -> Value {
    let sid = sid(number);
    let base = request.base();
    json!({
        "sid": sid,
        "account_sid": request.credentials.account_sid,
        "phone_number": number,
        "friendly_name": number,
        "api_version": API_VERSION,
        "beta": false,
        "capabilities": { "voice": true, "sms": true, "mms": true, "fax": false },
        "address_requirements": "none",
        "address_sid": null,
        "bundle_sid": null,
        "identity_sid": null,
        "emergency_status": "Inactive",
        "emergency_address_sid": null,
        "emergency_address_status": "unregistered",
        "date_created": date(shared.started_at),
        "date_updated": date(shared.started_at),
        "origin": "twilio",
        "sms_application_sid": "",
        "sms_fallback_method": "POST",
        "sms_fallback_url": "",
        "sms_method": "POST",
        "sms_url": "",
        "status": "in-use",
        "status_callback": "",
        "status_callback_method": "POST",
        "trunk_sid": null,
        "type": "local",
        "voice_application_sid": "",
        "voice_caller_id_lookup": false,
        "voice_fallback_method": "POST",
        "voice_fallback_url": "",
        "voice_method": "POST",
        "voice_receive_mode": "voice",
        "voice_url": "",
        "uri": format!("{base}/IncomingPhoneNumbers/{sid}.json"),
    })
}
