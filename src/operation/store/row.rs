//! An operation as it stands.

use sqlx::PgExecutor;
use time::OffsetDateTime;

use crate::clock::Clock;
use crate::config::Mode;
use crate::id::{OperationId, UserId};
use crate::operation::content::{ContentDigest, Kind, hex};
use crate::operation::status::State;

/// One row, with the names of the people in it and what follows from other rows.
#[derive(Clone, Debug)]
pub struct Operation {
    pub id: OperationId,
    pub mode: Mode,
    pub kind: Kind,
    pub state: State,
    pub to_number: String,
    pub from_number: String,
    pub message: Option<String>,
    pub audio_url: Option<String>,
    /// What the call says; the voice and the model of it are chosen, and the clip filled, when it is made.
    pub speech_text: Option<String>,
    pub voice_id: Option<String>,
    pub model_id: Option<String>,
    pub clip_id: Option<String>,
    /// How long its clip is, as long as that can be heard.
    pub clip_bytes: Option<i64>,
    pub content_digest: Option<Vec<u8>>,
    pub segments: Option<i32>,
    pub encoding: Option<String>,
    pub requested_by: UserId,
    pub requester: String,
    pub requester_email: String,
    pub token_name: Option<String>,
    pub source: String,
    pub note: Option<String>,
    pub correlation_id: String,
    pub idempotency_key: String,
    /// SHA-256 of the request that the key stands for.
    pub fingerprint: Option<Vec<u8>>,
    /// The time for which the key is kept at least has passed.
    pub is_key_old: bool,
    pub replays: i32,
    pub last_replayed_at: Option<OffsetDateTime>,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
    pub possible_duplicate_of: Option<OperationId>,
    pub gate_rule: String,
    pub expires_at: OffsetDateTime,
    pub approver: Option<String>,
    pub approved_by_rule: Option<String>,
    pub self_approved: bool,
    pub approved_at: Option<OffsetDateTime>,
    pub execute_before: Option<OffsetDateTime>,
    pub attempts: i32,
    pub not_before: OffsetDateTime,
    pub delay_reason: Option<String>,
    pub blocked_by: Option<OperationId>,
    pub provider_sid: Option<String>,
    pub provider_status: Option<String>,
    pub error_code: Option<i32>,
    pub reason: Option<String>,
    pub reason_code: Option<String>,
    pub sending_deadline: Option<OffsetDateTime>,
    pub unknown_since: Option<OffsetDateTime>,
    pub accepted_at: Option<OffsetDateTime>,
    pub finished_at: Option<OffsetDateTime>,
    pub settled_at: Option<OffsetDateTime>,
    pub conflicted_at: Option<OffsetDateTime>,
    pub duplicate_suspected_at: Option<OffsetDateTime>,
    pub audio_not_fetched_at: Option<OffsetDateTime>,
    pub acknowledged_at: Option<OffsetDateTime>,
    /// Who took note of what needed attention.
    pub acknowledged_by: Option<String>,
    pub needs_attention: bool,
    /// When the row was read: what waits for how long is told by the clock that judged it.
    pub read_at: OffsetDateTime,
}

impl Operation {
    /// The digest that a decision must name; `None` while its speech is being made.
    pub fn digest(&self) -> Option<String> {
        self.content_digest.as_deref().map(hex)
    }

    /// Whether a decision names the content that stands here.
    pub fn has_digest(&self, digest: ContentDigest) -> bool {
        self.content_digest.as_deref() == Some(&digest.as_bytes()[..])
    }

    /// Whether its key answers no more: it is old, and nothing more will become of the operation.
    pub fn has_expired_key(&self) -> bool {
        self.is_key_old && (self.state.is_final() || self.settled_at.is_some())
    }

    /// Twilio's word where there is one, else ours.
    pub fn status(&self) -> &str {
        self.provider_status.as_deref().unwrap_or(self.state.as_str())
    }
}

