//! What a request comes to when a fault strikes it.

use std::{sync::Arc, time::Duration};

use hyper::{
    StatusCode,
    header::{HeaderValue, LOCATION},
};

use super::{
    answer::{Answer, Refusal, Unanswered, empty, with_type},
    api::ApiRequest,
    faults::Fault,
    state::Shared,
};

/// The answer that the fault leaves to the caller, if any. Whether the request is carried out is the fault's business too.
pub(super) async fn answer(shared: &Arc<Shared>, request: ApiRequest, fault: Fault) -> Result<Answer, Unanswered> {
    tracing::info!(event = "sandbox.fault", ?fault, "a fault strikes {}", request.path);
    let answer = match fault {
        Fault::DropWithout => return Err(Unanswered),
        Fault::Error500Without => Refusal::internal().answer(),
        Fault::Error503Without => Refusal::unavailable().answer(),
        Fault::TooManyRequests429 => Refusal::new(StatusCode::TOO_MANY_REQUESTS, 20429, "Too Many Requests").answer(),
        Fault::QueueFull429 => {
            let message = "This 'From' number has exceeded the maximum number of queued messages";
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, 21611, message).answer()
        }
        Fault::Unauthorized401 => Refusal::unauthorized().answer(),
        Fault::Refuse { code, status } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            Refusal::new(status, code, "Refused on demand").answer()
        }
        Fault::Redirect307 => {
            let mut answer = empty(StatusCode::TEMPORARY_REDIRECT);
            let location = HeaderValue::try_from(request.path).expect("a request's path is a header value");
            answer.headers_mut().insert(LOCATION, location);
            answer
        }

        Fault::AcceptThenDrop => {
            request.carry_out(shared).await;
            return Err(Unanswered);
        }
        Fault::AcceptThenHang => {
            request.carry_out(shared).await;
            shared.stop.cancelled().await;
            return Err(Unanswered);
        }
        Fault::Error500AfterAccepting => {
            request.carry_out(shared).await;
            Refusal::internal().answer()
        }
        Fault::Error503AfterAccepting => {
            request.carry_out(shared).await;
            Refusal::unavailable().answer()
        }
        Fault::Garbage2xx => {
            request.carry_out(shared).await;
            with_type(StatusCode::OK, "text/html", "<html><body>It works!</body></html>")
        }
        Fault::Slow { ms } => {
            let answer = request.carry_out(shared).await;
            shared.pause(Duration::from_millis(ms)).await;
            answer
        }
        Fault::AcceptLate { ms } => {
            let shared = Arc::clone(shared);
            let tasks = shared.tasks.clone();
            // A task of its own: a caller that hangs up takes the task of its connection along.
            let late = tasks.spawn(async move {
                let is_time = shared.pause(Duration::from_millis(ms)).await;
                if is_time { Some(request.carry_out(&shared).await) } else { None }
            });
            late.await.ok().flatten().ok_or(Unanswered)?
        }

        // These strike at other moments, or elsewhere, and never arrive here.
        Fault::QuotaExceeded
        | Fault::NotAudio
        | Fault::RefuseSpeech { .. }
        | Fault::CallbackLost
        | Fault::CallbackRepeated { .. }
        | Fault::CallbackDelayed { .. }
        | Fault::CallbacksReordered
        | Fault::CallbackBeforeAnswer
        | Fault::ListLag { .. } => request.carry_out(shared).await,
    };
    Ok(answer)
}
