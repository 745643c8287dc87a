//! The list and the operation beside it: whole pages, and the parts that a page asks for by itself.

use mission_control::auth::Role;

use super::browser::Browser;
use crate::support::service::{PASSWORD, Service};

/// The id at the end of an operation's address.
fn id(operation: &str) -> &str {
    operation.rsplit('/').next().expect("an id")
}

#[tokio::test]
async fn an_operation_stands_beside_the_list_that_it_was_chosen_from() {
    let service = Service::start().await;
    let mut browser = Browser::of(&service, "anna@example.com", Role::Approver).await;
    let one = browser.ask("+14155550132", "First").await;
    let two = browser.ask("+14155550133", "Second").await;
    let list = browser.page("/dashboard/operations?q=First").await;
    let address = format!("{one}?q=First");
    assert!(list.contains(&format!("href=\"{address}\"")) && !list.contains(&two), "{list}");

    let page = browser.page(&address).await;
    assert!(page.contains(&format!("href=\"{address}\" aria-current=\"true\"")), "marked in the list: {page}");
    assert!(page.contains("href=\"/dashboard/operations?q=First\"") && page.contains("Review SMS to"));
    // A decision leads back to the same list.
    assert!(page.contains(&format!("action=\"{one}/reject?q=First\"")));
    let way = browser.submit(&format!("{one}/reject?q=First"), &[("reason", "No")]).await;
    assert_eq!(way, address);
    let refused = browser.refused(&format!("{one}/reject?q=First"), &[("reason", " ")], 400).await;
    assert!(refused.contains("aria-current=\"true\""));
    service.stop().await;
}

#[tokio::test]
async fn a_part_is_answered_where_a_part_is_asked_for() {
    let service = Service::start().await;
    let mut browser = Browser::of(&service, "anna@example.com", Role::Approver).await;
    let operation = browser.ask("+14155550132", "Hello").await;
    for (part, heading) in [("beside", "<h2 class=\"h1\" id=\"op-title\">"), ("alone", "<h1 id=\"op-title\">")] {
        let answer = browser.get_with(&operation, &[("x-part", part)]).await;
        assert_eq!(answer.status.as_u16(), 200);
        assert!(answer.text.trim_start().starts_with("<article") && answer.text.contains(heading), "{}", answer.text);
        assert!(!answer.text.contains("<main") && !answer.text.contains("id=\"list\""), "{}", answer.text);
    }
    service.stop().await;
}

#[tokio::test]
async fn rows_that_changed_replace_themselves_and_new_ones_are_counted() {
    let service = Service::start().await;
    let mut browser = Browser::of(&service, "anna@example.com", Role::Approver).await;
    let one = browser.ask("+14155550132", "First").await;
    let two = browser.ask("+14155550133", "Second").await;
    let changed = browser.get(&format!("/dashboard/operations/changed?id={}&id=nonsense&q=x", id(&one))).await.text;
    assert!(changed.contains(&format!("<li id=\"op-{}\"", id(&one))) && changed.contains("hx-swap-oob=\"outerMorph\""));
    assert!(changed.contains(&format!("href=\"{one}?q=x\"")) && !changed.contains(id(&two)), "{changed}");

    let news = browser.get(&format!("/dashboard/operations/news?after={}", id(&one))).await.text;
    assert!(news.contains("1 new operation, show it") && news.contains("href=\"/dashboard/operations\""), "{news}");
    let none = browser.get(&format!("/dashboard/operations/news?after={}", id(&two))).await.text;
    assert_eq!(none.trim(), "");
    // Only what the list would show is news of the list.
    let other = browser.get(&format!("/dashboard/operations/news?after={}&kind=call", id(&one))).await.text;
    assert_eq!(other.trim(), "");
    service.stop().await;
}

#[tokio::test]
async fn a_viewer_gets_masked_rows_and_nothing_to_choose() {
    let service = Service::start().await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let operation = operator.ask("+14155550132", "Hello").await;
    let mut viewer = Browser::of(&service, "vera@example.com", Role::Viewer).await;
    let changed = viewer.get(&format!("/dashboard/operations/changed?id={}", id(&operation))).await.text;
    assert!(changed.contains("•0132") && !changed.contains("4155550132") && !changed.contains("checkbox"), "{changed}");
    service.stop().await;
}

#[tokio::test]
async fn what_a_page_asks_for_by_itself_does_not_keep_a_session_open() {
    let service = Service::start().await;
    let mut browser = Browser::new(&service);
    service.person("anna@example.com", Role::Approver).await;
    browser.sign_in("anna@example.com", PASSWORD).await;
    let mut waited = std::time::Duration::ZERO;
    let step = std::time::Duration::from_mins(10);
    while waited < std::time::Duration::from_mins(20) {
        service.app().clock.advance(step);
        waited += step;
        let answer = browser.get_with("/dashboard/operations/news", &[("x-background", "1")]).await;
        assert_eq!(answer.status.as_u16(), 200, "after {waited:?}");
    }
    service.app().clock.advance(step + std::time::Duration::from_secs(1));
    let answer = browser.get_with("/dashboard/operations/news", &[("x-background", "1")]).await;
    assert_eq!(answer.status.as_u16(), 303, "nobody was there for half an hour");
    service.stop().await;
}
