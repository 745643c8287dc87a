//! Requests that were taken before. What makes two requests one is what Twilio signed, and nothing else: neither a header,
//! nor how the signature is written, nor an order that the signature does not see.

use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgPool};

use crate::clock::Clock;

/// The identity of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity([u8; 32]);

impl Identity {
    /// Of the text that was signed.
    pub(super) fn of(signed_text: &str) -> Self {
        Self(Sha256::digest(signed_text).into())
    }
}

/// Notes a request, in the transaction that does what it asks for; answers whether it is the first of its identity. While
/// another process works on the same request, this waits for its end.
pub(super) async fn is_first(tx: &mut PgConnection, clock: &Clock, identity: Identity) -> sqlx::Result<bool> {
    let noted = sqlx::query!(
        r#"
        insert into gateway_requests (identity, received_at)
        values ($1, clock_timestamp() + $2::interval)
        on conflict (identity) do nothing
        "#,
        &identity.0[..],
        clock.offset(),
    )
    .execute(tx)
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// Forgets requests of more than a day ago. A call that is known is not answered anew after that either: its record
/// stays.
pub(super) async fn forget_old(db: &PgPool, clock: &Clock) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        delete from gateway_requests
        where identity in (
            select identity
            from gateway_requests
            where received_at < clock_timestamp() + $1::interval - interval '1 day'
            limit 10000
            for update skip locked)
        "#,
        clock.offset(),
    )
    .execute(db)
    .await?;
    Ok(())
}
