//! The sandbox's own HTTP/1.1 listener. Below a framework, because only there can a request be left without an answer.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::{HeaderMap, Method, Request, StatusCode, Uri, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use super::{
    answer::{Answer, Unanswered, empty},
    api, control, elevenlabs,
    state::Shared,
};

/// Far more than the longest message needs.
const LARGEST_BODY: usize = 1024 * 1024;

/// Pause after a failed accept (no file descriptors left), so that the loop does not spin.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// A request that has arrived in full.
pub(super) struct Received {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Accepts connections until the sandbox stops.
pub(super) async fn run(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                shared.tasks.spawn(serve(stream, Arc::clone(&shared)));
            }
            Err(error) => {
                tracing::warn!(event = "sandbox.accept.failed", %error, "a connection was not accepted");
                shared.pause(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| answer(Arc::clone(&shared), request));
    let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // An error is a caller that hung up or a fault that wanted it so: nobody is left to be told.
    let _ = tokio::select! {
        result = connection.as_mut() => result,
        () = shared.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Answer, Unanswered> {
    let (parts, body) = request.into_parts();
    let body = tokio::select! {
        // A caller that never ends its body must not hold up the stop.
        () = shared.stop.cancelled() => return Err(Unanswered),
        body = Limited::new(body, LARGEST_BODY).collect() => body,
    };
    let Ok(body) = body else {
        return Ok(empty(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let received = Received { method: parts.method, uri: parts.uri, headers: parts.headers, body: body.to_bytes() };
    if received.uri.path().starts_with("/sandbox/") {
        Ok(control::answer(&shared, &received).await)
    } else if elevenlabs::is_at(received.uri.path()) {
        elevenlabs::answer(&shared, received).await
    } else {
        api::answer(&shared, received).await
    }
}
