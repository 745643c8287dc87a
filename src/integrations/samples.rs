//! The page with everything on it, and with nothing, for the tests of all pages.

use time::OffsetDateTime;

use super::arrival::Arrival;
use super::views::{
    AccountAccess, Address, Fetch, Followed, Forms, IntegrationsPage, Latest, News, Reach, Speech, TestForm, Twilio,
};
use crate::operation::content::Kind;
use crate::operation::views::content::Recipient;
use crate::operation::views::status::Status;
use crate::vault::{Checked, EntryState, Finding, LastVerification};
use crate::web::frame::{FormError, Frame, Place};

impl IntegrationsPage {
    /// A page on which everything happened, and whose every text is this one.
    pub(crate) fn sample(text: &str) -> Self {
        let at = OffsetDateTime::UNIX_EPOCH;
        let id = || "019ab2c4-7e10-7c3a-9f21-5b8e0d6a41c2".to_owned();
        let recipient = || Recipient { number: "+14155550132".to_owned(), is_masked: false };
        let status = |state: &str| Status { kind: Kind::Call, state: state.to_owned(), is_settled: false };
        let news = |state: &str| News {
            operation: id(),
            kind: Kind::Sms,
            recipient: recipient(),
            state: state.to_owned(),
            words: text.to_owned(),
            at,
        };
        let form = || {
            Box::new(TestForm {
                idempotency_key: text.to_owned(),
                to: text.to_owned(),
                message: text.to_owned(),
                audio_url: text.to_owned(),
                text: text.to_owned(),
            })
        };
        let test = |state: &str| Latest {
            id: id(),
            status: status(state),
            recipient: recipient(),
            requested_by: text.to_owned(),
            at,
        };
        let checked = |finding| Some(Checked { finding, at });
        Self {
            frame: Frame::sample_admin(Place::Integrations),
            now: at,
            followed: Some(Followed {
                id: id(),
                status: status("pending_approval"),
                recipient: recipient(),
                requested_by: text.to_owned(),
                at,
                provider_word: Some(text.to_owned()),
                next: text.to_owned(),
                error_code: Some(21211),
                may_approve: true,
                is_over: false,
                reported_at: Some(at),
                fetch: Some(Fetch::Seen(at)),
            }),
            is_unknown_test: false,
            twilio: Twilio {
                access: AccountAccess(EntryState::Stored),
                has_number: true,
                verification: LastVerification { account: checked(Finding::Refused), number: checked(Finding::Ready) },
                accepted: Some(news("accepted")),
                failed: Some(news("refused")),
                reported_at: Some(at),
                is_emulated: true,
            },
            elevenlabs: Speech {
                key: EntryState::Stored,
                verification: checked(Finding::CharactersUsedUp),
                made_at: Some(at),
                failed: Some((at, text.to_owned())),
                is_emulated: true,
                is_nowhere: false,
            },
            may_manage: true,
            forms: Forms::Granted { sms: form(), call: form(), speech: Some(form()), is_held: true },
            arrival: Some(Arrival::Elsewhere(502)),
            address: Address {
                public: text.to_owned(),
                messages: text.to_owned(),
                calls: text.to_owned(),
                reach: Reach::Here,
            },
            latest: vec![test("delivered"), test("failed")],
            errors: Vec::new(),
            correlation_id: String::new(),
        }
    }

    /// After a refusal of every field, and with nothing else to tell.
    pub(crate) fn sample_refused(text: &str) -> Self {
        let error = |field| FormError { field, text: text.to_owned() };
        let sample = Self::sample(text);
        Self {
            followed: None,
            arrival: Some(Arrival::Here),
            is_unknown_test: true,
            twilio: Twilio { accepted: None, failed: None, reported_at: None, ..sample.twilio },
            latest: Vec::new(),
            errors: [
                Some("sms-to"),
                Some("sms-message"),
                Some("call-to"),
                Some("speech-to"),
                Some("speech-text"),
                None,
            ]
            .map(error)
            .into(),
            correlation_id: text.to_owned(),
            ..sample
        }
    }

    /// For a reader who may test nothing, in live mode, where nothing is set up.
    pub(crate) fn sample_denied() -> Self {
        let sample = Self::sample_refused("");
        Self {
            frame: Frame::sample_held(Place::Integrations),
            is_unknown_test: false,
            twilio: Twilio {
                access: AccountAccess(EntryState::Missing),
                verification: LastVerification::default(),
                is_emulated: false,
                ..sample.twilio
            },
            elevenlabs: Speech {
                key: EntryState::Missing,
                verification: None,
                made_at: None,
                failed: None,
                is_emulated: false,
                is_nowhere: false,
            },
            may_manage: false,
            arrival: None,
            forms: Forms::Denied("An operator can send a test SMS and place a test call."),
            address: Address { reach: Reach::Private, ..sample.address },
            errors: Vec::new(),
            ..sample
        }
    }
}
