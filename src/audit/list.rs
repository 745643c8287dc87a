//! Lines by filter, newest first, by keyset: page 1,000 costs what page 1 costs.

use axum::http::StatusCode;
use serde_json::Value;
use sqlx::PgPool;
use time::OffsetDateTime;

use super::mask;
use crate::database;
use crate::error::{Error, Problem, Result};
use crate::id::OperationId;

/// Most lines a page may have.
pub(super) const PAGE_LIMIT: i64 = 200;

/// Lines of a page, unless the caller says.
pub(super) const DEFAULT_LIMIT: i64 = 50;

/// What to list; nothing set is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// Only by this person, or part of the service.
    pub(super) actor: Option<String>,
    /// Only this action (`vault.set`), or all of a subject (`vault`).
    pub(super) action: Option<String>,
    /// Only on this object, for example `vault/twilio_auth_token`.
    pub(super) object: Option<String>,
    /// Not before.
    pub(super) since: Option<OffsetDateTime>,
    /// Before.
    pub(super) until: Option<OffsetDateTime>,
    /// Only what followed from this request.
    pub(super) correlation_id: Option<String>,
    /// Words anywhere in the line. Read line by line: together with days it is quick in any history.
    pub(super) search: Option<String>,
}

/// Where a page begins: after the line with this id.
pub(super) type Cursor = i64;

/// One change, as it was written down.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// In the order in which lines were written.
    pub(super) id: i64,
    /// Its place in the chain of its object.
    pub(super) seq: i32,
    /// When.
    pub(super) at: OffsetDateTime,
    /// Who: an email address, or a part of the service.
    pub(super) actor: String,
    /// The person's name.
    pub(super) person: Option<String>,
    /// The token that acted for the person.
    pub(super) token: Option<String>,
    /// What was done, for example `vault.set`.
    pub(super) action: String,
    /// To what.
    pub(super) object: String,
    /// The operation's state before.
    pub(super) from_state: Option<String>,
    /// The operation's state after.
    pub(super) to_state: Option<String>,
    /// `sandbox`, `live`, or neither.
    pub(super) mode: Option<String>,
    /// The address that the request came from.
    pub(super) ip: Option<String>,
    /// The request that it followed from.
    pub(super) correlation_id: Option<String>,
    /// What else there is to say, before and after.
    pub(super) details: Value,
    /// What makes an edited line show.
    pub(super) hash: Vec<u8>,
}

/// One page.
#[derive(Debug)]
pub(super) struct Page {
    /// Newest first.
    pub(super) lines: Vec<Line>,
    /// Where the next page begins; `None` on the last.
    pub(super) next: Option<Cursor>,
}

impl Line {
    /// The operation that it is about, if it is about one.
    pub(super) fn operation(&self) -> Option<OperationId> {
        self.object.strip_prefix("operation/")?.parse().ok()
    }

    /// The same with the telephone numbers hidden, for those who may not see them.
    #[must_use]
    pub(super) fn without_numbers(self) -> Self {
        Self { object: mask::text(&self.object), details: mask::value(self.details), ..self }
    }
}

/// A page of lines.
///
/// Planned anew each time: a plan for any filter would be one for none, and read the whole table for a rare actor.
/// Only words have no index: a search of a history too long for the time of a statement says so.
pub(super) async fn list(db: &PgPool, filter: &Filter, after: Option<Cursor>, limit: i64) -> Result<Page> {
    let pattern = filter.search.as_ref().map(|words| format!("%{}%", escape_like(words)));
    let subject = filter.action.as_ref().map(|action| format!("{}.%", escape_like(action)));
    let mut tx = database::begin(db).await?;
    sqlx::query!("set local plan_cache_mode = force_custom_plan").execute(&mut *tx).await?;
    let mut lines = sqlx::query_as!(
        Line,
        r#"
        select
            l.id,
            l.seq,
            l.at,
            l.actor,
            u.name as "person?",
            t.name as "token?",
            l.action,
            l.object,
            l.from_state,
            l.to_state,
            l.mode,
            l.ip,
            l.correlation_id,
            l.details,
            l.hash
        from audit_lines l
        left join users u on u.id = l.actor_id
        left join api_tokens t on t.id = l.token_id
        where ($1::text is null or l.actor = $1)
            and ($2::text is null or l.action = $2 or l.action like $3)
            and ($4::text is null or l.object = $4)
            and ($5::text is null or l.correlation_id = $5)
            and ($6::timestamptz is null or l.at >= $6)
            and ($7::timestamptz is null or l.at < $7)
            and ($8::text is null or concat_ws(
                ' ', l.actor, u.name, t.name, l.action, l.object, l.ip, l.correlation_id, l.details) ilike $8)
            and ($9::bigint is null or (l.at, l.id) < ((select at from audit_lines where id = $9), $9))
        order by l.at desc, l.id desc
        limit $10
        "#,
        filter.actor,
        filter.action,
        subject,
        filter.object,
        filter.correlation_id,
        filter.since,
        filter.until,
        pattern,
        after,
        limit + 1,
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(|error| {
        if filter.search.is_some() && is_too_long(&error) { too_long().into() } else { Error::from(error) }
    })?;
    tx.commit().await?;
    let has_more = i64::try_from(lines.len()).is_ok_and(|count| count > limit);
    if has_more {
        lines.pop();
    }
    let next = lines.last().filter(|_| has_more).map(|last| last.id);
    Ok(Page { lines, next })
}

/// Whether the statement was cancelled because its time was over.
fn is_too_long(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "57014")
}

fn too_long() -> Problem {
    let detail = "The history is too long to be searched for words as a whole. Give a first and a last day as well.";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "search_too_long", detail)
}

/// Takes the special meaning from the wildcards of `like`.
fn escape_like(words: &str) -> String {
    words.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
