//! The page of the audit: lines in, HTML out.

use askama::Template;
use time::OffsetDateTime;

use super::difference::{Difference, differences};
use super::list::Line;
use super::query::AuditQuery;
use super::words::{self, PARTS, SUBJECTS, Subject};
use crate::config::Mode;
use crate::operation::views::status;
use crate::web::frame::Frame;
use crate::web::settings_tabs::SettingsTab;
use crate::web::text;

#[derive(Template)]
#[template(path = "audit/list.html")]
pub(crate) struct AuditPage {
    pub(super) frame: Frame,
    pub(super) now: OffsetDateTime,
    pub(super) query: AuditQuery,
    /// Who can have acted: address and name.
    pub(super) people: Vec<(String, String)>,
    /// Newest first.
    pub(super) rows: Vec<Row>,
    /// The cursor of the next, older page.
    pub(super) older: Option<String>,
    /// This is not the newest page.
    pub(super) is_continued: bool,
}

/// One line as it is shown.
pub(super) struct Row {
    line: Line,
    differences: Vec<Difference>,
    /// The operation is of the running mode, so that its page can be opened.
    is_linked: bool,
}

/// The lines of one day.
struct Day<'a> {
    title: String,
    rows: &'a [Row],
}

/// The state that an operation came into.
struct Moved<'a> {
    state: &'a str,
    icon: &'static str,
}

impl Row {
    pub(super) fn of(line: Line, mode: Mode) -> Self {
        let is_linked = line.mode.as_deref().is_none_or(|of_line| of_line == mode.as_str());
        Self { differences: differences(&line), line, is_linked }
    }

    fn who(&self) -> String {
        match (&self.line.token, &self.line.person) {
            (Some(token), _) => format!("key {token}"),
            (None, Some(person)) => person.clone(),
            (None, None) => words::part(&self.line.actor).to_owned(),
        }
    }

    /// Behind a token, whose it is; of a person, the address.
    fn who_exactly(&self) -> Option<String> {
        let owner = self.line.person.as_ref().map(|_| self.line.actor.clone());
        if self.line.token.is_some() { owner.map(|owner| format!("owner {owner}")) } else { owner }
            .filter(|exactly| *exactly != self.who())
    }

    fn what(&self) -> String {
        words::action(&self.line.action)
    }

    fn moved(&self) -> Option<Moved<'_>> {
        let state = self.line.to_state.as_deref().filter(|state| Some(*state) != self.line.from_state.as_deref())?;
        Some(Moved { state, icon: status::words(state).icon })
    }

    fn has_before(&self) -> bool {
        self.differences.iter().any(|difference| difference.before.is_some())
    }

    /// What a person said about it.
    fn said(&self) -> Option<&str> {
        let said = |name| self.line.details.get(name).and_then(serde_json::Value::as_str);
        self.line
            .person
            .as_ref()
            .and_then(|_| said("reason").or_else(|| said("comment")))
            .filter(|said| !said.is_empty())
    }

    /// What it was done to: its page where it has one, and its name.
    fn object(&self) -> (Option<String>, String) {
        let tab = |tab: SettingsTab, name: &str| (Some(tab.address().to_owned()), name.to_owned());
        if let Some(operation) = self.line.operation() {
            let address = format!("/dashboard/operations/{operation}");
            return (self.is_linked.then_some(address), text::short_digest(&operation.to_string()));
        }
        match self.line.object.split_once('/') {
            Some(("vault", name)) => tab(SettingsTab::ApiKeys, name),
            Some(("user", name)) => tab(SettingsTab::People, name),
            Some(("token", name)) => tab(SettingsTab::Tokens, &text::short_digest(name)),
            Some(("inbound_call", sid)) => {
                let address = "/dashboard/operations/inbound".to_owned();
                (self.is_linked.then_some(address), text::short_digest(sid))
            }
            None if self.line.object == "settings" => tab(SettingsTab::Sending, "Settings"),
            None if self.line.object == "hold" => (None, "Hold".to_owned()),
            None if self.line.object == "deployment" => (None, "This installation".to_owned()),
            _ => (None, self.line.object.clone()),
        }
    }

    /// Everything that followed from the same request.
    fn request(&self) -> Option<(String, &str)> {
        let id = self.line.correlation_id.as_deref().filter(|id| !id.is_empty())?;
        let query = AuditQuery { correlation: id.to_owned(), ..AuditQuery::default() };
        Some((query.address(AuditPage::PATH, None), id))
    }
}

impl AuditPage {
    const PATH: &str = "/dashboard/audit";

