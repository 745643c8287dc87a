//! Whether what the service answers is what its description says: asked of every answer to every test that speaks to the
//! API.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use axum::http::{HeaderMap, Method, StatusCode, header};
use jsonschema::Validator;
use mission_control::{openapi, router};
use serde_json::{Value, json};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| openapi::document(&router::routes()));

/// A shape is made ready once: by its place in the document.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Validator>>> = LazyLock::new(Mutex::default);

/// Fails if an answer of the API is none that the description has.
pub(crate) fn check(method: &Method, path: &str, status: StatusCode, headers: &HeaderMap, text: &str) {
    let Some((template, methods)) = methods(path) else { return };
    let of = if method == Method::HEAD { "get".to_owned() } else { method.as_str().to_ascii_lowercase() };
    let Some(operation) = methods.get(&of) else {
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {template} is not described: {text}");
        return;
    };
    let answer = &operation["responses"][status.as_str()];
    let (answer, place) = match answer["$ref"].as_str() {
        Some(reference) => {
            let place = reference.trim_start_matches('#').to_owned();
            (DOCUMENT.pointer(&place).unwrap_or_else(|| panic!("{reference} leads nowhere")), place)
        }
        None => {
            let template = template.replace('~', "~0").replace('/', "~1");
            (answer, format!("/paths/{template}/{of}/responses/{status}", status = status.as_str()))
        }
    };
    assert!(answer.is_object(), "{method} {template} answers {status}, which is not described: {text}");
    if text.is_empty() || method == Method::HEAD {
        return;
    }
    let given = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default();
    let content = &answer["content"][media_type];
    assert!(content.is_object(), "{method} {template} answers {status} as {given:?}, which is not described: {text}");
    if !media_type.ends_with("json") {
        return;
    }
    let instance: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let pointer = format!("#{place}/content/{}/schema", media_type.replace('/', "~1"));
    let mut validators = VALIDATORS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let validator = validators.entry(pointer).or_insert_with_key(|pointer| validator(pointer));
    let wrong: Vec<String> =
        validator.iter_errors(&instance).map(|error| format!("{}: {error}", error.instance_path())).collect();
    drop(validators);
    assert!(wrong.is_empty(), "{method} {template} {status} is not as described: {wrong:?}\n{text}");
}

/// The description of the address that a path is at. An address without parts to fill in goes before one with.
fn methods(path: &str) -> Option<(&'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    let exact = paths.get_key_value(path);
    let found = exact.or_else(|| paths.iter().find(|(template, _)| fits(template, path)));
    found.map(|(template, methods)| (template.as_str(), methods))
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path) = (template.split('/'), path.split('/'));
    template.clone().count() == path.clone().count()
        && template.zip(path).all(|(part, given)| part == given || (part.starts_with('{') && !given.is_empty()))
}

fn has_members(document: &Value, shape: &Value) -> bool {
    let parts = ["allOf", "oneOf", "anyOf"].into_iter().flat_map(|kind| shape[kind].as_array().into_iter().flatten());
    let named = shape["$ref"].as_str().and_then(|name| document.pointer(&name[1..]));
    shape["properties"].is_object() || parts.chain(named).any(|part| has_members(document, part))
}

/// A shape of the document, with everything that it refers to.
fn validator(pointer: &str) -> Validator {
    let mut schema = DOCUMENT.clone();
    // A reference is a URI, in which braces stand encoded.
    schema["$ref"] = json!(pointer.replace('{', "%7B").replace('}', "%7D"));
    // What is not described is not told. Problems say more, by their code; what has no members described may have any.
    if !pointer.contains("problem+json") && has_members(&DOCUMENT, DOCUMENT.pointer(&pointer[1..]).expect("a shape")) {
        schema["unevaluatedProperties"] = json!(false);
    }
    jsonschema::draft202012::new(&schema).unwrap_or_else(|error| panic!("{pointer}: {error}"))
}
