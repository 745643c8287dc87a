//! The page "API Vault", used as people use it.

use mission_control::auth::Role;

use crate::pages::browser::Browser;
use crate::support::log;
use crate::support::service::{Service, Setup};

const PAGE: &str = "/dashboard/settings?tab=integrations";
const SID: &str = "AC0123456789abcdef0123456789ab7c21";
const CANARY: &str = "canary-9876543210-9876543210-wxyz";

fn form(name: &str) -> String {
    format!("/dashboard/settings/vault/{name}")
}

/// The part of the page about one entry.
fn entry<'a>(page: &'a str, name: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("id=\"entry-{name}\"")).unwrap_or_else(|| panic!("no {name}: {page}"));
    rest.split("id=\"entry-").next().unwrap_or_default()
}

async fn store(admin: &mut Browser<'_>, name: &str, value: &str) {
    let back = admin.submit(&form(name), &[("value", value), ("confirm", name)]).await;
    assert_eq!(back, format!("{PAGE}#entry-{name}"));
}

#[tokio::test]
async fn each_state_has_its_word() {
    let service = Setup::new().await.with("TWILIO_PHONE_NUMBER", "+14155550177").start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let page = admin.page(PAGE).await;
    assert!(page.contains("<h2>API Vault</h2>") && page.contains("aria-current=\"page\">API Keys</a>"));
    assert!(entry(&page, "twilio_account_sid").contains("Sandbox</span>"));
    assert!(entry(&page, "twilio_auth_token").contains("Made by the sandbox. One stored here takes precedence"));
    let number = entry(&page, "twilio_phone_number");
    assert!(
        number.contains("Env</span>") && number.contains("TWILIO_PHONE_NUMBER") && number.contains("+1 415 555 0177")
    );
    let key = entry(&page, "elevenlabs_api_key");
    assert!(key.contains("Sandbox</span>") && key.contains("Made by the sandbox. One stored here takes precedence."));
    assert!(!page.contains("Twilio is not set up yet"));

    store(&mut admin, "twilio_account_sid", SID).await;
    let page = admin.page(PAGE).await;
    assert!(page.contains("Twilio is not set up yet") && page.contains("The Auth Token is missing"));
    assert!(!page.contains("vault/verify\""), "one half cannot be verified");
    store(&mut admin, "twilio_auth_token", CANARY).await;
    let page = admin.page(PAGE).await;
    let token = entry(&page, "twilio_auth_token");
    assert!(
        token.contains("Connected</span>")
            && token.contains("•••• •••• wxyz")
            && token.contains("Version 1, stored by ada@example.com")
    );
    assert!(entry(&page, "twilio_account_sid").contains("AC•• •••• 7c21") && !page.contains(SID));
    assert!(
        !page.contains("Twilio is not set up yet") && page.contains("vault/verify\"") && !page.contains("Verified ")
    );
    service.stop().await;
}

#[tokio::test]
async fn a_value_never_comes_back_not_even_with_its_refusal() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let mut heard = String::new();
    for (name, value) in [
        ("twilio_account_sid", CANARY.to_owned()),
        ("twilio_phone_number", format!("415 555 0132 {CANARY}")),
        ("twilio_auth_token", format!("{CANARY}\nand more")),
        ("elevenlabs_api_key", CANARY.repeat(20)),
    ] {
        let refused = admin.refused(&form(name), &[("value", &value)], 422).await;
        assert!(refused.contains(&format!("href=\"#{name}\"")) && refused.contains("<title>[Sandbox] Needs a change"));
        assert!(entry(&refused, name).contains("The field is empty again"), "{refused}");
        assert!(refused.contains("<details class=\"more\" open>"), "the field with the fault is seen");
        heard.push_str(&refused);
    }
    let refused = admin.refused(&form("twilio_phone_number"), &[("value", "4155550132")], 422).await;
    assert!(refused.contains("no valid country code"));
    assert_eq!(admin.get(&form("twilio_phone_number")).await.header("location"), Some(PAGE));
    store(&mut admin, "twilio_auth_token", CANARY).await;
    store(&mut admin, "twilio_account_sid", SID).await;
    heard.push_str(&admin.page(PAGE).await);
    heard.push_str(&admin.page(&format!("{}/remove", form("twilio_auth_token"))).await);
    heard.push_str(&admin.post(&format!("{}/verify", form("").trim_end_matches('/')), &[]).await.text);
    let wrong = admin.refused(&format!("{}/remove", form("twilio_auth_token")), &[("confirm", CANARY)], 422).await;
    assert!(!heard.contains(CANARY) && !wrong.contains(CANARY) && !log::text().contains(CANARY));
    for field in ["type=\"password\" autocomplete=\"new-password\"", "type=\"tel\" autocomplete=\"off\""] {
        assert!(heard.contains(field), "{field}");
    }
    service.stop().await;
}

