//! Before and after: the details of a line, flat and readable.

use std::collections::BTreeMap;

use serde_json::Value;

use super::list::Line;

/// One value of a line: what it was, where that is known, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// `approval.required`
    pub(super) name: String,
    pub(super) before: Option<String>,
    /// `None`: it is there no more.
    pub(super) after: Option<String>,
}

/// What a line says beside who, what and when: the state if it moved, what differs between `before` and `after`, then
/// everything else as it is.
pub(super) fn differences(line: &Line) -> Vec<Difference> {
    let mut told = Vec::new();
    if line.from_state.is_some() && line.from_state != line.to_state {
        told.push(Difference {
            name: "state".to_owned(),
            before: line.from_state.clone(),
            after: line.to_state.clone(),
        });
    }
    let mut rest = flat(&line.details);
    let [before, after] = ["before", "after"].map(|side| line.details.get(side).map(flat).unwrap_or_default());
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let (before, after) = (before.get(name).cloned(), after.get(name).cloned());
        if before != after {
            told.push(Difference { name: name.clone(), before, after });
        }
    }
    rest.retain(|name, _| !["before", "after"].contains(&name.split('.').next().unwrap_or_default()));
    told.extend(rest.into_iter().map(|(name, value)| Difference { name, before: None, after: Some(value) }));
    told
}

/// Every value under its path; what is null says nothing.
fn flat(value: &Value) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    flatten(String::new(), value, &mut values);
    values
}

fn flatten(path: String, value: &Value, values: &mut BTreeMap<String, String>) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(path, member, values);
            }
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
            values.insert(path, items.collect::<Vec<_>>().join(", "));
        }
        Value::String(text) => drop(values.insert(path, text.clone())),
        other => drop(values.insert(path, other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(from: Option<&str>, to: Option<&str>, details: Value) -> Vec<String> {
        let line = Line {
            id: 1,
            seq: 1,
            at: time::OffsetDateTime::UNIX_EPOCH,
            actor: "clock".to_owned(),
            person: None,
            token: None,
            action: "settings.changed".to_owned(),
            object: "settings".to_owned(),
            from_state: from.map(str::to_owned),
            to_state: to.map(str::to_owned),
            mode: None,
            ip: None,
            correlation_id: None,
            details,
            hash: Vec::new(),
        };
        let word = |word: Option<String>| word.unwrap_or_else(|| "-".to_owned());
        differences(&line).into_iter().map(|d| format!("{} {} {}", d.name, word(d.before), word(d.after))).collect()
    }

    #[test]
    fn only_what_differs_is_told_of_before_and_after() {
        let details = json!({
            "version": 2,
            "before": { "approval": { "required": true, "four_eyes": null }, "gone": 1, "same": "x" },
            "after": { "approval": { "required": false, "four_eyes": true }, "new": ["a", 1], "same": "x" },
        });
        assert_eq!(
            told(None, None, details),
            ["approval.four_eyes - true", "approval.required true false", "gone 1 -", "new - a, 1", "version - 2"]
        );
    }

    #[test]
    fn a_state_is_told_if_it_moved() {
        assert_eq!(
            told(Some("approved"), Some("sending"), json!({ "attempt": 1 })),
            ["state approved sending", "attempt - 1"]
        );
        assert!(told(Some("accepted"), Some("accepted"), json!({ "sid": null })).is_empty());
        assert!(told(None, Some("pending_approval"), json!({})).is_empty());
    }
}
