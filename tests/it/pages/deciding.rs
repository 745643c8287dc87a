//! Deciding by form, from the request to Twilio's last report.

use mission_control::auth::Role;
use serde_json::json;

use super::browser::{Browser, hidden};
use crate::support::service::{Service, Setup};

#[tokio::test]
async fn an_sms_is_asked_for_approved_and_followed_to_its_delivery() {
    let service = Service::start().await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    let operation = operator.ask("+14155550132", "Your parcel comes at 3.").await;
    let theirs = operator.page(&operation).await;
    assert!(theirs.contains("You cannot approve it") && !theirs.contains("/approve\"") && theirs.contains("/cancel\""));

    let page = approver.page(&operation).await;
    assert!(page.contains("Approve and send") && page.contains("Time left to decide"));
    assert!(service.accepted().await.is_empty(), "nothing goes out unapproved");
    let digest = hidden(&page, "digest");
    let fields = [("digest", digest.as_str()), ("comment", "Checked")];
    assert_eq!(approver.submit(&format!("{operation}/approve"), &fields).await, operation);

    let done = approver.until(&operation, "Twilio reports that it arrived").await;
    for told in [
        "By <b>anna@example.com</b>. “Checked”",
        "Sending began",
        "Accepted by Twilio",
        "<code>delivered</code>",
        "Callback",
    ] {
        assert!(done.contains(told), "{told}: {done}");
    }
    assert!(!done.contains("/approve\"") && operator.page("/dashboard/operations").await.contains("1 delivered"));
    assert_eq!(service.accepted().await.len(), 1);

    // The same decision again is no error; another one is, and is told on the page.
    assert_eq!(approver.submit(&format!("{operation}/approve"), &fields).await, operation);
    let refused = approver.refused(&format!("{operation}/reject"), &[("reason", "Too late")], 409).await;
    assert!(refused.contains("This was decided before: it is delivered now"));
    assert_eq!(approver.get(&format!("{operation}/reject")).await.header("location"), Some(operation.as_str()));
    service.stop().await;
}

#[tokio::test]
async fn a_rejection_needs_a_reason_which_the_requester_reads() {
    let service = Service::start().await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    let operation = operator.ask("+14155550132", "FINAL NOTICE").await;
    let refused = approver.refused(&format!("{operation}/reject"), &[("reason", " ")], 400).await;
    assert!(refused.contains("href=\"#reason\"") && refused.contains("A reason is needed"));
    let long = "because ".repeat(80);
    let refused = approver.refused(&format!("{operation}/reject"), &[("reason", &long)], 400).await;
    assert!(refused.contains(&long), "what was typed is kept");

    let wrong_digest = "0".repeat(64);
    let refused = approver.refused(&format!("{operation}/approve"), &[("digest", &wrong_digest)], 409).await;
    assert!(refused.contains("The digest is not that of the content that stands here"));

    approver.submit(&format!("{operation}/reject"), &[("reason", "We do not threaten people.")]).await;
    let page = operator.page(&operation).await;
    assert!(page.contains("Rejected by anna@example.com") && page.contains("We do not threaten people."));
    assert!(page.contains("Ask again"));
    assert_eq!(approver.get(&format!("{operation}/approve")).await.header("location"), Some(operation.as_str()));
    assert_eq!(approver.post(&format!("{operation}/launch"), &[]).await.status.as_u16(), 404);
    service.stop().await;
}

#[tokio::test]
async fn under_four_eyes_ones_own_request_is_only_withdrawn() {
    let service = Setup::new().await.with("MISSION_CONTROL_APPROVAL_FOUR_EYES", "true").start().await;
    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    assert!(approver.page("/dashboard/operations/new-sms").await.contains("Anyone with the role Approver, except you"));
    let operation = approver.ask("+14155550132", "Mine").await;
    let page = approver.page(&operation).await;
    assert!(page.contains("You asked for this yourself") && !page.contains("/approve\""));
    let digest = "0".repeat(64);
    let refused = approver.refused(&format!("{operation}/approve"), &[("digest", &digest)], 403).await;
    assert!(refused.contains("You asked for this yourself"));
    approver.submit(&format!("{operation}/cancel"), &[]).await;
    assert!(approver.page(&operation).await.contains("Cancelled by anna@example.com"));
    service.stop().await;
}

