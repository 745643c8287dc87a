//! What a refusal of `ElevenLabs` means. Its errors have several shapes, and a status alone misleads: a 401 may mean that
//! the characters are used up. So the code decides, and the status only where there is none that we know.

use std::time::Duration;

use serde_json::Value;

use super::ElevenLabsError;

/// Longest that is repeated of what `ElevenLabs` says.
const LONGEST_SAYING: usize = 300;

/// The code of an error and what `ElevenLabs` says to it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    code: Option<String>,
    said: Option<String>,
}

/// The error that an answer with this status and this body is. `secret` is never repeated.
pub(super) fn read(status: u16, body: &[u8], retry_after: Option<Duration>, secret: &str) -> ElevenLabsError {
    let Told { code, said } = told(body);
    let said = said.map(|said| said.replace(secret, "…")).map(|said| shortened(&said)).filter(|said| !said.is_empty());
    let code = code.map(|code| code.replace(secret, "…"));
    let by_code = match code.as_deref().unwrap_or_default() {
        "invalid_api_key" | "needs_authorization" | "missing_api_key" => Some(ElevenLabsError::InvalidKey),
        "missing_permissions" => Some(ElevenLabsError::MissingPermission { said: said.clone() }),
        "quota_exceeded" | "insufficient_credits" | "insufficient_quota" => {
            Some(ElevenLabsError::Quota { said: said.clone() })
        }
        "detected_unusual_activity" => Some(ElevenLabsError::Blocked { said: said.clone() }),
        "payment_required"
        | "payment_issue"
        | "subscription_required"
        | "paid_plan_required"
        | "free_users_not_allowed" => Some(ElevenLabsError::Plan { said: said.clone() }),
        code if code.starts_with("only_for_") => Some(ElevenLabsError::Plan { said: said.clone() }),
        "voice_not_found" | "voice_does_not_exist" | "invalid_voice_id" => Some(ElevenLabsError::UnknownVoice),
        "model_not_found" | "invalid_model_id" | "model_can_not_do_text_to_speech" | "unsupported_model" => {
            Some(ElevenLabsError::UnknownModel)
        }
        "max_character_limit_exceeded" | "text_too_long" => Some(ElevenLabsError::TextTooLong { said: said.clone() }),
        "too_many_concurrent_requests" | "concurrent_limit_exceeded" | "rate_limit_exceeded" | "system_busy" => {
            Some(ElevenLabsError::Busy { retry_after })
        }
        _ => None,
    };
    by_code.unwrap_or_else(|| match status {
        401 => ElevenLabsError::InvalidKey,
        402 => ElevenLabsError::Plan { said },
        408 | 409 | 500.. => ElevenLabsError::Down { status, retry_after },
        429 => ElevenLabsError::Busy { retry_after },
        _ => ElevenLabsError::Refused { status, code: code.unwrap_or_else(|| "no code".to_owned()), said },
    })
}

/// Reads `detail`, which is an object (with `code`, or with only `status` in older answers), a list, or a text.
fn told(body: &[u8]) -> Told {
    let Ok(Value::Object(mut document)) = serde_json::from_slice(body) else { return Told::default() };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    match document.remove("detail") {
        Some(Value::Object(detail)) => {
            let code = text(detail.get("code")).or_else(|| text(detail.get("status")));
            Told { code, said: text(detail.get("message")) }
        }
        Some(Value::Array(problems)) => {
            let said: Vec<String> = problems.iter().filter_map(|problem| wrong_field(problem, text)).collect();
            Told { code: Some("invalid_request".to_owned()), said: Some(said.join("; ")) }
        }
        Some(Value::String(said)) => Told { code: None, said: Some(said) },
        _ => Told::default(),
    }
}

/// One of the problems in a list: where it is, and what.
fn wrong_field(problem: &Value, text: impl Fn(Option<&Value>) -> Option<String>) -> Option<String> {
    let what = text(problem.get("msg"))?;
    let place = problem.get("loc").and_then(Value::as_array).and_then(|place| text(place.last()));
    Some(place.map_or_else(|| what.clone(), |place| format!("{place}: {what}")))
}

