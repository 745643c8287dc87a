//! A line as the API and the export write it.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::list::Line;
use crate::clock::Timestamp;
use crate::id::OperationId;
use crate::operation::content::hex;

/// One change, as it was written down.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditLine)]
pub(super) struct LineDocument<'a> {
    /// In the order in which lines were written.
    id: i64,
    at: Timestamp,
    /// An email address, or a part of the service.
    #[schema(example = "ada@example.com")]
    actor: &'a str,
    /// The person's name.
    #[schema(required = true)]
    person: Option<&'a str>,
    /// The token that acted for the person.
    #[schema(required = true)]
    token: Option<&'a str>,
    #[schema(example = "operation.approved")]
    action: &'a str,
    #[schema(example = "operation/0199f4a5-6c1e-7d2a-9a5b-2f6d1c3e4b5a")]
    object: &'a str,
    #[schema(required = true)]
    operation_id: Option<OperationId>,
    /// Its place in the chain of its object.
    seq: i32,
    /// The operation's state before.
    #[schema(required = true)]
    from: Option<&'a str>,
    /// The operation's state after.
    #[schema(required = true)]
    to: Option<&'a str>,
    #[schema(required = true)]
    mode: Option<&'a str>,
    /// The address that the request came from.
    #[schema(required = true)]
    ip: Option<&'a str>,
    #[schema(required = true)]
    correlation_id: Option<&'a str>,
    /// What else there is to say, before and after.
    #[schema(value_type = Object)]
    details: &'a Value,
    /// What makes an edited line show: SHA-256 over the line and the hash of the one before it.
    hash: String,
}

impl<'a> From<&'a Line> for LineDocument<'a> {
    fn from(line: &'a Line) -> Self {
        Self {
            id: line.id,
            at: Timestamp(line.at),
            actor: &line.actor,
            person: line.person.as_deref(),
            token: line.token.as_deref(),
            action: &line.action,
            object: &line.object,
            operation_id: line.operation(),
            seq: line.seq,
            from: line.from_state.as_deref(),
            to: line.to_state.as_deref(),
            mode: line.mode.as_deref(),
            ip: line.ip.as_deref(),
            correlation_id: line.correlation_id.as_deref(),
            details: &line.details,
            hash: hex(&line.hash),
        }
    }
}
