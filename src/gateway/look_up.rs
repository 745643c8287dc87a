//! Calls that nobody reports the end of: Twilio is asked how they stand. That a call lasts is no reason to end it: only
//! Twilio's word moves a record, or that Twilio does not know the call.

use std::time::Duration;

use serde_json::json;

use super::Gateway;
use super::calls::{Due, Effect, Report, Source};
use crate::operation::content::Kind;
use crate::twilio::look_up::Resource;
use crate::twilio::{Sid, Twilio};
use crate::vault::{Source as Origin, TwilioCredentials};

/// How long the task sleeps between two passes.
const TICK: Duration = Duration::from_secs(1);

/// Runs until the gateway stops. The first pass asks about everything that is open.
pub(super) async fn run(gateway: Gateway, twilio: Twilio) {
    let mut has_begun = false;
    loop {
        if let Err(error) = pass(&gateway, &twilio, &mut has_begun).await {
            tracing::warn!(event = "gateway.look_up_failed", %error, "the next pass is in a second");
        }
        tokio::time::sleep(TICK).await;
    }
}

async fn pass(gateway: &Gateway, twilio: &Twilio, has_begun: &mut bool) -> sqlx::Result<()> {
    if !*has_begun {
        let open = gateway.calls().ask_about_all_open().await?;
        if open > 0 {
            tracing::info!(event = "gateway.open_calls", open, "calls may have ended while nobody listened");
        }
        *has_begun = true;
    }
    for due in gateway.calls().due().await? {
        ask(gateway, twilio, &due).await?;
    }
    Ok(())
}

/// Asks about one call. What cannot be found out now stays as it is, and is asked again later.
async fn ask(gateway: &Gateway, twilio: &Twilio, due: &Due) -> sqlx::Result<()> {
    let Some(sid) = Sid::parse(Kind::Call, &due.sid) else { return Ok(()) };
    let settings = gateway.settings();
    let credentials = TwilioCredentials {
        account_sid: settings.account_sid.clone(),
        auth_token: settings.auth_token.clone(),
        api_key: None,
        phone_number: None,
        version: None,
        source: Origin::Environment,
    };
    let found = match twilio.fetch(Kind::Call, &sid, &credentials).await {
        Ok(found) => found,
        Err(error) => {
            let error = format!("{error:#}");
            tracing::warn!(event = "gateway.look_up_failed", sid = due.sid, error, "asked again later");
            return Ok(());
        }
    };
    let status = found.as_ref().map(|call| call.status.as_str());
    let report = Report {
        source: Source::LookUp,
        sid: &sid,
        is_inbound: due.direction == "inbound",
        from: &due.from,
        to: &due.to,
        status,
        duration: found.as_ref().and_then(Resource::seconds),
        payload: json!({ "found": found.is_some(), "status": status }),
    };
    let effect = gateway.calls().take(&report, gateway.bounds()).await?;
    if effect != Effect::Nothing {
        tracing::info!(event = "gateway.look_up", sid = due.sid, status, ?effect);
    }
    Ok(())
}
