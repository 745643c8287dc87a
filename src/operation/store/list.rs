//! Operations by filter, newest first, by keyset: page 1,000 costs what page 1 costs.

use sqlx::PgPool;
use uuid::Uuid;

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

/// The rows of a page: those that this condition chooses, among those that the other filters leave.
macro_rules! select_page {
    ($db:expr, $clock:expr, $mode:expr, $filter:expr, $after:expr, $limit:expr, $condition:literal, $chosen:expr) => {
        select_operations!(
            "where o.mode = $2 and "
                + $condition
                + r#"
                and ($4::text is null or o.kind = $4)
                and ($5::text is null or o.to_number = $5)
                and ($6::text is null or o.to_number like $6 or o.message ilike $6 or o.speech_text ilike $6
                    or o.provider_sid ilike $6 or o.idempotency_key ilike $6 or o.id::text like lower($6))
                and ($7::uuid is null or o.id < $7)
            order by o.id desc
            limit $8
            "#,
            $clock.offset(),
            $mode.as_str(),
            $chosen,
            $filter.kind.map(Kind::as_str),
            $filter.to,
            $filter.pattern(),
            $after.map(|after: Cursor| after.0),
            $limit,
        )
        .fetch_all($db)
        .await?
    };
}

/// A page of operations of this mode. One statement for each way in, so that each has its index: a rare state is found
/// without reading the history.
pub async fn list(
    db: &PgPool,
    clock: &Clock,
    mode: Mode,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
) -> sqlx::Result<Page> {
    let limit = limit.clamp(1, PAGE_LIMIT);
    let states = filter.state_names();
    let rows = limit + 1;
    let mut operations = match (filter.attention, states.as_slice()) {
        (false, states) if filter.to.is_some() => select_page!(
            db,
            clock,
            mode,
            filter,
            after,
            rows,
            "o.to_number = $5 and (cardinality($3::text[]) = 0 or o.state = any ($3))",
            states
        ),
        // The condition of operations_unacknowledged, spelled out.
        (true, states) => select_page!(
            db,
            clock,
            mode,
            filter,
            after,
            rows,
            "o.acknowledged_at is null
                and (o.state in ('sending', 'unknown', 'needs_review', 'approved', 'expired')
                    or o.conflicted_at is not null or o.duplicate_suspected_at is not null
                    or o.audio_not_fetched_at is not null)
                and needs_attention(o, clock_timestamp() + $1::interval)
                and (cardinality($3::text[]) = 0 or o.state = any ($3))",
            states
        ),
        (false, [state]) => select_page!(db, clock, mode, filter, after, rows, "o.state = $3", state),
        (false, states) => select_page!(
            db,
            clock,
            mode,
            filter,
            after,
            rows,
            "(cardinality($3::text[]) = 0 or o.state = any ($3))",
            states
        ),
    };
    let has_more = i64::try_from(operations.len()).is_ok_and(|count| count > limit);
    if has_more {
        operations.pop();
    }
    let next = operations.last().filter(|_| has_more).map(|last| last.id);
    Ok(Page { operations, next })
}

/// Those of these operations that exist in this mode, newest first.
pub async fn find_all(db: &PgPool, clock: &Clock, mode: Mode, ids: &[OperationId]) -> sqlx::Result<Vec<Operation>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    select_operations!("where o.id = any ($2) and o.mode = $3 order by o.id desc", clock.offset(), &ids, mode.as_str())
        .fetch_all(db)
        .await
}

/// How many operations under this filter are newer than one of them, up to a limit.
pub async fn newer(
    db: &PgPool,
    clock: &Clock,
    mode: Mode,
    filter: &Filter,
    than: OperationId,
    limit: i64,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        select count(*) as "count!"
        from (
            select
            from operations o
            where o.mode = $2
                and (cardinality($3::text[]) = 0 or o.state = any ($3))
                and ($4::text is null or o.kind = $4)
                and ($9::text is null or o.to_number = $9)
                and (not $5 or needs_attention(o, clock_timestamp() + $1::interval))
                and ($6::text is null or o.to_number like $6 or o.message ilike $6 or o.speech_text ilike $6
                    or o.provider_sid ilike $6 or o.idempotency_key ilike $6 or o.id::text like lower($6))
                and o.id > $7
            limit $8
        ) newer
        "#,
        clock.offset(),
        mode.as_str(),
        &filter.state_names(),
        filter.kind.map(Kind::as_str),
        filter.attention,
        filter.pattern(),
        than.0,
        limit,
        filter.to,
    )
    .fetch_one(db)
    .await
}

impl Filter {
    fn state_names(&self) -> Vec<String> {
        self.states.iter().map(|state| state.as_str().to_owned()).collect()
    }

    fn pattern(&self) -> Option<String> {
        self.search.as_ref().map(|words| format!("%{}%", escape_like(words)))
    }
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
