//! Static files: compiled into the binary, served under one fingerprint for the whole folder.
//!
//! One fingerprint, not one a file, because `app.css` names its fonts by relative address: they inherit it.

use std::{fmt::Display, sync::LazyLock};

use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest, Sha256};

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

const PREFIX: &str = "/static/";

/// A fingerprinted address never changes its content, so a browser need not ask again for a year.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Another fingerprint means a page of another version: it gets our file, but asks again the next time.
const REVALIDATE: &str = "no-cache";

/// The first 16 hexadecimal digits of SHA-256 over every name and content.
static FINGERPRINT: LazyLock<String> = LazyLock::new(|| {
    let mut names: Vec<_> = Files::iter().collect();
    names.sort_unstable();
    let digest = names
        .iter()
        .filter_map(|name| Files::get(name).map(|file| (name, file)))
        .fold(Sha256::new(), |hash, (name, file)| {
            hash.chain_update(name.as_bytes()).chain_update([0]).chain_update(file.metadata.sha256_hash())
        })
        .finalize();
    hex(&digest[..8])
});

/// The address of a static file, for templates.
pub(crate) fn path(name: &str) -> impl Display {
    std::fmt::from_fn(move |f| write!(f, "{PREFIX}{}/{name}", *FINGERPRINT))
}

/// A file under the fingerprint of all.
pub(crate) async fn fingerprinted(uri: Uri, headers: HeaderMap) -> Response {
    let Some((fingerprint, name)) = uri.path().strip_prefix(PREFIX).and_then(|rest| rest.split_once('/')) else {
        return not_found();
    };
    let policy = if fingerprint == *FINGERPRINT { IMMUTABLE } else { REVALIDATE };
    serve(name, policy, &headers)
}

/// Browsers ask for this name unasked; the pages link the fingerprinted one.
pub(crate) async fn favicon(headers: HeaderMap) -> Response {
    serve("favicon.svg", REVALIDATE, &headers)
}

fn serve(name: &str, cache_control: &'static str, request: &HeaderMap) -> Response {
    let Some(file) = Files::get(name) else {
        return not_found();
    };
    let etag = format!("\"{}\"", hex(&file.metadata.sha256_hash()[..16]));
    let headers = [(header::CACHE_CONTROL, cache_control.to_owned()), (header::ETAG, etag.clone())];
    if is_known(request, &etag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, [(header::CONTENT_TYPE, content_type(name))], body(file)).into_response()
}

fn body(file: EmbeddedFile) -> Bytes {
    match file.data {
        std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        std::borrow::Cow::Owned(bytes) => bytes.into(),
    }
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "There is no such file.\n").into_response()
}

/// Whether the browser already holds this version. A proxy may have weakened the tag, which does not matter here.
fn is_known(request: &HeaderMap, etag: &str) -> bool {
    request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == etag || tag == "*")
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        // Without an ending: the list of checksums.
        Some("txt") | None => "text/plain; charset=utf-8",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, http::Request, routing::get};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn ask(method: &str, path: &str, etag: Option<&str>) -> (StatusCode, HeaderMap, Bytes) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(etag) = etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        let router: Router = Router::new()
            .route("/static/{fingerprint}/{*file}", get(fingerprinted))
            .route("/favicon.ico", get(favicon));
        let answer = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
    }

    #[tokio::test]
    async fn the_right_fingerprint_may_be_kept_for_ever() {
        let (status, headers, body) = ask("GET", &path("app.css").to_string(), None).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[header::CONTENT_TYPE], "text/css; charset=utf-8");
        assert_eq!(headers[header::CACHE_CONTROL], IMMUTABLE);
        assert_eq!(body, include_bytes!("../../static/app.css").as_slice());
    }

    #[tokio::test]
    async fn fonts_are_found_where_the_style_sheet_looks_for_them() {
        let (status, headers, _) = ask("GET", &path("fonts/geist-latin.woff2").to_string(), None).await;
        assert_eq!((status, headers[header::CONTENT_TYPE].to_str().unwrap()), (StatusCode::OK, "font/woff2"));
    }

    #[tokio::test]
    async fn a_page_of_another_version_gets_a_file_that_is_not_kept() {
        let (status, headers, _) = ask("GET", "/static/0123456789abcdef/app.css", None).await;
        assert_eq!((status, headers[header::CACHE_CONTROL].to_str().unwrap()), (StatusCode::OK, REVALIDATE));
    }

    #[tokio::test]
    async fn a_known_version_is_not_sent_again() {
        let address = path("icons.svg").to_string();
        let (_, headers, _) = ask("GET", &address, None).await;
        let etag = headers[header::ETAG].to_str().unwrap();
        for known in [etag.to_owned(), format!("W/{etag}"), format!("\"old\", {etag}"), "*".to_owned()] {
            let (status, headers, body) = ask("GET", &address, Some(&known)).await;
            assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
            assert_eq!(headers[header::CACHE_CONTROL], IMMUTABLE);
        }
        assert_eq!(ask("GET", &address, Some("\"old\"")).await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn head_answers_without_a_body() {
        let (status, headers, body) = ask("HEAD", &path("app.css").to_string(), None).await;
        assert_eq!((status, body.len()), (StatusCode::OK, 0));
        let length = include_bytes!("../../static/app.css").len().to_string();
        assert_eq!(headers[header::CONTENT_LENGTH].to_str().unwrap(), length);
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_found() {
        for path in ["/static/x/none.css", "/static/x/../Cargo.toml", "/static/x/%2e%2e/Cargo.toml", "/static/x/fonts"]
        {
            assert_eq!(ask("GET", path, None).await.0, StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[tokio::test]
    async fn the_name_that_browsers_guess_is_the_icon() {
        let (status, headers, _) = ask("GET", "/favicon.ico", None).await;
        assert_eq!((status, headers[header::CONTENT_TYPE].to_str().unwrap()), (StatusCode::OK, "image/svg+xml"));
    }

    #[test]
    fn every_file_has_a_known_type() {
        for name in Files::iter() {
            assert_ne!(content_type(&name), "application/octet-stream", "{name}");
        }
    }
}
