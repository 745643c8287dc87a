//! The schema: each migration copes with data that is there already, and the guarantees that the database itself
//! carries hold against any statement.

use std::path::Path;

use mission_control::database::MIGRATIONS;
use mission_control::operation::status::State;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

use crate::support::postgres::{Database, fresh_database};

/// Of the sample data: who asked, what was asked for, and the message in which Twilio took it.
const ADA: &str = "00000000-0000-7000-8000-00000000000a";
const OPERATION: &str = "00000000-0000-7000-8000-0000000000d1";
const SID: &str = "SM00000000000000000000000000000001";

/// Ids for further operations.
const SECOND: &str = "00000000-0000-7000-8000-0000000000d2";
const THIRD: &str = "00000000-0000-7000-8000-0000000000d3";

async fn sample(connection: &mut PgConnection, version: i64) {
    let file = format!("tests/data/migrations/{version:04}_sample.sql");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file))
        .unwrap_or_else(|error| panic!("each migration has sample data for the next one, {file}: {error}"));
    perform(connection, &text).await;
}

async fn attempt(connection: &mut PgConnection, statement: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.map(|_| ())
}

async fn perform(connection: &mut PgConnection, statement: &str) {
    attempt(connection, statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// Which constraint, index or trigger refuses the statement.
async fn refusal(connection: &mut PgConnection, statement: &str) -> String {
    match attempt(connection, statement).await {
        Ok(()) => panic!("accepted: {statement}"),
        Err(sqlx::Error::Database(error)) => match error.constraint() {
            Some(constraint) => constraint.to_owned(),
            None => panic!("refused for another reason: {statement}: {error}"),
        },
        Err(error) => panic!("{statement}: {error}"),
    }
}

/// A migrated database with the sample data, and a connection to it.
async fn with_samples() -> (Database, PgConnection) {
    let database = fresh_database().await;
    let mut connection = database.options.connect().await.expect("the database answers");
    for migration in MIGRATIONS.iter() {
        sample(&mut connection, migration.version).await;
    }
    (database, connection)
}

/// Inserts a copy of the sample operation in which these columns are something else.
fn copy(changes: &Value) -> String {
    format!(
        "insert into operations select (jsonb_populate_record(o, \
         jsonb_build_object('id', gen_random_uuid(), 'provider_sid', null) || '{changes}')).* \
         from operations o where id = '{OPERATION}'"
    )
}

/// A digest of nothing that the sample data has, as JSON gives it to a `bytea` column.
fn another_digest() -> String {
    format!("\\x{}", "ab".repeat(32))
}

#[tokio::test]
async fn each_migration_copes_with_the_data_of_the_one_before() {
    let database = fresh_database().await;
    let mut connection = database.options.connect().await.expect("the database answers");
    perform(&mut connection, "drop schema public cascade; create schema public").await;
    for migration in MIGRATIONS.iter() {
        let mut step = connection.begin().await.expect("a transaction");
        perform(&mut step, migration.sql.as_str()).await;
        step.commit().await.expect("the migration commits");
        sample(&mut connection, migration.version).await;
    }

    let tables: Vec<String> =
        sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public' order by tablename")
            .fetch_all(&mut connection)
            .await
            .expect("the tables");
    assert!(tables.len() > 15, "{tables:?}");
    for table in tables {
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {table}")))
            .fetch_one(&mut connection)
            .await
            .expect("a count");
        assert!(count > 0, "{table} has no sample row");
    }
}

#[tokio::test]
async fn what_was_asked_for_never_changes() {
    let (_database, mut connection) = with_samples().await;
    for change in [
        "id = gen_random_uuid()",
        "mode = 'live'",
        "kind = 'call'",
        "to_number = '+14155550133'",
        "from_number = '+15005550007'",
        "message = 'Hello!'",
        "message = null",
        "audio_url = 'https://example.com/a.mp3'",
        "speech_text = 'Hello'",
        "voice_id = 'another'",
        "model_id = 'another'",
        "clip_id = 'clip-0123456789abcdef0123456789abcdef'",
        "content_digest = sha256('another')",
        "content_digest = null",
        "match_key = sha256('another')",
        "segments = 2",
        "encoding = 'UCS-2'",
        "requested_by = approved_by",
        "created_at = created_at + interval '1 second'",
        "idempotency_key = 'another'",
    ] {
        let statement = format!("update operations set {change} where id = '{OPERATION}'");
        assert_eq!(refusal(&mut connection, &statement).await, "content_is_immutable", "{change}");
    }
}

#[tokio::test]
async fn speech_that_is_being_made_fills_its_digest_once() {
    let (_database, mut connection) = with_samples().await;
    let preparing = json!({
        "id": SECOND, "state": "preparing", "content_digest": null,
        "approved_by": null, "approved_digest": null, "approved_at": null, "execute_before": null,
    });
    perform(&mut connection, &copy(&preparing)).await;
    let made =
        |digest: &str| format!("update operations set content_digest = sha256('{digest}') where id = '{SECOND}'");
    perform(&mut connection, &made("first")).await;
    assert_eq!(refusal(&mut connection, &made("second")).await, "content_is_immutable");
}

/// Of the sample data: a call from text that is being prepared, and a clip that was made.
const PREPARING: &str = "00000000-0000-7000-8000-0000000000d7";
const CLIP: &str = "clip-made-0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn who_speaks_is_filled_in_with_the_clip_once_and_never_against_what_was_asked_for() {
    let (_database, mut connection) = with_samples().await;
    let alone = format!("update operations set voice_id = 'voice-1' where id = '{PREPARING}'");
    assert_eq!(refusal(&mut connection, &alone).await, "content_is_immutable");
    let copy_of = |changes: Value| {
        format!(
            "insert into operations select (jsonb_populate_record(o, '{changes}')).* \
             from operations o where id = '{PREPARING}'"
        )
    };
    perform(&mut connection, &copy_of(json!({ "id": SECOND, "voice_id": "voice-2" }))).await;
    let filled = |id: &str, voice: &str| {
        format!(
            "update operations set state = 'pending_approval', clip_id = '{CLIP}', content_digest = sha256('spoken'), \
             voice_id = '{voice}', model_id = 'model-1' where id = '{id}'"
        )
    };
    assert_eq!(refusal(&mut connection, &filled(SECOND, "voice-1")).await, "content_is_immutable");
    perform(&mut connection, &filled(SECOND, "voice-2")).await;
    perform(&mut connection, &filled(PREPARING, "voice-1")).await;
    for change in ["voice_id = 'voice-3'", "model_id = null", "clip_id = null", "content_digest = sha256('other')"] {
        let statement = format!("update operations set {change} where id = '{PREPARING}'");
        assert_eq!(refusal(&mut connection, &statement).await, "content_is_immutable", "{change}");
    }
    let silent =
        json!({ "id": THIRD, "state": "pending_approval", "clip_id": null, "content_digest": another_digest() });
    assert_eq!(refusal(&mut connection, &copy_of(silent)).await, "speech_is_made");
}

#[tokio::test]
async fn a_clip_that_was_made_stays_what_it_is() {
    let (_database, mut connection) = with_samples().await;
    for change in [
        "content_hash = sha256('other')",
        "bytes = 5",
        "text_spoken = 'other'",
        "voice_id = 'voice-2'",
        "request_hash = sha256('other')",
        "state = 'preparing'",
        "state = 'failed'",
    ] {
        let statement = format!("update clips set {change} where id = '{CLIP}'");
        assert_eq!(refusal(&mut connection, &statement).await, "clip_is_immutable", "{change}");
    }
    let twin = |id: &str, state: &str| {
        format!(
            "insert into clips select (jsonb_populate_record(c, \
             jsonb_build_object('id', '{id}-0123456789abcdef0123456789abcdef', 'state', '{state}'))).* \
             from clips c where id = '{CLIP}'"
        )
    };
    assert_eq!(refusal(&mut connection, &twin("second", "preparing")).await, "clips_one_a_request");
    perform(&mut connection, &twin("failed", "failed")).await;
    perform(&mut connection, &format!("update clips set state = 'deleted' where id = '{CLIP}'")).await;
    perform(&mut connection, &twin("anew", "preparing")).await;
}

#[tokio::test]
async fn what_happened_is_only_added_to() {
    let (_database, mut connection) = with_samples().await;
    for (table, column) in
        [("audit_lines", "actor"), ("decisions", "reason"), ("evidence", "conclusion"), ("settings", "changed_by")]
    {
        for statement in [
            format!("update {table} set {column} = 'somebody else'"),
            // Also where no row is touched: the refusal is of the statement.
            format!("update {table} set {column} = 'somebody else' where false"),
            format!("delete from {table}"),
            format!("truncate {table}"),
            format!("truncate {table} cascade"),
        ] {
            assert_eq!(refusal(&mut connection, &statement).await, format!("{table}_append_only"), "{statement}");
        }
    }
}

#[tokio::test]
async fn audit_lines_of_one_object_are_a_chain() {
    let (_database, mut connection) = with_samples().await;
    for seq in ["0", "default"] {
        let line = format!(
            "insert into audit_lines (object, seq, actor, action) \
             values ('operation/{OPERATION}', {seq}, 'Grace', 'approval.granted')"
        );
        perform(&mut connection, &line).await;
    }
    let broken: i64 = sqlx::query_scalar(
        "select count(*) from audit_lines later join audit_lines earlier using (object) \
         where later.seq = earlier.seq + 1 and later.prev_hash is distinct from earlier.hash",
    )
    .fetch_one(&mut connection)
    .await
    .expect("a count");
    assert_eq!(broken, 0);
    let numbers: Vec<i32> =
        sqlx::query_scalar("select seq from audit_lines where object like 'operation/%' order by id")
            .fetch_all(&mut connection)
            .await
            .expect("the numbers");
    assert_eq!(numbers, [1, 2, 3]);
    let first_again = format!(
        "insert into audit_lines (object, seq, actor, action) values ('operation/{OPERATION}', 1, 'Eve', 'forged')"
    );
    assert_eq!(refusal(&mut connection, &first_again).await, "audit_lines_object_seq");
}

#[tokio::test]
async fn an_attempt_stands_in_the_way_of_every_other_that_could_duplicate_it() {
    let (_database, mut connection) = with_samples().await;
    for id in [SECOND, THIRD] {
        perform(&mut connection, &copy(&json!({ "id": id, "state": "approved" }))).await;
    }
    let attempt = |operation: &str, number: u8, state: &str, match_key: &str, sid: &str| {
        format!(
            "insert into attempts (id, operation_id, number, state, mode, match_key, digest, ref_hash, started_at, \
             deadline_at, settle_at, provider_sid) select gen_random_uuid(), '{operation}', {number}, '{state}', mode, \
             sha256('{match_key}'), digest, sha256(gen_random_uuid()::text::bytea), started_at, deadline_at, settle_at, \
             {sid} from attempts where number = 1 limit 1"
        )
    };

    // The sample operation has an accepted attempt: no second one while that lives.
    for state in ["sending", "unknown", "accepted"] {
        let second = attempt(OPERATION, 2, state, "another", "null");
        assert_eq!(refusal(&mut connection, &second).await, "attempts_one_live_per_operation", "{state}");
    }
    // One message of Twilio's is the answer to one attempt, and stands at one operation.
    let same_sid = attempt(SECOND, 1, "accepted", "another", &format!("'{SID}'"));
    assert_eq!(refusal(&mut connection, &same_sid).await, "attempts_sid_bound_once");
    let rebound = format!("update operations set provider_sid = '{SID}' where id = '{SECOND}'");
    assert_eq!(refusal(&mut connection, &rebound).await, "operations_sid");

    // Two that Twilio's list could not tell apart are not open at once.
    perform(&mut connection, &attempt(SECOND, 1, "unknown", "twin", "null")).await;
    for state in ["sending", "unknown"] {
        let twin = attempt(THIRD, 1, state, "twin", "null");
        assert_eq!(refusal(&mut connection, &twin).await, "attempts_one_open_per_match_key", "{state}");
    }
    perform(&mut connection, &attempt(THIRD, 1, "sending", "no twin", "null")).await;
    let same_number = attempt(THIRD, 1, "refused", "no twin", "null");
    assert_eq!(refusal(&mut connection, &same_number).await, "attempts_number_key");
}

#[tokio::test]
async fn a_key_means_one_operation() {
    let (_database, mut connection) = with_samples().await;
    let again = "insert into idempotency_keys (owner, mode, route, key, fingerprint, operation_id, expires_at) \
        select owner, mode, route, key, sha256('another'), operation_id, expires_at from idempotency_keys";
    assert_eq!(refusal(&mut connection, again).await, "idempotency_keys_pkey");
}

#[tokio::test]
async fn an_approval_is_whole_of_another_person_and_of_this_content() {
    let (_database, mut connection) = with_samples().await;
    for (changes, constraint) in [
        (json!({ "state": "pending_approval", "approved_digest": null }), "approval_is_whole"),
        (json!({ "approved_at": null }), "approval_is_whole"),
        (json!({ "execute_before": null }), "approval_is_whole"),
        (json!({ "approved_by": null }), "approval_is_whole"),
        (json!({ "approved_by": ADA }), "four_eyes"),
        (json!({ "approved_digest": another_digest() }), "sent_only_what_was_approved"),
        (json!({ "approved_digest": another_digest(), "state": "sending" }), "sent_only_what_was_approved"),
        (json!({ "content_digest": null, "state": "pending_approval" }), "only_preparing_lacks_a_digest"),
        (json!({ "message": null }), "content_is_whole"),
        (json!({ "kind": "call" }), "content_is_whole"),
    ] {
        assert_eq!(refusal(&mut connection, &copy(&changes)).await, constraint, "{changes}");
    }
    // And what these are not in the way of.
    for changes in [
        json!({ "approved_by": ADA, "self_approved": true }),
        json!({ "approved_by": null, "approved_by_rule": "a rule" }),
    ] {
        perform(&mut connection, &copy(&changes)).await;
    }
}

/// A NULL makes a check neither true nor false, and PostgreSQL lets such a row in.
#[tokio::test]
async fn nothing_is_sent_without_an_approval() {
    let (_database, mut connection) = with_samples().await;
    for state in ["approved", "sending", "accepted", "delivered", "unknown", "needs_review"] {
        let changes = json!({
            "state": state,
            "approved_by": null, "approved_digest": null, "approved_at": null, "execute_before": null,
        });
        assert_eq!(refusal(&mut connection, &copy(&changes)).await, "sent_only_what_was_approved", "{state}");
    }
}

#[tokio::test]
async fn the_database_and_the_program_know_the_same_moves() {
    let (_database, mut connection) = with_samples().await;
    for from in State::ALL {
        for to in State::ALL {
            let mut transaction = connection.begin().await.expect("a transaction");
            perform(&mut transaction, &copy(&json!({ "id": SECOND, "state": from }))).await;
            let change = format!("update operations set state = '{to}' where id = '{SECOND}'");
            // An update that leaves the state as it is moves nothing.
            if from == to || from.may_become(to) {
                perform(&mut transaction, &change).await;
            } else {
                assert_eq!(refusal(&mut transaction, &change).await, "moves_are_legal", "{from} to {to}");
            }
            transaction.rollback().await.expect("a rollback");
        }
    }
}
