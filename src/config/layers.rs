//! How one layer of settings is laid over another: every name must be one of `config/default.toml`, so that a slip of
//! the pen in a name is an error and not a default.

use anyhow::bail;
use toml::{Table, Value};

use super::{Environment, PREFIX};

/// Variables with our prefix that are not settings of the file.
const OTHERS: [&str; 8] = [
    "MISSION_CONTROL_CLIPS_ACCESS_KEY_ID",
    "MISSION_CONTROL_CLIPS_SECRET_ACCESS_KEY",
    "MISSION_CONTROL_OIDC_CLIENT_SECRET",
    "MISSION_CONTROL_CONFIG",
    "MISSION_CONTROL_MASTER_KEY",
    "MISSION_CONTROL_MASTER_KEY_FILE",
    "MISSION_CONTROL_MASTER_KEY_COMMAND",
    "MISSION_CONTROL_TOKEN",
    "MISSION_CONTROL_WEBHOOK_SHARED_KEYS",
];

/// Lays the settings of a file over the defaults.
pub(super) fn overlay(base: &mut Table, upper: Table, origin: &str) -> anyhow::Result<()> {
    for (name, value) in upper {
        match (base.get_mut(&name), value) {
            (None, _) => bail!("{origin} sets {name}, which is not a setting. See config/default.toml for the names."),
            (Some(Value::Table(inner)), Value::Table(upper)) => overlay(inner, upper, origin)?,
            (Some(setting), value) => *setting = value,
        }
    }
    Ok(())
}

/// Lays the environment over the file; answers which operating settings it fixes, as `table.name`.
pub(super) fn overlay_environment(base: &mut Table, environment: &Environment) -> anyhow::Result<Vec<String>> {
    let mut known: Vec<String> = OTHERS.map(str::to_owned).to_vec();
    let mut locked = Vec::new();
    for (name, setting) in base.iter_mut() {
        if let Value::Table(inner) = setting {
            for (inner_name, setting) in inner.iter_mut() {
                let variable = format!("{PREFIX}{}_{}", name.to_uppercase(), inner_name.to_uppercase());
                if let Some(text) = environment.get(&variable) {
                    *setting = parse(&variable, text, setting)?;
                    locked.push(format!("{name}.{inner_name}"));
                }
                known.push(variable);
            }
        } else {
            let variable = format!("{PREFIX}{}", name.to_uppercase());
            if let Some(text) = environment.get(&variable) {
                *setting = parse(&variable, text, setting)?;
            }
            known.push(variable);
        }
    }
    match environment.0.keys().find(|name| name.starts_with(PREFIX) && !known.contains(name)) {
        Some(unknown) => bail!("{unknown} is not a setting. See the table of settings in the README for the names."),
        None => Ok(locked),
    }
}

/// Reads a variable as what its setting is by default.
fn parse(variable: &str, text: &str, default: &Value) -> anyhow::Result<Value> {
    let value = match default {
        Value::Boolean(_) => text.parse().ok().map(Value::Boolean),
        Value::Integer(_) => text.parse().ok().map(Value::Integer),
        Value::Float(_) => text.parse().ok().map(Value::Float),
        Value::Array(_) => {
            Some(Value::Array(text.split(',').map(|item| Value::String(item.trim().to_owned())).collect()))
        }
        Value::String(word) if word == "by_mode" => {
            let number = || text.parse().ok().map(Value::Float);
            Some(
                text.parse().ok().map(Value::Boolean).or_else(number).unwrap_or_else(|| Value::String(text.to_owned())),
            )
        }
        _ => Some(Value::String(text.to_owned())),
    };
    match value {
        Some(value) => Ok(value),
        None => bail!("{variable} is {text:?}, which does not fit. Its default is a {}.", default.type_str()),
    }
}
