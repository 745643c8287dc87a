//! Whether the audit is as it was written: each way in which somebody with all rights on the database may change it is
//! found, and told by its object and line where a line is left to tell of.

use std::time::Duration;

use mission_control::audit::checkpoint::{self, Checkpoint};
use mission_control::audit::commands::{AuditCommand, audit};
use mission_control::audit::verify::{Fault, verify};
use mission_control::clock::Clock;
use sqlx::{AssertSqlSafe, PgPool};

use crate::support::postgres::{Database, fresh_database};
use crate::support::program::run;

const FIRST: &str = "operation/first";
const SECOND: &str = "vault/second";

/// More than a day, after which a checkpoint is due.
const A_DAY: Duration = Duration::from_hours(25);

struct Fixture {
    database: Database,
    db: PgPool,
    clock: Clock,
}

impl Fixture {
    /// Two objects of four lines each, written as the service writes them.
    async fn new() -> Self {
        let database = fresh_database().await;
        let fixture =
            Self { db: mission_control::database::pool(database.options.clone()), database, clock: Clock::manual() };
        for number in 1..=4 {
            fixture.write(FIRST, number).await;
            fixture.write(SECOND, number).await;
        }
        fixture
    }

    async fn write(&self, object: &str, number: i32) {
        sqlx::query(
            "insert into audit_lines (object, at, actor, actor_id, action, from_state, to_state, mode, ip, correlation_id, details)
             values ($1, clock_timestamp() + $3, 'ada@example.com', gen_random_uuid(), 'operation.asked', 'a', 'b', 'sandbox',
                '192.0.2.1', 'r-1', jsonb_build_object('n', $2::integer, 'text', 'ä \" \\ 1e5'))",
        )
        .bind(object)
        .bind(number)
        .bind(self.clock.offset())
        .execute(&self.db)
        .await
        .expect("a line");
    }

    /// Counts what there is, a day later.
    async fn checkpoint(&self) -> Checkpoint {
        self.clock.advance(A_DAY);
        checkpoint::make(&self.db, &self.clock).await.expect("counted").expect("a checkpoint")
    }

    /// As somebody may who owns the database: without any trigger.
    async fn forge(&self, sql: &str) {
        let sql = format!("begin; set local session_replication_role = replica; {sql}; commit");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.db).await.expect("forged");
    }

    /// All faults, in words.
    async fn faults(&self, kept: Option<&Checkpoint>) -> Vec<String> {
        let verified = verify(&self.db, kept).await.expect("verified");
        assert_eq!(usize::try_from(verified.count).expect("few"), verified.faults.len());
        verified.faults.iter().map(Fault::to_string).collect()
    }

    async fn command(&self, command: AuditCommand) -> (anyhow::Result<()>, String) {
        let mut output = Vec::new();
        let done = audit(&self.db, &self.clock, command, &mut output).await;
        (done, String::from_utf8(output).expect("text"))
    }
}

/// Writes both chains anew, as the trigger would have, so that each is whole again.
const WRITE_ANEW: &str = "
    do $$
    declare line record; before bytea;
    begin
        for line in select * from audit_lines order by object, seq loop
            before := case when line.seq = 1 then null else before end;
            update audit_lines set prev_hash = before, hash = sha256(coalesce(before, ''::bytea) || convert_to(
                jsonb_build_array(line.object, line.seq, extract(epoch from line.at), line.actor, line.actor_id, line.token_id,
                    line.action, line.from_state, line.to_state, line.mode, line.ip, line.correlation_id, line.details)::text,
                'UTF8'))
            where id = line.id returning hash into before;
        end loop;
    end $$";

#[tokio::test]
async fn what_was_written_is_as_it_was_written() {
    let fixture = Fixture::new().await;
    assert!(fixture.faults(None).await.is_empty());
    let checkpoint = fixture.checkpoint().await;
    assert_eq!((checkpoint.lines, checkpoint.objects), (8, 2));
    fixture.write(FIRST, 5).await;
    fixture.write("user/third", 1).await;
    let verified = verify(&fixture.db, Some(&checkpoint)).await.expect("verified");
    assert!(verified.faults.is_empty(), "{:?}", verified.faults);
    assert_eq!((verified.lines, verified.objects, verified.checkpoint), (10, 3, Some(checkpoint)));
}

#[tokio::test]
async fn an_edit_of_any_column_is_found_at_its_line() {
    let fixture = Fixture::new().await;
    for change in [
        "at = at + interval '1 microsecond'",
        "actor = 'eve@example.com'",
        "actor_id = null",
        "token_id = gen_random_uuid()",
        "action = 'operation.cancelled'",
        "from_state = null",
        "to_state = 'c'",
        "mode = 'live'",
        "ip = '192.0.2.2'",
        "correlation_id = 'r-2'",
        "details = details || '{\"n\": 99}'",
        "hash = sha256('another')",
    ] {
        fixture.forge("create table if not exists kept as select * from audit_lines").await;
        fixture.forge(&format!("update audit_lines set {change} where object = '{FIRST}' and seq = 2")).await;
        let faults = fixture.faults(None).await;
        assert!(faults.contains(&format!("{FIRST}, line 2: it was edited, or its hash was")), "{change}: {faults:?}");
        assert!(!faults.iter().any(|fault| fault.contains(SECOND)), "{change}: {faults:?}");
        fixture
            .forge(
                "delete from audit_lines; insert into audit_lines overriding system value select * from kept; drop table kept",
            )
            .await;
        assert!(fixture.faults(None).await.is_empty(), "{change}: as it was");
    }
}

