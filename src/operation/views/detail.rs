//! One operation, whole: what it says, what became of it, and what can be done.

use askama::Template;
use time::OffsetDateTime;

use super::{
    attention,
    content::{Clip, Content, Kind, Recipient},
    decision::{Act, Again, Decision, Resolution, Right},
    evidence::LookUp,
    list::ListPane,
    notice::Notice,
    status::Status,
    story::{Attempt, Decided, Event, Report},
};
use crate::operation::attention::Attention;
use crate::operation::compose::commands::Commands;
use crate::web::frame::Frame;
use crate::web::text;

/// The page of one operation: the list it was chosen from, where the screen has room for both, and the operation.
#[derive(Template)]
#[template(path = "operations/detail.html")]
pub(crate) struct OperationPage {
    pub(crate) frame: Frame,
    pub(crate) list: ListPane,
    pub(crate) detail: DetailPane,
}

/// One operation; a part of its page, and an answer of its own where only that part is asked for.
#[derive(Template)]
#[template(path = "operations/pane_detail.html")]
pub(crate) struct DetailPane {
    /// It stands on the page of the list, which has a heading already.
    pub(crate) is_beside: bool,
    /// What the addresses of this operation end in, so that the way back leads to the same list: empty, or `?` and filters.
    pub(crate) query: String,
    pub(crate) now: OffsetDateTime,
    pub(crate) id: String,
    pub(crate) status: Status,
    /// Since when it is in this state.
    pub(crate) since: OffsetDateTime,
    /// Twilio's own word for it.
    pub(crate) provider_word: Option<String>,
    pub(crate) from: String,
    pub(crate) recipient: Recipient,
    pub(crate) content: Content,
    /// What was seen of a recording elsewhere when the call was asked for.
    pub(crate) audio: Option<String>,
    pub(crate) request: Request,
    /// What must be read first, the most urgent first.
    pub(crate) notices: Vec<Notice>,
    /// Why it stands under "Needs attention".
    pub(crate) attention: Vec<Attention>,
    pub(crate) decision: Decision,
    /// Oldest first.
    pub(crate) events: Vec<Event>,
    pub(crate) decisions: Vec<Decided>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) look_ups: Vec<LookUp>,
    pub(crate) reports: Vec<Report>,
}

/// How it was asked for, and what it is bound to.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `Dana Ruiz, on the page`, or `API key billing-worker for Aisha Bello`.
    pub(crate) by: String,
    pub(crate) at: OffsetDateTime,
    pub(crate) note: Option<String>,
    /// The rule that held it, or let it through, in words.
    pub(crate) rule: String,
    pub(crate) mode: String,
    pub(crate) digest: Option<String>,
    pub(crate) expires_at: OffsetDateTime,
    /// Until when the approval may be used.
    pub(crate) execute_before: Option<OffsetDateTime>,
    pub(crate) idempotency_key: String,
    pub(crate) replays: i32,
    pub(crate) last_replayed_at: Option<OffsetDateTime>,
    pub(crate) correlation_id: String,
    pub(crate) sid: Option<String>,
    /// How a program asks for the same; not for those who see no numbers.
    pub(crate) commands: Option<Commands>,
}

impl Request {
    fn short_digest(&self) -> Option<String> {
        self.digest.as_deref().map(text::short_digest)
    }

    fn mode_words(&self) -> &'static str {
        match self.mode.as_str() {
            "live" => "Live. It reaches a real phone",
            _ => "Sandbox. The emulator answers, no phone rings",
        }
    }

    fn replay_words(&self) -> String {
        match (self.replays, self.last_replayed_at) {
            (..=0, _) => "Never replayed".to_owned(),
            (times, last) => {
                let last = last.map_or_else(String::new, |at| format!(", last {}", text::exact(at.to_utc())));
                format!("Replayed {}{last}. Nothing was sent again", text::counted(i64::from(times), "time"))
            }
        }
    }
}

impl DetailPane {
    /// `Review SMS to +1 415 555 0132` where a decision is asked for.
    fn title(&self) -> String {
        let kind = self.status.kind;
        match (&self.decision.approval, &self.decision.resolution) {
            (Right::Granted(_), _) => format!("Review {} to {}", kind.noun(), self.recipient),
            (_, Right::Granted(Resolution { is_urgent: true, .. })) => format!("Was this {} sent?", kind.noun()),
            _ => format!("{} to {}", kind.word(), self.recipient),
        }
    }

    /// What the window is called: the state first, which is what changes.
    pub(crate) fn window_title(&self) -> String {
        format!("{}: {} to {}", self.status.word(), self.status.kind.word(), self.recipient)
    }

    /// Whether more will be heard of it without anybody's doing.
    fn is_under_way(&self) -> bool {
        let moves = ["preparing", "approved", "sending", "accepted", "unknown"];
        moves.contains(&self.status.state.as_str()) && !self.status.is_settled
    }

    /// Whether the evidence is what the reader has to judge, or waits for.
    fn is_unsettled(&self) -> bool {
        matches!(self.status.state.as_str(), "unknown" | "needs_review")
    }

    /// Whether it is certain that nothing has gone out so far.
    fn is_unsent(&self) -> bool {
        matches!(
            self.status.state.as_str(),
            "preparing" | "pending_approval" | "approved" | "rejected" | "expired" | "cancelled"
        )
    }

    /// What the slip shows.
    fn slip_label(&self) -> &'static str {
        match self.status.state.as_str() {
            "preparing" | "pending_approval" | "approved" => "What will go out",
            "accepted" | "delivered" => "What was sent",
            "rejected" | "expired" | "cancelled" => "What was asked for",
            // Its speech could not be made.
            "failed" if self.request.execute_before.is_none() => "What was asked for",
            _ => "What was approved",
        }
    }

    /// Why it needs attention, and what to do.
    fn reasons(&self) -> impl Iterator<Item = String> {
        self.attention.iter().map(|reason| attention::words(*reason, self.status.kind))
    }

    /// The share of raw data that this reader may see: it names the recipient in full.
    fn shows_raw(&self) -> bool {
        !self.recipient.is_masked
    }

    /// The events, each with its distance to the one before it.
    fn timeline(&self) -> impl Iterator<Item = (&Event, Option<String>)> {
        let earlier = std::iter::once(None).chain(self.events.iter().map(Some));
        let distance = |(event, earlier): (&Event, Option<&Event>)| Some(text::span(event.at - earlier?.at));
        self.events.iter().zip(earlier).map(move |pair| (pair.0, distance(pair)))
    }
}
