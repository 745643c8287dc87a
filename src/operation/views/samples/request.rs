//! How an operation was asked for.

use serde_json::json;
use time::Duration;

use super::{HOSTILE, NOW};
use crate::config::PublicUrl;
use crate::operation::compose::commands::{Commands, Key};
use crate::operation::views::content::Kind;
use crate::operation::views::detail::Request;

pub(super) const DIGEST: &str = "c07e93d1aa54c07e93d1aa54c07e93d1aa54c07e93d1aa54c07e93d1aa54f2b6";

pub(super) fn request() -> Request {
    Request {
        by: "Dana Ruiz, on the page".to_owned(),
        at: NOW - Duration::minutes(4),
        note: Some("Customer called, first text may have been missed.".to_owned()),
        rule: "Held: every operation needs a person other than the requester".to_owned(),
        mode: "sandbox".to_owned(),
        digest: Some(DIGEST.to_owned()),
        expires_at: NOW + Duration::minutes(1_436),
        execute_before: None,
        idempotency_key: "invoice-8807-notice-1".to_owned(),
        replays: 2,
        last_replayed_at: Some(NOW - Duration::minutes(1)),
        correlation_id: "bw-5512-a41".to_owned(),
        sid: None,
        commands: Some(Commands::of(
            &PublicUrl::parse("https://mission.example").expect("an address"),
            Kind::Sms,
            &json!({ "message": HOSTILE }),
            Key::Theirs,
        )),
    }
}
