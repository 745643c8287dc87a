//! The Calls resource: create, fetch, list, update, delete.

mod audio;
mod creation;
mod life;
mod performance;
mod script;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use self::{
    audio::Audio,
    life::{Event, Status},
};
use super::{
    accounts,
    answer::{Refusal, date},
    api::{API_VERSION, ApiRequest},
    incoming_numbers::sid_of,
    life::{Change, begin, find, intervene},
    living::{Living, Vitals},
    number_settings::formatted,
    paging,
    period::Period,
    state::Shared,
};

/// A call that was accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Call {
    #[serde(flatten)]
    vitals: Vitals<Status>,
    pub(super) script: Script,
    /// What its callback is told.
    events: Vec<Event>,
    /// How many statuses it has entered.
    steps: u32,
    #[serde(with = "time::serde::rfc3339::option")]
    started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    answered_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    /// Its script was followed.
    performed: bool,
    pub(super) audio: Vec<Audio>,
}

/// What is to be done once somebody answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Script {
    /// Where the script is asked for.
    url: Option<String>,
    /// The script, if it is known by now.
    pub(super) twiml: Option<String>,
}

impl Call {
    fn resource(&self) -> Value {
        let Vitals { sid, account_sid, to, from, accepted_at, updated_at, .. } = &self.vitals;
        let uri = format!("/{API_VERSION}/Accounts/{account_sid}/Calls/{sid}");
        json!({
            "sid": sid,
            "account_sid": account_sid,
            "api_version": API_VERSION,
            "parent_call_sid": null,
            "phone_number_sid": sid_of(from),
            "group_sid": null,
            "trunk_sid": null,
            "to": to,
            "to_formatted": formatted(to),
            "from": from,
            "from_formatted": formatted(from),
            "status": self.shown_status(),
            "direction": "outbound-api",
            "start_time": self.started_at.map(date),
            "end_time": self.ended_at.map(date),
            "duration": self.duration().map(|seconds| seconds.to_string()),
            "price": self.ended_at.map(|_| "-0.01400"),
            "price_unit": "USD",
            "answered_by": null,
            "forwarded_from": null,
            "caller_name": null,
            "queue_time": "0",
            "date_created": date(*accepted_at),
            "date_updated": date(*updated_at),
            "uri": format!("{uri}.json"),
            "subresource_uris": {
                "notifications": format!("{uri}/Notifications.json"),
                "recordings": format!("{uri}/Recordings.json"),
            },
        })
    }

    /// The status as those who ask see it.
    pub(super) fn shown_status(&self) -> Status {
        match self.vitals.status {
            Status::Initiated => Status::Ringing,
            status => status,
        }
    }
}

pub(super) async fn create(shared: &Arc<Shared>, request: &ApiRequest) -> Result<Value, Refusal> {
    accounts::refuse_inactive(shared, request)?;
    begin(shared, creation::parse(shared, request)?).await.map(|call| call.resource())
}

pub(super) fn fetch(shared: &Shared, request: &ApiRequest, sid: &str) -> Result<Value, Refusal> {
    find(shared, request, sid).map(|call: Call| call.resource())
}

/// Hangs up (`Status`), or gives an answered call another script (`Twiml` or `Url`).
pub(super) fn update(shared: &Arc<Shared>, request: &ApiRequest, sid: &str) -> Result<Value, Refusal> {
    let call = find::<Call>(shared, request, sid)?;
    let script = creation::script(request)?;
    match (request.given("Status"), script) {
        (None, None) => {}
        _ if call.vitals.status.is_final() => return Err(not_in_progress()),
        // A call that is answered is not affected by the one, and ended by the other.
        (Some("canceled"), None) if !call.vitals.status.is_before_answer() => {}
        (Some("canceled" | "completed"), None) => {
            intervene(shared, sid, |call: &Call| match call.vitals.status {
                status if status.is_before_answer() => Some(Status::Canceled),
                Status::InProgress => Some(Status::Completed),
                _ => None,
            })
            .ok_or_else(not_in_progress)?;
        }
        (None, Some(script)) => redirect(shared, sid, script)?,
        (Some(_), _) => return Err(Refusal::invalid("Status")),
    }
    fetch(shared, request, sid)
}

fn redirect(shared: &Arc<Shared>, sid: &str, script: Script) -> Result<(), Refusal> {
    let call = shared.change(sid, |call: &mut Call| {
        if call.vitals.status != Status::InProgress {
            return Change::Nothing;
        }
        call.script = script;
        call.performed = false;
        Change::Made
    });
    let call = call.ok_or_else(not_in_progress)?;
    // Else its life comes by here again.
    if call.vitals.driven || shared.pace.step().is_none() {
        let shared = Arc::clone(shared);
        shared.tasks.clone().spawn(async move { call.occupy(&shared).await });
    }
    Ok(())
}

fn not_in_progress() -> Refusal {
    Refusal::bad_request(21220, "Call is not in-progress. Cannot redirect.")
}

pub(super) fn list(shared: &Shared, request: &ApiRequest) -> Result<Value, Refusal> {
    let wanted = match request.query("Status") {
        None => None,
        Some(status) => Some(serde_json::from_value::<Status>(json!(status)).map_err(|_| Refusal::invalid("Status"))?),
    };
    let (started, ended) = (Period::of(request, "StartTime")?, Period::of(request, "EndTime")?);
    let calls = shared.list(request, |call: &Call| {
        request.filters("To", Some(&call.vitals.to))
            && request.filters("From", Some(&call.vitals.from))
            && request.filters("ParentCallSid", None)
            && wanted.is_none_or(|status| status == call.shown_status())
            && started.includes(call.started_at)
            && ended.includes(call.ended_at)
    });
    paging::page("calls", &request.path, &request.query, &calls, |call| &call.vitals.sid, Call::resource)
}
