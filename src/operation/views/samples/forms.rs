//! The forms that ask, as they are opened and as they are refused.

use serde_json::json;

use super::{HOSTILE, ID};
use crate::config::PublicUrl;
use crate::operation::compose::commands::{Commands, Key};
use crate::operation::compose::cost::Estimate;
use crate::operation::compose::size::Size;
use crate::operation::compose::speakers::Speakers;
use crate::operation::views::checked::Checked;
use crate::operation::views::content::Kind;
use crate::operation::views::new_call::NewCallPage;
use crate::operation::views::new_sms::NewSmsPage;
use crate::operation::views::terms::{Terms, Typed};
use crate::speech::catalogue::Offer;
use crate::speech::preparing::beside::{Said, Sound};
use crate::web::frame::{FormError, Frame, Place};

fn terms() -> Terms {
    Terms {
        idempotency_key: "page-019ab2d3-90fe-7a11".to_owned(),
        errors: Vec::new(),
        approvers: "Anyone with the role Approver, except you".to_owned(),
        is_held: true,
        open_for: "24 h".to_owned(),
        again: None,
        correlation_id: "req-7f3a90".to_owned(),
    }
}

/// Everything wrong that can be, for a form that repeats an earlier operation.
fn refused_terms(payload_error: FormError) -> Terms {
    Terms {
        errors: vec![
            FormError {
                field: Some("to"),
                text: "This number is too short for +1. It needs 10 digits after the country code.".to_owned(),
            },
            payload_error,
            FormError { field: None, text: "The limit of 500 operations a day is reached. Try tomorrow.".to_owned() },
        ],
        again: Some(ID.to_owned()),
        ..terms()
    }
}

/// A form of this kind with this message, looked over.
fn checked(kind: Kind, message: &str) -> Checked {
    let public_url = PublicUrl::parse("https://mission.example").expect("an address");
    Checked {
        kind,
        to: "With + and country code, for example +14155550132".to_owned(),
        from: "United States: +1 415 555 0132, mobile or a fixed line".to_owned(),
        size: Size::of(message),
        text: "Made into speech first".to_owned(),
        audio: "MP3 or WAV".to_owned(),
        recording: Some("https://cdn.harbour.example/a.mp3?x=\"><script>".to_owned()),
        twiml: Some("<Response><Play>https://cdn.harbour.example/a.mp3</Play></Response>".to_owned()),
        cost: Some(Estimate { amount: "0.0158 USD".to_owned(), basis: "2 segments at 0.0079 USD".to_owned() }),
        commands: Commands::of(&public_url, kind, &json!({ "message": message }), Key::Given("page-1")),
    }
}

fn offer() -> Offer {
    Offer {
        voices: serde_json::from_value(json!([{ "voice_id": "a", "name": "Aria \"><script>" }])).expect("a voice"),
        models: serde_json::from_value(json!([{ "model_id": "m", "can_do_text_to_speech": true }])).expect("a model"),
    }
}

impl NewSmsPage {
    pub(in crate::operation::views) fn sample() -> Self {
        Self {
            frame: Frame::sample(Place::NewSms),
            terms: terms(),
            typed: Typed::default(),
            checked: Checked { cost: None, ..checked(Kind::Sms, "") },
        }
    }

    pub(in crate::operation::views) fn sample_refused() -> Self {
        let sender = FormError { field: Some("from"), text: "Give the number it comes from.".to_owned() };
        let message = format!("\n{HOSTILE}</textarea>It’s “here”…");
        Self {
            terms: refused_terms(sender),
            typed: Typed {
                to: "+1555014\"><script>".to_owned(),
                message: message.clone(),
                note: "Customer called.".to_owned(),
                text: "Of the call\"><script>".to_owned(),
                ..Typed::default()
            },
            checked: checked(Kind::Sms, &message),
            ..Self::sample()
        }
    }
}

impl NewCallPage {
    pub(in crate::operation::views) fn sample() -> Self {
        Self {
            frame: Frame::sample(Place::NewCall),
            terms: terms(),
            typed: Typed { message: HOSTILE.to_owned(), ..Typed::default() },
            checked: checked(Kind::Call, ""),
            speakers: Speakers::of(&offer()),
            heard: Some(Said {
                clip: "q7Yc".to_owned(),
                voice: "a".to_owned(),
                model: "m".to_owned(),
                sound: Sound::Ready,
            }),
        }
    }

    /// While nobody says which voices there are.
    pub(in crate::operation::views) fn sample_refused() -> Self {
        let address = FormError {
            field: Some("audio_url"),
            text: "This is not a web address. Write it whole, for example https://example.com/hello.mp3.".to_owned(),
        };
        let typed = Typed {
            text: format!("\n{HOSTILE}</textarea>"),
            voice_id: "\"><script>".to_owned(),
            audio_url: "\"><script>".to_owned(),
            plays_recording: true,
            ..Typed::default()
        };
        let speakers = Speakers::unknown("ElevenLabs refused the key.".to_owned());
        Self { terms: refused_terms(address), typed, speakers, heard: None, ..Self::sample() }
    }
}
