//! A database that went back in time: restored from a dump or a copy, promoted from a replica, or one that may lose
//! commits. What was sent since is not in it, so sending is put on hold, and the hold says why.

use serde_json::json;
use sqlx::PgPool;
use time::OffsetDateTime;

use super::hold::{self, Cause};
use super::witness::Witness;
use crate::audit::{self, Actor, Change};
use crate::clock::{Clock, rfc3339};
use crate::config::{Config, Mode};
use crate::database;

/// Compares the database with the one that this service knew, remembers it, and sets the hold if they differ. At the start,
/// and whenever the fence's connection is a new one: nothing is sent over a database that was exchanged in between.
pub async fn check(db: &PgPool, clock: &Clock, config: &Config) -> sqlx::Result<()> {
    let mut tx = database::begin(db).await?;
    let now = sqlx::query!(
        r#"
        select
            d.system_identifier,
            d.timeline_id,
            d.incarnation,
            system.system_identifier as "system_now!",
            -- of the log that is written now: the control file learns of a promotion only by the next checkpoint
            ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer as "timeline_now!",
            'deployment'::regclass::oid::bigint as "incarnation_now!",
            (select max(at) from audit_lines) as last_line_at,
            current_setting('fsync')::boolean as "fsync!",
            current_setting('synchronous_commit') <> 'off' as "synchronous!"
        from deployment d, pg_control_system() system
        for update of d
        "#,
    )
    .fetch_one(&mut *tx)
    .await?;
    let known = (now.system_identifier, now.timeline_id, now.incarnation);
    let current = (Some(now.system_now), Some(now.timeline_now), Some(now.incarnation_now));
    let is_first_start = known == (None, None, None);
    let is_another = !is_first_start && known != current;
    let went_back = is_another || Witness::of(&config.data_dir).contradicts(&mut tx).await?;
    if is_first_start || went_back {
        sqlx::query!(
            r#"
            update deployment
            set system_identifier = $1, timeline_id = $2, incarnation = $3
            "#,
            now.system_now,
            now.timeline_now,
            now.incarnation_now,
        )
        .execute(&mut *tx)
        .await?;
        let details =
            json!({ "systemIdentifier": now.system_now, "timeline": now.timeline_now, "wentBack": went_back });
        let change = Change { object: "deployment".to_owned(), action: "deployment.recognised", details };
        audit::record(&mut tx, &Actor::service("start"), change).await?;
    }
    if went_back {
        let reason = restored(now.last_line_at);
        hold::set_within(&mut tx, clock, Cause::Restored, &reason, &Actor::service("start")).await?;
    }
    if config.mode == Mode::Live && !(now.fsync && now.synchronous) {
        let reason =
            "the database may lose commits: fsync or synchronous_commit is off. Switch both on, then resume sending.";
        hold::set_within(&mut tx, clock, Cause::Restored, reason, &Actor::service("start")).await?;
    }
    tx.commit().await
}

fn restored(last_line_at: Option<OffsetDateTime>) -> String {
    let since = last_line_at.map_or_else(|| "it was made".to_owned(), rfc3339);
    format!("this database was restored or promoted: check what was sent since {since}, then resume sending.")
}
