//! What gateways want to say in a good voice. A gateway writes down its greetings and holds no key; the service, which
//! holds it, has each made into a clip. Until there is one, the greeting is said by a voice of Twilio's.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::calls::Calls;
use super::openclaw::{InboundPolicy, VoiceCall};
use super::{Gateway, greeting, replay};

/// How often a gateway says that it still wants its greetings; what nobody wanted for a day is not made or kept.
const REMINDER: Duration = Duration::from_hours(1);

/// Pause after a pass that failed.
const RETRY: Duration = Duration::from_secs(10);

/// What a gateway keeps doing: it reminds of its greetings, and forgets old requests.
pub(super) async fn keep(gateway: Gateway) {
    loop {
        let pause = match pass(&gateway).await {
            Ok(()) => REMINDER,
            Err(error) => {
                tracing::warn!(event = "gateway.housekeeping_failed", %error, "the next pass is in ten seconds");
                RETRY
            }
        };
        tokio::time::sleep(pause).await;
    }
}

async fn pass(gateway: &Gateway) -> sqlx::Result<()> {
    want(gateway.calls(), gateway.settings()).await?;
    replay::forget_old(&gateway.calls().db, &gateway.calls().clock).await
}

/// Writes down what callers may hear, unless nobody is let in.
async fn want(calls: &Calls, settings: &VoiceCall) -> sqlx::Result<()> {
    if settings.inbound_policy == InboundPolicy::Disabled {
        return Ok(());
    }
    let mut texts: Vec<String> = greeting::all(settings).map(str::to_owned).collect();
    texts.sort();
    texts.dedup();
    let hashes: Vec<Vec<u8>> = texts.iter().map(|text| Sha256::digest(text).to_vec()).collect();
    sqlx::query!(
        r#"
        insert into gateway_greetings (mode, text_hash, text, wanted_at)
        select $2, wanted.hash, wanted.text, clock_timestamp() + $1::interval
        from unnest($3::bytea[], $4::text[]) as wanted (hash, text)
        on conflict (mode, text_hash) do update
        set wanted_at = excluded.wanted_at
        "#,
        calls.clock.offset(),
        calls.mode.as_str(),
        &hashes,
        &texts,
    )
    .execute(&calls.db)
    .await?;
    Ok(())
}
