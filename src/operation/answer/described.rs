//! What documents say of the answers that several addresses share.

use utoipa::{IntoParams, IntoResponses};

use super::Asked;
use crate::error::ProblemDocument;

/// What an asking may bring besides its body.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what is read by hand")]
pub(crate) struct AskingHeaders {
    /// 1 to 255 printable characters, bare or as a quoted string. The same key with the same request is a replay: it never
    /// sends again. Without one a key is made and returned.
    #[param(rename = "Idempotency-Key", example = "order-1234", min_length = 1, max_length = 255, nullable = false)]
    idempotency_key: Option<String>,
    /// `wait=N`: the answer waits until Twilio has it, it has ended, or N seconds (60 at most) have passed.
    #[param(rename = "Prefer", example = "wait=20", nullable = false)]
    prefer: Option<String>,
}

/// What a reading may bring.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what is read by hand")]
pub(crate) struct PreferHeader {
    /// `wait=N`: the answer waits until Twilio has it, it has ended, or N seconds (60 at most) have passed.
    #[param(rename = "Prefer", example = "wait=20", nullable = false)]
    prefer: Option<String>,
}

/// An operation that was made, or was known by its key.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes what is answered elsewhere")]
pub(crate) enum Taken {
    /// It is waiting, or under way.
    #[response(status = 202, headers(
        ("Idempotency-Key" = String, description = "The key that the answer is about."),
        ("Idempotent-Replayed" = String, description = "`true` where the key was known."),
        ("Location" = String, description = "Where its story can be read.")))]
    UnderWay(Asked),
    /// Twilio has it, or it ended there.
    #[response(status = 200)]
    AtTwilio(Asked),
}

/// An operation that ended without being sent.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes what is answered elsewhere")]
pub(crate) enum Ended {
    /// `approval_rejected`: an approver said no. `operation_cancelled`: it was withdrawn. `do_not_contact`: nothing may be
    /// sent to this number, and nothing was made of the request.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDocument),
    /// `approval_expired`: it was not decided, or not sent, in time. `idempotency_key_expired`: the key is too old.
    #[response(status = 410, content_type = "application/problem+json")]
    Gone(ProblemDocument),
    /// `provider_refused`: Twilio refused it, in plain words. `operation_failed`: it could not be made.
    #[response(status = 502, content_type = "application/problem+json")]
    BadGateway(ProblemDocument),
}

/// A request of which nothing was made.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes what is answered elsewhere")]
pub(crate) enum NotAsked {
    /// `idempotency_key_reused`: the key belongs to another request.
    #[response(status = 422, content_type = "application/problem+json")]
    Reused(ProblemDocument),
    /// `on_hold`: all sending is stopped.
    #[response(status = 423, content_type = "application/problem+json")]
    Locked(ProblemDocument),
}

/// An id that names nothing in this mode.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes what is answered elsewhere")]
pub(crate) enum NoSuchOperation {
    /// `not_found`: there is no operation with this id.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemDocument),
}
