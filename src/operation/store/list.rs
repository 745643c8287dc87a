//! Operations by filter, newest first, by keyset: page 1,000 costs what page 1 costs.

use sqlx::PgPool;

use super::row::{Operation, select_operations};
use crate::clock::Clock;
use crate::config::Mode;
use crate::id::{OperationId, UserId};
use crate::operation::content::Kind;
use crate::operation::status::State;

/// Most rows a page may have.
pub const PAGE_LIMIT: i64 = 200;

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only these states; empty is every state.
    pub states: Vec<State>,
    /// Only SMS, or only calls.
    pub kind: Option<Kind>,
    /// Only to this number, in E.164.
    pub to: Option<String>,
    /// Only what needs attention.
    pub attention: bool,
    /// Words: a number or part of one, words of the message, an id, a SID, a key.
    pub search: Option<String>,
}

/// Where a page begins: after this operation.
pub type Cursor = OperationId;

/// One page.
#[derive(Debug)]
pub struct Page {
    /// Newest first.
    pub operations: Vec<Operation>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Cursor>,
}

/// How many operations wait for what.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Waiting for a decision.
    pub waiting: i64,
    /// Needing attention.
    pub attention: i64,
    /// Of these, suspected to have gone out twice.
    pub suspected: i64,
    /// The newest of them.
    pub newest_suspected: Option<OperationId>,
}

/// A page of operations of this mode.
pub async fn list(
    db: &PgPool,
    clock: &Clock,
    mode: Mode,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
) -> sqlx::Result<Page> {
    let limit = limit.clamp(1, PAGE_LIMIT);
    let states: Vec<String> = filter.states.iter().map(|state| state.as_str().to_owned()).collect();
    let pattern = filter.search.as_ref().map(|words| format!("%{}%", escape_like(words)));
    let mut operations = select_operations!(
        r#"
        where o.mode = $2
            and (cardinality($3::text[]) = 0 or o.state = any ($3))
            and ($4::text is null or o.kind = $4)
            and ($5::text is null or o.to_number = $5)
            and (not $6 or needs_attention(o, clock_timestamp() + $1::interval))
            and ($7::text is null or o.to_number like $7 or o.message ilike $7 or o.speech_text ilike $7
                or o.provider_sid ilike $7 or o.idempotency_key ilike $7 or o.id::text like lower($7))
            and ($8::uuid is null or o.id < $8)
        order by o.id desc
        limit $9
        "#,
        clock.offset(),
        mode.as_str(),
        &states,
        filter.kind.map(Kind::as_str),
        filter.to,
        filter.attention,
        pattern,
        after.map(|after| after.0),
        limit + 1,
    )
    .fetch_all(db)
    .await?;
    let has_more = i64::try_from(operations.len()).is_ok_and(|count| count > limit);
    if has_more {
        operations.pop();
    }
    let next = operations.last().filter(|_| has_more).map(|last| last.id);
    Ok(Page { operations, next })
}

/// What stands on every page: the two counts of the menu, and what may have gone out twice.
pub async fn counts(db: &PgPool, clock: &Clock, mode: Mode) -> sqlx::Result<Counts> {
    sqlx::query_as!(
        Counts,
        r#"
        select
            (
                select count(*)
                from operations
                where mode = $2 and state = 'pending_approval'
            ) as "waiting!",
            count(*) as "attention!",
            count(*) filter (where duplicate_suspected_at is not null) as "suspected!",
            (array_agg(id order by id desc) filter (where duplicate_suspected_at is not null))[1]
                as "newest_suspected?: OperationId"
        from operations o
        where mode = $2
            and acknowledged_at is null
            and (state in ('sending', 'unknown', 'needs_review', 'approved', 'expired')
                or conflicted_at is not null or duplicate_suspected_at is not null
                or audio_not_fetched_at is not null)
            and needs_attention(o, clock_timestamp() + $1::interval)
        "#,
        clock.offset(),
        mode.as_str(),
    )
    .fetch_one(db)
    .await
}

/// Takes the special meaning from the wildcards of `like`.
fn escape_like(words: &str) -> String {
    words.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
