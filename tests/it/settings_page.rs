//! The page of the operating settings: everybody reads it, admins change it, and nobody undoes another's change unseen.

use mission_control::auth::Role;
use serde_json::{Value, json};

use crate::pages::browser::{Browser, hidden};
use crate::support::service::{Service, Setup};

const PAGE: &str = "/dashboard/settings/sending";

/// The value of a setting's field.
fn field(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("id=\"{name}\"")).unwrap_or_else(|| panic!("no field {name}"));
    if rest.starts_with(&format!(" name=\"{name}\" inputmode")) {
        let (_, rest) = rest.split_once("value=\"").expect("a value");
        return rest.split('"').next().unwrap_or_default().to_owned();
    }
    let (options, _) = rest.split_once("</select>").expect("a choice");
    let (before, _) = options.split_once("\" selected").expect("a chosen one");
    before.rsplit('"').next().unwrap_or_default().to_owned()
}

async fn line(service: &Service) -> (String, Value) {
    let line = "select actor, details from audit_lines where object = 'settings' order by seq desc limit 1";
    sqlx::query_as(line).fetch_one(&service.app().db).await.expect("a line")
}

#[tokio::test]
async fn an_admin_changes_a_setting_and_everybody_reads_what_it_was() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let page = admin.page(PAGE).await;
    assert!(
        page.contains("Now: Off, because the mode is sandbox. Default: as the mode decides (sandbox: off; live: on).")
    );
    assert_eq!(
        (field(&page, "approval.pending_seconds").as_str(), field(&page, "approval.four_eyes").as_str()),
        ("86400", "by_mode")
    );
    assert!(page.contains("Now: 1 day. Default: 86400, which is 1 day."));
    let version = hidden(&page, "version");
    let fields = [
        ("version", version.as_str()),
        ("approval.pending_seconds", "7200"),
        ("approval.four_eyes", "true"),
        ("dispatch.sms_segments_per_second", "2.5"),
    ];
    assert_eq!(admin.submit(PAGE, &fields).await, PAGE);
    let settings = service.app().settings.current();
    assert_eq!(settings.approval.pending().as_secs(), 7200);

    let page = Browser::of(&service, "vera@example.com", Role::Viewer).await.page(PAGE).await;
    for told in [
        "By ada@example.com.",
        "Time to decide: <del>1 day</del> → <b>2 h</b>",
        "Four eyes: <del>As the mode decides</del> → <b>On</b>",
        "SMS segments a second: <del>As the mode decides</del> → <b>2.5 segments a second</b>",
        "Only admins change these settings",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(!page.contains("<select") && !page.contains("Save settings"));
    let (by, details) = line(&service).await;
    assert_eq!(by, "ada@example.com");
    assert_eq!(details["before"]["approval"]["pending_seconds"], json!(86_400));
    assert_eq!(details["after"]["approval"]["pending_seconds"], json!(7200));
    service.stop().await;
}

#[tokio::test]
async fn only_admins_change_settings() {
    let service = Service::start().await;
    let version = service.app().settings.version().to_string();
    let fields = [("version", version.as_str()), ("api.require_idempotency_key", "true")];
    for role in [Role::Viewer, Role::Operator, Role::Approver] {
        let mut browser = Browser::of(&service, &format!("{role}@example.com"), role).await;
        browser.page(PAGE).await;
        assert_eq!(browser.post(PAGE, &fields).await.status.as_u16(), 403, "{role}");
    }
    let mut nobody = Browser::new(&service);
    for answer in [nobody.get(PAGE).await, nobody.post(PAGE, &fields).await] {
        assert!(answer.header("location").is_some_and(|way| way.starts_with("/login")));
    }
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    assert_eq!(admin.post_from(PAGE, &fields, "cross-site", "/").await.status.as_u16(), 403);
    assert_eq!(service.app().settings.version().to_string(), version);
    admin.submit(PAGE, &fields).await;
    assert!(service.app().settings.current().api.require_idempotency_key);
    service.stop().await;
}

#[tokio::test]
async fn what_cannot_work_is_told_at_its_field_and_kept() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let version = hidden(&admin.page(PAGE).await, "version");
    let fields = [
        ("version", version.as_str()),
        ("approval.pending_seconds", "5"),
        ("dispatch.deadline_seconds", "soon"),
        ("dispatch.calls_per_second", "NaN"),
        ("approval.four_eyes", "true"),
    ];
    let page = admin.refused(PAGE, &fields, 422).await;
    assert!(page.contains("3 things need a change") && page.contains("Choose 60 to 1209600 seconds."));
    for (name, typed) in &fields[1..] {
        assert_eq!(field(&page, name), *typed);
    }
    for name in ["approval.pending_seconds", "dispatch.deadline_seconds", "dispatch.calls_per_second"] {
        assert!(page.contains(&format!("href=\"#{name}\"")), "{name}");
    }
    assert_eq!(service.app().settings.version().to_string(), version);
    service.stop().await;
}