/// `query_as!` of [`Operation`]: over the rows of `operations` that the tail chooses, or over an `o` and its `key` that a
/// statement made just now, which `operations` does not show yet. `$1` is the clock's offset.
macro_rules! select_operations {
    ($tail:literal $(+ $more:literal)*, $($argument:expr),* $(,)?) => {
        select_operations!(
            with "",
            needs_attention "needs_attention(o, clock_timestamp() + $1::interval)",
            from "operations o left join idempotency_keys key on key.operation_id = o.id",
            $tail $(+ $more)*,
            $($argument),*
        )
    };
    (
        with $with:literal,
        needs_attention $needs_attention:literal,
        from $from:literal,
        $tail:literal $(+ $more:literal)*,
        $($argument:expr),* $(,)?
    ) => {
        sqlx::query_as!(
            $crate::operation::store::Operation,
            $with + r#"
            select
                o.id as "id!: OperationId",
                o.mode as "mode!: Mode",
                o.kind as "kind!: Kind",
                o.state as "state!: State",
                o.to_number as "to_number!",
                o.from_number as "from_number!",
                o.message as "message?",
                o.audio_url as "audio_url?",
                o.speech_text as "speech_text?",
                o.voice_id as "voice_id?",
                o.model_id as "model_id?",
                o.clip_id as "clip_id?",
                case when o.clip_id is not null then (
                    select c.bytes
                    from clips c
                    where c.id = o.clip_id and c.state = 'ready'
                ) end as "clip_bytes?",
                o.content_digest as "content_digest?",
                o.segments as "segments?",
                o.encoding as "encoding?",
                o.requested_by as "requested_by!: UserId",
                requester.name as "requester!",
                requester.email as "requester_email!",
                token.name as "token_name?",
                o.source as "source!",
                o.note as "note?",
                o.correlation_id as "correlation_id!",
                o.idempotency_key as "idempotency_key!",
                key.fingerprint as "fingerprint?",
                coalesce(key.expires_at < clock_timestamp() + $1::interval, false) as "is_key_old!",
                coalesce(key.replays, 0) as "replays!",
                key.last_replayed_at as "last_replayed_at?",
                o.created_at as "created_at!",
                o.updated_at as "updated_at!",
                o.possible_duplicate_of as "possible_duplicate_of?: OperationId",
                o.gate_rule as "gate_rule!",
                o.expires_at as "expires_at!",
                approver.name as "approver?",
                o.approved_by_rule as "approved_by_rule?",
                o.self_approved as "self_approved!",
                o.approved_at as "approved_at?",
                o.execute_before as "execute_before?",
                o.attempts as "attempts!",
                o.not_before as "not_before!",
                o.delay_reason as "delay_reason?",
                case when o.state = 'approved' then (
                    select a.operation_id
                    from attempts a
                    where a.match_key = o.match_key and a.state in ('sending', 'unknown') and a.operation_id <> o.id
                    limit 1
                ) end as "blocked_by?: OperationId",
                o.provider_sid as "provider_sid?",
                o.provider_status as "provider_status?",
                o.error_code as "error_code?",
                o.reason as "reason?",
                o.reason_code as "reason_code?",
                o.sending_deadline as "sending_deadline?",
                o.unknown_since as "unknown_since?",
                o.accepted_at as "accepted_at?",
                o.finished_at as "finished_at?",
                o.settled_at as "settled_at?",
                o.conflicted_at as "conflicted_at?",
                o.duplicate_suspected_at as "duplicate_suspected_at?",
                o.audio_not_fetched_at as "audio_not_fetched_at?",
                o.acknowledged_at as "acknowledged_at?",
                case when o.acknowledged_at is not null then (
                    select u.name
                    from users u
                    where u.id = o.acknowledged_by
                ) end as "acknowledged_by?",
                "# + $needs_attention + r#" as "needs_attention!",
                -- after the judgement, so that none of its reasons is missed
                clock_timestamp() + $1::interval as "read_at!"
            from "# + $from + r#"
            join users requester on requester.id = o.requested_by
            left join users approver on approver.id = o.approved_by
            left join api_tokens token on token.id = o.requested_token
            "# + $tail $(+ $more)*,
            $($argument),*
        )
    };
}
pub(super) use select_operations;

/// The operation with this id, of this mode: operations of the other mode do not exist here.
pub async fn find(
    db: impl PgExecutor<'_>,
    clock: &Clock,
    mode: Mode,
    id: OperationId,
) -> sqlx::Result<Option<Operation>> {
    select_operations!("where o.id = $2 and o.mode = $3", clock.offset(), id.0, mode.as_str()).fetch_optional(db).await
}
