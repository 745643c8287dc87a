//! The description of the API and the API itself: each has what the other has.

use std::collections::BTreeSet;

use mission_control::{openapi, router};
use serde_json::Value;

fn document() -> Value {
    openapi::document(&router::routes())
}

/// Each operation as `GET /path`.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths").iter();
    paths
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods").iter();
            methods.map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
        })
        .collect()
}

#[test]
fn router_and_document_have_the_same_addresses() {
    let document = document();
    let described: BTreeSet<String> = operations(&document).into_iter().map(|(name, _)| name).collect();
    let routes = router::routes();
    let routed: BTreeSet<String> = routes
        .iter()
        .filter(|route| openapi::is_for_programs(route))
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    assert_eq!(described, routed);
    assert!(routed.len() >= 28, "{routed:?}");
    // What is left out answers with pages.
    for route in routes.iter().filter(|route| !openapi::is_for_programs(route)) {
        assert!(!route.path.starts_with("/api/") && !route.path.starts_with("/webhooks/"), "{}", route.path);
    }
}

#[test]
fn every_operation_says_who_may_what_comes_back_and_shows_an_example() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let routes = router::routes();
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{name} has no id"));
        assert!(ids.insert(id.to_owned()), "{id} twice");
        assert!(operation["summary"].is_string() && operation["tags"].is_array(), "{name}");
        let route = routes.iter().find(|route| format!("{} {}", route.method, route.path) == name).expect("a route");
        let takes = route.terms.access.permission();
        assert_eq!(operation["security"].is_array(), takes.is_some(), "{name}");
        if let Some(scope) = takes.and_then(mission_control::auth::Permission::scope) {
            assert!(operation["description"].as_str().is_some_and(|text| text.contains(scope.as_str())), "{name}");
            assert!(operation["responses"]["401"].is_object() && operation["responses"]["403"].is_object(), "{name}");
        }
        for content in operation["requestBody"]["content"].as_object().into_iter().flatten().map(|(_, content)| content)
        {
            let shows = content["example"].is_object() || content["examples"].is_object();
            assert!(shows || name.contains("/webhooks/"), "{name} has no example of its body");
        }
        for (status, answer) in operation["responses"].as_object().expect("answers") {
            let shared = answer["$ref"].as_str().map(|name| document.pointer(&name[1..]).expect("a shared answer"));
            let answer = shared.unwrap_or(answer);
            assert!(answer["description"].as_str().is_some_and(|text| !text.is_empty()), "{name} {status}");
            // A probe that is not ready says so in the same shape.
            let is_refusal =
                status.starts_with(['4', '5']) && (name.as_str(), status.as_str()) != ("GET /readyz", "503");
            let problem = &answer["content"]["application/problem+json"];
            assert_eq!(is_refusal, problem.is_object(), "{name} {status}: refusals are problem documents");
            if is_refusal {
                let example = &problem["example"];
                assert_eq!(example["status"].to_string(), *status, "{name}");
                let code = example["code"].as_str().unwrap_or_default();
                assert!(
                    code.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase()),
                    "{name} {status}: {code:?}"
                );
            }
        }
    }
}

#[test]
fn what_refers_to_a_shape_finds_it() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 30, "{found:?}");
    for reference in &found {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
    }
    // A shape that nothing names is one that somebody forgot to take out.
    let named: BTreeSet<&str> =
        found.iter().filter_map(|reference| reference.strip_prefix("#/components/schemas/")).collect();
    let shapes: BTreeSet<&str> =
        document["components"]["schemas"].as_object().expect("shapes").keys().map(String::as_str).collect();
    assert_eq!(shapes, named);
}
