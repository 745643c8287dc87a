//! Examples where an address has none of its own: made of what its shapes say.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

/// Gives every body of a request and every refusal an example.
pub(super) fn add(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    let operations = paths.flat_map(|(_, methods)| methods.as_object_mut().into_iter().flatten());
    for (_, operation) in operations {
        for content in contents(&mut operation["requestBody"]) {
            if content.get("examples").is_none()
                && let Some(example) = of_shape(&content["schema"], &schemas)
            {
                content["example"] = example;
            }
        }
        for (status, answer) in operation["responses"].as_object_mut().into_iter().flatten() {
            let (Ok(status), Some(code)) = (status.parse(), code(&answer["description"])) else { continue };
            let detail = words(&answer["description"]);
            if let Some(content) = answer.pointer_mut("/content/application~1problem+json") {
                content["example"] = problem(status, &code, &detail);
            }
        }
    }
}

/// A refusal.
pub(super) fn problem(status: u16, code: &str, detail: &str) -> Value {
    let title = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
    json!({
        "type": format!("urn:mission-control:problem:{code}"), "title": title, "status": status, "detail": detail,
        "code": code, "error": detail, "correlationId": "0199f4a56c1e7d2a9a5b2f6d1c3e4b5a",
    })
}

fn contents(body: &mut Value) -> impl Iterator<Item = &mut Value> {
    body.get_mut("content").and_then(Value::as_object_mut).into_iter().flatten().map(|(_, content)| content)
}

/// An object of the members that have an example.
fn of_shape(schema: &Value, schemas: &Value) -> Option<Value> {
    let reference =
        schema["$ref"].as_str().or_else(|| schema["oneOf"].as_array()?.iter().find_map(|one| one["$ref"].as_str()));
    let shape = &schemas[reference?.rsplit('/').next()?];
    let members = shape["properties"].as_object()?.iter();
    let members: Map<String, Value> =
        members.filter_map(|(name, member)| Some((name.clone(), member.get("example")?.clone()))).collect();
    Some(Value::Object(members))
}

/// The first word in code of a description.
fn code(description: &Value) -> Option<String> {
    description.as_str()?.split('`').nth(1).map(str::to_owned)
}

/// The description of that word, or the whole.
fn words(description: &Value) -> String {
    let text = description.as_str().unwrap_or_default();
    let first = text.split_once("`: ").map_or(text, |(_, words)| words);
    let mut words = first.split(['.', ';']).next().unwrap_or_default().replace('\n', " ");
    if let Some(letter) = words.get_mut(..1) {
        letter.make_ascii_uppercase();
    }
    format!("{words}.")
}
