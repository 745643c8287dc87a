//! The private PostgreSQL: it starts for everyone, is shared, and survives every kind of death.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, io};

use mission_control::private_postgres::{Error, Options, PrivatePostgres, Purpose};
use rustix::process::{Pid, Signal, geteuid, kill_process, test_kill_process};
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::support::postgres::fresh_database;

/// Tells a test that it runs in a child process, and on which data folder.
const CHILD: &str = "MISSION_CONTROL_TEST_CHILD";
/// A user and group that need no entry in any file: it is only the lack of rights that counts.
const NOBODY: u32 = 65534;
/// Nothing here takes more than a few seconds on an idle machine.
const LIMIT: Duration = Duration::from_mins(2);

const COMMAND: Options = Options { purpose: Purpose::Command, durable: false };
const SERVE: Options = Options { purpose: Purpose::Serve, durable: false };
const DURABLE: Options = Options { purpose: Purpose::Command, durable: true };

async fn start(data_dir: &Path, options: Options) -> PrivatePostgres {
    timeout(LIMIT, PrivatePostgres::start(data_dir, options))
        .await
        .expect("the start takes its time")
        .unwrap_or_else(|error| panic!("{error}"))
}

async fn stop(postgres: PrivatePostgres) {
    timeout(LIMIT, postgres.stop()).await.expect("the stop takes its time").unwrap_or_else(|error| panic!("{error}"));
}

/// Stores a number in a table of its own.
async fn write(postgres: &PrivatePostgres, number: i32) {
    let mut connection = postgres.connect_options().connect().await.expect("PostgreSQL answers");
    sqlx::raw_sql("create table if not exists numbers (number integer)")
        .execute(&mut connection)
        .await
        .expect("the table is made");
    sqlx::query("insert into numbers values ($1)")
        .bind(number)
        .execute(&mut connection)
        .await
        .expect("the number is stored");
    connection.close().await.expect("the connection closes");
}

async fn read(postgres: &PrivatePostgres) -> Vec<i32> {
    let mut connection = postgres.connect_options().connect().await.expect("PostgreSQL answers");
    let numbers = sqlx::query_scalar("select number from numbers order by number")
        .fetch_all(&mut connection)
        .await
        .expect("the numbers are there");
    connection.close().await.expect("the connection closes");
    numbers
}

/// A folder that every account can pass through, whatever the umask is.
fn open_folder() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("it is ours");
    folder
}

/// The process id of the server that runs in this folder.
fn server(location: &Path) -> Pid {
    let announced = fs::read_to_string(location.join("postmaster.pid")).expect("a server runs");
    let pid = announced.lines().next().and_then(|pid| pid.parse().ok());
    pid.and_then(Pid::from_raw).expect("a process id")
}

fn runs(location: &Path) -> bool {
    location.join("postmaster.pid").exists()
}

/// A test once more, in a process of its own. It may be killed, or run as another user.
fn again(test: &str) -> Command {
    again_from(&env::current_exe().expect("this program"), test)
}

/// The same, where the program is somewhere else.
fn again_from(program: &Path, test: &str) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--exact", &format!("private_postgres::{test}"), "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// A process that uses the cluster of this data folder until its standard input closes.
fn other_user(mut command: Command, data_dir: &Path) -> (Child, impl Read + use<>) {
    let mut child = command.env(CHILD, data_dir).spawn().expect("the child starts");
    let mut said = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    while line.trim() != "started" {
        line.clear();
        let length = said.read_line(&mut line).expect("its output");
        assert_ne!(length, 0, "the other process ended before it used the cluster");
    }
    (child, said)
}

/// In the child of [`other_user`]: uses the cluster. In the test itself: false.
async fn is_other_user(options: Options) -> bool {
    let Some(data_dir) = env::var_os(CHILD) else {
        return false;
    };
    let postgres = start(Path::new(&data_dir), options).await;
    writeln!(io::stdout(), "\nstarted").expect("the parent listens");
    io::stdin().read_line(&mut String::new()).expect("the parent closes it");
    stop(postgres).await;
    true
}

