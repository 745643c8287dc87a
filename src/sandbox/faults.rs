//! Faults on demand: `POST /sandbox/faults` with a list such as
//! `[{"fault": "accept_then_drop"}, {"fault": {"slow": {"ms": 2000}}, "times": 3, "to": "+14155550100"}]`.
//!
//! With `"on": "synthesise"` or `"on": "account"` a fault of requests strikes those to `ElevenLabs`.
//! Each is used up `times` times (default 1), in the order given, by requests that match it, for messages, calls or speech.

use serde::{Deserialize, Serialize};

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Done, then the connection is closed without an answer.
    AcceptThenDrop,
    /// Done, but the answer never comes.
    AcceptThenHang,
    /// Done only after `ms`, even if the caller has gone by then.
    AcceptLate { ms: u64 },
    /// Not done; the connection is closed without an answer.
    DropWithout,
    #[serde(rename = "error_500_after_accepting")]
    Error500AfterAccepting,
    #[serde(rename = "error_500_without")]
    Error500Without,
    #[serde(rename = "error_503_after_accepting")]
    Error503AfterAccepting,
    #[serde(rename = "error_503_without")]
    Error503Without,
    /// 20429: too many concurrent requests; not done.
    #[serde(rename = "too_many_requests_429")]
    TooManyRequests429,
    /// 21611: the sender's queue is full; not done.
    #[serde(rename = "queue_full_429")]
    QueueFull429,
    /// 20003, whatever the credentials; not done.
    #[serde(rename = "unauthorized_401")]
    Unauthorized401,
    /// Done at once, answered after `ms`.
    Slow { ms: u64 },
    /// Done, but the 200 has an unreadable body.
    #[serde(rename = "garbage_2xx")]
    Garbage2xx,
    /// Not done; redirected to the same place.
    #[serde(rename = "redirect_307")]
    Redirect307,
    /// Not done; refused with this code.
    Refuse { code: u32, status: u16 },

    /// Speech: the characters are used up (401, as `ElevenLabs` says it); not done.
    QuotaExceeded,
    /// Speech: a 200 that claims to be MP3 and is none; not done.
    NotAudio,
    /// Speech: refused with this code; not done.
    RefuseSpeech { code: String, status: u16 },

    /// One callback is never sent.
    CallbackLost,
    /// One callback is sent `n` times in all.
    CallbackRepeated { n: u32 },
    /// One callback is sent `ms` late.
    CallbackDelayed { ms: u64 },
    /// The callbacks of one message or call are sent in pairs, the later one first.
    CallbacksReordered,
    /// The first callback of one message or call arrives before the answer to its creation.
    CallbackBeforeAnswer,
    /// One message or call is not listed until `ms` after it was accepted; fetching it by SID works.
    ListLag { ms: u64 },
}

/// The moment at which a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Request(On),
    /// A message or call is accepted and will be listed.
    Listing,
    /// A message or call is accepted and the answer is not yet written.
    Acceptance,
    /// A message or call begins to move.
    Life,
    Callback,
}

/// The kind of request that a fault of a request strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    #[default]
    Create,
    Fetch,
    List,
    /// Text to speech at `ElevenLabs`.
    Synthesise,
    /// Voices, models and subscription at `ElevenLabs`.
    Account,
}

impl On {
    fn is_speech(self) -> bool {
        matches!(self, Self::Synthesise | Self::Account)
    }
}

/// A fault that waits for its victims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Armed {
    pub fault: Fault,
    #[serde(default = "once")]
    pub times: u32,
    /// Only for this recipient; for speech, only for this voice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Only for this kind of request; without meaning for faults of callbacks and lists.
    #[serde(default)]
    pub on: On,
}

fn once() -> u32 {
    1
}

impl Fault {
    fn strikes_at(&self, moment: Moment, on: On) -> bool {
        let own = match self {
            Self::CallbackLost | Self::CallbackRepeated { .. } | Self::CallbackDelayed { .. } => Moment::Callback,
            Self::CallbacksReordered => Moment::Life,
            Self::CallbackBeforeAnswer => Moment::Acceptance,
            Self::ListLag { .. } => Moment::Listing,
            Self::QuotaExceeded | Self::NotAudio | Self::RefuseSpeech { .. } if !on.is_speech() => {
                Moment::Request(On::Synthesise)
            }
            _ => Moment::Request(on),
        };
        own == moment
    }
}

impl Armed {
    /// What is wrong with it, if it can never do what it says.
    pub(super) fn check(&self) -> Result<(), String> {
        match &self.fault {
            _ if self.times == 0 => Err("field `times` must be at least 1".to_owned()),
            Fault::Refuse { .. } | Fault::QueueFull429 | Fault::AcceptLate { .. } if self.on.is_speech() => {
                Err("this is a fault of messages and calls; for speech, see `refuse_speech` and `slow`".to_owned())
            }
            Fault::Refuse { status, .. } | Fault::RefuseSpeech { status, .. } if !(400..=599).contains(status) => {
                Err("field `status` must be 400 to 599".to_owned())
            }
            Fault::CallbackRepeated { n } if *n < 2 => {
                Err("field `n` counts all arrivals and must be at least 2".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// The first armed fault for this moment and recipient, used up by one.
pub(super) fn take(armed: &mut Vec<Armed>, moment: Moment, to: Option<&str>) -> Option<Fault> {
    let position = armed.iter().position(|one| {
        one.fault.strikes_at(moment, one.on) && one.to.as_deref().is_none_or(|wanted| Some(wanted) == to)
    })?;
    let one = &mut armed[position];
    one.times -= 1;
    let fault = one.fault.clone();
    if one.times == 0 {
        armed.remove(position);
    }
    Some(fault)
}
