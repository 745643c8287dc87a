//! Every page with every sample, held against the rules that all pages share.

use askama::Template;
use axum::http::StatusCode;
use http_body_util::BodyExt;

use super::{
    detail::{DetailPane, OperationPage},
    help::HelpPage,
    list::OperationsPage,
    new_call::NewCallPage,
    new_sms::NewSmsPage,
    samples::HOSTILE,
    status::STATES,
};
use crate::{
    audit::views::AuditPage,
    auth::views::{LoginPage, PasswordPage, sessions::SessionsPage},
    integrations::views::IntegrationsPage,
    operation::overview::OverviewPage,
    vault::views::{RemovePage, VaultPage},
    web::{
        frame::{FormError, Frame, Place, html},
        views::ErrorPage,
    },
};

fn login(failure: Option<&str>) -> LoginPage {
    LoginPage {
        frame: Frame::sample_signed_out(),
        email: failure.map_or("", |_| "dana@harbour.example\"><script>").to_owned(),
        failure: failure.map(str::to_owned),
        first_start: failure.is_none(),
        provider: failure.map(|_| "Harbour <id>".to_owned()),
        provider_address: "/login/oidc".to_owned(),
        next: failure.map(|_| "/dashboard/operations?state=failed".to_owned()),
    }
}

fn password(error: Option<&str>) -> PasswordPage {
    PasswordPage {
        frame: Frame::sample_signed_out(),
        email: "marek@harbour.example".to_owned(),
        required: error.is_none(),
        may_skip: error.is_some(),
        minimum_length: 12,
        errors: error
            .map(|text| FormError { field: Some("new_password"), text: text.to_owned() })
            .into_iter()
            .collect(),
    }
}

fn error(frame: Frame) -> ErrorPage {
    ErrorPage {
        frame,
        status: 404,
        title: "There is no such page".to_owned(),
        detail: "Nothing stands at this address.".to_owned(),
        advice: "Check the address, or start from the list.".to_owned(),
        correlation_id: "req-7f3a90".to_owned(),
    }
}

/// All of them, by the name under which they can be looked at.
fn pages() -> Vec<(String, String)> {
    let mut pages: Vec<_> = [
        ("login", login(None).render()),
        ("login_refused", login(Some("Email or password is wrong.")).render()),
        ("password", password(None).render()),
        ("password_refused", password(Some("This password is too short. It needs 12 characters.")).render()),
        ("error", error(Frame::sample_signed_out()).render()),
        ("error_signed_in", error(Frame::sample_held(Place::Operations)).render()),
        ("help", HelpPage { frame: Frame::sample(Place::Help) }.render()),
        ("integrations", IntegrationsPage::sample(HOSTILE).render()),
        ("integrations_refused", IntegrationsPage::sample_refused(HOSTILE).render()),
        ("integrations_denied", IntegrationsPage::sample_denied().render()),
        ("audit", AuditPage::sample(HOSTILE).render()),
        ("audit_empty", AuditPage::sample_empty("").render()),
        ("audit_filtered", AuditPage::sample_empty(HOSTILE).render()),
        ("sessions", SessionsPage::sample(HOSTILE).render()),
        ("vault", VaultPage::sample().render()),
        ("vault_refused", VaultPage::sample_refused().render()),
        ("vault_remove", RemovePage::sample().render()),
        ("operations", OperationsPage::sample().render()),
        ("operations_empty", OperationsPage::sample_empty().render()),
        ("operations_filtered", OperationsPage::sample_filtered().render()),
        ("operations_continued", OperationsPage::sample_continued().render()),
        ("overview", OverviewPage::sample().render()),
        ("overview_empty", OverviewPage::sample_empty().render()),
        ("new_sms", NewSmsPage::sample().render()),
        ("new_sms_refused", NewSmsPage::sample_refused().render()),
        ("new_call", NewCallPage::sample().render()),
        ("new_call_refused", NewCallPage::sample_refused().render()),
    ]
    .into_iter()
    .map(|(name, page)| (name.to_owned(), page.unwrap()))
    .collect();
    for (name, page) in OperationPage::samples() {
        pages.push((format!("operation_{name}"), page.render().unwrap()));
    }
    pages
}

