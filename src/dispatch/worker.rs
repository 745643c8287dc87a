//! The dispatcher of one process: claims when it is woken or a second passed, and sees each claim to its outcome.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument as _;

use super::claim::{Claimed, Load, claim};
use super::fence::{Fence, NotFenced};
use super::{expiry, outcome, reconcile};
use crate::audit::Actor;
use crate::guard::{hold, incarnation};
use crate::phone;
use crate::speech::clips;
use crate::state::AppState;
use crate::twilio::{Exchange, SendOutcome};
use crate::vault::TwilioCredentials;

/// Sends that one process has under way at most.
const CONCURRENT_SENDS: usize = 16;

/// How long the dispatcher sleeps when nobody wakes it.
const TICK: Duration = Duration::from_secs(1);

/// Pause after a failure of the database.
const PAUSE: Duration = Duration::from_millis(500);

/// How often an outcome is written down again when the database does not answer. After that the reconciler finds it.
const RECORD_TRIES: u32 = 20;

/// Runs until the service stops; then the sends that are under way end and are recorded, and nothing new begins.
pub async fn run(app: AppState, fence: Arc<Fence>) {
    let permits = Arc::new(Semaphore::new(CONCURRENT_SENDS));
    let mut had_credentials = true;
    loop {
        match pass(&app, &fence, &permits).await {
            Ok(has_credentials) => {
                if had_credentials && !has_credentials {
                    let what = "nothing is sent without Twilio's credentials: store them in the API Vault";
                    tracing::warn!(event = "dispatch.no_credentials", "{what}");
                }
                had_credentials = has_credentials;
            }
            Err(error) => {
                tracing::warn!(
                    event = "dispatch.paused",
                    error = format!("{error:#}"),
                    "nothing is sent at this moment"
                );
                tokio::select! {
                    () = app.tasks.stopping.cancelled() => break,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
        tokio::select! {
            () = app.tasks.stopping.cancelled() => break,
            () = app.changes.woken() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
    // All permits back: every send has its outcome.
    let _ = permits.acquire_many(u32::try_from(CONCURRENT_SENDS).unwrap_or(u32::MAX)).await;
    fence.close().await;
}

/// Claims what is due, until there is no more or every permit is out. Answers whether there are credentials to send with.
async fn pass(app: &AppState, fence: &Arc<Fence>, permits: &Arc<Semaphore>) -> anyhow::Result<bool> {
    // A new connection may lead to a database that was restored or promoted since the last one.
    if fence.connect(&app.db).await?
        && let Err(error) = incarnation::check(&app.db, &app.clock, &app.config).await
    {
        fence.close().await;
        return Err(error.into());
    }
    while !app.tasks.stopping.is_cancelled() {
        // Each time: a long queue must not be sent with what was replaced meanwhile.
        let Some(credentials) = app.vault.twilio().await? else { return Ok(false) };
        let settings = app.settings.current();
        let free = permits.available_permits();
        if free == 0 {
            return Ok(true);
        }
        let (account_sid, version) = (&credentials.account_sid, credentials.version);
        let claims = claim(&app.db, &app.clock, &settings, app.config.mode, account_sid, version, free).await?;
        if claims.is_empty() {
            return Ok(true);
        }
        for claimed in claims {
            // Only this task takes permits, so one is free.
            let permit = Arc::clone(permits).acquire_owned().await?;
            app.changes.announce(claimed.operation);
            let span = tracing::info_span!("dispatch", correlation_id = %claimed.correlation_id);
            let sending = see_through(app.clone(), Arc::clone(fence), claimed, credentials.clone(), permit);
            app.tasks.tracker.spawn(sending.instrument(span));
        }
    }
    Ok(true)
}

/// Sends one claim and records what came of it. However this ends, the lock is released.
async fn see_through(
    app: AppState,
    fence: Arc<Fence>,
    claimed: Claimed,
    credentials: TwilioCredentials,
    permit: OwnedSemaphorePermit,
) {
    let claimed = Arc::new(claimed);
    let _release =
        Release { app: app.clone(), fence: Arc::clone(&fence), lock_key: claimed.lock_key, permit: Some(permit) };
    let Some(exchange) = send(&app, &fence, &claimed, &credentials).await else { return };
    log(&claimed, &exchange);
    if let SendOutcome::NotSent { reason, stops_everything: true, .. } = &exchange.outcome
        && are_in_force(&app, &credentials).await
    {
        let reason = format!("{reason}. Check the credentials in the API Vault, then resume sending.");
        let held = hold::set(&app.db, &app.clock, hold::Cause::Credentials, &reason, &Actor::service("dispatch")).await;
        if let Err(error) = held {
            tracing::error!(event = "hold.not_set", %error, "sending could not be put on hold");
        }
    }
    record(&app, &claimed, &exchange).await;
    app.changes.announce(claimed.operation);
}

/// Whether these credentials are those that the next send is made with: what Twilio says of replaced ones is no reason to
/// stop, nor of those without which nothing is sent any more. Where that cannot be told they count as such.
async fn are_in_force(app: &AppState, used: &TwilioCredentials) -> bool {
    match app.vault.twilio().await {
        Ok(Some(now)) => now.are(used),
        Ok(None) => false,
        Err(_) => true,
    }
}

async fn send(
    app: &AppState,
    fence: &Fence,
    claimed: &Arc<Claimed>,
    credentials: &TwilioCredentials,
) -> Option<Exchange> {
    match fence.pass(claimed, &app.public_url).await {
        Ok(fenced) => {
            announce(claimed);
            Some(app.twilio.send(fenced, credentials).await)
        }
        // Whoever holds the lock settles the attempt.
        Err(NotFenced::Taken) => None,
        Err(refusal @ (NotFenced::Changed | NotFenced::Lost)) => Some(Exchange::not_sent(refusal.to_string())),
    }
}

/// The line that operators look for, just before the request leaves.
fn announce(claimed: &Claimed) {
    let (operation, number, mode) = (claimed.operation, claimed.number, claimed.mode);
    let to = phone::mask(&claimed.to);
    match &claimed.load {
        Load::Message(_) => {
            tracing::info!(event = "twilio.sms.send", %operation, attempt = number, to, %mode, "handing an SMS to Twilio");
        }
        Load::Recording(_) => {
            tracing::info!(event = "twilio.call.create", %operation, attempt = number, to, %mode, "handing a call to Twilio");
        }
        Load::Clip { clip, voice } => {
            tracing::info!(event = "twilio.call.create", %operation, attempt = number, to, %mode, clip = %clips::in_log(clip), voice, "handing a call to Twilio");
        }
    }
}

fn log(claimed: &Claimed, exchange: &Exchange) {
    let (operation, attempt, http_status) = (claimed.operation, claimed.number, exchange.http_status);
    match &exchange.outcome {
        SendOutcome::Accepted { sid, status } => {
            tracing::info!(event = "twilio.outcome", %operation, attempt, http_status, outcome = "accepted", sid = sid.as_str(), status);
        }
        SendOutcome::Refused { code, .. } => {
            tracing::warn!(event = "twilio.outcome", %operation, attempt, http_status, outcome = "refused", code);
        }
        SendOutcome::NotSent { reason, .. } => {
            tracing::warn!(event = "twilio.outcome", %operation, attempt, http_status, outcome = "not_sent", reason);
        }
        SendOutcome::Unknown { reason } => {
            tracing::warn!(event = "twilio.outcome", %operation, attempt, http_status, outcome = "unknown", reason);
            tracing::warn!(event = "dispatch.unknown", %operation, attempt, reason);
        }
    }
}

async fn record(app: &AppState, claimed: &Claimed, exchange: &Exchange) {
    for _ in 0..RECORD_TRIES {
        match outcome::record(&app.db, &app.clock, claimed, exchange).await {
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(event = "dispatch.not_recorded", operation = %claimed.operation, %error, "trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Releases the attempt's lock when its task ends in any way, by a panic as well, and lets the next claim have its place.
struct Release {
    app: AppState,
    fence: Arc<Fence>,
    lock_key: i64,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Release {
    fn drop(&mut self) {
        // First the place, then the wake-up: the other way round the dispatcher would find none and sleep on.
        drop(self.permit.take());
        self.app.changes.wake();
        let (fence, lock_key) = (Arc::clone(&self.fence), self.lock_key);
        self.app.tasks.tracker.spawn(async move { fence.release(lock_key).await });
    }
}

/// Ends what is past its time and settles what nobody recorded, each second.
pub async fn sweep(app: AppState) {
    loop {
        tokio::select! {
            () = app.tasks.stopping.cancelled() => return,
            () = tokio::time::sleep(TICK) => {}
        }
        if let Err(error) = sweep_once(&app).await {
            tracing::debug!(event = "sweep.paused", error = format!("{error:#}"), "the next look is in a second");
        }
    }
}

/// One look of [`sweep`].
pub async fn sweep_once(app: &AppState) -> anyhow::Result<()> {
    app.settings.refresh().await?;
    let expired = expiry::expire(&app.db, &app.clock, app.config.mode).await?;
    let settled = reconcile::reconcile(&app.db, &app.clock, app.config.mode).await?;
    if !settled.is_empty() {
        // What was settled stands in nobody's way any more.
        app.changes.wake();
    }
    expired.into_iter().chain(settled).for_each(|id| app.changes.announce(id));
    Ok(())
}