    fn here(&self, cursor: Option<&str>) -> String {
        self.query.address(Self::PATH, cursor)
    }

    fn csv(&self) -> String {
        self.query.address("/dashboard/audit.csv", None)
    }

    fn json(&self) -> String {
        self.query.address("/dashboard/audit.json", None)
    }

    fn days(&self) -> Vec<Day<'_>> {
        let title = |row: &Row| text::day(row.line.at.to_utc(), self.now.to_utc());
        let days = self.rows.chunk_by(|one, next| title(one) == title(next));
        days.map(|rows| Day { title: title(&rows[0]), rows }).collect()
    }

    fn subjects() -> [Subject; SUBJECTS.len()] {
        SUBJECTS
    }

    fn parts() -> [(&'static str, &'static str); PARTS.len()] {
        PARTS
    }

    /// An actor in the address who is not among the choices.
    fn other_actor(&self) -> Option<&str> {
        let actor = self.query.actor.as_str();
        let is_known = self.people.iter().any(|(email, _)| email == actor) || words::part(actor) != actor;
        (!actor.is_empty() && !is_known).then_some(actor)
    }

    /// An action in the address that is not among the choices.
    fn other_action(&self) -> Option<&str> {
        let action = self.query.action.as_str();
        let is_known = SUBJECTS
            .iter()
            .any(|subject| subject.name == action || subject.actions.iter().any(|(name, _)| *name == action));
        (!action.is_empty() && !is_known).then_some(action)
    }
}

#[cfg(test)]
impl AuditPage {
    /// A page whose every text is this one.
    pub(crate) fn sample(text: &str) -> Self {
        let own = || Some(text.to_owned());
        let line = |action: &str, object: &str, mode: Option<&str>| Line {
            id: 1,
            seq: 1,
            at: OffsetDateTime::UNIX_EPOCH,
            actor: text.to_owned(),
            person: own(),
            token: mode.and_then(|_| own()),
            action: action.to_owned(),
            object: object.to_owned(),
            from_state: Some("approved".to_owned()),
            to_state: mode.map(|_| "sending".to_owned()),
            mode: mode.map(str::to_owned),
            ip: mode.and_then(|_| own()),
            correlation_id: own(),
            details: serde_json::json!({ "reason": text, "before": { (text): 1 }, "after": { (text): text } }),
            hash: Vec::new(),
        };
        let operation = "operation/019ab2c4-7e10-7c3a-9f21-5b8e0d6a41c2";
        let rows = [
            line("dispatch.claimed", operation, Some("sandbox")),
            line("approval.granted", operation, Some("live")),
            line("vault.set", "vault/twilio_auth_token", None),
            line(text, text, None),
        ];
        Self {
            people: vec![(text.to_owned(), text.to_owned())],
            rows: rows.map(|line| Row::of(line, Mode::Sandbox)).into(),
            older: own(),
            is_continued: true,
            ..Self::sample_empty(text)
        }
    }

    /// Nothing to show, under this filter.
    pub(crate) fn sample_empty(actor: &str) -> Self {
        Self {
            frame: Frame::sample(crate::web::frame::Place::Audit),
            now: OffsetDateTime::UNIX_EPOCH,
            query: AuditQuery { actor: actor.to_owned(), action: actor.to_owned(), ..AuditQuery::default() },
            people: Vec::new(),
            rows: Vec::new(),
            older: None,
            is_continued: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_leads_to_the_page_of_its_object() {
        let page = AuditPage::sample("Ada");
        let objects: Vec<_> = page.rows.iter().map(Row::object).collect();
        let operation = "/dashboard/operations/019ab2c4-7e10-7c3a-9f21-5b8e0d6a41c2";
        assert_eq!(objects[0], (Some(operation.to_owned()), "019ab2c4-7e1…41c2".to_owned()));
        assert_eq!(objects[1].0, None, "an operation of the other mode has no page here");
        assert_eq!(objects[2].0.as_deref(), Some("/dashboard/settings?tab=integrations"));
        assert_eq!(objects[3], (None, "Ada".to_owned()));
    }

    #[test]
    fn behind_a_token_stands_its_owner() {
        let page = AuditPage::sample("Ada");
        assert_eq!(
            (page.rows[0].who(), page.rows[0].who_exactly().as_deref()),
            ("key Ada".to_owned(), Some("owner Ada"))
        );
        assert_eq!((page.rows[2].who(), page.rows[2].who_exactly()), ("Ada".to_owned(), None));
    }
}
