//! A test that is followed on the page: where it stands, and what is awaited next.

use super::views::{Fetch, Followed};
use super::{NOTE, evidence};
use crate::audit::mask;
use crate::error::Result;
use crate::id::OperationId;
use crate::operation::content::Kind;
use crate::operation::pages::facts;
use crate::operation::pages::rights::Reader;
use crate::operation::status::State;
use crate::operation::store::{self, Operation};
use crate::visit::Visit;
use crate::web::text;

/// The test of that id, as this reader may see it; `None` where there is none.
pub(super) async fn followed(visit: &Visit, id: &str) -> Result<Option<Followed>> {
    let app = &visit.app;
    let mode = app.config.mode;
    let Ok(id) = id.parse::<OperationId>() else { return Ok(None) };
    let Some(operation) = store::find(&app.db, &app.clock, mode, id).await? else { return Ok(None) };
    if operation.note.as_deref() != Some(NOTE) || operation.source != "page" {
        return Ok(None);
    }
    let heard = evidence::heard(&app.db, id).await?;
    let settings = app.settings.current();
    let reader = Reader { principal: &visit.principal, settings: &settings, mode };
    let may_approve = reader.may_approve(&operation);
    let next = next(&operation, may_approve.as_ref().err().map(|problem| problem.detail.as_str()));
    let next = if visit.is_masked() { mask::text(&next) } else { next };
    Ok(Some(Followed {
        id: id.to_string(),
        status: facts::status(&operation),
        recipient: facts::recipient(&operation, visit.is_masked()),
        requested_by: operation.requester.clone(),
        at: operation.created_at,
        provider_word: operation.provider_status.clone(),
        next,
        error_code: operation.error_code,
        may_approve: operation.state == State::PendingApproval && may_approve.is_ok(),
        is_over: operation.state.is_final() || operation.settled_at.is_some(),
        reported_at: heard.reported_at,
        fetch: (operation.kind == Kind::Call).then(|| fetch(&operation, heard.fetched_at)),
    }))
}

/// What is awaited, and of whom. `denied` says why the reader may not approve it.
fn next(operation: &Operation, denied: Option<&str>) -> String {
    let reason = || text::sentence(operation.reason.as_deref().unwrap_or("No reason was given."));
    match operation.state {
        State::Preparing => "Its speech is being made, then a person decides.".to_owned(),
        State::PendingApproval => match denied {
            None => "Your decision is awaited. Nothing has been sent.".to_owned(),
            Some(why) => format!("The decision of an approver is awaited. Nothing has been sent. {why}"),
        },
        State::Approved => match &operation.delay_reason {
            Some(why) => format!("{} It is tried again by itself until the approval runs out.", text::sentence(why)),
            None => "Its turn is awaited. It goes out by itself, unless sending is on hold.".to_owned(),
        },
        State::Sending => "Twilio’s answer is awaited, for 20 seconds at most.".to_owned(),
        State::Accepted if operation.settled_at.is_some() => {
            "Nothing. Twilio took it and has not reported since: if this is so for every test, look at the address that Twilio reports to.".to_owned()
        }
        State::Accepted => "Twilio’s report is awaited: it says what became of it, and proves the way back.".to_owned(),
        State::Delivered => "Nothing. It went out, and Twilio’s report came back.".to_owned(),
        State::Failed => format!("Nothing. {} It is not tried again.", reason()),
        State::Unknown => {
            format!("{} Twilio’s report is awaited, and nothing is sent again meanwhile.", reason())
        }
        State::NeedsReview => format!("A person has to say what happened. {}", reason()),
        State::Rejected => format!("Nothing: a person decided against it. {}", reason()),
        State::Expired => "Nothing: its time ran out and nothing was sent.".to_owned(),
        State::Cancelled => "Nothing: it was withdrawn and nothing was sent.".to_owned(),
    }
}

fn fetch(operation: &Operation, fetched_at: Option<time::OffsetDateTime>) -> Fetch {
    match fetched_at {
        Some(at) => Fetch::Seen(at),
        None if operation.state.is_final() || operation.settled_at.is_some() => Fetch::NeverSeen,
        None => Fetch::Awaited,
    }
}
