//! Every page there is, and how it is reached.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::furnished::{ADMIN, GUARDED, VIEWER};
use super::window::Window;
use crate::support::service::PASSWORD;

const SENDING: &str = "/dashboard/settings/sending";
const VAULT: &str = "/dashboard/settings?tab=integrations";
const PEOPLE: &str = "/dashboard/settings/people";
const FACTOR: &str = "/account/second-factor";
const TOKENS: &str = "/dashboard/settings/tokens";

/// Whom a page is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    Nobody,
    Admin,
    Viewer,
    /// Somebody with a second factor.
    Guarded,
}

impl Reader {
    pub(super) const ALL: [Self; 4] = [Self::Nobody, Self::Admin, Self::Viewer, Self::Guarded];

    pub(super) fn email(self) -> Option<&'static str> {
        match self {
            Self::Nobody => None,
            Self::Admin => Some(ADMIN),
            Self::Viewer => Some(VIEWER),
            Self::Guarded => Some(GUARDED),
        }
    }
}

/// A page in one of its states.
pub(super) struct Page {
    pub(super) reader: Reader,
    /// Of which it is made; a page that does not exist anywhere in the list of pages fails a test.
    template: &'static str,
    pub(super) address: String,
    form: Option<Form>,
}

/// What is sent from that address to come to the page proper.
struct Form {
    action: String,
    fields: Map<String, Value>,
    /// What is seen only there.
    lands: &'static str,
}

impl Page {
    fn new(reader: Reader, template: &'static str, address: impl Into<String>) -> Self {
        Self { reader, template, address: address.into(), form: None }
    }

    /// The page that answers this form.
    fn sent(mut self, action: &str, fields: Value, lands: &'static str) -> Self {
        let Value::Object(fields) = fields else { panic!("no fields: {fields}") };
        self.form = Some(Form { action: action.to_owned(), fields, lands });
        self
    }

    /// Where it stands, for whoever reads of a fault in it.
    pub(super) fn name(&self) -> String {
        let sent = self.form.as_ref().map(|form| format!(" after {} with {:?}", form.action, form.fields));
        format!("{:?} at {}{}", self.reader, self.address, sent.unwrap_or_default())
    }

    /// Goes there.
    pub(super) async fn open(&self, window: &mut Window<'_>) {
        if ["error.html", "welcome_void.html"].contains(&self.template) {
            window.expect_refusal(&self.address);
        }
        window.go(&self.address).await;
        let Some(form) = &self.form else { return };
        // However long the walk has taken: what confirming looks like is a page of its own.
        window.stays_fresh().await;
        window.expect_refusal(&form.action);
        // As a browser without our scripts sends it, and past the browser's own checks.
        let script = "
            const form = document.querySelector(`form[action='${arguments[0]}']`);
            for (const field of form.elements) {
                const value = arguments[1][field.name];
                if (value === undefined) continue;
                if (field.type === 'submit') {
                    if (field.value === value) return form.requestSubmit(field);
                    continue;
                }
                if (['checkbox', 'radio'].includes(field.type)) field.checked = field.value === value;
                else field.value = value;
            }
            HTMLFormElement.prototype.submit.call(form);";
        window.run(script, &[json!(form.action), Value::Object(form.fields.clone())]).await;
        window.until_seen(form.lands).await;
    }
}

/// All of them; `id` knows the ids of what is in the service.
pub(super) fn all(id: impl Fn(&str) -> String) -> Vec<Page> {
    let operation = |name: &str| format!("/dashboard/operations/{}", id(name));
    let mut pages = Vec::new();
    pages.extend(signed_out(&id("link")));
    pages.extend(operations(&operation));
    pages.extend(compose(&operation));
    pages.extend(set_up());
    pages.extend(people(&id("person"), &id("token")));
    pages.extend(as_viewer(&operation));
    pages.extend(guarded());
    pages
}

