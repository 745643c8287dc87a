//! Clips in a bucket: an S3 of the test's own, which checks signatures.

use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::error_handling::HandleError;
use axum::http::StatusCode;
use mission_control::sandbox::Pace;
use reqwest::Method;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

use super::{audio, fetched, file, hash, name, ready, request};
use crate::support::service::{Service, Setup, eventually};

pub(super) const KEY_ID: &str = "mission-control";
pub(super) const SECRET: &str = "not-a-real-secret";

/// Starts an S3 with a bucket `clips`, whose objects are files in the folder, and answers its address.
pub(super) async fn storage(folder: &Path) -> String {
    std::fs::create_dir_all(folder.join("clips")).expect("a bucket");
    let mut builder = S3ServiceBuilder::new(FileSystem::new(folder).expect("a folder"));
    builder.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
    let failed = |error: s3s::HttpError| async move { (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:?}")) };
    let router = Router::new().fallback_service(HandleError::new(builder.build(), failed));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

async fn start(endpoint: &str, secret: &str) -> Service {
    let setup = Setup::new().await.pace(Pace::ByHand);
    setup
        .with("MISSION_CONTROL_CLIPS_URL", "s3://clips/of/calls")
        .with("MISSION_CONTROL_CLIPS_ENDPOINT", endpoint)
        .with("MISSION_CONTROL_CLIPS_ACCESS_KEY_ID", KEY_ID)
        .with("MISSION_CONTROL_CLIPS_SECRET_ACCESS_KEY", secret)
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_in_a_bucket_is_served_in_whole_and_in_part_and_is_removed_from_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = start(&storage(folder.path()).await, SECRET).await;
    let audio = audio(300_000);
    let clip = ready(&service, "clip", &audio).await;
    let object = folder.path().join("clips/of/calls").join(file(&audio));
    assert_eq!(std::fs::read(&object).expect("the object"), audio);
    assert_eq!(fetched(&service, &clip).await, (200, audio.clone()));
    let part =
        request(&service, Method::GET, &clip).header("range", "bytes=1000-200999").send().await.expect("an answer");
    assert_eq!(part.status(), 206);
    assert_eq!(part.bytes().await.expect("a body"), &audio[1_000..201_000]);
    let described = request(&service, Method::HEAD, &clip).send().await.expect("an answer");
    assert_eq!(described.headers()["content-length"], "300000");
    assert_eq!(service.app().clips.size(&hash(&audio)).await.expect("a size"), Some(300_000));

    service.clock.advance(Duration::from_hours(25));
    eventually("the object to be gone", || async {
        if object.exists() { Err("still there".to_owned()) } else { Ok(()) }
    })
    .await;
    assert_eq!(fetched(&service, &clip).await.0, 410);
    assert_eq!(service.app().clips.size(&hash(&audio)).await.expect("a size"), None);
    service.app().clips.delete(&hash(&audio)).await.expect("what is not there can be removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_away_or_refuses_is_told_and_tried_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = storage(folder.path()).await;
    for (endpoint, secret) in [(address.as_str(), "another secret"), ("http://127.0.0.1:1", SECRET)] {
        let service = start(endpoint, secret).await;
        let stored = service.app().clips.put(&hash(b"audio"), bytes::Bytes::from_static(b"audio")).await;
        let told = stored.expect_err("not stored").to_string();
        assert!(!told.contains(secret), "{told}");
        let mut connection = service.direct().await;
        super::row(&mut connection, &name("clip"), b"audio", &service.clock).await;
        let (status, body) = fetched(&service, &name("clip")).await;
        let problem: serde_json::Value = serde_json::from_slice(&body).expect("a problem");
        assert_eq!((status, problem["code"].as_str()), (503, Some("clips_unavailable")), "{endpoint}");
    }
}
