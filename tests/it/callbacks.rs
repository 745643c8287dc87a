//! What Twilio reports: checked before it is believed, kept once, and never going back.

use mission_control::auth::Role;
use mission_control::sandbox::Pace;
use mission_control::twilio::signature::{SIGNATURE_HEADER, sign};
use mission_control::vault::VaultName::{TwilioAccountSid, TwilioAuthToken};
use reqwest::StatusCode;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::service::{Service, Setup, eventually, text};

/// A service whose sandbox reports nothing by itself, with one accepted SMS.
struct Accepted {
    service: Service,
    token: String,
    id: String,
    sid: String,
    account: String,
    secret: SecretString,
}

impl Accepted {
    async fn new() -> Self {
        let service = Setup::new().await.pace(Pace::ByHand).start().await;
        let token = service.token("ada@example.com", Role::Admin).await;
        let id = service.ask_approved(&token, "+14155550132", "Hello").await;
        let accepted = service.until(&token, &id, "accepted").await;
        let credentials = service.app().vault.twilio().await.expect("the vault").expect("credentials");
        let sid = text(&accepted["messageSid"]);
        Self { service, token, id, sid, account: credentials.account_sid, secret: credentials.auth_token }
    }

    fn path(&self, reference: &str) -> String {
        format!("/webhooks/twilio/message-status/{}{reference}", self.id)
    }