#[tokio::test]
async fn nothing_is_removed_without_its_name() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let remove = format!("{}/remove", form("twilio_auth_token"));
    let nothing = admin.get(&remove).await;
    assert_eq!(nothing.header("location"), Some(format!("{PAGE}#entry-twilio_auth_token").as_str()));
    for _ in 0..2 {
        store(&mut admin, "twilio_auth_token", CANARY).await;
    }
    store(&mut admin, "twilio_account_sid", SID).await;
    assert!(admin.page(PAGE).await.contains(&format!("href=\"{remove}\"")));
    let step = admin.page(&remove).await;
    assert!(
        step.contains("Nothing is sent from then on") && step.contains("The value and the one before it are destroyed")
    );
    for typed in ["", "yes", "twilio_account_sid"] {
        let refused = admin.refused(&remove, &[("confirm", typed)], 422).await;
        assert!(refused.contains("This is not the name of the entry") && refused.contains("href=\"#confirm\""));
    }
    assert!(entry(&admin.page(PAGE).await, "twilio_auth_token").contains("Connected"));
    admin.submit(&remove, &[("confirm", " twilio_auth_token ")]).await;
    assert!(entry(&admin.page(PAGE).await, "twilio_auth_token").contains("Not configured"));
    // The last of the pair: the sandbox's own come back.
    let remove = format!("{}/remove", form("twilio_account_sid"));
    assert!(admin.page(&remove).await.contains("From then on the sandbox’s own is used"));
    admin.submit(&remove, &[("confirm", "twilio_account_sid")]).await;
    assert!(entry(&admin.page(PAGE).await, "twilio_auth_token").contains("Sandbox</span>"));
    assert_eq!(admin.get(&format!("{}/remove", form("twilio"))).await.status.as_u16(), 404);
    service.stop().await;
}

#[tokio::test]
async fn nothing_that_is_stored_is_replaced_without_its_name() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    // Where nothing is stored there is nothing to confirm.
    admin.submit(&form("elevenlabs_api_key"), &[("value", "sk_0123456789abcdef0123456789abcdef")]).await;
    assert!(admin.page(PAGE).await.contains("id=\"confirm-elevenlabs_api_key\""));
    for typed in ["", "yes"] {
        let fields = [("value", CANARY), ("confirm", typed)];
        let refused = admin.refused(&form("elevenlabs_api_key"), &fields, 422).await;
        assert!(entry(&refused, "elevenlabs_api_key").contains("type elevenlabs_api_key beside the new value"));
        assert!(!refused.contains(CANARY));
    }
    assert!(entry(&admin.page(PAGE).await, "elevenlabs_api_key").contains("Version 1,"));
    store(&mut admin, "elevenlabs_api_key", "sk_1123456789abcdef0123456789abcdef").await;
    assert!(entry(&admin.page(PAGE).await, "elevenlabs_api_key").contains("Version 2,"));
    service.stop().await;
}

#[tokio::test]
async fn the_token_before_is_revoked_by_a_button() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    store(&mut admin, "twilio_account_sid", SID).await;
    store(&mut admin, "twilio_auth_token", "the first of the two tokens").await;
    assert!(!admin.page(PAGE).await.contains("Revoke the previous token now"));
    store(&mut admin, "twilio_auth_token", CANARY).await;
    let page = admin.page(PAGE).await;
    assert!(page.contains("Revoke the previous token now") && page.contains("None has come yet"));
    service.app().vault.note_signature(2).await.expect("noted");
    let page = admin.page(PAGE).await;
    assert!(page.contains("Version 1, the token before it, still checks callbacks until <time"), "{page}");
    admin.submit(&format!("{}/revoke-previous", form("twilio_auth_token")), &[]).await;
    assert!(!admin.page(PAGE).await.contains("the token before it"));
    service.stop().await;
}

