//! Two weeks of operations, written straight into the database: what happened to them is not what is measured.

use sqlx::AssertSqlSafe;

use crate::product::Product;

/// Sees to it that there are so many, all of them ended. The newest first, so that a larger history reaches further back.
pub(crate) async fn fill(product: &Product, count: u32) -> anyhow::Result<()> {
    let there = product.operations().await?;
    // Without the triggers that would want every step; the constraints hold.
    let statement = format!(
        "
        begin;
        set local session_replication_role = replica;
        create temporary table made on commit drop as
            select *,
                (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3)
                    || '8' || substr(md5(n::text), 4, 15))::uuid as id,
                sha256(('content ' || n)::bytea) as digest,
                case when n % 20 = 0 then 'failed' when n % 33 = 0 then 'rejected' else 'delivered' end as state,
                case when n % 10 = 0 then 'call' else 'sms' end as kind
            from (
                select n, clock_timestamp() - interval '15 minutes' - interval '14 days' * (n::float8 / 1000000) as at
                from generate_series({there}, {count} - 1) n
            ) numbered;
        insert into operations (
            id, mode, kind, state, to_number, from_number, message, audio_url, content_digest, match_key, segments,
            encoding, requested_by, source, correlation_id, idempotency_key, created_at, updated_at, gate_rule,
            expires_at, approved_by_rule, approved_digest, approved_at, execute_before, attempts, provider_sid,
            provider_status, provider_rank, accepted_at, finished_at, settled_at, error_code, reason)
        select m.id, 'sandbox', kind, state, '+1415555' || lpad((n % 10000)::text, 4, '0'), '+15005550006',
            case when kind = 'sms' then 'Your parcel ' || n || ' comes today.' end,
            case when kind = 'call' then 'https://example.com/' || n || '.mp3' end, digest, digest,
            case when kind = 'sms' then 1 end, case when kind = 'sms' then 'GSM-7' end, u.id, 'api', 'bench-' || n,
            'bench-' || n, at, at + interval '9 s', 'held', at + interval '1 day',
            case when state <> 'rejected' then 'bench' end, case when state <> 'rejected' then digest end,
            case when state <> 'rejected' then at + interval '5 s' end,
            case when state <> 'rejected' then at + interval '1 hour' end,
            case when state <> 'rejected' then 1 else 0 end,
            case when state <> 'rejected' then case when kind = 'sms' then 'SM' else 'CA' end || md5(n::text) end,
            case state when 'delivered' then 'delivered' when 'failed' then 'undelivered' end,
            case when state = 'rejected' then 0 else 9 end, case when state <> 'rejected' then at + interval '6 s' end,
            at + interval '9 s', at + interval '9 s', case when state = 'failed' then 30003 + n % 5 end,
            case when state <> 'delivered' then 'The handset cannot be reached.' end
        from made m, (select id from users order by created_at limit 1) u;
        insert into attempts (
            id, operation_id, number, state, mode, match_key, digest, ref_hash, started_at, deadline_at, settle_at,
            provider_sid, bound_by, ended_at)
        select o.id, o.id, 1, 'accepted', o.mode, o.match_key, o.content_digest, sha256(o.id::text::bytea),
            o.approved_at, o.approved_at, o.approved_at, o.provider_sid, 'answer', o.accepted_at
        from operations o join made m on m.id = o.id
        where o.state <> 'rejected';
        commit"
    );
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&product.db).await?;
    sqlx::raw_sql("vacuum analyze operations, attempts").execute(&product.db).await?;
    sqlx::raw_sql("checkpoint").execute(&product.db).await?;
    let made = product.operations().await?;
    anyhow::ensure!(made == i64::from(count).max(there), "{made} operations, not {count}");
    Ok(())
}
