//! Asking for an SMS by form, and finding it again in the list.

use mission_control::auth::Role;

use super::browser::{Browser, hidden};
use crate::support::service::Service;

#[tokio::test]
async fn a_refused_form_keeps_everything_that_was_typed() {
    let service = Service::start().await;
    let mut browser = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let key = hidden(&browser.page("/dashboard/operations/new-sms").await, "idempotency_key");
    let fields = [
        ("kind", "sms"),
        ("idempotency_key", key.as_str()),
        ("to", "+1 555"),
        ("from", "me"),
        ("message", "\r\n<b>I’m</b> here"),
        ("note", "\"urgent\""),
    ];
    let page = browser.refused("/dashboard/operations", &fields, 422).await;
    assert!(
        page.contains("2 things need a change") && page.contains("href=\"#to\"") && page.contains("href=\"#from\"")
    );
    for kept in [
        "value=\"+1 555\"",
        "value=\"me\"",
        "value=\"&#34;urgent&#34;\"",
        ">\n\n&#60;b&#62;I’m&#60;/b&#62; here</textarea>",
    ] {
        assert!(page.contains(kept), "{kept}: {page}");
    }
    assert_eq!(hidden(&page, "idempotency_key"), key, "still one operation, however often it is sent");
    assert!(page.contains("U+2019") && page.contains("1 segment, UCS-2"));
    assert!(browser.page("/dashboard/operations").await.contains("Nothing has been asked for yet"));
    service.stop().await;
}

#[tokio::test]
async fn pressing_twice_asks_once() {
    let service = Service::start().await;
    let mut browser = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let key = hidden(&browser.page("/dashboard/operations/new-sms").await, "idempotency_key");
    let mut fields =
        vec![("kind", "sms"), ("idempotency_key", key.as_str()), ("to", "+14155550132"), ("message", "One\r\ntwo")];
    let first = browser.submit("/dashboard/operations", &fields).await;
    assert_eq!(browser.submit("/dashboard/operations", &fields).await, first);
    let page = browser.page(&first).await;
    assert!(page.contains("<p class=\"slip-text\">One\ntwo</p>"), "a line break is one character: {page}");
    assert!(page.contains("Asked for on the page. Every operation waits for a person."));

    // Back, another text, and the button again: that is another message, and the reader is told.
    fields[3].1 = "Three";
    let again = browser.refused("/dashboard/operations", &fields, 422).await;
    assert!(again.contains("This form was sent before with other content"));
    let new_key = hidden(&again, "idempotency_key");
    assert_ne!(new_key, key);
    fields[1].1 = &new_key;
    assert_ne!(browser.submit("/dashboard/operations", &fields).await, first);
    service.stop().await;
}

#[tokio::test]
async fn asking_again_is_prefilled_and_a_new_operation() {
    let service = Service::start().await;
    let mut browser = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let operation = browser.ask("+14155550132", "Gate code 7719").await;
    browser.submit(&format!("{operation}/cancel"), &[]).await;
    let page = browser.page(&operation).await;
    assert!(page.contains("Cancelled by otto@example.com"));
    let id = operation.rsplit('/').next().expect("an id");
    let address = format!("/dashboard/operations/new-sms?again={id}");
    assert!(page.contains(&format!("href=\"{address}\"")));
    let form = browser.page(&address).await;
    for filled in ["value=\"+14155550132\"", ">\nGate code 7719</textarea>", "You are asking again"] {
        assert!(form.contains(filled), "{filled}");
    }
    assert_eq!(hidden(&form, "again"), id);
    let unknown = browser.page("/dashboard/operations/new-sms?again=%22%3E%3Cb%3E").await;
    assert!(!unknown.contains("You are asking again"));
    service.stop().await;
}

#[tokio::test]
async fn a_viewer_sees_the_ends_of_numbers_and_no_buttons() {
    let service = Service::start().await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let mut viewer = Browser::of(&service, "vera@example.com", Role::Viewer).await;
    assert!(!viewer.page("/dashboard/operations").await.contains("new-sms"));
    assert_eq!(viewer.get("/dashboard/operations/new-sms").await.status.as_u16(), 403);
    let operation = operator.ask("+14155550132", "Gate code 7719").await;
    for path in ["/dashboard/operations", &operation] {
        let page = viewer.page(path).await;
        assert!(page.contains("+1•••••0132"), "{path}");
        for hidden in ["4155550132", "415 555 0132", "Raw data", "/api/operations/", "/cancel\"", "/reject\""] {
            assert!(!page.contains(hidden), "{path}: {hidden}");
        }
        assert!(operator.page(path).await.contains("+1 415 555 0132"), "{path}");
    }
    for act in ["approve", "reject", "cancel", "resolve", "acknowledge"] {
        let page = viewer.refused(&format!("{operation}/{act}"), &[("reason", "because")], 403).await;
        assert!(page.contains("This needs the role"), "{act}");
    }
    let fields = [("kind", "sms"), ("idempotency_key", "k"), ("to", "+14155550132"), ("message", "x")];
    assert_eq!(viewer.post("/dashboard/operations", &fields).await.status.as_u16(), 403);
    assert!(operator.page(&operation).await.contains("Waiting for approval"));
    service.stop().await;
}

#[tokio::test]
async fn the_list_is_searched_filtered_and_paged_by_its_address() {
    let service = Service::start().await;
    let mut browser = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let token = service.token_of("otto@example.com", &mission_control::auth::Scope::ALL).await;
    for number in 0..55 {
        service.ask(&token, &format!("+141555501{number:02}"), &format!("Parcel {number}")).await;
    }
    let start = browser.page("/dashboard/operations").await;
    assert_eq!(start.matches("class=\"strip-to\"").count(), 50);
    assert!(
        start.contains("<h2>Waiting for approval</h2>") && start.contains("Show all") && start.contains("key test")
    );
    let (older, _) = start.split_once("\" rel=\"next\"").expect("an older page");
    let older = older.rsplit('"').next().expect("its address").replace("&#38;", "&").replace("&amp;", "&");
    let rest = browser.page(&older).await;
    assert_eq!(rest.matches("class=\"strip-to\"").count(), 5);

    for (query, found) in [
        ("q=Parcel+54", 1),
        ("q=%2B1+415+555+0107", 1),
        ("q=Parcel&state=pending_approval&kind=sms&cursor=nonsense", 50),
        ("q=100%25", 0),
        ("state=delivered", 0),
        ("kind=call", 0),
        ("attention=true", 0),
        ("state=lost&kind=fax&attention=perhaps", 50),
    ] {
        let page = browser.page(&format!("/dashboard/operations?{query}")).await;
        assert_eq!(page.matches("class=\"strip-to\"").count(), found, "{query}");
        let is_empty = ["No operation matches these filters", "Nothing needs attention</h2>"]
            .iter()
            .any(|told| page.contains(told));
        assert_eq!(is_empty, found == 0, "{query}");
    }
    service.stop().await;
}