#[tokio::test]
async fn what_is_stored_is_there_after_a_stop_and_a_start() {
    let folder = open_folder();
    let postgres = start(folder.path(), COMMAND).await;
    write(&postgres, 1).await;
    let location = postgres.location().to_owned();
    assert_eq!(location.metadata().unwrap().mode() & 0o777, 0o700);
    stop(postgres).await;
    assert!(!runs(&location), "the last user stops the cluster");

    let postgres = start(folder.path(), COMMAND).await;
    assert_eq!(read(&postgres).await, [1]);
    stop(postgres).await;
}

#[tokio::test]
async fn by_default_it_is_durable_and_reached_by_its_socket_alone() {
    let folder = open_folder();
    let postgres = start(folder.path(), DURABLE).await;
    let mut connection = postgres.connect_options().connect().await.unwrap();
    for (setting, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("lc_collate", "C"),
        ("listen_addresses", ""),
    ] {
        let found: String = sqlx::query_scalar("select coalesce(current_setting($1, true), 'C')")
            .bind(setting)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(found, value, "{setting}");
    }
    connection.close().await.unwrap();
    stop(postgres).await;
}

/// Removes a folder at the end, also of a failing test.
struct Tidy(PathBuf);

impl Drop for Tidy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn as_root_in_a_home_that_others_cannot_enter() {
    let home = open_folder();
    fs::set_permissions(home.path(), Permissions::from_mode(0o700)).unwrap();
    let data_dir = home.path().join("data");
    let postgres = start(&data_dir, COMMAND).await;
    let location = postgres.location().to_owned();
    let parent = location.parent().unwrap().to_owned();
    let _tidy = Tidy(parent.clone());
    let owner = location.metadata().unwrap().uid();
    write(&postgres, 1).await;
    stop(postgres).await;

    if !geteuid().is_root() {
        // Nobody else's account is involved: the cluster is where it always is.
        assert_eq!(location, data_dir.canonicalize().unwrap().join("postgres"));
        return;
    }
    assert_ne!(owner, 0, "PostgreSQL runs as another account");
    assert_eq!(parent.parent(), Some(Path::new("/var/lib/mission-control")));

    // It is found again, although nothing but a link in the data folder says where it is.
    let postgres = start(&data_dir, COMMAND).await;
    assert_eq!(postgres.location(), location);
    assert_eq!(read(&postgres).await, [1]);
    stop(postgres).await;

    // A new data folder at the same path is not given the data of the old one, which stays untouched.
    fs::remove_dir_all(&data_dir).unwrap();
    let postgres = start(&data_dir, COMMAND).await;
    let newer = postgres.location().parent().unwrap().to_owned();
    let _tidy_newer = Tidy(newer.clone());
    stop(postgres).await;
    assert_ne!(newer, parent);
    assert!(location.join("PG_VERSION").exists());

    // Where PostgreSQL's account may not go any more, the error says so.
    fs::set_permissions(&newer, Permissions::from_mode(0o700)).unwrap();
    let refusal = PrivatePostgres::start(&data_dir, COMMAND).await.unwrap_err();
    assert!(matches!(refusal, Error::Unreachable { .. }), "{refusal}");

    // Lost data is not papered over with an empty database.
    fs::remove_dir_all(&parent).unwrap();
    fs::remove_dir_all(&newer).unwrap();
    let refusal = PrivatePostgres::start(&data_dir, COMMAND).await.unwrap_err();
    assert!(matches!(refusal, Error::Lost { .. }), "{refusal}");
}