fn guarded() -> Vec<Page> {
    let page = |template, address: &str| Page::new(Reader::Guarded, template, address);
    vec![
        page("second_factor.html", FACTOR),
        page("second_factor_set.html", FACTOR).sent("/account/second-factor/offer", json!({}), ".qr"),
        page("recovery_codes.html", FACTOR).sent("/account/second-factor/recovery-codes", json!({}), "#codes"),
        page("confirm.html", "/account/confirm"),
        page("settings/sessions.html", "/dashboard/settings/sessions"),
    ]
}

fn signed_out(link: &str) -> Vec<Page> {
    let page = |template, address: &str| Page::new(Reader::Nobody, template, address);
    let refused = json!({ "email": "ada@example.com", "password": "wrong" });
    vec![
        page("login.html", "/login"),
        page("login.html", "/login").sent("/login", refused, ".error-summary"),
        page("code.html", "/login").sent("/login", json!({ "email": GUARDED, "password": PASSWORD }), "#code"),
        page("welcome.html", link),
        page("welcome.html", link).sent(link, json!({ "new_password": "short" }), ".error-summary"),
        page("welcome_void.html", "/welcome/nothing"),
        page("error.html", "/dashboard/nowhere"),
        page("docs.html", "/docs"),
    ]
}

fn operations(operation: &impl Fn(&str) -> String) -> Vec<Page> {
    let page = |template, address: &str| Page::new(Reader::Admin, template, address);
    let mut pages = vec![
        page("operations/list.html", "/dashboard/operations"),
        page("operations/list.html", "/dashboard/operations?state=pending_approval"),
        page("operations/list.html", "/dashboard/operations?attention=true"),
        page("operations/list.html", "/dashboard/operations?q=nothing+like+it"),
        page("operations/overview.html", "/dashboard/operations/overview"),
        page("gateway/inbound.html", "/dashboard/operations/inbound"),
    ];
    let states = [
        "waiting",
        "duplicate",
        "spoken",
        "recorded",
        "held",
        "unknown",
        "review",
        "delivered",
        "completed",
        "refused",
        "undelivered",
        "rejected",
        "cancelled",
        "expired",
    ];
    pages.extend(states.iter().map(|state| page("operations/detail.html", &operation(state))));
    let waiting = operation("waiting");
    let reject = format!("{waiting}/reject");
    pages.push(page("operations/detail.html", &waiting).sent(&reject, json!({ "reason": " " }), ".error-summary"));
    let ids = ["waiting", "spoken", "delivered"].map(|name| operation(name).replace("/dashboard/operations/", "id="));
    let together = format!("/dashboard/operations/review?{}", ids.join("&"));
    let review_form = "/dashboard/operations/review/reject";
    pages.push(page("operations/review.html", &together));
    pages.push(page("operations/review.html", &together).sent(review_form, json!({}), ".error-summary"));
    let review = operation("review");
    let settle = json!({ "outcome": "sent", "sid": "SMxyz", "reason": " " });
    let resolve = format!("{review}/resolve");
    pages.push(page("operations/detail.html", &review).sent(&resolve, settle, ".error-summary"));
    pages
}

fn compose(operation: &impl Fn(&str) -> String) -> Vec<Page> {
    let page = |template, address: &str| Page::new(Reader::Admin, template, address);
    let again = operation("rejected").replace("/dashboard/operations/", "/dashboard/operations/new-sms?again=");
    let wrong = json!({ "to": "+1 555", "from": "me", "message": "I’m here" });
    let silent = json!({ "to": "+1 555" });
    vec![
        page("operations/new_sms.html", "/dashboard/operations/new-sms"),
        page("operations/new_sms.html", &again),
        page("operations/new_sms.html", "/dashboard/operations/new-sms").sent(
            "/dashboard/operations",
            wrong,
            ".error-summary",
        ),
        page("operations/new_call.html", "/dashboard/operations/new-call"),
        page("operations/new_call.html", "/dashboard/operations/new-call").sent(
            "/dashboard/operations",
            silent,
            ".error-summary",
        ),
    ]
}