    fn params(&self, status: &str) -> Vec<(String, String)> {
        let pairs = [
            ("MessageSid", self.sid.as_str()),
            ("AccountSid", &self.account),
            ("MessageStatus", status),
            ("To", "+14155550132"),
            ("Extra", "ünknown & new"),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    /// Posts a form with this signature, as Twilio does.
    async fn post(&self, path: &str, params: &[(String, String)], signature: &str) -> StatusCode {
        let request = self.service.client().post(self.service.url(path)).header(SIGNATURE_HEADER, signature);
        request.form(params).send().await.expect("an answer").status()
    }

    async fn signed(&self, path: &str, params: &[(String, String)]) -> StatusCode {
        let url = self.service.app().public_url.join(path);
        let signature = sign(&url, params, &self.secret).expect("a signature");
        self.post(path, params, &signature).await
    }

    async fn report(&self, status: &str) -> Value {
        assert_eq!(self.signed(&self.path(""), &self.params(status)).await, StatusCode::NO_CONTENT);
        self.service.operation(&self.token, &self.id).await
    }

    async fn events(&self) -> i64 {
        sqlx::query_scalar("select count(*) from provider_events")
            .fetch_one(&self.service.app().db)
            .await
            .expect("a count")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_move_forward_only_and_repeats_change_nothing() {
    let accepted = Accepted::new().await;
    for (status, state, word) in [
        ("sent", "accepted", "sent"),
        ("queued", "accepted", "sent"),
        ("delivered", "delivered", "delivered"),
        ("sent", "delivered", "delivered"),
        ("sending", "delivered", "delivered"),
        ("read", "delivered", "read"),
        ("delivered", "delivered", "read"),
    ] {
        let operation = accepted.report(status).await;
        assert_eq!((&operation["state"], &operation["status"]), (&json!(state), &json!(word)), "after {status}");
    }
    let events = accepted.events().await;
    let history = accepted.service.operation(&accepted.token, &accepted.id).await["history"].clone();
    for _ in 0..100 {
        accepted.report("delivered").await;
    }
    assert_eq!(accepted.events().await, events, "a repeat is no new fact");
    assert_eq!(accepted.service.operation(&accepted.token, &accepted.id).await["history"], history);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_of_reports_ends_the_same() {
    for order in [["queued", "sent", "delivered"], ["delivered", "sent", "queued"], ["sent", "delivered", "queued"]] {
        let accepted = Accepted::new().await;
        for status in order {
            accepted.report(status).await;
        }
        let operation = accepted.service.operation(&accepted.token, &accepted.id).await;
        assert_eq!((&operation["state"], &operation["conflicted"]), (&json!("delivered"), &json!(false)), "{order:?}");
        assert_eq!(accepted.events().await, 3, "every fact is kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contradicting_final_reports_are_kept_and_marked() {
    let accepted = Accepted::new().await;
    accepted.report("delivered").await;
    let operation = accepted.report("undelivered").await;
    assert_eq!(
        (&operation["state"], &operation["conflicted"], &operation["needsAttention"]),
        (&json!("delivered"), &json!(true), &json!(true))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_for_this_url_by_this_account_is_refused() {
    let accepted = Accepted::new().await;
    let (path, params) = (accepted.path(""), accepted.params("delivered"));
    let url = accepted.service.app().public_url.join(&path);
    let good = sign(&url, &params, &accepted.secret).expect("a signature");
    let forbidden = StatusCode::FORBIDDEN;

    assert_eq!(accepted.post(&path, &params, "").await, forbidden, "empty");
    let bare = accepted.service.client().post(accepted.service.url(&path)).form(&params).send().await;
    assert_eq!(bare.expect("an answer").status(), forbidden, "none");
    let other_token = sign(&url, &params, &SecretString::from("another")).expect("a signature");
    assert_eq!(accepted.post(&path, &params, &other_token).await, forbidden, "another token");
    assert_eq!(accepted.post(&accepted.path("?ref=x"), &params, &good).await, forbidden, "another query");
    assert_eq!(accepted.post(&path, &accepted.params("failed"), &good).await, forbidden, "another parameter");
    let elsewhere = sign("https://elsewhere.example/", &params, &accepted.secret).expect("a signature");
    assert_eq!(accepted.post(&path, &params, &elsewhere).await, forbidden, "another host");
    let mut foreign = params.clone();
    foreign[1].1 = "AC00000000000000000000000000000000".to_owned();
    assert_eq!(accepted.signed(&path, &foreign).await, forbidden, "another account");
    // A forwarding header does not change which URL was signed.
    let spoofed = accepted.service.client().post(accepted.service.url(&path)).form(&params);
    let spoofed =
        spoofed.header(SIGNATURE_HEADER, elsewhere).header("X-Forwarded-Host", "elsewhere.example").send().await;
    assert_eq!(spoofed.expect("an answer").status(), forbidden);
    assert_eq!(accepted.events().await, 0, "nothing was kept of them");

    assert_eq!(accepted.post(&path, &params, &good).await, StatusCode::NO_CONTENT);
    assert_eq!(accepted.service.operation(&accepted.token, &accepted.id).await["state"], "delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_but_belongs_to_nothing_is_kept_and_not_believed() {
    let accepted = Accepted::new().await;
    let mut params = accepted.params("failed");
    params[0].1 = "SM00000000000000000000000000000000".to_owned();
    assert_eq!(accepted.signed(&accepted.path(""), &params).await, StatusCode::NO_CONTENT, "another SID");
    let wrong_ref = format!("?ref={}", "A".repeat(43));
    assert_eq!(
        accepted.signed(&accepted.path(&wrong_ref), &params).await,
        StatusCode::NO_CONTENT,
        "an unknown reference"
    );
    let nowhere = "/webhooks/twilio/message-status/01890000-0000-7000-8000-000000000000";
    assert_eq!(accepted.signed(nowhere, &accepted.params("failed")).await, StatusCode::NO_CONTENT, "no such operation");
    let operation = accepted.service.operation(&accepted.token, &accepted.id).await;
    assert_eq!((&operation["state"], &operation["conflicted"]), (&json!("accepted"), &json!(false)));
    let orphans: i64 = sqlx::query_scalar("select count(*) from provider_events where matched_by = 'nothing'")
        .fetch_one(&accepted.service.app().db)
        .await
        .expect("a count");
    assert_eq!(orphans, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_came_too_early_is_believed_once_its_sid_is_bound_where_it_said() {
    let accepted = Accepted::new().await;
    let db = &accepted.service.app().db;
    // As after a restored backup: what was sent is not known here, and Twilio reports on it.
    for statement in ["update attempts set provider_sid = null", "update operations set provider_sid = null"] {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(db).await.expect("forgotten");
    }
    let wrong_ref = accepted.path(&format!("?ref={}", "A".repeat(43)));
    for status in ["delivered", "sent"] {
        assert_eq!(accepted.signed(&wrong_ref, &accepted.params(status)).await, StatusCode::NO_CONTENT);
    }
    let elsewhere = "/webhooks/twilio/message-status/01890000-0000-7000-8000-000000000000";
    assert_eq!(accepted.signed(elsewhere, &accepted.params("undelivered")).await, StatusCode::NO_CONTENT);
    let operation = accepted.service.operation(&accepted.token, &accepted.id).await;
    assert_eq!((&operation["state"], &operation["providerEvents"]), (&json!("accepted"), &json!([])), "{operation}");

    sqlx::query("update operations set provider_sid = $1").bind(&accepted.sid).execute(db).await.expect("bound");
    let delivered = accepted.service.until(&accepted.token, &accepted.id, "delivered").await;
    let events = eventually("both to be taken", || async {
        let operation = accepted.service.operation(&accepted.token, &accepted.id).await;
        let events = operation["providerEvents"].as_array().expect("events").clone();
        if events.len() == 2 { Ok(events) } else { Err(operation.to_string()) }
    })
    .await;
    assert!(events.iter().all(|event| event["matchedBy"] == "sid"), "{events:?}");
    assert_eq!(delivered["conflicted"], false, "what named another operation is not believed: {delivered}");
    assert_eq!(accepted.events().await, 3, "none was stored twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_that_are_no_reports_are_told_so() {
    let accepted = Accepted::new().await;
    let mut params = accepted.params("delivered");
    params.retain(|(name, _)| name != "MessageStatus");
    assert_eq!(accepted.signed(&accepted.path(""), &params).await, StatusCode::BAD_REQUEST);
    let client = accepted.service.client();
    let get = client.get(accepted.service.url(&accepted.path(""))).send().await.expect("an answer");
    assert_eq!(get.status(), StatusCode::METHOD_NOT_ALLOWED);
    // By a client of its own: the service closes the connection on which too much is sent.
    let huge = reqwest::Client::builder().no_proxy().build().expect("a client");
    let huge = huge.post(accepted.service.url(&accepted.path(""))).body(vec![b'a'; 1 << 20]).send().await;
    assert!(huge.is_err() || huge.is_ok_and(|answer| answer.status() == StatusCode::PAYLOAD_TOO_LARGE));
    let no_id = client.post(accepted.service.url("/webhooks/twilio/message-status/x")).send().await.expect("an answer");
    assert_eq!(no_id.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_auth_token_signs_on_until_the_new_one_has_proven_itself() {
    let accepted = Accepted::new().await;
    let app = accepted.service.app();
    let (actor, sid) = (mission_control::audit::Actor::command_line(), accepted.account.clone());
    let set = |name, value: String| app.vault.set(name, SecretString::from(value), &actor);
    set(TwilioAccountSid, sid).await.expect("stored");
    set(TwilioAuthToken, "first-token-first-token-first-tok".to_owned()).await.expect("stored");
    set(TwilioAuthToken, "second-token-second-token-second".to_owned()).await.expect("stored");
    let (path, params) = (accepted.path(""), accepted.params("sent"));
    let url = app.public_url.join(&path);
    let with = |token: &str| sign(&url, &params, &SecretString::from(token)).expect("a signature");
    let (old, new) = (with("first-token-first-token-first-tok"), with("second-token-second-token-second"));
    assert_eq!(accepted.post(&path, &params, &old).await, StatusCode::NO_CONTENT, "the previous one, before");
    assert_eq!(accepted.post(&path, &params, &new).await, StatusCode::NO_CONTENT, "the new one");
    accepted.service.clock.advance(std::time::Duration::from_hours(23));
    assert_eq!(accepted.post(&path, &params, &old).await, StatusCode::NO_CONTENT, "the previous one, within a day");
    accepted.service.clock.advance(std::time::Duration::from_hours(2));
    assert_eq!(accepted.post(&path, &params, &old).await, StatusCode::FORBIDDEN, "the previous one, after a day");
    assert_eq!(accepted.post(&path, &params, &new).await, StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_delivery_ends_in_the_same_state() {
    for fault in [
        json!({ "fault": { "callback_repeated": { "n": 5 } }, "times": 3 }),
        json!({ "fault": "callbacks_reordered" }),
        json!({ "fault": "callback_before_answer" }),
        json!({ "fault": "callback_lost" }),
    ] {
        let service = Service::start().await;
        let token = service.token("ada@example.com", Role::Admin).await;
        service.fault(json!([fault])).await;
        let id = service.ask_approved(&token, "+14155550132", "Hello").await;
        let delivered = service.until(&token, &id, "delivered").await;
        assert_eq!(
            (&delivered["conflicted"], &delivered["duplicateSuspected"]),
            (&json!(false), &json!(false)),
            "{fault}"
        );
        assert_eq!(service.accepted().await.len(), 1, "{fault}");
    }
}
