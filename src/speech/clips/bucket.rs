//! The way to a bucket: the client library's protocol over the HTTP client that everything else here uses, so that there
//! is one TLS and one set of certificates, and a proxy in the environment changes nothing.

use std::error::Error as _;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use http_body_util::BodyExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::{ClientOptions, RetryConfig};
use reqwest::redirect::Policy;
use secrecy::ExposeSecret as _;

use crate::config::Bucket;
use crate::tls;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest silence of the bucket while it is being read. A slow listener is not silence: nobody waits for the bucket then.
const SILENCE: Duration = Duration::from_secs(30);

/// How long the library tries again by itself; somebody waits for a call to play.
const RETRY: Duration = Duration::from_secs(8);

/// Prepares the way; nothing is sent.
pub(super) fn open(bucket: &Bucket) -> anyhow::Result<AmazonS3> {
    #[expect(clippy::disallowed_methods, reason = "requests to the bucket are signed with its key")]
    let (id, secret) = (bucket.access_key_id.expose_secret(), bucket.secret_access_key.expose_secret());
    let builder = AmazonS3Builder::new()
        .with_http_connector(Connector)
        .with_bucket_name(&bucket.name)
        .with_region(&bucket.region)
        .with_access_key_id(id)
        .with_secret_access_key(secret)
        .with_retry(RetryConfig { max_retries: 3, retry_timeout: RETRY, ..RetryConfig::default() });
    let builder = match &bucket.endpoint {
        Some(endpoint) => builder
            .with_endpoint(endpoint.as_str().trim_end_matches('/'))
            .with_allow_http(endpoint.scheme() == "http")
            .with_virtual_hosted_style_request(false),
        None => builder.with_virtual_hosted_style_request(true),
    };
    builder.build().context("the bucket for clips")
}

#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let not_made =
            |source: Box<dyn std::error::Error + Send + Sync>| object_store::Error::Generic { store: "S3", source };
        let tls = tls::client().map_err(|error| not_made(error.into()))?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(SILENCE)
            .user_agent(concat!("mission-control/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| not_made(error.into()))?;
        Ok(HttpClient::new(Service(client)))
    }
}

#[derive(Debug)]
struct Service(reqwest::Client);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url =
            url::Url::parse(&parts.uri.to_string()).map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        *request.body_mut() = Some(reqwest::Body::wrap(body));
        let answer = self.0.execute(request).await.map_err(failed)?;
        let (parts, body) = axum::http::Response::<reqwest::Body>::from(answer).into_parts();
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body.map_err(failed))))
    }
}

/// What kind of failure it was: the library tries some of them again.
fn failed(error: reqwest::Error) -> HttpError {
    let is_broken = |error: &reqwest::Error| {
        let mut cause = error.source();
        while let Some(error) = cause {
            if error.downcast_ref::<hyper::Error>().is_some() || error.downcast_ref::<std::io::Error>().is_some() {
                return true;
            }
            cause = error.source();
        }
        false
    };
    let kind = match &error {
        error if error.is_connect() => HttpErrorKind::Connect,
        error if error.is_timeout() => HttpErrorKind::Timeout,
        error if is_broken(error) => HttpErrorKind::Interrupted,
        _ => HttpErrorKind::Unknown,
    };
    // The URL names the bucket and the clip; the library adds it where it may be told.
    HttpError::new(kind, error.without_url())
}
