//! Reports that came before we knew whose they are. Once their SID is bound to the operation that their URL named, they
//! are believed as if they came now.

use sqlx::PgPool;

use super::facts::{self, Effect, Report, Source};
use crate::clock::Clock;
use crate::config::Mode;
use crate::id::OperationId;

/// Most reports that one pass takes.
const BATCH: i64 = 100;

/// Takes the reports whose operation is known by now, and answers which operations moved.
pub(super) async fn take_orphans(db: &PgPool, clock: &Clock, mode: Mode) -> sqlx::Result<Vec<OperationId>> {
    let known = sqlx::query!(
        r#"
        select
            e.dedup,
            e.kind,
            e.account_sid,
            e.sid,
            e.status as "status!",
            e.error_code,
            e.sequence,
            e.payload,
            o.id as "operation: OperationId"
        from provider_events e
        join operations o on o.id = e.named_operation and o.provider_sid = e.sid and o.mode = e.mode
        where e.matched_by = 'nothing'
            and e.mode = $1
            and e.kind = case o.kind when 'sms' then 'message_status' else 'call_status' end
        order by e.id
        limit $2
        "#,
        mode.as_str(),
        BATCH,
    )
    .fetch_all(db)
    .await?;
    let mut moved = Vec::new();
    for orphan in known {
        let report = Report {
            kind: facts::kind_of_event(&orphan.kind),
            source: Source::Orphan { dedup: orphan.dedup },
            operation: orphan.operation,
            ref_hash: None,
            account_sid: orphan.account_sid,
            sid: orphan.sid,
            status: orphan.status,
            error_code: orphan.error_code,
            sequence: orphan.sequence,
            payload: orphan.payload,
        };
        if facts::take(db, clock, mode, &report).await? == Effect::Moved {
            moved.push(report.operation);
        }
    }
    Ok(moved)
}
