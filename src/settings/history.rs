//! Earlier versions of the settings: who changed what, and when.

use serde_json::Value;
use sqlx::PgExecutor;
use time::OffsetDateTime;

use super::catalogue::SETTINGS;
use super::{Settings, SettingsError, Stored, settings_of};
use crate::config::Operating;

/// Versions that the page lists.
const SHOWN: i64 = 20;

/// One version, with what it changed.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) number: i64,
    pub(super) by: String,
    pub(super) at: OffsetDateTime,
    /// `None` for the first, which changed nothing.
    pub(super) differences: Option<Vec<Difference>>,
}

/// A setting before and after a change, in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) label: String,
    pub(super) before: String,
    pub(super) after: String,
}

/// The newest versions, the newest first.
pub(super) async fn newest(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<Version>> {
    let rows = sqlx::query!(
        r#"
        select
            version,
            document,
            lag(document) over (order by version) as before,
            changed_by,
            changed_at
        from (
            select
                version,
                document,
                changed_by,
                changed_at
            from settings
            order by version desc
            limit $1::bigint + 1) as newest
        order by version desc
        limit $1
        "#,
        SHOWN,
    )
    .fetch_all(db)
    .await?;
    let versions = rows.into_iter().map(|row| Version {
        number: row.version,
        by: row.changed_by,
        at: row.changed_at,
        differences: row.before.map(|before| differences(&before, &row.document)),
    });
    Ok(versions.collect())
}

impl Settings {
    /// The settings as this process would have read an earlier version, if there is one of that number.
    pub(super) async fn at(&self, version: i64) -> Result<Option<Operating>, SettingsError> {
        let stored = sqlx::query_as!(Stored, "select version, document from settings where version = $1", version)
            .fetch_optional(&self.db)
            .await?;
        let read = stored.map(|stored| self.fixed.in_force(&stored)).transpose()?;
        Ok(read.map(|read| Operating::clone(&read.operating)))
    }
}

/// What differs between two documents; they may know settings that this program does not.
pub(super) fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let mut names: Vec<String> =
        settings_of(before).chain(settings_of(after)).map(|(table, name, _)| format!("{table}.{name}")).collect();
    names.sort();
    names.dedup();
    names.sort_by_key(|name| SETTINGS.iter().position(|setting| setting.name == name).unwrap_or(SETTINGS.len()));
    names.iter().filter_map(|name| difference(name, before, after)).collect()
}

fn difference(name: &str, before: &Value, after: &Value) -> Option<Difference> {
    let (table, inner) = name.split_once('.')?;
    let [before, after] = [before, after].map(|document| document.get(table).and_then(|table| table.get(inner)));
    if before == after {
        return None;
    }
    let setting = SETTINGS.iter().find(|setting| setting.name == name);
    // What the environment locked when the version was made is not in it.
    let words = |value: Option<&Value>| match (setting, value) {
        (_, None) => "not stored".to_owned(),
        (Some(setting), Some(value)) => setting.in_words(value),
        (None, Some(value)) => value.to_string(),
    };
    let label = setting.map_or(name, |setting| setting.label).to_owned();
    Some(Difference { label, before: words(before), after: words(after) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_told_in_words_and_in_the_order_of_the_page() {
        let before = json!({
            "weather": { "rain": true },
            "api": { "require_idempotency_key": false },
            "approval": { "required": true, "pending_seconds": 60 },
        });
        let after = json!({
            "weather": { "rain": false },
            "api": { "require_idempotency_key": true },
            "approval": { "pending_seconds": 3600, "required": true, "four_eyes": "by_mode" },
        });
        let told: Vec<String> = differences(&before, &after)
            .into_iter()
            .map(|difference| format!("{}: {} to {}", difference.label, difference.before, difference.after))
            .collect();
        assert_eq!(
            told,
            [
                "Four eyes: not stored to As the mode decides",
                "Time to decide: 1 min to 1 h",
                "Idempotency key required: Off to On",
                "weather.rain: true to false",
            ]
        );
        assert!(differences(&before, &before).is_empty());
    }
}
