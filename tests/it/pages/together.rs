//! Several operations on one page, decided on together and each by itself.

use mission_control::auth::Role;
use reqwest::StatusCode;

use super::browser::Browser;
use crate::support::service::Service;

const REVIEW: &str = "/dashboard/operations/review";
const APPROVE: &str = "/dashboard/operations/review/approve";
const REJECT: &str = "/dashboard/operations/review/reject";

fn id(operation: &str) -> &str {
    operation.rsplit('/').next().expect("an id")
}

/// The pairs of id and digest that the form would post.
fn included(page: &str) -> Vec<String> {
    page.split("name=\"operation\" value=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect()
}

fn review(operations: &[&String]) -> String {
    let ids: Vec<String> = operations.iter().map(|operation| format!("id={}", id(operation))).collect();
    format!("{REVIEW}?{}", ids.join("&"))
}

#[tokio::test]
async fn what_is_approved_together_is_listed_first_and_bound_to_what_was_read() {
    let service = Service::start().await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    let one = operator.ask("+14155550132", "First message").await;
    let two = operator.ask("+14155550133", "Second message").await;
    let left = operator.ask("+14155550134", "Not chosen").await;
    let list = approver.page("/dashboard/operations?state=pending_approval").await;
    assert!(list.contains("Review selected") && list.contains(&format!("name=\"id\" value=\"{}\"", id(&one))));

    let page = approver.page(&review(&[&one, &two])).await;
    assert!(page.contains("Review 2 together") && page.contains("First message") && page.contains("Second message"));
    assert!(!page.contains("Not chosen") && page.contains("Approve and send 2"));
    let chosen = included(&page);
    assert_eq!(chosen.len(), 2);
    // One of them is rejected meanwhile, and one digest is another one's.
    approver.submit(&format!("{two}/reject"), &[("reason", "No")]).await;
    let wrong = format!("{}:{}", id(&left), "0".repeat(64));
    let fields = [("operation", chosen[0].as_str()), ("operation", chosen[1].as_str()), ("operation", wrong.as_str())];
    let done = approver.post(APPROVE, &fields).await;
    assert_eq!(done.status, StatusCode::OK);
    assert!(done.text.contains("<h1>1 of 3 decided</h1>") && done.text.contains("it is rejected now"), "{}", done.text);
    assert!(done.text.contains("The digest is not that of the content"), "{}", done.text);
    approver.until(&one, "Twilio reports that it arrived").await;
    assert_eq!(service.accepted().await.len(), 1);
    assert!(approver.page(&left).await.contains("Waiting for approval"));
    service.stop().await;
}

#[tokio::test]
async fn a_repeated_message_is_left_out_and_decided_on_alone() {
    let service = Service::start().await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    let one = operator.ask("+14155550132", "Same").await;
    let two = operator.ask("+14155550132", "Same").await;
    let page = approver.page(&review(&[&one, &two])).await;
    let chosen = included(&page);
    assert!(chosen.len() == 1 && chosen[0].starts_with(id(&one)) && page.contains("Left out."), "{page}");
    // Nor does a form built by hand approve it.
    let by_hand = chosen[0].replace(id(&one), id(&two));
    let done = approver.post(APPROVE, &[("operation", &by_hand)]).await;
    assert!(
        done.text.contains("Decide on it by itself") && done.text.contains("<h1>0 of 1 decided</h1>"),
        "{}",
        done.text
    );
    assert!(service.accepted().await.is_empty());
    service.stop().await;
}

#[tokio::test]
async fn several_are_rejected_with_one_reason_by_those_who_may_decide() {
    let service = Service::start().await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    let one = operator.ask("+14155550132", "First").await;
    let two = operator.ask("+14155550133", "Second").await;
    let theirs = operator.page(&review(&[&one, &two])).await;
    assert!(included(&theirs).is_empty() && theirs.contains("Only approvers decide."), "{theirs}");

    let chosen = included(&approver.page(&review(&[&one, &two])).await);
    let fields = |reason| [("reason", reason), ("operation", &*chosen[0]), ("operation", &*chosen[1])];
    for forged in [REJECT, APPROVE] {
        assert_eq!(operator.post(forged, &fields("No")).await.status, StatusCode::FORBIDDEN);
    }
    let refused = approver.refused(REJECT, &fields(" "), 422).await;
    assert!(refused.contains("href=\"#reason\"") && included(&refused) == chosen);
    let done = approver.post(REJECT, &fields("We do not threaten people.")).await;
    assert!(done.text.contains("<h1>2 of 2 decided</h1>"), "{}", done.text);
    for operation in [&one, &two] {
        assert!(operator.page(operation).await.contains("We do not threaten people."));
    }
    // Nothing chosen leads back to what waits.
    for address in [REVIEW, APPROVE, REJECT] {
        let nothing = approver.get(address).await;
        assert_eq!(nothing.header("location"), Some("/dashboard/operations?state=pending_approval"));
    }
    service.stop().await;
}
