//! What holds on every page: who may see it, the frame around it, and the small forms in that frame.

use mission_control::auth::Role;

use super::browser::Browser;
use crate::support::service::{Service, Setup};

const PLACES: [&str; 13] = [
    "/dashboard/operations",
    "/dashboard/operations?state=pending_approval",
    "/dashboard/operations?attention=true&q=%25&kind=call",
    "/dashboard/operations/new-sms",
    "/dashboard/operations/new-call",
    "/dashboard/operations/inbound",
    "/dashboard/operations/overview",
    "/dashboard/integrations",
    "/dashboard/settings?tab=integrations",
    "/dashboard/settings/sessions",
    "/dashboard/audit",
    "/dashboard/help",
    "/account/password",
];

#[tokio::test]
async fn the_first_admin_finds_every_place_of_the_menu() {
    let service = Service::start().await;
    let password = std::fs::read_to_string(service.data_dir().join("initial-admin-password")).expect("the password");
    let mut browser = Browser::new(&service);
    assert!(browser.page("/login").await.contains("initial-admin-password"));
    browser.sign_in("admin@localhost", password.trim()).await;
    assert!(!service.data_dir().join("initial-admin-password").exists(), "it is not needed any more");
    for place in PLACES {
        let page = browser.page(place).await;
        let has_menu = place != "/account/password";
        assert_eq!(page.contains("<nav class=\"nav\""), has_menu, "{place}");
        assert_eq!(page.contains("You still use the first password"), has_menu, "{place}");
    }
    for start in ["/", "/dashboard"] {
        assert_eq!(browser.get(start).await.header("location"), Some("/dashboard/operations"), "{start}");
    }
    assert!(browser.page("/dashboard/operations").await.contains("Nothing has been asked for yet"));
    service.stop().await;
}

#[tokio::test]
async fn nobody_sees_a_page_without_signing_in() {
    let service = Service::start().await;
    for place in PLACES {
        let answer = Browser::new(&service).get(place).await;
        let next: String = url::form_urlencoded::byte_serialize(place.as_bytes()).collect();
        assert_eq!(answer.header("location"), Some(format!("/login?next={next}").as_str()), "{place}");
    }
    service.stop().await;
}

#[tokio::test]
async fn what_is_not_there_says_so_on_a_page() {
    let service = Service::start().await;
    let mut browser = Browser::of(&service, "vera@example.com", Role::Viewer).await;
    for (path, has_menu) in [
        ("/dashboard/operations/019ab2c4-7e10-7c3a-9f21-5b8e0d6a41c2", true),
        ("/dashboard/operations/no-id", true),
        ("/dashboard/nowhere", false),
    ] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status.as_u16(), 404, "{path}");
        assert!(answer.text.starts_with("<!doctype html>"), "{path}");
        assert_eq!(answer.text.contains("<nav class=\"nav\""), has_menu, "{path}");
    }
    service.stop().await;
}

#[tokio::test]
async fn another_site_can_post_nothing() {
    let service = Service::start().await;
    let mut browser = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let operation = browser.ask("+14155550132", "Not by strangers").await;
    for path in
        ["/dashboard/operations", &format!("{operation}/approve"), "/dashboard/hold", "/dashboard/preferences/theme"]
    {
        let answer = browser.post_from(path, &[("reason", "")], "cross-site", "/").await;
        assert_eq!(answer.status.as_u16(), 403, "{path}");
    }
    assert!(browser.page(&operation).await.contains("Sending is on<"));
    service.stop().await;
}

#[tokio::test]
async fn a_theme_is_kept_in_the_browser_and_leads_back() {
    let service = Service::start().await;
    let mut browser = Browser::of(&service, "vera@example.com", Role::Viewer).await;
    let answer = browser
        .post_from("/dashboard/preferences/theme", &[("theme", "dark")], "same-origin", "/dashboard/audit?a=b")
        .await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, Some("/dashboard/audit?a=b")));
    assert!(browser.page("/dashboard/help").await.contains("<html lang=\"en\" data-theme=\"dark\">"));
    assert!(browser.page("/account/password").await.contains("data-theme=\"dark\""));
    browser.submit("/dashboard/preferences/theme", &[("theme", "auto")]).await;
    assert!(browser.page("/dashboard/help").await.contains("<html lang=\"en\">"));
    service.stop().await;
}

#[tokio::test]
async fn the_hold_is_a_button_for_admins_and_a_banner_for_all() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    assert!(!operator.page("/dashboard/help").await.contains("/dashboard/hold"));
    assert_eq!(operator.post("/dashboard/hold", &[("reason", "")]).await.status.as_u16(), 403);

    admin.submit("/dashboard/hold", &[("reason", "Wrong price list")]).await;
    let page = operator.page("/dashboard/help").await;
    assert!(page.contains("<b>Sending is on hold</b>") && page.contains("Wrong price list. Approved operations wait"));
    assert!(!page.contains("Resume sending"));
    let form = operator.page("/dashboard/operations/new-sms").await;
    let key = super::browser::hidden(&form, "idempotency_key");
    let fields = [("kind", "sms"), ("idempotency_key", &key), ("to", "+14155550132"), ("message", "Not now")];
    let refused = operator.refused("/dashboard/operations", &fields, 423).await;
    assert!(refused.contains("All sending is on hold: Wrong price list.") && refused.contains("Not now</textarea>"));

    assert!(admin.page("/dashboard/help").await.contains("Resume sending"));
    admin.submit("/dashboard/hold/release", &[]).await;
    assert!(!operator.page("/dashboard/help").await.contains("<b>Sending is on hold</b>"));
    service.stop().await;
}

#[tokio::test]
async fn what_makes_the_installation_less_safe_stands_on_every_page() {
    let setup = Setup::new().await.with("MISSION_CONTROL_APPROVAL_REQUIRED", "false");
    let service = setup.with("MISSION_CONTROL_APPROVAL_ALLOW_SELF_APPROVAL", "true").start().await;
    let mut browser = Browser::of(&service, "otto@example.com", Role::Operator).await;
    for place in ["/dashboard/operations", "/dashboard/audit"] {
        let page = browser.page(place).await;
        assert!(page.contains("Approval is switched off") && page.contains("approve their own requests"), "{place}");
    }
    let form = browser.page("/dashboard/operations/new-sms").await;
    assert!(form.contains("it goes out at once") && form.contains("Send SMS") && !form.contains("Request approval"));
    service.stop().await;
}