/// The attributes of every tag. Text cannot hold a `<`, so this needs no parser.
fn tags(page: &str) -> impl Iterator<Item = &str> {
    page.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag)
}

/// The values of an attribute, in order.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let mark = format!(" {attribute}=\"");
    tags(page).flat_map(|tag| tag.split(&mark).skip(1)).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn each_state_has_a_sample() {
    for state in STATES {
        assert!(OperationPage::samples().iter().any(|(_, page)| page.detail.status.state == state), "{state}");
    }
}

#[test]
fn every_page_has_one_heading_and_one_main() {
    for (name, page) in pages() {
        assert_eq!(page.matches("<h1").count(), 1, "{name}");
        assert_eq!(page.matches("<main ").count(), 1, "{name}");
        assert_eq!(page.matches("href=\"#main\"").count(), 1, "{name}");
    }
}

#[test]
fn the_sandbox_stands_in_every_title_and_live_mode_in_none() {
    for (name, page) in pages() {
        let is_sandbox = page.contains("class=\"mode-bar\"");
        assert_eq!(page.contains("<title>[Sandbox] "), is_sandbox, "{name}");
        assert!(page.contains(" · Mission Control</title>"), "{name}");
    }
    let live = OperationsPage { frame: Frame::sample_held(Place::Operations), ..OperationsPage::sample() };
    assert!(!live.render().unwrap().contains("Sandbox"));
}

#[test]
fn nothing_is_inline_and_nothing_typed_becomes_markup() {
    for (name, page) in pages() {
        assert!(!page.contains("<style"), "{name}");
        for script in page.split("<script").skip(1) {
            let is_file = script.starts_with(" src=\"/static/")
                && script.split_once('>').is_some_and(|(_, rest)| rest.starts_with("</script>"));
            assert!(is_file, "{name}: {script}");
        }
        for tag in tags(&page) {
            let attributes = tag.split_whitespace().skip(1);
            for attribute in attributes.filter_map(|part| part.split_once('=')).map(|(attribute, _)| attribute) {
                assert!(attribute != "style" && !attribute.starts_with("on"), "{name}: <{tag}>");
            }
        }
    }
}

#[test]
fn ids_are_unique_and_whatever_names_one_finds_it() {
    for (name, page) in pages() {
        let ids = values(&page, "id");
        let unique: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(ids.len(), unique.len(), "{name}: {ids:?}");
        let labels = values(&page, "for");
        let described = values(&page, "aria-describedby").into_iter().flat_map(str::split_whitespace);
        let linked = values(&page, "href").into_iter().filter_map(|address| address.strip_prefix('#'));
        for target in labels.into_iter().chain(described).chain(linked) {
            assert!(unique.contains(&target), "{name}: {target}");
        }
    }
}

#[test]
fn every_symbol_is_in_the_sprite() {
    let sprite = include_str!("../../../static/icons.svg");
    for (name, page) in pages() {
        for (_, symbol) in values(&page, "href").into_iter().filter_map(|address| address.split_once("icons.svg#")) {
            assert!(sprite.contains(&format!("<symbol id=\"{symbol}\"")), "{name}: {symbol}");
        }
    }
}

#[test]
fn every_control_has_a_name() {
    for (name, page) in pages() {
        let labelled = values(&page, "for");
        for tag in tags(&page).filter(|tag| ["input ", "select ", "textarea "].iter().any(|kind| tag.starts_with(kind)))
        {
            let wrapped =
                tag.contains("type=\"hidden\"") || tag.contains("type=\"radio\"") || tag.contains("type=\"checkbox\"");
            let is_labelled = labelled.iter().any(|id| tag.contains(&format!("id=\"{id}\"")));
            assert!(wrapped || is_labelled || tag.contains("aria-label="), "{name}: <{tag}>");
        }
    }
}