#[tokio::test]
async fn approval_is_switched_off_only_by_typing_so() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let version = hidden(&admin.page(PAGE).await, "version");
    let wanted = [("version", version.as_str()), ("approval.required", "false"), ("approval.pending_seconds", "7200")];
    let step = admin.post(PAGE, &wanted).await;
    assert_eq!(step.status.as_u16(), 200, "{}", step.text);
    assert!(step.text.contains("Nobody looks before it goes out") && step.text.contains("send without approval"));
    for (name, value) in wanted {
        assert_eq!(hidden(&step.text, name), value, "nothing is lost on the way");
    }
    let with = |typed| [wanted[0], wanted[1], wanted[2], ("confirm", typed)];
    let page = admin.refused(PAGE, &with("yes"), 422).await;
    assert!(page.contains("This is not what has to be typed") && page.contains("value=\"yes\""));
    assert!(service.app().settings.current().approval.required);

    admin.submit(PAGE, &with(" Send without approval ")).await;
    let settings = service.app().settings.current();
    assert!(!settings.approval.required && settings.approval.pending().as_secs() == 7200);
    assert!(admin.page(PAGE).await.contains("Approval is switched off"), "on every page");
    let (by, details) = line(&service).await;
    let required = |when: &str| details[when]["approval"]["required"].clone();
    assert_eq!((by.as_str(), required("before"), required("after")), ("ada@example.com", json!(true), json!(false)));

    // Switching it on again needs no such step.
    let version = hidden(&admin.page(PAGE).await, "version");
    admin.submit(PAGE, &[("version", &version), ("approval.required", "true")]).await;
    assert!(service.app().settings.current().approval.required);
    service.stop().await;
}

#[tokio::test]
async fn somebody_elses_change_is_neither_undone_nor_hidden() {
    let service = Service::start().await;
    let elsewhere = service.setup_again().start().await;
    let mut ada = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let mut bob = Browser::of(&elsewhere, "bob@example.com", Role::Admin).await;
    let version = hidden(&ada.page(PAGE).await, "version");
    let of_bob =
        [("version", version.as_str()), ("approval.pending_seconds", "3600"), ("dispatch.settle_seconds", "90")];
    bob.submit(PAGE, &of_bob).await;

    let of_ada = [
        ("version", version.as_str()),
        ("approval.pending_seconds", "7200"),
        ("dispatch.settle_seconds", "60"),
        ("dispatch.deadline_seconds", "45"),
    ];
    let page = ada.refused(PAGE, &of_ada, 409).await;
    for told in [
        "The settings were changed meanwhile, so nothing was saved",
        "bob@example.com stored version",
        "Time to decide: <del>1 day</del> → <b>1 h</b>",
        "You and somebody else changed it.",
    ] {
        assert!(page.contains(told), "{told}");
    }
    assert_eq!(page.matches("You and somebody else changed it.").count(), 1);
    for (name, held) in
        [("approval.pending_seconds", "7200"), ("dispatch.settle_seconds", "90"), ("dispatch.deadline_seconds", "45")]
    {
        assert_eq!(field(&page, name), held, "{name}");
    }
    let newest = hidden(&page, "version");
    assert_ne!(newest, version);
    let again: Vec<_> = of_ada
        .iter()
        .map(|(name, _)| (*name, if *name == "version" { newest.clone() } else { field(&page, name) }))
        .collect();
    let again: Vec<_> = again.iter().map(|(name, value)| (*name, value.as_str())).collect();
    ada.submit(PAGE, &again).await;
    let settings = service.app().settings.current();
    let seconds = [settings.approval.pending(), settings.dispatch.settle(), settings.dispatch.deadline()];
    assert_eq!(seconds.map(|duration| duration.as_secs()), [7200, 90, 45]);
    assert_eq!(bob.page(PAGE).await.matches("Version ").count(), 3, "and the other process shows it too");
    for lost in ["", "no version", "999"] {
        ada.refused(PAGE, &[("version", lost), ("approval.pending_seconds", "60")], 409).await;
    }
    elsewhere.stop().await;
    service.stop().await;
}

#[tokio::test]
async fn what_the_environment_fixes_is_shown_and_cannot_be_changed() {
    let setup = Setup::new().await.with("MISSION_CONTROL_APPROVAL_REQUIRED", "true");
    let service = setup.with("MISSION_CONTROL_DISPATCH_SETTLE_SECONDS", "120").start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let page = admin.page(PAGE).await;
    for variable in ["MISSION_CONTROL_APPROVAL_REQUIRED", "MISSION_CONTROL_DISPATCH_SETTLE_SECONDS"] {
        assert!(page.contains(&format!("Locked by {variable}")), "{variable}");
    }
    assert_eq!(page.matches(" disabled").count(), 3, "and the rate that is switched off for the tests");
    assert!(page.contains("Now: 2 min. Default: 60, which is 1 min."));
    let version = hidden(&page, "version");
    for (name, value, variable) in [
        ("approval.required", "false", "MISSION_CONTROL_APPROVAL_REQUIRED"),
        ("dispatch.settle_seconds", "60", "MISSION_CONTROL_DISPATCH_SETTLE_SECONDS"),
    ] {
        let page = admin.refused(PAGE, &[("version", &version), (name, value)], 409).await;
        assert!(page.contains(&format!("is fixed by the environment ({variable})")), "{name}");
    }
    admin.submit(PAGE, &[("version", &version), ("approval.pending_seconds", "7200")]).await;
    assert_eq!(service.app().settings.current().dispatch.settle().as_secs(), 120);
    service.stop().await;
}
