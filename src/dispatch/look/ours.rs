//! What of a list is known to be ours, or may be.

use std::collections::HashSet;

use sqlx::PgConnection;

use super::Due;
use super::evidence::Candidate;

/// Without those that are known to belong to one of our operations.
pub(super) async fn unbound(tx: &mut PgConnection, mut candidates: Vec<Candidate>) -> sqlx::Result<Vec<Candidate>> {
    let sids: Vec<String> = candidates.iter().map(|candidate| candidate.sid.clone()).collect();
    let free = sqlx::query_scalar!(
        r#"
        select sid as "sid!"
        from unnest($1::text[]) as listed (sid)
        where not exists (select from attempts a where a.provider_sid = sid)
            and not exists (select from operations o where o.provider_sid = sid)
            -- reported on with another attempt's reference, which is not closed yet
            and not exists (select from provider_events e where e.sid = listed.sid and e.matched_by = 'reference')
        "#,
        &sids,
    )
    .fetch_all(tx)
    .await?;
    candidates.retain(|candidate| free.contains(&candidate.sid));
    Ok(candidates)
}

/// Whether each candidate may be what another of our attempts sent, whose outcome is still awaited.
pub(super) async fn others_under_way(tx: &mut PgConnection, due: &Due, candidates: &[Candidate]) -> sqlx::Result<bool> {
    let recipients: Vec<String> = candidates.iter().filter_map(|candidate| candidate.to.clone()).collect();
    let explained = sqlx::query_scalar!(
        r#"
        select count(distinct o.to_number) as "explained!"
        from attempts a
        join operations o on o.id = a.operation_id
        where a.state in ('sending', 'unknown')
            and a.id <> $1
            and a.mode = (select mode from operations where id = $2)
            and o.kind = $3
            and o.from_number = $4
            and o.to_number = any ($5)
        "#,
        due.id.0,
        due.operation.0,
        due.sought.kind.as_str(),
        due.sought.from,
        &recipients,
    )
    .fetch_one(tx)
    .await?;
    let recipients: HashSet<_> = recipients.iter().collect();
    Ok(usize::try_from(explained).is_ok_and(|explained| explained == recipients.len()))
}
