//! The list: filters from the address, people's work first, then everything by day.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::facts;
use crate::auth::Permission;
use crate::error::Result;
use crate::id::OperationId;
use crate::operation::content::Kind;
use crate::operation::status::State;
use crate::operation::store::{self, Cursor, Operation, Page};
use crate::operation::views::list::{ChangedRows, Filter, ListPane, News, OperationsPage, Row, Rows};
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
    /// The newest operation that is known already.
    after: String,
}

/// How many new operations are counted; beyond that, "more" says enough.
const NEWS: i64 = 99;

/// Most rows that are asked for again at once: more than a page has.
const CHANGED: usize = 100;

pub(super) async fn show(visit: Visit, Query(query): Query<ListQuery>) -> Result<Response> {
    let app = &visit.app;
    let frame = visit.frame(place(&query.filter())).await?;
    let counts = frame.signed_in.as_ref().map_or((0, 0), |person| (person.waiting, person.attention));
    let (figures, list) = tokio::try_join!(app.overview.figures(app), pane(&visit, &query, counts, None),)?;
    Ok(html(StatusCode::OK, &OperationsPage { frame, now: app.clock.now(), figures, list }))
}

/// The list under the filters of an address, with this operation marked in it.
pub(super) async fn pane(
    visit: &Visit,
    query: &ListQuery,
    (waiting, attention): (i64, i64),
    selected: Option<String>,
) -> Result<ListPane> {
    let filter = query.filter();
    let after: Option<Cursor> = query.cursor.parse().ok();
    let is_start = filter.is_empty() && after.is_none();
    let [all_waiting, all_attention] = urgent_filters();
    let (page, urgent, doubtful) = tokio::try_join!(
        read(visit, &filter, after, PAGE),
        urgent(visit, &all_waiting, is_start && waiting > 0),
        urgent(visit, &all_attention, is_start && attention > 0),
    )?;
    Ok(ListPane {
        now: visit.app.clock.now(),
        filter,
        cursor: after.map(|cursor| cursor.to_string()),
        waiting,
        attention,
        may_decide: visit.principal.may(Permission::Decide),
        selected,
        rows: arrange(urgent, doubtful, page.operations, visit.is_masked()),
        older: page.next.map(|next| next.to_string()),
    })
}

/// Rows of a list that changed while it is on somebody's screen, as they are now.
pub(super) async fn changed(
    visit: Visit,
    Query(ids): Query<Vec<(String, String)>>,
    Query(query): Query<ListQuery>,
) -> Result<Response> {
    let app = &visit.app;
    let ids: Vec<OperationId> =
        ids.iter().filter(|(name, _)| name == "id").filter_map(|(_, id)| id.parse().ok()).take(CHANGED).collect();
    let operations = store::find_all(&app.db, &app.clock, app.config.mode, &ids).await?;
    let rows = ChangedRows {
        now: app.clock.now(),
        query: query.suffix(),
        may_decide: visit.principal.may(Permission::Decide),
        rows: operations.iter().map(|operation| row(operation, visit.is_masked())).collect(),
    };
    Ok(html(StatusCode::OK, &rows))
}

/// How many operations of this list came since.
pub(super) async fn news(visit: Visit, Query(query): Query<ListQuery>) -> Result<Response> {
    let app = &visit.app;
    let after: OperationId = query.after.parse().unwrap_or(OperationId(uuid::Uuid::nil()));
    let filter = query.filter();
    let count = store::newer(&app.db, &app.clock, app.config.mode, &wanted(&filter), after, NEWS + 1).await?;
    let news = News { address: filter.address(None), count: count.min(NEWS), is_more: count > NEWS };
    Ok(html(StatusCode::OK, &news))
}

impl ListQuery {
    /// What the addresses beside this list end in.
    pub(super) fn suffix(&self) -> String {
        let cursor: Option<Cursor> = self.cursor.parse().ok();
        self.filter().query(cursor.map(|cursor| cursor.to_string()).as_deref())
    }

    pub(super) fn filter(&self) -> Filter {
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

/// A whole number, however it is grouped, is a recipient and has an index; everything else is looked for in the texts.
fn number(words: &str) -> Option<String> {
    PhoneNumber::parse(words).ok().map(|number| number.to_string())
}

async fn read(visit: &Visit, filter: &Filter, after: Option<Cursor>, limit: i64) -> Result<Page> {
    let app = &visit.app;
    Ok(store::list(&app.db, &app.clock, app.config.mode, &wanted(filter), after, limit).await?)
}

/// What the filters of an address ask the store for.
fn wanted(filter: &Filter) -> store::Filter {
    store::Filter {
        states: filter.state.parse().into_iter().collect(),
        kind: kind(&filter.kind),
        to: number(&filter.q),
        attention: filter.attention,
        search: Some(filter.q.clone()).filter(|words| !words.is_empty() && number(words).is_none()),
    }
}

/// People's work: what waits for a decision, and what needs attention.
fn urgent_filters() -> [Filter; 2] {
    [
        Filter { state: State::PendingApproval.to_string(), ..Filter::default() },
        Filter { attention: true, ..Filter::default() },
    ]
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
            ..ListQuery::default()
        };
        let nothing = Filter { q: "a".to_owned(), ..Filter::default() };
        assert_eq!(query("fax", "lost", "yes").filter(), nothing);
        let all = Filter { kind: "sms".to_owned(), state: "failed".to_owned(), attention: true, ..nothing };
        assert_eq!(query("sms", "failed", "true").filter(), all);
    }

    #[test]
    fn a_number_is_found_however_it_is_grouped() {
        let by = |q: &str| wanted(&Filter { q: q.to_owned(), ..Filter::default() });
        let number = by("+1 (415) 555-0132");
        assert_eq!((number.to.as_deref(), number.search), (Some("+14155550132"), None));
        let words = by("gate code");
        assert_eq!((words.to, words.search.as_deref()), (None, Some("gate code")));
        assert!(by("").search.is_none());
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