#[tokio::test]
async fn an_edit_whose_hash_was_made_anew_is_found_at_the_next_line() {
    let fixture = Fixture::new().await;
    fixture
        .forge(&format!(
            "update audit_lines set actor = 'eve@example.com' where object = '{FIRST}' and seq = 2;
             update audit_lines set hash = sha256(prev_hash || convert_to(jsonb_build_array(object, seq,
                extract(epoch from at), actor, actor_id, token_id, action, from_state, to_state, mode, ip, correlation_id,
                details)::text, 'UTF8')) where object = '{FIRST}' and seq = 2"
        ))
        .await;
    let faults = fixture.faults(None).await;
    assert_eq!(faults, [format!("{FIRST}, line 3: it does not follow the line before, one of the two is another")]);
}

#[tokio::test]
async fn a_line_that_was_deleted_is_missed() {
    let fixture = Fixture::new().await;
    fixture.forge(&format!("delete from audit_lines where object = '{FIRST}' and seq in (2, 3)")).await;
    fixture.forge(&format!("delete from audit_lines where object = '{SECOND}' and seq = 1")).await;
    let faults = fixture.faults(None).await;
    assert_eq!(
        faults,
        [format!("{FIRST}, lines 2 to 3: they are missing"), format!("{SECOND}, line 1: it is missing")]
    );
}

#[tokio::test]
async fn lines_in_another_order_are_found() {
    let fixture = Fixture::new().await;
    fixture
        .forge(&format!(
            "update audit_lines set seq = 5 - seq + 100 where object = '{FIRST}' and seq in (2, 3);
             update audit_lines set seq = seq - 100 where object = '{FIRST}' and seq > 100"
        ))
        .await;
    let faults = fixture.faults(None).await;
    assert!(faults.iter().any(|fault| fault.starts_with(&format!("{FIRST}, line 2"))), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.starts_with(&format!("{FIRST}, line 3"))), "{faults:?}");
}

#[tokio::test]
async fn a_tail_that_was_cut_off_and_an_object_that_was_removed_show_against_the_checkpoint() {
    for (cut, now) in [
        (format!("delete from audit_lines where object = '{FIRST}' and seq > 2"), "there are 6 on 2"),
        (format!("delete from audit_lines where object = '{SECOND}'"), "there are 4 on 1"),
        ("delete from audit_lines".to_owned(), "there are 0 on 0"),
    ] {
        let fixture = Fixture::new().await;
        fixture.forge(&cut).await;
        assert!(fixture.faults(None).await.is_empty(), "{cut}: what is left is whole");

        let fixture = Fixture::new().await;
        let kept = fixture.checkpoint().await;
        fixture.forge(&cut).await;
        let faults = fixture.faults(None).await;
        assert_eq!(faults.len(), 1, "{cut}: {faults:?}");
        let expected = format!("lines before {}: there were 8 on 2 objects, {now}", kept.day);
        assert!(faults[0].starts_with(&expected), "{cut}: {faults:?}");
    }
}

#[tokio::test]
async fn a_line_that_was_slipped_into_the_past_shows_against_the_checkpoint() {
    let fixture = Fixture::new().await;
    fixture.checkpoint().await;
    sqlx::query(
        "insert into audit_lines (object, at, actor, action) values ('user/eve', '2026-01-01Z', 'eve', 'user.added')",
    )
    .execute(&fixture.db)
    .await
    .expect("a line");
    let faults = fixture.faults(None).await;
    assert!(faults.len() == 1 && faults[0].contains("there are 9 on 3"), "{faults:?}");
}

#[tokio::test]
async fn whoever_writes_everything_anew_is_found_out_by_a_kept_line() {
    let fixture = Fixture::new().await;
    let kept: Checkpoint = fixture.checkpoint().await.to_string().parse().expect("its line");
    fixture
        .forge(&format!("update audit_lines set actor = 'eve@example.com' where object = '{FIRST}' and seq = 2"))
        .await;
    fixture.forge(WRITE_ANEW).await;
    let faults = fixture.faults(None).await;
    assert!(faults.len() == 1 && faults[0].contains("there are 8 on 2, and some are others"), "{faults:?}");

    // Then the checkpoints too: nothing in the database is wrong with itself any more.
    fixture.forge("delete from audit_checkpoints").await;
    let forged = checkpoint::make(&fixture.db, &fixture.clock).await.expect("counted").expect("a checkpoint");
    assert!(fixture.faults(None).await.is_empty(), "the whole is consistent");
    let faults = fixture.faults(Some(&kept)).await;
    assert_eq!(forged.day, kept.day);
    assert!(faults.iter().any(|fault| fault.contains("is another than the one that was kept")), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.contains("some are others")), "{faults:?}");

    fixture.forge("delete from audit_checkpoints").await;
    let faults = fixture.faults(Some(&kept)).await;
    assert!(faults.contains(&format!("checkpoint of {}: it is not in the database", kept.day)), "{faults:?}");
}

