//! After the last fault: everything must settle by itself or stand where people look.

use std::time::Duration;

use reqwest::Method;
use sqlx::postgres::PgConnection;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use super::clients::Caller;
use super::site::Site;

/// Longest that settling may take after the last fault.
const LIMIT: Duration = Duration::from_mins(10);

/// Ends every process, so that nobody is inside a request to Twilio, starts them again, and waits until nothing is under
/// way. With `waits` for as long as that really takes; else what was under way is made to have begun long ago.
pub(super) async fn settle(site: &mut Site, caller: &Caller, latest: Duration, waits: bool) {
    site.twilio.control(Method::DELETE, "/sandbox/faults", None).await;
    // What Twilio takes late, or lists late, it has taken and lists after this.
    sleep(latest).await;
    for seat in &mut site.seats {
        seat.kill();
    }
    let db = &mut site.postgres.connect().await;
    let quiet: OffsetDateTime =
        sqlx::query_scalar("select clock_timestamp()").fetch_one(&mut *db).await.expect("a time");
    for seat in &mut site.seats {
        seat.start().await;
    }
    // Whoever stopped it last; a request that a process held back died with the process.
    caller.release().await;
    let began = Instant::now();
    // Whatever is open after the limit is the checker's to say.
    while began.elapsed() < LIMIT && is_open(db).await {
        if !waits {
            age(db, quiet).await;
        }
        sleep(Duration::from_millis(300)).await;
    }
}

/// Whether anything is neither ended, nor with Twilio, nor left to a person.
async fn is_open(db: &mut PgConnection) -> bool {
    sqlx::query_scalar(
        "select exists (select from attempts where state in ('sending', 'unknown'))
            or exists (
                select
                from operations o
                where o.state in ('pending_approval', 'sending', 'unknown')
                    or (o.state = 'approved' and not needs_attention(o, clock_timestamp())))",
    )
    .fetch_one(db)
    .await
    .expect("an answer")
}

/// Makes attempts from before the quiet older by an hour, and everything that waits for its next try due.
async fn age(db: &mut PgConnection, quiet: OffsetDateTime) {
    sqlx::query(
        "update attempts
        set deadline_at = least(deadline_at, clock_timestamp() - interval '1 second'),
            settle_at = least(settle_at, clock_timestamp() - interval '1 second'),
            next_look_at = null,
            last_absent_at = last_absent_at - interval '1 hour'
        where state in ('sending', 'unknown') and started_at < $1",
    )
    .bind(quiet)
    .execute(&mut *db)
    .await
    .expect("aged");
    sqlx::query("update operations set not_before = clock_timestamp() where state = 'approved' and not_before > clock_timestamp()")
        .execute(&mut *db)
        .await
        .expect("due");
}