#[tokio::test]
async fn as_an_ordinary_user_whom_root_may_join() {
    if is_other_user(COMMAND).await {
        return;
    }
    let folder = open_folder();
    if !geteuid().is_root() {
        // There is no root to join, so this is the ordinary user's half.
        let postgres = start(folder.path(), COMMAND).await;
        assert_eq!(postgres.location().metadata().unwrap().uid(), geteuid().as_raw());
        write(&postgres, 1).await;
        stop(postgres).await;
        return;
    }
    // This program may be where others cannot reach it.
    let program = folder.path().join("it");
    // By a process of its own: what this one writes, a child that another test starts just then would hold open for
    // writing, and a program that is written to does not start.
    let copied = Command::new("cp").arg(env::current_exe().unwrap()).arg(&program).status().unwrap();
    assert!(copied.success());
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let data_dir = folder.path().join("data");
    fs::create_dir(&data_dir).unwrap();
    chown(&data_dir, Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = again_from(&program, "as_an_ordinary_user_whom_root_may_join");
    command.current_dir("/").uid(NOBODY).gid(NOBODY);
    let (mut other, _said) = other_user(command, &data_dir);

    let ours = start(&data_dir, COMMAND).await;
    assert_eq!(ours.location(), data_dir.canonicalize().unwrap().join("postgres"));
    assert_eq!(ours.location().metadata().unwrap().uid(), NOBODY);
    write(&ours, 1).await;
    drop(other.stdin.take());
    assert!(other.wait().unwrap().success());
    assert_eq!(read(&ours).await, [1]);
    stop(ours).await;
}

#[tokio::test]
async fn in_a_folder_with_a_long_and_strange_path() {
    let folder = open_folder();
    let data_dir = folder.path().join(format!("it's $HOME \"{}\"", "x".repeat(100)));
    fs::create_dir(&data_dir).unwrap();
    fs::set_permissions(&data_dir, Permissions::from_mode(0o755)).unwrap();
    let postgres = start(&data_dir, COMMAND).await;
    write(&postgres, 1).await;
    let socket = postgres.connect_options().get_socket().cloned().unwrap();
    assert_eq!(socket.metadata().unwrap().mode() & 0o777, 0o700);

    // Another user of it has another temporary folder, and still finds the socket.
    let joined = start(&data_dir, COMMAND).await;
    assert_eq!(joined.connect_options().get_socket(), Some(&socket));
    stop(joined).await;
    assert_eq!(read(&postgres).await, [1]);
    stop(postgres).await;
    assert!(!socket.exists(), "nothing is left in the temporary folder");

    // Someone else was there first.
    fs::create_dir(&socket).unwrap();
    fs::set_permissions(&socket, Permissions::from_mode(0o777)).unwrap();
    let refusal = PrivatePostgres::start(&data_dir, COMMAND).await.unwrap_err();
    fs::remove_dir(&socket).unwrap();
    assert!(matches!(refusal, Error::SocketFolder(_)), "{refusal}");
}

#[tokio::test]
async fn after_the_death_of_the_server() {
    let folder = open_folder();
    let postgres = start(folder.path(), DURABLE).await;
    write(&postgres, 1).await;
    // A session is open, so the server's processes do not all end at once.
    let session = postgres.connect_options().connect().await.unwrap();
    kill_process(server(postgres.location()), Signal::KILL).unwrap();

    let next = start(folder.path(), DURABLE).await;
    assert_eq!(read(&next).await, [1]);
    drop(session);
    stop(postgres).await;

    // The last user has nothing to stop; that is no failure.
    kill_process(server(next.location()), Signal::KILL).unwrap();
    stop(next).await;
}

#[tokio::test]
async fn after_our_own_death_the_cluster_lives_on() {
    if is_other_user(SERVE).await {
        return;
    }
    let folder = open_folder();
    let (mut first, _said) = other_user(again("after_our_own_death_the_cluster_lives_on"), folder.path());
    first.kill().unwrap();
    first.wait().unwrap();
    let before = server(&folder.path().join("postgres"));

    let next = start(folder.path(), SERVE).await;
    assert_eq!(server(next.location()), before, "the running cluster is used again");
    write(&next, 1).await;
    let location = next.location().to_owned();
    stop(next).await;
    assert!(!runs(&location), "its last user stopped it");
}

#[tokio::test]
async fn after_our_own_death_in_the_middle_of_the_first_start() {
    if is_other_user(SERVE).await {
        return;
    }
    let folder = open_folder();
    let mut first =
        again("after_our_own_death_in_the_middle_of_the_first_start").env(CHILD, folder.path()).spawn().unwrap();
    // On a machine that is too busy it may be past the middle; that must go well too.
    let reached = |name: &str| folder.path().join(name).exists();
    while !reached("postgres.new/PG_VERSION") && !reached("postgres") {
        assert!(first.try_wait().unwrap().is_none(), "the first start ended");
        sleep(Duration::from_millis(1)).await;
    }
    first.kill().unwrap();
    first.wait().unwrap();

    let next = start(folder.path(), SERVE).await;
    write(&next, 1).await;
    stop(next).await;
}

#[tokio::test]
async fn two_processes_start_at_once_and_the_last_one_stops_it() {
    if is_other_user(COMMAND).await {
        return;
    }
    let folder = open_folder();
    let data_dir = folder.path().to_owned();
    let other = tokio::task::spawn_blocking(move || {
        other_user(again("two_processes_start_at_once_and_the_last_one_stops_it"), &data_dir)
    });
    let ours = start(folder.path(), COMMAND).await;
    let (mut other, _said) = other.await.unwrap();
    let location = ours.location().to_owned();
    let running = server(&location);

    stop(ours).await;
    assert!(test_kill_process(running).is_ok(), "the other one still uses it");
    drop(other.stdin.take());
    assert!(other.wait().unwrap().success());
    assert!(!runs(&location), "the other one was the last");
}

#[tokio::test]
async fn a_second_server_is_refused_and_told_about_the_first() {
    let folder = open_folder();
    let first = start(folder.path(), SERVE).await;
    let refusal = PrivatePostgres::start(folder.path(), SERVE).await.unwrap_err();
    let text = refusal.to_string();
    assert!(matches!(refusal, Error::AlreadyServing { .. }), "{text}");
    assert!(text.contains(&format!("process {}, running since 20", std::process::id())), "{text}");

    let command = start(folder.path(), COMMAND).await;
    stop(command).await;
    write(&first, 1).await;
    stop(first).await;
    stop(start(folder.path(), SERVE).await).await;
}

#[tokio::test]
async fn a_folder_that_is_something_else_is_left_alone() {
    let folder = open_folder();
    fs::create_dir(folder.path().join("postgres")).unwrap();
    fs::write(folder.path().join("postgres/notes.txt"), "mine").unwrap();
    let refusal = PrivatePostgres::start(folder.path(), COMMAND).await.unwrap_err();
    assert!(matches!(refusal, Error::NotACluster(_) | Error::ForeignOwner { .. }), "{refusal}");
    assert!(folder.path().join("postgres/notes.txt").exists());
}

#[tokio::test]
async fn each_test_has_a_migrated_database_of_its_own() {
    let first = fresh_database().await;
    let second = fresh_database().await;
    let mut in_first = first.options.connect().await.unwrap();
    let mut in_second = second.options.connect().await.unwrap();
    sqlx::raw_sql("create table only_here ()").execute(&mut in_first).await.unwrap();
    assert!(sqlx::raw_sql("select from only_here").execute(&mut in_second).await.is_err());
    let deployments: i64 =
        sqlx::query_scalar("select count(*) from deployment").fetch_one(&mut in_second).await.unwrap();
    assert_eq!(deployments, 1);

    // It goes although a connection is open, and takes nothing else along.
    let gone = first.options.clone();
    drop(first);
    assert!(gone.connect().await.is_err());
    assert!(second.options.connect().await.is_ok());
}
