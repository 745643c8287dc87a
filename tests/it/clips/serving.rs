//! The public route of a clip.

use mission_control::auth::Role;
use reqwest::Method;
use reqwest::header::HeaderMap;

use super::{audio, fetched, file, hash, name, path, ready, request};
use crate::support::service::Service;

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_is_served_whole_with_what_caches_need() {
    let service = Service::start().await;
    let audio = audio(100_000);
    let clip = ready(&service, "whole", &audio).await;

    let answer = request(&service, Method::GET, &clip).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let headers = answer.headers().clone();
    assert_eq!(header(&headers, "content-type"), "audio/mpeg");
    assert_eq!(header(&headers, "content-length"), "100000");
    assert_eq!(header(&headers, "accept-ranges"), "bytes");
    assert_eq!(header(&headers, "etag"), format!("\"{}\"", file(&audio).trim_end_matches(".mp3")));
    assert!(header(&headers, "last-modified").ends_with(" GMT"), "{headers:?}");
    assert_eq!(header(&headers, "cache-control"), "public, max-age=86400, immutable");
    assert_eq!(header(&headers, "x-content-type-options"), "nosniff");
    assert_eq!(answer.bytes().await.expect("a body"), audio);

    let described = request(&service, Method::HEAD, &clip).send().await.expect("an answer");
    assert_eq!(described.status(), 200);
    for name in ["content-type", "content-length", "accept-ranges", "etag", "last-modified", "cache-control"] {
        assert_eq!(header(described.headers(), name), header(&headers, name), "{name}");
    }
    assert!(described.bytes().await.expect("no body").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_served_as_a_part_and_what_is_known_already_not_at_all() {
    let service = Service::start().await;
    let audio = audio(50_000);
    let clip = ready(&service, "part", &audio).await;
    let get = async |headers: &[(&str, &str)]| {
        let request = headers
            .iter()
            .fold(request(&service, Method::GET, &clip), |request, (name, value)| request.header(*name, *value));
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        (status, headers, answer.bytes().await.expect("a body"))
    };

    for (range, part) in [("bytes=0-0", 0..1), ("bytes=49999-", 49_999..50_000), ("bytes=1000-40999", 1_000..41_000)] {
        let (status, headers, body) = get(&[("range", range)]).await;
        assert_eq!((status, body.as_ref()), (206, &audio[part.clone()]), "{range}");
        let expected = format!("bytes {}-{}/50000", part.start, part.end - 1);
        assert_eq!(header(&headers, "content-range"), expected, "{range}");
        assert_eq!(header(&headers, "content-length"), part.len().to_string(), "{range}");
    }
    let (status, headers, body) = get(&[("range", "bytes=-500")]).await;
    assert_eq!((status, body.as_ref()), (206, &audio[49_500..]));
    let etag = header(&headers, "etag").to_owned();
    let modified = header(&headers, "last-modified").to_owned();

    let (status, headers, body) = get(&[("range", "bytes=50000-")]).await;
    assert_eq!((status, header(&headers, "content-range")), (416, "bytes */50000"));
    assert!(String::from_utf8_lossy(&body).contains("range_not_satisfiable"), "{body:?}");

    for known in [[("if-none-match", etag.as_str())], [("if-modified-since", modified.as_str())]] {
        let (status, headers, body) = get(&known).await;
        assert_eq!((status, body.len()), (304, 0), "{known:?}");
        assert_eq!(header(&headers, "etag"), etag, "{known:?}");
    }
    assert_eq!(get(&[("if-none-match", "\"another\"")]).await.0, 200);
    assert_eq!(get(&[("range", "bytes=0-1"), ("if-range", &etag)]).await.0, 206);
    assert_eq!(get(&[("range", "bytes=0-1"), ("if-range", "\"another\"")]).await.0, 200);
    assert_eq!(get(&[("range", "bytes=0-1,5-6")]).await.2.len(), audio.len(), "several parts are all of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_clip_that_is_ready_is_there_and_one_that_was_is_gone() {
    let service = Service::start().await;
    let clip = ready(&service, "gone", b"audio").await;
    let mut connection = service.direct().await;
    for state in ["preparing", "failed"] {
        sqlx::query(
            "insert into clips (id, request_hash, state, text_spoken) values ($1, sha256($1::bytea), $2, 'Hi')",
        )
        .bind(name(state))
        .bind(state)
        .execute(&mut connection)
        .await
        .expect("a clip");
        assert_eq!(fetched(&service, &name(state)).await.0, 404, "{state}");
    }
    for unknown in [name("unknown"), format!("{clip}.mp3"), format!("{clip}/"), "%00".repeat(40), "a".repeat(5_000)] {
        let answer = service.client().get(service.url(&path(&unknown))).send().await.expect("an answer");
        assert_eq!(answer.status(), 404, "{unknown}");
        assert_eq!(header(answer.headers(), "content-type"), "application/problem+json", "{unknown}");
        assert_eq!(header(answer.headers(), "cache-control"), "no-store", "{unknown}");
    }
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let answer = request(&service, method.clone(), &clip).send().await.expect("an answer");
        assert_eq!(answer.status(), 405, "{method}");
        assert_eq!(header(answer.headers(), "allow"), "GET,HEAD", "{method}");
    }
    sqlx::query("update clips set state = 'deleted', deleted_at = clock_timestamp() where id = $1")
        .bind(&clip)
        .execute(&mut connection)
        .await
        .expect("deleted");
    let (status, body) = fetched(&service, &clip).await;
    let problem: serde_json::Value = serde_json::from_slice(&body).expect("a problem");
    assert_eq!((status, problem["code"].as_str()), (410, Some("clip_expired")));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_lost_or_damaged_are_a_fault_and_never_half_a_recording() {
    let service = Service::start().await;
    service.person("ada@example.com", Role::Admin).await;
    let clip = ready(&service, "lost", b"audio").await;
    let file = service.data_dir().join("clips").join(file(b"audio"));
    std::fs::write(&file, b"aud").expect("damaged");
    assert_eq!(fetched(&service, &clip).await.0, 500);
    std::fs::remove_file(&file).expect("lost");
    assert_eq!(fetched(&service, &clip).await.0, 500);
    // Stored again, it is there again.
    service.app().clips.put(&hash(b"audio"), bytes::Bytes::from_static(b"audio")).await.expect("stored");
    assert_eq!(fetched(&service, &clip).await, (200, b"audio".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_on_the_machine_reads_the_folder() {
    use std::os::unix::fs::PermissionsExt as _;
    let service = Service::start().await;
    let folder = service.data_dir().join("clips");
    assert_eq!(std::fs::metadata(folder).expect("the folder").permissions().mode() & 0o777, 0o700);
}
