//! What goes out before anything that is approved now.

use sqlx::PgPool;

use crate::config::Mode;
use crate::operation::content::Kind;

/// Segments, or calls, that this sender still has to send before anything that is approved now.
pub async fn queued(db: &PgPool, mode: Mode, kind: Kind, sender: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        select coalesce(sum(coalesce(segments, 1)), 0) as "queued!"
        from operations
        where state = 'approved' and mode = $1 and kind = $2 and from_number = $3
        "#,
        mode.as_str(),
        kind.as_str(),
        sender,
    )
    .fetch_one(db)
    .await
}
