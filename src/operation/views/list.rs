//! The list of operations: people's work first, then the days.

use askama::Template;
use time::OffsetDateTime;

use super::{
    attention,
    content::{Content, Recipient},
    status::{STATES, Status, words},
};
use crate::operation::attention::Attention;
use crate::operation::overview::Figures;
use crate::web::frame::{Frame, Tone};
use crate::web::text;

#[derive(Template)]
#[template(path = "operations/list.html")]
pub(crate) struct OperationsPage {
    pub(crate) frame: Frame,
    pub(crate) now: OffsetDateTime,
    pub(crate) figures: Figures,
    pub(crate) list: ListPane,
}

/// The rows under their headings; a part of two pages.
#[derive(Clone, Debug, Template)]
#[template(path = "operations/pane_list.html")]
pub(crate) struct ListPane {
    pub(crate) now: OffsetDateTime,
    pub(crate) filter: Filter,
    /// Where this page begins; `None` for the newest.
    pub(crate) cursor: Option<String>,
    /// How many wait for approval, and how many need attention, in all.
    pub(crate) waiting: i64,
    pub(crate) attention: i64,
    /// The reader may decide, so that several can be chosen for it.
    pub(crate) may_decide: bool,
    /// The operation that stands beside the list.
    pub(crate) selected: Option<String>,
    pub(crate) rows: Rows,
    /// The cursor of the next, older page.
    pub(crate) older: Option<String>,
}

/// What is on the page. Without filters, the first page brings people's work apart; else all of it is in `rest`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) waiting: Vec<Row>,
    pub(crate) attention: Vec<Row>,
    /// Newest first, without those above.
    pub(crate) rest: Vec<Row>,
}

/// One operation in a list.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) status: Status,
    pub(crate) recipient: Recipient,
    pub(crate) content: Content,
    /// Who asked: a person's name, or `key billing-worker`.
    pub(crate) who: String,
    pub(crate) at: OffsetDateTime,
    pub(crate) needs_person: bool,
    pub(crate) attention: Vec<Attention>,
}

/// Rows that changed while their list is on somebody's screen: each replaces itself.
#[derive(Template)]
#[template(path = "operations/changed_rows.html")]
pub(crate) struct ChangedRows {
    pub(crate) now: OffsetDateTime,
    pub(crate) query: String,
    pub(crate) may_decide: bool,
    pub(crate) rows: Vec<Row>,
}

/// How many operations came since a list was shown, with the way to them.
#[derive(Template)]
#[template(path = "operations/news.html")]
pub(crate) struct News {
    pub(crate) address: String,
    pub(crate) count: i64,
    /// There are more than were counted.
    pub(crate) is_more: bool,
}

impl Row {
    /// Several of these can be chosen and decided on together.
    pub(crate) fn is_selectable(&self, may_decide: bool) -> bool {
        may_decide && self.status.state == "pending_approval"
    }

    fn reasons(&self) -> impl Iterator<Item = String> {
        self.attention.iter().map(|reason| attention::words(*reason, self.status.kind))
    }
}

/// The filters in the address, as they were read from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) q: String,
    /// `sms`, `call`, or empty for both.
    pub(crate) kind: String,
    /// The name of a state, or empty for all.
    pub(crate) state: String,
    pub(crate) attention: bool,
}

impl Filter {
    const PATH: &str = "/dashboard/operations";

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The address of the list under these filters, from a cursor on.
    pub(crate) fn address(&self, cursor: Option<&str>) -> String {
        Self::PATH.to_owned() + &self.query(cursor)
    }

    /// What follows an address under these filters: empty, or `?` and the pairs.
    pub(crate) fn query(&self, cursor: Option<&str>) -> String {
        self.query_with(("cursor", cursor.unwrap_or_default()))
    }

    fn query_with(&self, last: (&str, &str)) -> String {
        let attention = if self.attention { "true" } else { "" };
        let pairs =
            [("q", self.q.as_str()), ("kind", &self.kind), ("state", &self.state), ("attention", attention), last];
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()))
            .finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }

    /// The same search among other states.
    fn showing(&self, state: &str, attention: bool) -> Self {
        Self { state: state.to_owned(), attention, ..self.clone() }
    }

    /// In words, for the empty list.
    fn in_words(&self) -> String {
        let mut parts = Vec::new();
        if self.attention {
            parts.push("needs attention".to_owned());
        }
        if !self.state.is_empty() {
            parts.push(words(&self.state).word.to_lowercase());
        }
        match self.kind.as_str() {
            "sms" => parts.push("SMS only".to_owned()),
            "call" => parts.push("calls only".to_owned()),
            _ => {}
        }
        if !self.q.is_empty() {
            parts.push(format!("with “{}”", self.q));
        }
        let mut sentence = parts.join(", ");
        if let Some(first) = sentence.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        sentence + "."
    }
}

/// One filter that can be switched to by a link.
struct Chip {
    address: String,
    label: &'static str,
    icon: Option<&'static str>,
    tone: Tone,
    /// How many there are, under the name by which the number is kept up to date.
    count: Option<(&'static str, i64)>,
    is_current: bool,
}

/// Rows under one heading.
struct Group<'a> {
    title: String,
    /// How many there are in all, with the colour of their urgency.
    count: Option<(i64, Tone)>,
    /// Where the rest of them is, if the page shows only some.
    all: Option<String>,
    rows: &'a [Row],
    /// Here stands the button that brings the chosen ones together.
    has_review: bool,
}

