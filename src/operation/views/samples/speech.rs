//! Calls from text: what can be heard, and what cannot.

use super::super::{
    content::Clip,
    decision::{Act, Approval, Decision, Right},
    detail::DetailPane,
    notice::Notice,
};
use super::{HOSTILE, speech};

impl DetailPane {
    pub(super) fn pending_speech() -> Self {
        let clip = Clip::Ready { address: "/api/public/call-audio/q7Yc".to_owned(), bytes: 48_276 };
        let digest = "c07e93d1aa54".repeat(5) + "f2b6";
        let approval =
            Approval { digest, asks_about_duplicate: false, cost: None, warning: None, typed_comment: String::new() };
        Self {
            decision: Decision { approval: Right::Granted(approval), acts: vec![Act::Reject], ..Decision::default() },
            ..Self::in_state(speech(HOSTILE, clip), "pending_approval")
        }
    }

    pub(super) fn failed_speech() -> Self {
        let mut page = Self::in_state(speech("Your table is ready.", Clip::Never), "failed");
        let reason = "The characters of the ElevenLabs account are used up. Wait for their reset.".to_owned();
        page.notices = vec![Notice::Failed { reason, code: None }];
        page.request.digest = None;
        page.decision.acts.push(Act::AskAgain);
        page
    }

    pub(super) fn delivered_speech() -> Self {
        Self::in_state(speech("Your table is ready.", Clip::Deleted), "delivered")
    }
}
