//! What every answer says of an operation.

use serde::Serialize;
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::config::{Mode, PublicUrl};
use crate::id::OperationId;
use crate::operation::attention::Attention;
use crate::operation::content::Kind;
use crate::operation::status::State;
use crate::operation::store::Operation;
use crate::speech::clips;
use crate::twilio::errors;

/// An operation as it stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Operation)]
pub(crate) struct Summary {
    operation_id: OperationId,
    kind: Kind,
    mode: Mode,
    state: State,
    /// Twilio's word where there is one, else `state`.
    #[schema(example = "pending_approval")]
    status: String,
    /// E.164; for viewers without its middle.
    #[schema(example = "+14155550132")]
    to: String,
    /// E.164.
    #[schema(example = "+15005550006")]
    from: String,
    /// SHA-256 of what a decision is about, in hexadecimal digits; null while speech is being made.
    #[schema(required = true, example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    digest: Option<String>,
    #[serde(flatten)]
    content: Content,
    created_at: Timestamp,
    /// Until when it can be decided; once approved: until when it can be sent.
    expires_at: Timestamp,
    /// The page of it.
    #[schema(example = "https://mission.example/dashboard/operations/0199f4a5-6c1e-7d2a-9a5b-2f6d1c3e4b5a")]
    approval_url: String,
    /// Why a person should look at it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    attention: Vec<Attention>,
    /// Another one that cannot be told from it at Twilio, and goes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_by: Option<OperationId>,
    /// Another one of the same content, asked for shortly before.
    #[serde(skip_serializing_if = "Option::is_none")]
    possible_duplicate_of: Option<OperationId>,
    /// Why it stands where it stands, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The same as a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "provider_refused")]
    reason_code: Option<String>,
    /// Twilio's number of the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 30003)]
    error_code: Option<i32>,
    /// What Twilio says about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://www.twilio.com/docs/api/errors/30003")]
    error_url: Option<String>,
}

/// What only one kind of operation has.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = OperationContent)]
enum Content {
    /// Of an SMS.
    #[serde(rename_all = "camelCase")]
    Sms {
        /// In how many parts it is sent and paid.
        #[schema(required = true, minimum = 1, example = 1)]
        segments: Option<i32>,
        /// `GSM-7` or `UCS-2`.
        #[schema(required = true, example = "GSM-7")]
        encoding: Option<String>,
        /// Twilio's name of it, once Twilio has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(example = "SM0123456789abcdef0123456789abcdef")]
        message_sid: Option<String>,
    },
    /// Of a call.
    #[serde(rename_all = "camelCase")]
    Call {
        /// Where what is played can be heard; null while speech is being made.
        #[schema(required = true)]
        audio_url: Option<String>,
        /// The recording of a text.
        #[schema(required = true)]
        clip_id: Option<String>,
        /// Who speaks a text.
        #[schema(required = true)]
        voice_id: Option<String>,
        /// What makes the speech of a text.
        #[schema(required = true)]
        model_id: Option<String>,
        /// Twilio's name of it, once Twilio has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(example = "CA0123456789abcdef0123456789abcdef")]
        call_sid: Option<String>,
    },
}

impl Summary {
    /// What is said of this one.
    pub(crate) fn of(operation: &Operation, public_url: &PublicUrl) -> Self {
        Self {
            operation_id: operation.id,
            kind: operation.kind,
            mode: operation.mode,
            state: operation.state,
            status: operation.status().to_owned(),
            to: operation.to_number.clone(),
            from: operation.from_number.clone(),
            digest: operation.digest(),
            content: Content::of(operation, public_url),
            created_at: Timestamp(operation.created_at),
            expires_at: Timestamp(operation.execute_before.unwrap_or(operation.expires_at)),
            approval_url: public_url.join(&format!("/dashboard/operations/{}", operation.id)),
            attention: operation.attention(),
            blocked_by: operation.blocked_by,
            possible_duplicate_of: operation.possible_duplicate_of,
            reason: operation.reason.clone().or_else(|| operation.delay_reason.clone()),
            reason_code: operation.reason_code.clone(),
            error_code: operation.error_code,
            error_url: operation.error_code.map(errors::link),
        }
    }
}

impl Content {
    fn of(operation: &Operation, public_url: &PublicUrl) -> Self {
        let sid = operation.provider_sid.clone();
        match operation.kind {
            Kind::Sms => {
                Self::Sms { segments: operation.segments, encoding: operation.encoding.clone(), message_sid: sid }
            }
            // A call from text has its clip, and an address of that, once there is something to hear.
            Kind::Call => {
                let clip = operation.clip_id.clone();
                let made = clip.as_deref().map(|clip| clips::address(public_url, clip));
                Self::Call {
                    audio_url: operation.audio_url.clone().or(made),
                    clip_id: clip,
                    voice_id: operation.voice_id.clone(),
                    model_id: operation.model_id.clone(),
                    call_sid: sid,
                }
            }
        }
    }
}