impl<'a> Group<'a> {
    fn urgent(title: &str, tone: Tone, rows: &'a [Row], count: i64, address: String) -> Self {
        let is_part = i64::try_from(rows.len()).is_ok_and(|shown| shown < count);
        Self {
            title: title.to_owned(),
            count: Some((count, tone)),
            all: is_part.then_some(address),
            rows,
            has_review: false,
        }
    }
}

impl OperationsPage {
    fn waiting(&self) -> i64 {
        self.list.waiting
    }

    fn attention(&self) -> i64 {
        self.list.attention
    }

    /// Nothing has ever been asked for.
    fn is_new(&self) -> bool {
        self.list.is_nothing() && self.list.filter.is_empty() && self.list.cursor.is_none()
    }

    fn chips(&self) -> Vec<Chip> {
        let filter = &self.list.filter;
        let chip = |label, icon, tone, state: &str, attention, count| {
            let target = filter.showing(state, attention);
            Chip { address: target.address(None), label, icon, tone, count, is_current: target == *filter }
        };
        vec![
            chip("All", None, Tone::Mute, "", false, None),
            chip("Waiting", Some("clock"), Tone::Warn, "pending_approval", false, Some(("waiting", self.waiting()))),
            chip("Attention", Some("warning"), Tone::Odd, "", true, Some(("attention", self.attention()))),
            chip("Accepted", Some("send"), Tone::Accent, "accepted", false, None),
            chip("Delivered", Some("delivered"), Tone::Ok, "delivered", false, None),
            chip("Failed", Some("circle-x"), Tone::Bad, "failed", false, None),
        ]
    }

    fn state_choices() -> impl Iterator<Item = (&'static str, &'static str)> {
        STATES.into_iter().map(|state| (state, words(state).word))
    }
}

impl ListPane {
    /// Whether this is the whole of what needs attention.
    fn is_all_attention(&self) -> bool {
        self.filter == Filter { attention: true, ..Filter::default() } && self.cursor.is_none()
    }

    fn is_nothing(&self) -> bool {
        self.rows.waiting.is_empty() && self.rows.attention.is_empty() && self.rows.rest.is_empty()
    }

    /// What the address of each row ends in, so that the same list stands beside it.
    fn query(&self) -> String {
        self.filter.query(self.cursor.as_deref())
    }

    fn is_selected(&self, row: &Row) -> bool {
        self.selected.as_ref() == Some(&row.id)
    }

    /// Where what came since is counted; `None` where the newest are not on the page.
    fn news(&self) -> Option<String> {
        let nothing = uuid::Uuid::nil().to_string();
        let rows = [&self.rows.waiting, &self.rows.attention, &self.rows.rest];
        let newest = rows.into_iter().flatten().map(|row| &row.id).max().unwrap_or(&nothing);
        let query = self.filter.query_with(("after", newest));
        self.cursor.is_none().then(|| format!("{}/news{query}", Filter::PATH))
    }

    fn groups(&self) -> Vec<Group<'_>> {
        let Rows { waiting, attention, rest } = &self.rows;
        let [all_waiting, all_attention] = [("pending_approval", false), ("", true)]
            .map(|(state, attention)| self.filter.showing(state, attention).address(None));
        let urgent = [
            Group::urgent("Waiting for approval", Tone::Warn, waiting, self.waiting, all_waiting),
            Group::urgent("Needs attention", Tone::Odd, attention, self.attention, all_attention),
        ];
        let days = rest.chunk_by(|one, next| self.day_of(one) == self.day_of(next)).map(|day| Group {
            title: self.day_of(&day[0]),
            count: None,
            all: None,
            rows: day,
            has_review: false,
        });
        let mut groups: Vec<_> = urgent.into_iter().filter(|group| !group.rows.is_empty()).chain(days).collect();
        let is_selectable = |group: &&mut Group<'_>| group.rows.iter().any(|row| row.is_selectable(self.may_decide));
        if let Some(first) = groups.iter_mut().find(is_selectable) {
            first.has_review = true;
        }
        groups
    }

    fn day_of(&self, row: &Row) -> String {
        text::day(row.at.to_utc(), self.now.to_utc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_holds_every_filter_and_nothing_else() {
        assert_eq!(Filter::default().address(None), "/dashboard/operations");
        let filter =
            Filter { q: "a&b \"c\"".to_owned(), kind: "sms".to_owned(), state: "failed".to_owned(), attention: true };
        assert_eq!(
            filter.address(Some("019ab2")),
            "/dashboard/operations?q=a%26b+%22c%22&kind=sms&state=failed&attention=true&cursor=019ab2"
        );
    }

    #[test]
    fn an_empty_list_says_which_filters_emptied_it() {
        let filter = Filter {
            q: "HL-1".to_owned(),
            kind: "call".to_owned(),
            state: "pending_approval".to_owned(),
            attention: false,
        };
        assert_eq!(filter.in_words(), "Waiting for approval, calls only, with “HL-1”.");
    }

    #[test]
    fn peoples_work_comes_first_then_the_days() {
        let page = OperationsPage::sample();
        let titles: Vec<_> = page.list.groups().into_iter().map(|group| group.title).collect();
        assert_eq!(titles, ["Waiting for approval", "Needs attention", "Today", "Yesterday"]);
    }

    #[test]
    fn a_group_that_shows_only_some_links_to_all_of_them() {
        let mut page = OperationsPage::sample();
        assert_eq!(page.waiting(), 4);
        assert_eq!(page.list.groups()[0].all.as_deref(), Some("/dashboard/operations?state=pending_approval"));
        page.list.rows.waiting.push(page.list.rows.waiting[0].clone());
        assert_eq!(page.list.groups()[0].all, None);
    }
}