#[tokio::test]
async fn a_verification_is_told_at_once_and_kept_with_what_is_stored() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let verify = form("verify");
    let told = admin.refused(&verify, &[], 200).await;
    assert!(told.contains("Twilio accepts these credentials") && told.contains("shown once and not kept"));
    assert!(!admin.page(PAGE).await.contains("Verified "), "the sandbox's own have no version to keep it with");

    store(&mut admin, "twilio_account_sid", SID).await;
    let alone = admin.refused(&verify, &[], 409).await;
    assert!(alone.contains("There are no Twilio credentials to verify"));
    store(&mut admin, "twilio_auth_token", CANARY).await;
    store(&mut admin, "twilio_phone_number", "+14155550132").await;
    let told = admin.refused(&verify, &[], 200).await;
    assert!(told.contains("can send SMS and place calls") && !told.contains("not kept"));
    let page = admin.page(PAGE).await;
    assert_eq!(page.matches("Verified <time").count(), 3, "{page}");

    let url = format!("{}/2010-04-01/Accounts/{SID}.json", service.sandbox());
    let suspend = service.client().post(url).basic_auth(SID, Some(CANARY)).form(&[("Status", "suspended")]);
    assert_eq!(service.send(suspend).await.status.as_u16(), 200);
    let told = admin.refused(&verify, &[], 200).await;
    assert!(
        told.contains("Twilio does not accept these credentials")
            && told.contains("Twilio suspended the account")
            && !told.contains("not kept")
    );
    let page = admin.page(PAGE).await;
    assert!(entry(&page, "twilio_auth_token").contains("Verification failed <time"), "{page}");
    assert!(entry(&page, "twilio_phone_number").contains("Verified <time"), "the number was not judged anew");
    service.stop().await;
}

#[tokio::test]
async fn others_see_states_and_who_can_change_them() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    let mut viewer = Browser::of(&service, "vera@example.com", Role::Viewer).await;
    store(&mut admin, "twilio_phone_number", "+14155550132").await;
    for (reader, number) in [(&mut approver, "+1 415 555 0132"), (&mut viewer, "+1•••••0132")] {
        let page = reader.page(PAGE).await;
        assert!(entry(&page, "twilio_phone_number").contains(number), "{page}");
        assert!(page.contains("An admin can store, replace, verify and remove them"));
        assert!(!page.contains("/dashboard/settings/vault/") && !page.contains("name=\"value\""));
        for path in ["verify", "twilio_auth_token", "twilio_phone_number/remove", "twilio_auth_token/revoke-previous"] {
            let fields = [("value", "x"), ("confirm", "twilio_phone_number")];
            assert_eq!(reader.post(&form(path), &fields).await.status.as_u16(), 403, "{path}");
        }
    }
    let page = viewer.page(PAGE).await;
    // Digits alone are no sign: the digest in the address of an icon may have them.
    assert!(["+1415", " 415 ", "(415)", "4155550132"].iter().all(|form| !page.contains(form)), "{page}");
    assert!(entry(&admin.page(PAGE).await, "twilio_phone_number").contains("Connected"));
    let answer = admin.post_from(&form("twilio_auth_token"), &[("value", "x")], "cross-site", "/").await;
    assert_eq!(answer.status.as_u16(), 403);
    service.stop().await;
}

#[tokio::test]
async fn the_address_names_the_part() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    for path in ["/dashboard/settings", "/dashboard/settings?tab=nothing"] {
        assert!(admin.page(path).await.contains("<h2>API Vault</h2>"), "{path}");
    }
    for part in ["sending", "people", "tokens"] {
        let answer = admin.get(&format!("/dashboard/settings?tab={part}")).await;
        assert_eq!(answer.header("location"), Some(format!("/dashboard/settings/{part}").as_str()));
    }
    service.stop().await;
}