#[tokio::test]
async fn a_checkpoint_that_was_edited_or_removed_is_found() {
    for change in [
        "update audit_checkpoints set lines = lines + 1 where day = (select min(day) from audit_checkpoints)",
        "update audit_checkpoints set heads = sha256('x') where day = (select min(day) from audit_checkpoints)",
        "delete from audit_checkpoints where day = (select min(day) from audit_checkpoints)",
        "update audit_checkpoints set prev_hash = sha256('x') where prev_hash is not null",
    ] {
        let fixture = Fixture::new().await;
        fixture.checkpoint().await;
        fixture.write(FIRST, 5).await;
        fixture.checkpoint().await;
        assert!(fixture.faults(None).await.is_empty());
        fixture.forge(change).await;
        let faults = fixture.faults(None).await;
        assert!(faults.iter().any(|fault| fault.starts_with("checkpoint of ")), "{change}: {faults:?}");
    }
}

#[tokio::test]
async fn nothing_changes_a_checkpoint_in_the_ordinary_way() {
    let fixture = Fixture::new().await;
    fixture.checkpoint().await;
    for sql in ["update audit_checkpoints set lines = 0", "delete from audit_checkpoints", "truncate audit_checkpoints"]
    {
        let error = sqlx::query(sql).execute(&fixture.db).await.expect_err(sql);
        assert!(error.to_string().contains("append-only"), "{error}");
    }
}

#[tokio::test]
async fn of_all_processes_one_makes_the_days_checkpoint() {
    let fixture = Fixture::new().await;
    for _ in 0..2 {
        fixture.clock.advance(A_DAY);
        let tries = (0..8).map(|_| checkpoint::make(&fixture.db, &fixture.clock));
        let made = futures_util::future::join_all(tries).await;
        assert_eq!(made.into_iter().filter_map(|made| made.expect("counted")).count(), 1);
    }
    let days: Vec<time::Date> = sqlx::query_scalar("select day from audit_checkpoints order by day")
        .fetch_all(&fixture.db)
        .await
        .expect("the days");
    assert_eq!(days.len(), 2);
    assert!(fixture.faults(None).await.is_empty());
}

#[tokio::test]
async fn a_service_makes_it_by_itself() {
    let service = crate::support::service::Service::start().await;
    crate::support::service::eventually("a checkpoint", || async {
        let count: i64 = sqlx::query_scalar("select count(*) from audit_checkpoints")
            .fetch_one(&service.app().db)
            .await
            .map_err(|error| error.to_string())?;
        if count == 1 { Ok(()) } else { Err(format!("{count} checkpoints")) }
    })
    .await;
    service.stop().await;
}

#[tokio::test]
async fn the_commands_say_what_they_found() {
    let fixture = Fixture::new().await;
    fixture.clock.advance(A_DAY);
    let (done, line) = fixture.command(AuditCommand::Checkpoint).await;
    done.expect("a line");
    let kept: Checkpoint = line.parse().expect("what it prints is read back");
    let (_, again) = fixture.command(AuditCommand::Checkpoint).await;
    assert_eq!(again, line);

    let (done, output) = fixture.command(AuditCommand::Verify { against: Some(kept.clone()) }).await;
    done.expect("all is well");
    assert!(output.contains("8 lines on 2 objects: every hash and link is right."), "{output}");
    assert!(output.contains(&format!("The 8 lines before {} are those counted then.", kept.day)), "{output}");

    fixture.forge("update audit_lines set actor = 'eve@example.com' where seq = 2").await;
    let (done, output) = fixture.command(AuditCommand::Verify { against: None }).await;
    assert!(done.expect_err("it was changed").to_string().contains("not as it was written: 2 found"));
    assert!(output.contains(&format!("{FIRST}, line 2")) && output.contains(&format!("{SECOND}, line 2")), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_ends_with_its_verdict() {
    use sqlx::ConnectOptions as _;
    let fixture = Fixture::new().await;
    let url = fixture.database.options.to_url_lossy().to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let environment =
        [("DATABASE_URL", url.as_str()), ("MISSION_CONTROL_DATA_DIR", folder.path().to_str().expect("a path"))];
    assert_eq!(run(&["audit", "verify"], &environment, "").status.code(), Some(0));
    fixture.forge(&format!("delete from audit_lines where object = '{FIRST}' and seq = 2")).await;
    let output = run(&["audit", "verify"], &environment, "");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains(&format!("{FIRST}, line 2: it is missing")), "{told}");
    assert_eq!(run(&["audit", "verify", "--against", "nonsense"], &environment, "").status.code(), Some(2));
}