fn shortened(said: &str) -> String {
    let said = said.split(|letter: char| letter.is_control() || letter.is_whitespace());
    let said = said.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    said.chars().take(LONGEST_SAYING).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECRET: &str = "sk_5ec7e7";

    fn error(status: u16, body: &Value) -> ElevenLabsError {
        read(status, body.to_string().as_bytes(), None, SECRET)
    }

    #[test]
    fn the_code_decides_before_the_status() {
        let message = "This request exceeds your quota of 10000. You have 0 credits remaining.";
        let quota = ElevenLabsError::Quota { said: Some(message.to_owned()) };
        let busy = ElevenLabsError::Busy { retry_after: None };
        for (status, detail, expected) in [
            (401, json!({ "status": "quota_exceeded", "message": message }), quota.clone()),
            (402, json!({ "code": "quota_exceeded", "status": "error", "message": message }), quota),
            (401, json!({ "status": "invalid_api_key", "message": "Invalid API key" }), ElevenLabsError::InvalidKey),
            (401, json!({ "status": "needs_authorization" }), ElevenLabsError::InvalidKey),
            (401, json!({ "code": "missing_permissions" }), ElevenLabsError::MissingPermission { said: None }),
            (401, json!({ "status": "detected_unusual_activity" }), ElevenLabsError::Blocked { said: None }),
            (403, json!({ "status": "only_for_creator+" }), ElevenLabsError::Plan { said: None }),
            (400, json!({ "status": "voice_not_found" }), ElevenLabsError::UnknownVoice),
            (404, json!({ "code": "voice_not_found" }), ElevenLabsError::UnknownVoice),
            (400, json!({ "status": "model_not_found" }), ElevenLabsError::UnknownModel),
            (400, json!({ "status": "max_character_limit_exceeded" }), ElevenLabsError::TextTooLong { said: None }),
            (429, json!({ "status": "too_many_concurrent_requests" }), busy.clone()),
            (400, json!({ "code": "rate_limit_exceeded" }), busy.clone()),
            (503, json!({ "code": "system_busy" }), busy),
        ] {
            assert_eq!(error(status, &json!({ "detail": detail })), expected, "{status} {detail}");
        }
    }

    #[test]
    fn without_a_known_code_the_status_decides() {
        let down = |status| ElevenLabsError::Down { status, retry_after: None };
        for (status, body, expected) in [
            (401, json!({}), ElevenLabsError::InvalidKey),
            (402, json!({ "detail": null }), ElevenLabsError::Plan { said: None }),
            (408, json!([]), down(408)),
            (409, json!("conflict"), down(409)),
            (429, json!({ "detail": "Too Many Requests" }), ElevenLabsError::Busy { retry_after: None }),
            (500, json!({ "detail": { "status": "brand_new" } }), down(500)),
            (529, json!(null), down(529)),
        ] {
            assert_eq!(error(status, &body), expected, "{status} {body}");
        }
        let seconds = Some(Duration::from_secs(7));
        assert_eq!(read(503, b"<html>", seconds, SECRET).retry_after(), seconds);
    }

    #[test]
    fn each_shape_of_an_error_is_read() {
        let list = json!({ "detail": [
            { "loc": ["body", "text"], "msg": "field required", "type": "missing" },
            { "loc": [], "msg": "no place" },
            "nonsense",
        ] });
        let told = error(422, &list).to_string();
        assert!(
            told.contains("invalid_request, HTTP 422") && told.contains("text: field required; no place"),
            "{told}"
        );
        let object = json!({ "detail": {
            "type": "validation_error", "code": "invalid_parameters", "status": "older", "message": "Not so.",
        } });
        let told = error(400, &object).to_string();
        assert_eq!(told, "ElevenLabs refused the request (invalid_parameters, HTTP 400). ElevenLabs says: Not so.");
        let told = error(405, &json!({ "detail": "Method Not Allowed" })).to_string();
        assert!(told.contains("no code, HTTP 405") && told.ends_with("Method Not Allowed"), "{told}");
        assert_eq!(error(404, &json!(7)).to_string(), "ElevenLabs refused the request (no code, HTTP 404).");
    }

    #[test]
    fn what_is_repeated_is_short_and_never_the_key() {
        let message = format!("The key {SECRET}\n is\u{7} {}", "wrong ".repeat(200));
        let body = json!({ "detail": { "code": format!("odd_{SECRET}"), "message": message } });
        let told = error(400, &body).to_string();
        assert!(!told.contains(SECRET) && !told.contains('\n') && told.chars().count() < 400, "{told}");
    }
}
