//! Reads our database and Twilio's ledger into a history.

use mission_control::operation::content::Kind;
use mission_control::operation::status::State;
use reqwest::Method;
use serde_json::Value;
use sqlx::postgres::PgConnection;
use time::{Duration, OffsetDateTime};

use super::history::{Attempt, Content, Entry, History, Hold, Line, Operation, Request};
use super::site::{Site, Twilio};
use crate::support::service::text;

/// How long a claim that began before the hold was there may take to note its time.
const MARGIN: Duration = Duration::milliseconds(500);

/// All three logs of a run.
pub(super) async fn read(site: &Site, requests: Vec<Request>, heard_held: &[OffsetDateTime]) -> History {
    let db = &mut site.postgres.connect().await;
    // Twilio still reports: what the tables say must be of one moment.
    sqlx::raw_sql("begin isolation level repeatable read").execute(&mut *db).await.expect("a snapshot");
    History {
        requests,
        holds: holds(db, heard_held).await,
        operations: operations(db).await,
        lines: lines(db).await,
        attempts: attempts(db).await,
        ledger: ledger(&site.twilio).await,
    }
}

type OperationRow =
    (String, String, Kind, String, String, String, State, String, Option<String>, Option<String>, i64, bool, bool);

async fn operations(db: &mut PgConnection) -> Vec<Operation> {
    let rows: Vec<OperationRow> = sqlx::query_as(
        "select
            o.id::text,
            o.idempotency_key,
            o.kind,
            o.to_number,
            o.from_number,
            coalesce(o.message, o.audio_url),
            o.state,
            encode(o.content_digest, 'hex'),
            encode(o.approved_digest, 'hex'),
            o.provider_sid,
            (select count(*) from decisions d
                where d.operation_id = o.id and (d.decision = 'approve' or d.outcome = 'send_again')),
            needs_attention(o, clock_timestamp()),
            exists (select from provider_events e where e.operation_id = o.id and e.matched_by = 'reference')
        from operations o
        order by o.id",
    )
    .fetch_all(db)
    .await
    .expect("the operations");
    let operation = |row: OperationRow| Operation {
        id: row.0,
        key: row.1,
        content: Content { kind: row.2, to: row.3, from: row.4, says: row.5 },
        state: row.6,
        digest: row.7,
        approved_digest: row.8,
        sid: row.9,
        approvals: usize::try_from(row.10).expect("few"),
        needs_attention: row.11,
        is_reported: row.12,
    };
    rows.into_iter().map(operation).collect()
}

async fn lines(db: &mut PgConnection) -> Vec<Line> {
    let rows: Vec<(String, Option<State>, Option<State>, bool)> = sqlx::query_as(
        "select
            object,
            from_state,
            to_state,
            seq = row_number() over chain
                and prev_hash is not distinct from lag(hash) over chain
                and hash = sha256(coalesce(prev_hash, '') || convert_to(jsonb_build_array(
                    object, seq, extract(epoch from at), actor, actor_id, token_id, action, from_state, to_state,
                    mode, ip, correlation_id, details)::text, 'UTF8'))
        from audit_lines
        window chain as (partition by object order by seq)
        order by object, seq",
    )
    .fetch_all(db)
    .await
    .expect("the lines");
    rows.into_iter().map(|(object, from, to, is_chained)| Line { object, from, to, is_chained }).collect()
}

async fn attempts(db: &mut PgConnection) -> Vec<Attempt> {
    let rows: Vec<(String, String, Option<String>, OffsetDateTime)> = sqlx::query_as(
        "select operation_id::text, encode(digest, 'hex'), provider_sid, started_at
        from attempts
        order by operation_id, number",
    )
    .fetch_all(db)
    .await
    .expect("the attempts");
    let attempt = |(operation, digest, sid, started_at)| Attempt { operation, digest, sid, started_at };
    rows.into_iter().map(attempt).collect()
}

/// Each hold from when a client heard of it: the audit's time is that of the line, and its commit may be later. The line
/// of its end is written while it still holds.
async fn holds(db: &mut PgConnection, heard_held: &[OffsetDateTime]) -> Vec<Hold> {
    let rows: Vec<(OffsetDateTime, OffsetDateTime)> = sqlx::query_as(
        "select at, next_at
        from (
            select action, at, lead(at) over (order by seq) as next_at
            from audit_lines
            where object = 'hold') lines
        where action = 'hold.set' and next_at is not null",
    )
    .fetch_all(db)
    .await
    .expect("the lines of the hold");
    let heard = |set: OffsetDateTime, end: OffsetDateTime| {
        heard_held
            .iter()
            .find(|heard| set < **heard && **heard < end)
            .map(|heard| Hold { from: *heard + MARGIN, to: end })
    };
    rows.into_iter().filter_map(|(set, end)| heard(set, end)).collect()
}

async fn ledger(twilio: &Twilio) -> Vec<Entry> {
    let ledger = twilio.control(Method::GET, "/sandbox/ledger", None).await;
    let entries = |name: &str, kind: Kind| {
        let lines = ledger[name].as_array().expect("a list").clone();
        lines.into_iter().map(move |line| entry(&line, kind))
    };
    entries("messages", Kind::Sms).chain(entries("calls", Kind::Call)).collect()
}

fn entry(line: &Value, kind: Kind) -> Entry {
    let says = match kind {
        Kind::Sms => text(&line["body"]),
        Kind::Call => {
            let twiml = text(&line["twiml"]);
            let played = twiml.split_once("<Play>").and_then(|(_, rest)| rest.split_once("</Play></Response>"));
            played.map_or(twiml.clone(), |(played, _)| played.to_owned())
        }
    };
    let content = Content { kind, to: text(&line["to"]), from: text(&line["from"]), says };
    Entry { sid: text(&line["sid"]), content }
}
