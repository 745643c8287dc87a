//! Which calls Twilio is asked about: those of which nothing was heard for too long, and at the start all that are open.

use super::Calls;

/// Most calls that one pass asks about.
const BATCH: i64 = 20;

/// An open call that is asked about now.
#[derive(Debug)]
pub(in crate::gateway) struct Due {
    pub(in crate::gateway) sid: String,
    pub(in crate::gateway) from: String,
    pub(in crate::gateway) to: String,
    pub(in crate::gateway) direction: String,
}

impl Calls {
    /// Whatever is open may have ended while nobody listened.
    pub(in crate::gateway) async fn ask_about_all_open(&self) -> sqlx::Result<u64> {
        let open = sqlx::query!(
            r#"
            update gateway_calls
            set look_at = clock_timestamp() + $1::interval, looks = 0
            where mode = $2 and account_sid = $3 and ended_at is null
            "#,
            self.clock.offset(),
            self.mode.as_str(),
            self.account_sid,
        )
        .execute(&self.db)
        .await?;
        Ok(open.rows_affected())
    }

    /// Takes calls that are due. Each is due again a while later, whatever comes of it: after half a minute, then after twice
    /// as long each time, up to an hour.
    pub(in crate::gateway) async fn due(&self) -> sqlx::Result<Vec<Due>> {
        sqlx::query_as!(
            Due,
            r#"
            with clock as materialized (
                select clock_timestamp() + $1::interval as at
            ), due as (
                select c.id
                from gateway_calls c, clock
                where c.mode = $2 and c.account_sid = $3 and c.ended_at is null and c.look_at <= clock.at
                order by c.look_at
                limit $4
                for update of c skip locked
            )
            update gateway_calls c
            set look_at = clock.at + least(interval '30 seconds' * power(2, least(c.looks, 10)), interval '1 hour'),
                looks = c.looks + 1
            from due, clock
            where c.id = due.id
            returning c.sid, c.from_number as "from", c.to_number as "to", c.direction
            "#,
            self.clock.offset(),
            self.mode.as_str(),
            self.account_sid,
            BATCH,
        )
        .fetch_all(&self.db)
        .await
    }
}
