//! The list: filters from the address, people's work first, then everything by day.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::facts;
use crate::error::Result;
use crate::operation::content::Kind;
use crate::operation::status::State;
use crate::operation::store::{self, Cursor, Operation, Page};
use crate::operation::views::list::{Filter, OperationsPage, Row, Rows};
use crate::phone::PhoneNumber;
use crate::visit::Visit;
use crate::web::extract::Query;
use crate::web::frame::{Place, html};

/// Rows of a page.
const PAGE: i64 = 50;

/// Most rows of people's work above the days; the rest of it is a link away.
const URGENT: i64 = 10;

/// The address as it came: what means nothing here filters nothing.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    q: String,
    kind: String,
    state: String,
    attention: String,
    cursor: String,
}

pub(super) async fn show(visit: Visit, Query(query): Query<ListQuery>) -> Result<Response> {
    let app = &visit.app;
    let filter = query.filter();
    let after: Option<Cursor> = query.cursor.parse().ok();
    let is_start = filter.is_empty() && after.is_none();
    let frame = visit.frame(place(&filter)).await?;
    let counts = frame.signed_in.as_ref().map_or((0, 0), |person| (person.waiting, person.attention));
    let waiting = Filter { state: State::PendingApproval.to_string(), ..Filter::default() };
    let attention = Filter { attention: true, ..Filter::default() };
    let (figures, page, waiting, attention) = tokio::try_join!(
        app.overview.figures(app),
        read(&visit, &filter, after, PAGE),
        urgent(&visit, &waiting, is_start && counts.0 > 0),
        urgent(&visit, &attention, is_start && counts.1 > 0),
    )?;
    let older = page.next.map(|next| next.to_string());
    let view = OperationsPage {
        frame,
        now: app.clock.now(),
        figures,
        filter,
        rows: arrange(waiting, attention, page.operations, visit.is_masked()),
        older,
        is_continued: after.is_some(),
    };
    Ok(html(StatusCode::OK, &view))
}

impl ListQuery {
    fn filter(&self) -> Filter {
        let known = |text: &str, is_known: bool| if is_known { text.to_owned() } else { String::new() };
        Filter {
            q: self.q.trim().replace('\0', ""),
            kind: known(&self.kind, kind(&self.kind).is_some()),
            state: known(&self.state, self.state.parse::<State>().is_ok()),
            attention: self.attention == "true",
        }
    }
}

fn kind(name: &str) -> Option<Kind> {
    [Kind::Sms, Kind::Call].into_iter().find(|kind| kind.as_str() == name)
}

fn place(filter: &Filter) -> Place {
    match (filter.state.as_str(), filter.attention) {
        ("pending_approval", false) => Place::Waiting,
        (_, true) => Place::Attention,
        _ => Place::Operations,
    }
}

/// A number is stored without spaces; everything else is looked for as it was typed.
fn search(words: &str) -> Option<String> {
    let number = PhoneNumber::parse(words).map(|number| number.to_string());
    Some(number.unwrap_or_else(|_| words.to_owned())).filter(|words| !words.is_empty())
}

async fn read(visit: &Visit, filter: &Filter, after: Option<Cursor>, limit: i64) -> Result<Page> {
    let app = &visit.app;
    let filter = store::Filter {
        states: filter.state.parse().into_iter().collect(),
        kind: kind(&filter.kind),
        to: None,
        attention: filter.attention,
        search: search(&filter.q),
    };
    Ok(store::list(&app.db, &app.clock, app.config.mode, &filter, after, limit).await?)
}

async fn urgent(visit: &Visit, filter: &Filter, is_wanted: bool) -> Result<Vec<Operation>> {
    if is_wanted { Ok(read(visit, filter, None, URGENT).await?.operations) } else { Ok(Vec::new()) }
}

/// Each operation stands once: where a person is needed, else under its day.
fn arrange(waiting: Vec<Operation>, mut attention: Vec<Operation>, mut rest: Vec<Operation>, is_masked: bool) -> Rows {
    let is_in = |group: &[Operation], one: &Operation| group.iter().any(|other| other.id == one.id);
    attention.retain(|operation| !is_in(&waiting, operation));
    rest.retain(|operation| !is_in(&waiting, operation) && !is_in(&attention, operation));
    let rows = |operations: Vec<Operation>| operations.iter().map(|operation| row(operation, is_masked)).collect();
    Rows { waiting: rows(waiting), attention: rows(attention), rest: rows(rest) }
}

fn row(operation: &Operation, is_masked: bool) -> Row {
    Row {
        id: operation.id.to_string(),
        status: facts::status(operation),
        recipient: facts::recipient(operation, is_masked),
        content: facts::content(operation),
        who: operation.token_name.as_ref().map_or_else(|| operation.requester.clone(), |token| format!("key {token}")),
        at: operation.created_at,
        needs_person: operation.state == State::PendingApproval || operation.needs_attention,
        attention: operation.attention(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::operation;
    use super::*;

    #[test]
    fn what_means_nothing_filters_nothing() {
        let query = |kind: &str, state: &str, attention: &str| ListQuery {
            q: " a\0 ".to_owned(),
            kind: kind.to_owned(),
            state: state.to_owned(),
            attention: attention.to_owned(),
            cursor: String::new(),
        };
        let nothing = Filter { q: "a".to_owned(), ..Filter::default() };
        assert_eq!(query("fax", "lost", "yes").filter(), nothing);
        let all = Filter { kind: "sms".to_owned(), state: "failed".to_owned(), attention: true, ..nothing };
        assert_eq!(query("sms", "failed", "true").filter(), all);
    }

    #[test]
    fn a_number_is_found_however_it_is_grouped() {
        assert_eq!(search("+1 (415) 555-0132").as_deref(), Some("+14155550132"));
        assert_eq!(search("gate code").as_deref(), Some("gate code"));
        assert_eq!(search(""), None);
    }

    #[test]
    fn each_operation_stands_once() {
        let [waiting, review, sent] = [State::PendingApproval, State::NeedsReview, State::Delivered].map(operation);
        let rest = vec![sent.clone(), waiting.clone(), review.clone()];
        let rows = arrange(vec![waiting.clone()], vec![waiting, review], rest, true);
        assert_eq!([rows.waiting.len(), rows.attention.len(), rows.rest.len()], [1, 1, 1]);
        assert_eq!(rows.rest[0].id, sent.id.to_string());
        assert!(rows.rest[0].recipient.is_masked && !rows.rest[0].needs_person && rows.waiting[0].needs_person);
    }
}
