//! The first day: the first admin signs in, chooses a password, stores the keys, and brings a colleague.

use serde_json::json;

use crate::browser::Stopwatch;
use crate::browser::window::Window;
use crate::support::service::{PASSWORD, Service};

const VAULT: &str = "/dashboard/settings?tab=integrations";
const AUTH_TOKEN: &str = "5d41402abc4b2a76b9719d911017c592";
const ELEVENLABS_KEY: &str = "sk_0123456789abcdef0123456789abcdef";

/// What is stored, and what of it is shown ever after.
const KEYS: [(&str, &str, &str); 4] = [
    ("twilio_account_sid", "AC0123456789abcdef0123456789ab7c21", "7c21"),
    ("twilio_auth_token", AUTH_TOKEN, "c592"),
    ("twilio_phone_number", "+15005550006", "0006"),
    ("elevenlabs_api_key", ELEVENLABS_KEY, "cdef"),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_first_admin_stores_the_keys_and_brings_a_colleague() {
    let _stopwatch = Stopwatch::start("the journey of the first day");
    let service = Service::start().await;
    let mut admin = Window::open(&service).await;
    admin.go("/dashboard/audit").await;
    admin.at("/login?next=%2Fdashboard%2Faudit").await;
    admin.expect_refusal("/login");
    admin.sign_in("admin@localhost", "not the password").await;
    admin.shows("[role=alert]", "You are not signed in").await;
    assert_eq!(admin.value("email").await, "admin@localhost", "what was typed is kept");
    let first = std::fs::read_to_string(service.data_dir().join("initial-admin-password")).expect("the password");
    admin.sign_in("admin@localhost", first.trim()).await;
    admin.at("/dashboard/audit").await;

    admin.shows("#main", "You still use the first password").await;
    choose_password(&admin, first.trim()).await;
    assert!(!admin.text("#main").await.contains("You still use the first password"));

    store_keys(&admin).await;
    bring_colleague(&service, &admin).await;
    admin.close().await;
    service.stop().await;
}

async fn choose_password(window: &Window<'_>, current: &str) {
    window.go("/account/password").await;
    window.fill("current_password", current).await;
    window.fill("new_password", PASSWORD).await;
    window.fill("new_password_again", PASSWORD).await;
    window.press("Change password").await;
    window.at("/dashboard/operations").await;
}

async fn store_keys(admin: &Window<'_>) {
    admin.go(VAULT).await;
    for (name, value, shown) in KEYS {
        admin.click(&format!("#entry-{name} details:has(#{name}) > summary")).await;
        admin.fill(name, value).await;
        admin.click(&format!("#entry-{name} form:has(#{name}) button:not([type=button])")).await;
        admin.shows(&format!("#entry-{name}"), shown).await;
        admin.shows(&format!("#entry-{name}"), "Connected").await;
    }
    admin.click("form[action$='/vault/verify'] button").await;
    admin.shows("[role=status]", "Asked at").await;
    admin.shows("#entry-twilio_auth_token", "Verified").await;
    admin.click("form[action$='/vault/verify-elevenlabs'] button").await;
    admin.shows("#entry-elevenlabs_api_key", "Verified").await;
    let page = admin.run("return document.documentElement.outerHTML", &[]).await.to_string();
    for secret in [AUTH_TOKEN, ELEVENLABS_KEY] {
        assert!(!page.contains(secret), "a value is never shown again");
    }
}

async fn bring_colleague(service: &Service, admin: &Window<'_>) {
    admin.go("/dashboard/settings/people").await;
    admin.fill("email", "otto@example.com").await;
    admin.fill("name", "Otto").await;
    admin.click("input[name=role][value=approver]").await;
    admin.press("Invite").await;
    admin.shows("#main", "It is shown only now").await;
    let link = admin.value("link").await;

    let otto = Window::open(service).await;
    otto.go(link.strip_prefix(&service.url("")).expect("a link of ours")).await;
    otto.shows("#main", "Welcome, Otto").await;
    otto.fill("new_password", PASSWORD).await;
    otto.fill("new_password_again", PASSWORD).await;
    otto.press("Set the password and sign in").await;
    otto.at("/dashboard/operations").await;
    otto.press("Sign out").await;
    otto.at("/login").await;
    otto.back().await;
    otto.reload().await;
    otto.at_some("/login").await;
    assert_eq!(otto.run("return document.cookie", &[]).await, json!(""), "no script reads the session");
    otto.close().await;
}