#[tokio::test]
async fn a_possible_duplicate_must_have_been_seen() {
    let service = Service::start().await;
    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    let first = approver.ask("+14155550132", "Twice?").await;
    let second = approver.ask("+14155550132", "Twice?").await;
    let page = approver.page(&second).await;
    assert!(page.contains("This may be a duplicate") && page.contains(&format!("href=\"{first}\"")));
    let digest = hidden(&page, "digest");
    let mut fields = vec![("digest", digest.as_str()), ("comment", "It's wanted")];
    let refused = approver.refused(&format!("{second}/approve"), &fields, 422).await;
    assert!(refused.contains("href=\"#duplicate_seen\"") && refused.contains("value=\"It&#39;s wanted\""));
    fields.push(("duplicate_seen", "yes"));
    approver.submit(&format!("{second}/approve"), &fields).await;
    approver.until(&second, "Twilio reports that it arrived").await;
    assert_eq!(service.accepted().await.len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn what_twilio_refuses_is_told_in_plain_words() {
    let service = Service::start().await;
    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    // Twilio's magic number that is never valid.
    let operation = approver.ask("+15005550001", "Nobody").await;
    let digest = hidden(&approver.page(&operation).await, "digest");
    approver.submit(&format!("{operation}/approve"), &[("digest", &digest)]).await;
    let page = approver.until(&operation, "This SMS failed").await;
    assert!(page.contains("is not valid") && page.contains("https://www.twilio.com/docs/api/errors/21211"));
    assert!(page.contains("Refused by Twilio") && page.contains("Ask again") && page.contains("+15005550001"));
    let mut viewer = Browser::of(&service, "vera@example.com", Role::Viewer).await;
    assert!(!viewer.page(&operation).await.contains("5005550001"), "Twilio's own words name the recipient too");
    service.stop().await;
}

#[tokio::test]
async fn an_outcome_that_nobody_knows_is_settled_by_a_person_on_the_page() {
    let setup = Setup::new().await.with("MISSION_CONTROL_DISPATCH_ON_UNKNOWN", "person");
    let service = setup.start().await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    // The request arrives nowhere, and no answer comes: nobody can know.
    service.fault(json!([{ "fault": "drop_without" }])).await;
    let operation = approver.ask("+14155550132", "Did it go?").await;
    let digest = hidden(&approver.page(&operation).await, "digest");
    approver.submit(&format!("{operation}/approve"), &[("digest", &digest)]).await;
    approver.until(&operation, "The outcome is not known, so nothing is sent again").await;
    // Past the settle time Twilio's list is looked at, and again a minute later.
    service.clock.advance(std::time::Duration::from_secs(92));
    approver.until(&operation, "Twilio listed").await;
    service.clock.advance(std::time::Duration::from_secs(61));
    let page = approver.until(&operation, "Was this SMS sent?").await;
    assert!(page.contains("Send it again") && page.contains("Needs review"));
    assert!(operator.page(&operation).await.contains("You cannot settle it"));
    assert!(operator.page("/dashboard/operations").await.contains("<h2>Needs attention</h2>"));

    let fields = [("outcome", "sent"), ("sid", "SMxyz"), ("reason", "Console")];
    let refused = approver.refused(&format!("{operation}/resolve"), &fields, 400).await;
    assert!(
        refused.contains("href=\"#sid\"")
            && refused.contains("value=\"SMxyz\"")
            && refused.contains("Console</textarea>")
    );
    assert!(refused.contains("value=\"sent\" required checked"));
    approver.submit(&format!("{operation}/resolve"), &[("outcome", "failed"), ("reason", "Asked them")]).await;
    let page = approver.page(&operation).await;
    assert!(page.contains("anna@example.com settled it as not sent: “Asked them.”"));
    assert!(page.contains("Settled: it was not sent"));
    service.stop().await;
}
