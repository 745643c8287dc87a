//! A long clip and many slow listeners take no more memory than a few short ones: the program reads as fast as it is
//! listened to, from the folder and from a bucket.

use std::time::Duration;

use reqwest::Response;

use super::bucket::{KEY_ID, SECRET, storage};
use super::{audio, file, name, path, row};
use crate::support::installation::MASTER_KEY;
use crate::support::postgres::fresh_database;
use crate::support::program::Running;
use crate::support::{client, torture};
use mission_control::clock::Clock;
use sqlx::ConnectOptions as _;

const LISTENERS: usize = 8;
const MEGABYTE: usize = 1024 * 1024;

/// Most that the program may grow while all listen, in kilobytes: far less than it would take to hold the clip for each of
/// them, and in a full run less than to hold it once.
const GROWTH: u64 = 48 * 1024;

/// Kilobytes that a process has in memory, and has had at most.
fn resident(process: &Running) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).expect("a process of Linux");
    let value = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}"));
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    (value("VmRSS:"), value("VmHWM:"))
}

/// Listens slowly: a little at a time, with a rest in between.
async fn listen(mut answer: Response, rest: Duration) -> Vec<u8> {
    let mut heard = Vec::new();
    while let Some(chunk) = answer.chunk().await.expect("the next part") {
        heard.extend_from_slice(&chunk);
        if heard.len() % MEGABYTE < chunk.len() {
            tokio::time::sleep(rest).await;
        }
    }
    heard
}

async fn listeners_take_no_memory(kind: &str) {
    if !cfg!(target_os = "linux") {
        return;
    }
    // The slice is long enough that holding it for each listener would show.
    let (megabytes, rest) = if torture::is_full() { (60, Duration::from_millis(50)) } else { (16, Duration::ZERO) };
    let audio = audio(megabytes * MEGABYTE);
    let folder = tempfile::tempdir().expect("a folder");
    let database = fresh_database().await;
    let (url, data) = (database.options.to_url_lossy().to_string(), folder.path().join("data"));
    let objects = folder.path().join("objects");
    let mut environment = vec![
        ("DATABASE_URL", url.as_str()),
        ("MISSION_CONTROL_LISTEN", "127.0.0.1:0"),
        ("MISSION_CONTROL_DATA_DIR", data.to_str().expect("a path")),
        ("MISSION_CONTROL_MASTER_KEY", MASTER_KEY),
    ];
    let endpoint = storage(&objects).await;
    let kept_in = if kind == "bucket" {
        environment.extend([
            ("MISSION_CONTROL_CLIPS_URL", "s3://clips"),
            ("MISSION_CONTROL_CLIPS_ENDPOINT", endpoint.as_str()),
            ("MISSION_CONTROL_CLIPS_ACCESS_KEY_ID", KEY_ID),
            ("MISSION_CONTROL_CLIPS_SECRET_ACCESS_KEY", SECRET),
        ]);
        objects.join("clips")
    } else {
        data.join("clips")
    };
    let process = Running::serve(&environment, &data);
    std::fs::write(kept_in.join(file(&audio)), &audio).expect("stored");
    let mut connection = database.options.connect().await.expect("the database");
    row(&mut connection, &name("long"), &audio, &Clock::System).await;

    let (client, address) = (client(), format!("{}{}", process.url.trim_end_matches('/'), path(&name("long"))));
    let begin = async || client.get(&address).send().await.expect("an answer");
    // Whatever the first request needs for good is there.
    assert!(listen(begin().await, Duration::ZERO).await == audio, "{kind}");
    let (before, _) = resident(&process);
    let mut answers = Vec::new();
    for _ in 0..LISTENERS {
        answers.push(begin().await);
    }
    // All have begun and none goes on: what the program read ahead, it holds now.
    let idle = resident(&process).0;
    let heard = futures_util::future::join_all(answers.into_iter().map(|answer| listen(answer, rest))).await;
    assert!(heard.iter().all(|heard| *heard == audio), "{kind}: everybody heard all of it");
    let (after, most) = resident(&process);
    torture::report(&format!(
        "clips: {LISTENERS} listeners to {megabytes} MB from the {kind}: {} MB before, {} MB all begun, {} MB after, {} MB at most",
        before / 1024,
        idle / 1024,
        after / 1024,
        most / 1024
    ));
    assert!(most.saturating_sub(before) < GROWTH, "{kind}: from {before} kB to {most} kB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_clip_from_the_folder_streams_with_flat_memory() {
    listeners_take_no_memory("folder").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_clip_from_a_bucket_streams_with_flat_memory() {
    listeners_take_no_memory("bucket").await;
}
