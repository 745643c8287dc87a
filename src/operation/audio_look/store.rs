//! What was seen, as it is kept.

use sqlx::{PgExecutor, PgPool};
use time::OffsetDateTime;

use crate::clock::Clock;
use crate::id::OperationId;

/// What a look brought up.
#[derive(Clone, Debug, Default)]
pub struct AudioLook {
    /// When it was written down; `None` before that.
    pub looked_at: Option<OffsetDateTime>,
    /// Of the answer, if there was one.
    pub http_status: Option<i32>,
    /// The media type, without parameters.
    pub content_type: Option<String>,
    /// How long the recording is.
    pub bytes: Option<i64>,
    /// What its server calls this version of it.
    pub etag: Option<String>,
    /// What speaks against it, in a sentence.
    pub problem: Option<String>,
}

impl AudioLook {
    /// Of a recording of our own, which nobody has to look at.
    pub(super) fn of_ours(bytes: usize) -> Self {
        Self { content_type: Some("audio/mpeg".to_owned()), bytes: i64::try_from(bytes).ok(), ..Self::default() }
    }

    /// Nothing was seen, because of this.
    pub(super) fn failed(problem: impl Into<String>) -> Self {
        Self { problem: Some(problem.into()), ..Self::default() }
    }
}

pub(super) async fn insert(db: &PgPool, clock: &Clock, operation: OperationId, look: &AudioLook) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into audio_looks (operation_id, looked_at, http_status, content_type, bytes, etag, problem)
        values ($1, clock_timestamp() + $2::interval, $3, $4, $5, $6, $7)
        on conflict (operation_id) do nothing
        "#,
        operation.0,
        clock.offset(),
        look.http_status,
        look.content_type,
        look.bytes,
        look.etag,
        look.problem,
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// The look that was kept with an operation.
pub(crate) async fn find(db: impl PgExecutor<'_>, operation: OperationId) -> sqlx::Result<Option<AudioLook>> {
    sqlx::query_as!(
        AudioLook,
        r#"
        select looked_at as "looked_at?", http_status, content_type, bytes, etag, problem
        from audio_looks
        where operation_id = $1
        "#,
        operation.0,
    )
    .fetch_optional(db)
    .await
}
