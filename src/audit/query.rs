//! The filters as they stand in the address; the page, the export and the API read the same ones.

use std::collections::BTreeMap;

use serde::Deserialize;
use time::{Date, OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

use super::list::{Cursor, DEFAULT_LIMIT, Filter, PAGE_LIMIT};
use crate::error::{FieldProblem, Problem};
use crate::id::OperationId;

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// The query of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct AuditQuery {
    pub(super) q: String,
    pub(super) actor: String,
    pub(super) action: String,
    /// The id of an operation, or an object such as `vault/twilio_auth_token`.
    pub(super) object: String,
    /// First day, in UTC.
    pub(super) from: String,
    /// Last day, in UTC.
    pub(super) to: String,
    pub(super) correlation: String,
    pub(super) cursor: String,
    pub(super) limit: Option<String>,
    #[serde(flatten)]
    pub(super) unknown: BTreeMap<String, String>,
}

/// What a query asks for.
pub(super) struct Asked {
    pub(super) filter: Filter,
    pub(super) after: Option<Cursor>,
    pub(super) limit: i64,
}

impl AuditQuery {
    /// For people: what means nothing filters nothing.
    pub(super) fn lenient(&self) -> Asked {
        self.read(&mut Vec::new())
    }

    /// For programs: what means nothing is refused.
    pub(super) fn strict(&self) -> Result<Asked, Problem> {
        let mut problems = Vec::new();
        let asked = self.read(&mut problems);
        let known = "Use q, actor, action, object, from, to, correlation, cursor and limit.";
        problems.extend(self.unknown.keys().map(|name| FieldProblem::new(name, format!("It is not known. {known}"))));
        if problems.is_empty() { Ok(asked) } else { Err(Problem::invalid_fields(problems)) }
    }

    fn read(&self, problems: &mut Vec<FieldProblem>) -> Asked {
        // PostgreSQL's texts hold no NUL, so nothing can match one.
        let given = |text: &str| Some(text.trim().replace('\0', "")).filter(|text| !text.is_empty());
        let object = given(&self.object).map(|object| match object.parse::<OperationId>() {
            Ok(operation) => format!("operation/{operation}"),
            Err(_) => object,
        });
        let mut read = |field: &str, text: &str, help: &str, is_sound: bool| {
            if !text.is_empty() && !is_sound {
                problems.push(FieldProblem::new(field, help));
            }
        };
        let (from, to) = (day(&self.from), day(&self.to));
        let written_as = "A day is written as 2026-11-23, in UTC.";
        read("from", &self.from, written_as, from.is_some());
        read("to", &self.to, written_as, to.is_some());
        let after = self.cursor.parse().ok();
        read("cursor", &self.cursor, "Take it from `nextCursor`.", after.is_some());
        let limit =
            self.limit.as_ref().map(|limit| limit.parse().ok().filter(|limit| (1..=PAGE_LIMIT).contains(limit)));
        if limit == Some(None) {
            problems.push(FieldProblem::new("limit", format!("A page has 1 to {PAGE_LIMIT} lines.")));
        }
        let filter = Filter {
            actor: given(&self.actor),
            action: given(&self.action),
            object,
            since: from.map(midnight),
            until: to.and_then(Date::next_day).map(midnight),
            correlation_id: given(&self.correlation),
            search: given(&self.q),
        };
        Asked { filter, after, limit: limit.flatten().unwrap_or(DEFAULT_LIMIT) }
    }

    /// Whether nothing is filtered.
    pub(super) fn is_empty(&self) -> bool {
        self.lenient().filter == Filter::default()
    }

    /// These filters at another address, from a cursor on.
    pub(super) fn address(&self, path: &str, cursor: Option<&str>) -> String {
        let pairs = [
            ("q", self.q.as_str()),
            ("actor", &self.actor),
            ("action", &self.action),
            ("object", &self.object),
            ("from", &self.from),
            ("to", &self.to),
            ("correlation", &self.correlation),
            ("cursor", cursor.unwrap_or_default()),
        ];
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()))
            .finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

fn day(text: &str) -> Option<Date> {
    Date::parse(text.trim(), DAY).ok()
}

fn midnight(day: Date) -> OffsetDateTime {
    day.midnight().assume_utc()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn query(text: &str) -> AuditQuery {
        serde_urlencoded::from_str(text).expect("a query")
    }

    #[test]
    fn every_filter_is_read_and_written() {
        let text =
            "q=a+b&actor=ada%40example.com&action=vault&object=settings&from=2026-11-22&to=2026-11-23&correlation=r-1";
        let asked = query(&format!("{text}&cursor=7&limit=200")).strict().expect("sound");
        assert_eq!((asked.after, asked.limit), (Some(7), 200));
        let filter = Filter {
            actor: Some("ada@example.com".to_owned()),
            action: Some("vault".to_owned()),
            object: Some("settings".to_owned()),
            since: Some(datetime!(2026-11-22 00:00 UTC)),
            until: Some(datetime!(2026-11-24 00:00 UTC)),
            correlation_id: Some("r-1".to_owned()),
            search: Some("a b".to_owned()),
        };
        assert_eq!(asked.filter, filter);
        assert_eq!(query(text).address("/x", Some("7")), format!("/x?{text}&cursor=7"));
        assert_eq!(AuditQuery::default().address("/x", None), "/x");
    }

    #[test]
    fn an_operation_is_named_by_its_id() {
        let asked = query("object=019AB2C4-7E10-7C3A-9F21-5B8E0D6A41C2").lenient();
        assert_eq!(asked.filter.object.as_deref(), Some("operation/019ab2c4-7e10-7c3a-9f21-5b8e0d6a41c2"));
    }

    #[test]
    fn what_means_nothing_filters_nothing_and_is_refused_to_programs() {
        let wrong = query("from=today&to=2026-02-30&cursor=x&limit=201&actr=ada&q=+&actor=%00");
        assert!(wrong.is_empty());
        assert_eq!(wrong.lenient().limit, DEFAULT_LIMIT);
        let refused = wrong.strict().err().expect("refused");
        let fields: Vec<_> = refused.details.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["from", "to", "cursor", "limit", "actr"]);
        assert!(query("limit=").strict().is_err(), "no number is none");
    }
}
