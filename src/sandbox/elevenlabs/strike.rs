//! What a request for speech comes to when a fault strikes it.

use std::{sync::Arc, time::Duration};

use hyper::{
    StatusCode,
    header::{HeaderValue, LOCATION},
};

use super::super::{
    answer::{Answer, Unanswered, empty, with_type},
    faults::Fault,
    state::Shared,
};
use super::{MONTHLY_CHARACTERS, Refusal, SpeechRequest};

/// The answer that the fault leaves to the caller, if any.
pub(super) async fn answer(shared: &Arc<Shared>, request: SpeechRequest, fault: Fault) -> Result<Answer, Unanswered> {
    let path = request.received.uri.path();
    tracing::info!(event = "sandbox.fault", ?fault, "a fault strikes {path}");
    let answer = match fault {
        Fault::DropWithout => return Err(Unanswered),
        Fault::Error500Without => Refusal::internal().answer(),
        Fault::Error503Without => Refusal::unavailable().answer(),
        Fault::TooManyRequests429 => Refusal::too_many_requests().answer(),
        Fault::Unauthorized401 => Refusal::wrong_key().answer(),
        Fault::QuotaExceeded => Refusal::quota(MONTHLY_CHARACTERS, 0, 1).answer(),
        Fault::RefuseSpeech { code, status } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            Refusal::coded(status, "validation_error", &code, "Refused on demand").answer()
        }
        Fault::NotAudio => with_type(StatusCode::OK, "audio/mpeg", "This is no MP3."),
        Fault::Redirect307 => {
            let mut answer = empty(StatusCode::TEMPORARY_REDIRECT);
            let location = HeaderValue::try_from(path).expect("a request's path is a header value");
            answer.headers_mut().insert(LOCATION, location);
            answer
        }

        Fault::AcceptThenDrop => {
            request.carry_out(shared);
            return Err(Unanswered);
        }
        Fault::AcceptThenHang => {
            request.carry_out(shared);
            shared.stop.cancelled().await;
            return Err(Unanswered);
        }
        Fault::Error500AfterAccepting => {
            request.carry_out(shared);
            Refusal::internal().answer()
        }
        Fault::Error503AfterAccepting => {
            request.carry_out(shared);
            Refusal::unavailable().answer()
        }
        Fault::Garbage2xx => {
            request.carry_out(shared);
            with_type(StatusCode::OK, "text/html", "<html><body>It works!</body></html>")
        }
        Fault::Slow { ms } => {
            let answer = request.carry_out(shared);
            shared.pause(Duration::from_millis(ms)).await;
            answer
        }

        // These are faults of messages and calls, and are refused when they are armed for speech.
        Fault::AcceptLate { .. }
        | Fault::QueueFull429
        | Fault::Refuse { .. }
        | Fault::CallbackLost
        | Fault::CallbackRepeated { .. }
        | Fault::CallbackDelayed { .. }
        | Fault::CallbacksReordered
        | Fault::CallbackBeforeAnswer
        | Fault::ListLag { .. } => request.carry_out(shared),
    };
    Ok(answer)
}