fn set_up() -> Vec<Page> {
    let page = |template, address: &str| Page::new(Reader::Admin, template, address);
    let wrong = json!({ "approval.pending_seconds": "soon" });
    let off = json!({ "approval.required": "false" });
    let token = "/dashboard/settings/vault/twilio_account_sid";
    vec![
        page("integrations/page.html", "/dashboard/integrations"),
        page("integrations/page.html", "/dashboard/integrations").sent(
            "/dashboard/integrations/check-address",
            json!({}),
            ".callout[role=status]",
        ),
        page("settings/sessions.html", "/dashboard/settings/sessions"),
        page("settings/vault.html", VAULT),
        page("settings/vault.html", VAULT).sent(token, json!({ "value": "x" }), ".error-summary"),
        page("settings/vault_remove.html", "/dashboard/settings/vault/twilio_phone_number/remove"),
        page("settings/sending.html", SENDING),
        page("settings/sending.html", SENDING).sent(SENDING, wrong, ".error-summary"),
        page("settings/sending_without_approval.html", SENDING).sent(SENDING, off, "#confirm"),
        page("settings/voice.html", "/dashboard/settings/voice"),
        page("audit/list.html", "/dashboard/audit"),
        page("audit/list.html", "/dashboard/audit?q=nothing+like+it"),
        page("help.html", "/dashboard/help"),
        page("password.html", "/account/password"),
        page("second_factor.html", FACTOR),
        page("second_factor_set.html", FACTOR).sent("/account/second-factor/offer", json!({}), ".qr"),
        page("confirm.html", "/account/confirm"),
        page("error.html", "/dashboard/operations/no-such-operation"),
    ]
}

fn people(person: &str, token: &str) -> Vec<Page> {
    let page = |template, address: &str| Page::new(Reader::Admin, template, address);
    let person = format!("{PEOPLE}/{person}");
    let reset = format!("{person}/reset-password");
    let named = json!({ "name": "billing-worker", "scope": "operations:read" });
    vec![
        page("settings/people.html", PEOPLE),
        page("settings/people.html", PEOPLE).sent(PEOPLE, json!({ "email": "no address" }), ".error-summary"),
        page("settings/people_person.html", &person),
        page("settings/people_disable.html", &format!("{person}/disable")),
        page("settings/people_link.html", &person).sent(&reset, json!({}), "#link"),
        page("settings/sessions.html", "/dashboard/settings/sessions"),
        page("settings/tokens.html", TOKENS),
        page("settings/tokens_rotate.html", &format!("{TOKENS}/{token}/rotate")),
        page("settings/tokens_revoke.html", &format!("{TOKENS}/{token}/revoke")),
        page("settings/tokens_made.html", TOKENS).sent(TOKENS, named, "#token"),
    ]
}

fn as_viewer(operation: &impl Fn(&str) -> String) -> Vec<Page> {
    let page = |template, address: &str| Page::new(Reader::Viewer, template, address);
    vec![
        page("operations/list.html", "/dashboard/operations"),
        page("operations/detail.html", &operation("waiting")),
        page("operations/detail.html", &operation("delivered")),
        page("integrations/page.html", "/dashboard/integrations"),
        page("settings/sending.html", "/dashboard/settings/sending"),
    ]
}

/// The templates that are pages of their own, not parts of others.
fn templates(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            templates(&path, root, found);
        } else if fs::read_to_string(&path).expect("a text").contains("{% extends") {
            found.insert(path.strip_prefix(root).expect("under it").to_string_lossy().into_owned());
        }
    }
}

#[test]
fn no_page_is_left_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let mut existing = BTreeSet::new();
    templates(&root, &root, &mut existing);
    let listed: BTreeSet<String> = all(str::to_owned).iter().map(|page| page.template.to_owned()).collect();
    assert_eq!(listed, existing, "a page of templates/ has to be walked, so it has to stand in this list");
}
