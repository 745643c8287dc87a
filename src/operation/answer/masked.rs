//! What an answer says to those who may see nobody's number.

use serde_json::Value;

use crate::phone::mask;

/// The same for those who may see nobody's number: without the recipient's, wherever it stands, and without those of
/// others to whom Twilio's list has something alike.
pub(crate) fn without_numbers(document: Value, recipient: &str) -> Value {
    let hide = |text: &str| text.replace(recipient, &mask(recipient));
    match document {
        Value::String(text) => Value::String(hide(&text)),
        Value::Array(items) => items.into_iter().map(|item| without_numbers(item, recipient)).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| match value {
                Value::String(number) if name == "to" => (name, Value::String(masked(&number))),
                value => (name, without_numbers(value, recipient)),
            })
            .collect(),
        other => other,
    }
}

/// A number without its middle. States stand under `to` as well, and stay as they are.
fn masked(number: &str) -> String {
    if number.starts_with('+') { mask(number) } else { number.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nobodys_number_is_left_and_states_are() {
        let document = json!({
            "to": "+14155550132",
            "reason": "Invalid number: +14155550132",
            "evidence": [{ "found": { "candidates": [{ "sid": "SM1", "to": "+447700900123", "agrees": false }] } }],
            "history": [{ "from": "sending", "to": "unknown" }],
        });
        let shown = without_numbers(document, "+14155550132");
        assert_eq!((&shown["to"], &shown["history"][0]["to"]), (&json!("+1••••••0132"), &json!("unknown")));
        assert_eq!(shown["reason"], "Invalid number: +1••••••0132");
        assert_eq!(shown["evidence"][0]["found"]["candidates"][0]["to"], "+4•••••••0123");
    }
}
