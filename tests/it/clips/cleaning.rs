//! Clips that nothing needs any more.

use std::time::Duration;

use mission_control::auth::Role;
use mission_control::sandbox::Pace;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::{fetched, hash, name, ready, row};
use crate::support::service::{Service, Setup, eventually};

const DAY: Duration = Duration::from_hours(24);
const MOMENT: Duration = Duration::from_mins(1);

async fn service() -> Service {
    Setup::new().await.pace(Pace::ByHand).start().await
}

async fn perform(connection: &mut PgConnection, statement: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await;
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// An SMS turned into a call that plays this clip and ends in this state now, or is open.
async fn operation(service: &Service, connection: &mut PgConnection, clip: &str, state: &str) -> String {
    let (token, to) = (service.token_of("ada@example.com", &mission_control::auth::Scope::ALL).await, "+14155550132");
    let id = service.ask(&token, to, clip).await["operationId"].as_str().expect("an id").to_owned();
    let change = format!(
        "set session_replication_role = replica;
         update operations
         set kind = 'call', message = null, segments = null, encoding = null, speech_text = 'Hello', voice_id = 'v',
             model_id = 'm', clip_id = '{clip}', state = '{state}',
             finished_at = case when '{state}' <> 'pending_approval' then clock_timestamp() + interval '{} us' end
         where id = '{id}';
         reset session_replication_role",
        service.clock.offset().microseconds
    );
    perform(connection, &change).await;
    id
}

async fn state(connection: &mut PgConnection, clip: &str) -> (String, bool) {
    sqlx::query_as("select state, bytes_removed_at is not null from clips where id = $1")
        .bind(clip)
        .fetch_one(connection)
        .await
        .expect("the row stays")
}

/// Waits until a clip was removed with its bytes.
async fn until_removed(connection: &mut PgConnection, clip: &str) {
    let began = std::time::Instant::now();
    while state(connection, clip).await != ("deleted".to_owned(), true) {
        assert!(began.elapsed() < Duration::from_mins(1), "{clip}: {:?}", state(connection, clip).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the cleaning has passed once more: a clip that nothing ever needed was removed.
async fn until_cleaned(service: &Service, connection: &mut PgConnection, label: &str) {
    let witness = ready(service, label, label.as_bytes()).await;
    // It looks as old as it has to be.
    let aged = format!("update clips set created_at = created_at - interval '400 days' where id = '{witness}'");
    perform(connection, &aged).await;
    until_removed(connection, &witness).await;
}

async fn is_stored(service: &Service, audio: &[u8]) -> bool {
    service.app().clips.size(&hash(audio)).await.expect("the store").is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_is_removed_a_day_after_the_last_operation_that_needs_it_ended() {
    let service = service().await;
    service.person("ada@example.com", Role::Admin).await;
    let mut connection = service.direct().await;
    let clip = ready(&service, "clip", b"audio").await;
    let open = operation(&service, &mut connection, &clip, "pending_approval").await;
    operation(&service, &mut connection, &clip, "rejected").await;

    // However old it is: an open operation needs it.
    service.clock.advance(DAY * 30);
    until_cleaned(&service, &mut connection, "first").await;
    assert_eq!(state(&mut connection, &clip).await, ("ready".to_owned(), false));

    let now = service.clock.offset().microseconds;
    let ended = format!(
        "set session_replication_role = replica;
         update operations set state = 'cancelled', finished_at = clock_timestamp() + interval '{now} us'
         where id = '{open}';
         reset session_replication_role"
    );
    perform(&mut connection, &ended).await;
    service.clock.advance(Duration::from_mins(24 * 60 - 5));
    until_cleaned(&service, &mut connection, "second").await;
    assert_eq!(fetched(&service, &clip).await, (200, b"audio".to_vec()), "it may still be heard");

    service.clock.advance(MOMENT * 6);
    until_removed(&mut connection, &clip).await;
    assert_eq!(fetched(&service, &clip).await.0, 410);
    assert!(!is_stored(&service, b"audio").await);
    let line: (String, String, Value) =
        sqlx::query_as("select action, actor, details from audit_lines where object = 'clip/' || $1")
            .bind(&clip)
            .fetch_one(&mut connection)
            .await
            .expect("a line");
    assert_eq!(line, ("clip.deleted".to_owned(), "cleaning".to_owned(), json!({ "bytes": 5, "wasReady": true })));
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_a_clip_is_kept_is_a_setting_and_one_that_was_never_used_is_kept_no_longer() {
    let setup = Setup::new().await.with("MISSION_CONTROL_VOICE_CLIPS_KEPT_HOURS", "2");
    let service = setup.start().await;
    let mut connection = service.direct().await;
    let clip = ready(&service, "clip", b"audio").await;
    let unfinished = "insert into clips (id, request_hash, state, text_spoken, created_at)
        values (rpad('unfinished', 43, '-'), sha256('unfinished'), 'preparing', 'Hello', clock_timestamp())";
    perform(&mut connection, unfinished).await;
    service.clock.advance(MOMENT * 115);
    until_cleaned(&service, &mut connection, "first").await;
    assert_eq!(state(&mut connection, &clip).await.0, "ready");
    assert_eq!(state(&mut connection, &name("unfinished")).await.0, "preparing");
    service.clock.advance(MOMENT * 10);
    until_removed(&mut connection, &clip).await;
    eventually("the unfinished one to be given up", || async {
        let state: String = sqlx::query_scalar("select state from clips where id = rpad('unfinished', 43, '-')")
            .fetch_one(&service.app().db)
            .await
            .expect("a row");
        if state == "deleted" { Ok(()) } else { Err(state) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_stay_as_long_as_another_clip_has_them() {
    let service = service().await;
    service.person("ada@example.com", Role::Admin).await;
    let mut connection = service.direct().await;
    let old = ready(&service, "old", b"shared").await;
    service.clock.advance(DAY + MOMENT);
    let young = ready(&service, "young", b"shared").await;
    until_removed(&mut connection, &old).await;
    assert_eq!(fetched(&service, &old).await.0, 410);
    assert_eq!(fetched(&service, &young).await, (200, b"shared".to_vec()));
    service.clock.advance(DAY + MOMENT);
    until_removed(&mut connection, &young).await;
    assert!(!is_stored(&service, b"shared").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_behind_is_removed_later() {
    let service = service().await;
    let mut connection = service.direct().await;
    // Marked, and then the process was gone.
    let marked = ready(&service, "marked", b"left behind").await;
    perform(&mut connection, &format!("update clips set state = 'deleted' where id = '{marked}'")).await;
    until_removed(&mut connection, &marked).await;
    assert!(!is_stored(&service, b"left behind").await);
    // Gone already, by whoever crashed just after.
    let removed = name("removed");
    row(&mut connection, &removed, b"never there", &service.clock).await;
    perform(&mut connection, &format!("update clips set state = 'deleted' where id = '{removed}'")).await;
    until_removed(&mut connection, &removed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_that_somebody_is_just_taking_is_left_alone_and_one_that_is_gone_cannot_be_taken() {
    let service = service().await;
    service.person("ada@example.com", Role::Admin).await;
    let mut connection = service.direct().await;
    let token = service.token_of("ada@example.com", &mission_control::auth::Scope::ALL).await;
    let asked = service.ask(&token, "+14155550132", "Hello").await["operationId"].as_str().expect("an id").to_owned();
    // A call from text that is being prepared. Of the triggers, only the frozen content has to stand aside.
    let preparing = format!(
        "set session_replication_role = replica;
         update operations
         set kind = 'call', message = null, segments = null, encoding = null, speech_text = 'Hello', state = 'preparing',
             content_digest = null
         where id = '{asked}';
         reset session_replication_role"
    );
    perform(&mut connection, &preparing).await;
    let clip = ready(&service, "clip", b"audio").await;
    service.clock.advance(DAY + MOMENT);

    // A transaction that fills the clip in has not ended yet.
    let mut taking = service.direct().await;
    let mut transaction = taking.begin().await.expect("a transaction");
    let fill = |clip: &str| {
        format!(
            "update operations set clip_id = '{clip}', voice_id = 'v', model_id = 'm', content_digest = sha256('digest'),
             state = 'pending_approval' where id = '{asked}'"
        )
    };
    // The cleaning may have been quicker than this; then it is the other case, below.
    let taken = sqlx::raw_sql(AssertSqlSafe(fill(&clip))).execute(&mut *transaction).await;
    if taken.is_ok() {
        until_cleaned(&service, &mut connection, "first").await;
        assert_eq!(state(&mut connection, &clip).await.0, "ready", "a row that is locked is passed over");
        transaction.commit().await.expect("committed");
        until_cleaned(&service, &mut connection, "second").await;
        assert_eq!(fetched(&service, &clip).await, (200, b"audio".to_vec()));
    } else {
        transaction.rollback().await.expect("rolled back");
        assert_eq!(state(&mut connection, &clip).await.0, "deleted");
    }

    let gone = ready(&service, "gone", b"gone").await;
    perform(&mut connection, &format!("update clips set state = 'deleted' where id = '{gone}'")).await;
    perform(&mut connection, &preparing.replace("content_digest = null", "content_digest = null, clip_id = null"))
        .await;
    let refused = sqlx::raw_sql(AssertSqlSafe(fill(&gone))).execute(&mut connection).await.expect_err("refused");
    let constraint = refused.as_database_error().and_then(|error| error.constraint().map(str::to_owned));
    assert_eq!(constraint.as_deref(), Some("clip_is_ready"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_names_a_content_waits_for_whoever_removes_it() {
    let service = service().await;
    let mut connection = service.direct().await;
    let clip = ready(&service, "clip", b"audio").await;
    // Somebody is removing these bytes: the lock is held.
    let mut removing = service.direct().await;
    let mut transaction = removing.begin().await.expect("a transaction");
    sqlx::query("select lock_clip_content($1)")
        .bind(&hash(b"audio")[..])
        .execute(&mut *transaction)
        .await
        .expect("held");
    #[expect(clippy::disallowed_methods, reason = "it is waited for below")]
    let naming = tokio::spawn({
        let (mut other, clock) = (service.direct().await, service.clock.clone());
        async move { row(&mut other, &name("again"), b"audio", &clock).await }
    });
    // The statement is seen to wait for it.
    eventually("a waiting statement", || async {
        let waiting: i64 = sqlx::query_scalar(
            "select count(*) from pg_locks where locktype = 'advisory' and not granted
             and database = (select oid from pg_database where datname = current_database())",
        )
        .fetch_one(&service.app().db)
        .await
        .expect("a count");
        if waiting == 1 { Ok(()) } else { Err(format!("{waiting} wait")) }
    })
    .await;
    assert!(!naming.is_finished());
    transaction.commit().await.expect("done");
    naming.await.expect("named");
    // And the cleaning sees that the bytes are somebody's again.
    perform(&mut connection, &format!("update clips set state = 'deleted' where id = '{clip}'")).await;
    until_removed(&mut connection, &clip).await;
    assert!(is_stored(&service, b"audio").await);
}
