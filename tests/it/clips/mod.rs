//! Clips: kept in a folder or a bucket, served to anybody who knows their name, followed, and removed when nothing needs
//! them.

mod bucket;
mod cleaning;
mod fetching;
mod memory;
mod serving;

use bytes::Bytes;
use reqwest::{Method, RequestBuilder};
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

use crate::support::service::Service;

/// A public name.
pub(crate) fn name(label: &str) -> String {
    format!("{label:-<43}")
}

pub(crate) fn hash(audio: &[u8]) -> [u8; 32] {
    Sha256::digest(audio).into()
}

/// The name under which the store keeps this audio.
pub(crate) fn file(audio: &[u8]) -> String {
    use std::fmt::Write as _;
    let hex = hash(audio).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("{hex}.mp3")
}

/// Something of this length that is never twice the same within.
pub(crate) fn audio(length: usize) -> Vec<u8> {
    let blocks = (0_u64..).map(|block| Sha256::digest(block.to_be_bytes()));
    blocks.flat_map(|block| block.to_vec()).take(length).collect()
}

/// A ready clip with this audio, made now.
pub(crate) async fn ready(service: &Service, label: &str, audio: &[u8]) -> String {
    let app = service.app();
    app.clips.put(&hash(audio), Bytes::copy_from_slice(audio)).await.expect("stored");
    let mut connection = service.direct().await;
    row(&mut connection, &name(label), audio, &app.clock).await;
    name(label)
}

/// The row of a ready clip.
pub(crate) async fn row(
    connection: &mut PgConnection,
    name: &str,
    audio: &[u8],
    clock: &mission_control::clock::Clock,
) {
    sqlx::query(
        "insert into clips (id, request_hash, state, text_spoken, content_hash, content_type, bytes, created_at, ready_at)
         select $1, sha256(convert_to($1, 'UTF8')), 'ready', 'Hello', $2, 'audio/mpeg', $3, at, at
         from (select clock_timestamp() + $4::interval as at) clock",
    )
    .bind(name)
    .bind(&hash(audio)[..])
    .bind(i64::try_from(audio.len()).expect("a length"))
    .bind(clock.offset())
    .execute(connection)
    .await
    .expect("a clip");
}

pub(crate) fn path(clip: &str) -> String {
    format!("/api/public/call-audio/{clip}")
}

/// A request for a clip, by nobody in particular.
pub(crate) fn request(service: &Service, method: Method, clip: &str) -> RequestBuilder {
    service.client().request(method, service.url(&path(clip)))
}

/// What a clip answers: its status and its bytes.
pub(crate) async fn fetched(service: &Service, clip: &str) -> (u16, Vec<u8>) {
    let answer = request(service, Method::GET, clip).send().await.expect("an answer");
    (answer.status().as_u16(), answer.bytes().await.expect("a body").to_vec())
}

/// Makes the operation one that plays this clip, whatever it was asked to play: as if it had been asked for from text.
pub(crate) async fn plays(service: &Service, operation: &str, clip: &str) {
    let mut connection = service.direct().await;
    for statement in [
        // What was asked for is frozen; this is about what follows.
        "set session_replication_role = replica".to_owned(),
        format!(
            "update operations set audio_url = null, speech_text = 'Hello', voice_id = 'v', model_id = 'm', clip_id = '{clip}'
             where id = '{operation}'"
        ),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.expect("changed");
    }
}
