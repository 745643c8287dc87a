//! Pages, styles and scripts leave gzipped. Nothing else does: audio is compressed already and served in ranges, streams
//! would wait for a full buffer, and no answer that is read by programs is large.
//!
//! No page holds a secret beside words of the reader's choice, from whose length together somebody who watches the line
//! could guess it (BREACH): the forms carry no token, and a secret that is shown once is never in the answer to a GET.

use axum::http::header::CONTENT_TYPE;
use axum::http::{Extensions, HeaderMap, StatusCode, Version};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, Predicate, SizeAbove};

/// What a page is made of.
const COMPRESSED: [&str; 4] = ["text/html", "text/css", "text/javascript", "image/svg+xml"];

/// Below this many bytes an answer fits into one packet anyway.
const WORTHWHILE: u64 = 1_024;

type Chosen = And<SizeAbove, fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool>;

pub(super) fn layer() -> CompressionLayer<Chosen> {
    let of_a_page: fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool = |_, _, headers, _| is_of_a_page(headers);
    CompressionLayer::new().quality(CompressionLevel::Default).compress_when(SizeAbove::new(WORTHWHILE).and(of_a_page))
}

fn is_of_a_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|value| value.split(';').next()).map(str::trim);
    kind.is_some_and(|kind| COMPRESSED.contains(&kind))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::{Request, header};
    use axum::routing::get;
    use tower::ServiceExt;

    use super::layer;

    async fn encoding(path: &str) -> Option<String> {
        let body = || "word ".repeat(1_000);
        let answer = Router::new()
            .route("/page", get(async move || axum::response::Html(body())))
            .route("/small", get(async || axum::response::Html("word")))
            .route("/events", get(async move || ([(header::CONTENT_TYPE, "text/event-stream")], body())))
            .route("/audio", get(async move || ([(header::CONTENT_TYPE, "audio/mpeg")], body())))
            .layer(layer())
            .oneshot(Request::get(path).header(header::ACCEPT_ENCODING, "gzip, br").body(Body::empty()).unwrap())
            .await
            .unwrap();
        answer.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap().to_owned())
    }

    #[tokio::test]
    async fn pages_are_compressed_and_streams_are_not() {
        assert_eq!(encoding("/page").await.as_deref(), Some("gzip"));
        for path in ["/small", "/events", "/audio"] {
            assert_eq!(encoding(path).await, None, "{path}");
        }
    }
}