#[test]
fn cells_say_what_they_are_when_the_table_becomes_cards() {
    for (name, page) in pages() {
        assert_eq!(page.matches("<td").count(), page.matches("<td data-label=\"").count(), "{name}");
    }
}

#[test]
fn the_message_stands_in_the_slip_byte_for_byte() {
    let page = OperationPage::around(DetailPane::pending()).render().unwrap();
    let (_, rest) = page.split_once("<p class=\"slip-text\">").unwrap();
    assert_eq!(unescape(rest.split_once("</p>").unwrap().0), HOSTILE);
}

#[test]
fn what_was_typed_stays_typed_also_a_first_line_that_is_empty() {
    let sample = NewSmsPage::sample_refused();
    let page = sample.render().unwrap();
    let (_, rest) = page.split_once("<textarea ").unwrap();
    let text = rest.split_once('>').unwrap().1.split_once("</textarea>").unwrap().0;
    // A browser drops one line break after the tag.
    assert_eq!(unescape(text.strip_prefix('\n').unwrap()), sample.typed.message);
    assert_eq!(values(&page, "aria-invalid").len(), 2);
}

#[test]
fn what_can_be_heard_is_played_from_our_own_origin_and_only_when_asked_for() {
    for (name, page) in OperationPage::samples() {
        let page = page.render().unwrap();
        assert_eq!(page.matches("<audio ").count(), usize::from(name == "pending_speech"), "{name}");
    }
    let page = OperationPage::samples().into_iter().find(|(name, _)| *name == "pending_speech").unwrap().1;
    let page = page.render().unwrap();
    let player = tags(&page).find(|tag| tag.starts_with("audio ")).unwrap();
    assert!(player.contains("controls preload=\"none\" src=\"/api/public/call-audio/"), "{player}");
    assert!(page.contains("48,276 bytes") && page.contains("What you hear here is what is played"));
}

#[test]
fn an_approval_carries_the_digest_of_what_is_shown() {
    let page = OperationPage::around(DetailPane::pending()).render().unwrap();
    assert!(page.contains("name=\"digest\" value=\"c07e93d1aa54"));
    for (name, page) in OperationPage::samples() {
        let offers_approval = page.render().unwrap().contains("/approve?");
        assert_eq!(offers_approval, ["pending_approval", "pending_call", "pending_speech"].contains(&name), "{name}");
    }
}

#[test]
fn a_viewer_is_shown_no_whole_number() {
    let page = OperationPage::around(DetailPane::delivered_viewer()).render().unwrap();
    assert!(page.contains("+1•••••0132"));
    for whole in ["4155550132", "415 555 0132"] {
        assert!(!page.contains(whole));
    }
}

#[test]
fn one_primary_button_a_view() {
    for (name, page) in pages() {
        let (_, main) = page.split_once("<main ").unwrap();
        // A dialog is a view of its own.
        let (main, _) = main.split_once("<dialog").unwrap_or((main, ""));
        assert!(main.matches("btn-primary").count() <= 1, "{name}");
    }
}

#[tokio::test]
async fn a_page_is_answered_as_html() {
    let answer = html(StatusCode::NOT_FOUND, &error(Frame::sample_signed_out()));
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(body.starts_with(b"<!doctype html>"));
}

/// Writes the pages where a browser can be pointed at them: `target/pages`, beside the static files.
#[test]
fn the_pages_can_be_looked_at() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pages");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, page) in pages() {
        std::fs::write(folder.join(format!("{name}.html")), page).unwrap();
    }
}

fn unescape(text: &str) -> String {
    text.replace("&#60;", "<").replace("&#62;", ">").replace("&#34;", "\"").replace("&#39;", "'").replace("&#38;", "&")
}
