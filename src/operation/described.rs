//! The bodies of requests, as documents describe them. They are read member by member ([`super::request`]), so that every
//! wrong one is told at once; a test keeps the two together.

use utoipa::ToSchema;

/// What is to be sent.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it describes what is read by hand")]
pub(super) struct SendSms {
    /// E.164; spaces, dots, hyphens and brackets are taken out.
    #[schema(example = "+14155550132", min_length = 1)]
    to: String,
    /// The text, in at most 1600 characters.
    #[schema(example = "Your order has been shipped.", min_length = 1, max_length = 1600)]
    message: String,
    /// The number that sends; the vault's phone number unless it is given.
    #[schema(example = "+15005550006")]
    from: Option<String>,
    /// The key, for those who cannot send a header.
    #[schema(example = "order-1234", min_length = 1, max_length = 255)]
    idempotency_key: Option<String>,
    /// Why, for the approver; not sent.
    #[schema(max_length = 500)]
    note: Option<String>,
}

/// What is to be said or played: exactly one of `text` and `audioUrl`.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it describes what is read by hand")]
pub(super) struct MakeCall {
    /// E.164; spaces, dots, hyphens and brackets are taken out.
    #[schema(example = "+14155550132", min_length = 1)]
    to: String,
    /// What the call says.
    #[schema(example = "This is a reminder of your appointment.", min_length = 1)]
    text: Option<String>,
    /// The address of a recording, which Twilio fetches.
    #[schema(example = "https://example.com/reminder.mp3", min_length = 1)]
    audio_url: Option<String>,
    /// With `text`: who speaks, by the id at `ElevenLabs`.
    voice_id: Option<String>,
    /// With `text`: what makes the speech, by the id at `ElevenLabs`.
    model_id: Option<String>,
    /// The number that calls; the vault's phone number unless it is given.
    #[schema(example = "+15005550006")]
    from: Option<String>,
    /// The key, for those who cannot send a header.
    #[schema(example = "order-1234", min_length = 1, max_length = 255)]
    idempotency_key: Option<String>,
    /// Why, for the approver; not sent.
    #[schema(max_length = 500)]
    note: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use utoipa::PartialSchema;

    use super::super::request::Request;
    use super::*;
    use crate::config::Mode;

    fn properties<T: PartialSchema>() -> Vec<String> {
        let schema = json!(T::schema());
        assert_eq!(schema["additionalProperties"], false, "{schema}");
        schema["properties"].as_object().expect("properties").keys().cloned().collect()
    }

    /// The fields that the refusal of an unknown one names.
    fn read(refused: Result<Request, crate::error::Problem>) -> Vec<String> {
        let problem = refused.expect_err("an unknown field");
        let told = problem.details.iter().find(|wrong| wrong.field == "unknown").expect("it is told").message.clone();
        let (_, names) = told.split_once("the fields are ").expect("the names");
        let mut names: Vec<String> = names.trim_end_matches('.').split(", ").map(str::to_owned).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_described_is_what_is_read() {
        let unknown: Value = json!({ "unknown": 1 });
        assert_eq!(properties::<SendSms>(), read(Request::sms(&unknown)));
        assert_eq!(properties::<MakeCall>(), read(Request::call(&unknown, Mode::Live)));
    }
}
