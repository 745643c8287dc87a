//! Everything that can go wrong at Twilio, mixed by a seed: answers that are lost, late, unreadable or wrong, reports that are
//! lost, repeated and reordered, lists that lag, and another system that sends the same from the same number.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use mission_control::auth::Role;
use mission_control::dispatch::look::look;
use mission_control::dispatch::worker;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::support::seeded::Seeded;
use crate::support::service::{Service, Setup, text};
use crate::support::torture;

/// What becomes of the request, or of the answer to it.
const MODES: [&str; 16] = [
    "none",
    "accept_then_drop",
    "accept_then_hang",
    "accept_late",
    "slow",
    "drop_without",
    "error_500_after_accepting",
    "error_500_without",
    "error_503_after_accepting",
    "error_503_without",
    "too_many_requests_429",
    "queue_full_429",
    "garbage_2xx",
    "redirect_307",
    "refuse",
    "callback_before_answer",
];

/// People who ask at the same time.
const AT_ONCE: usize = 16;

/// Deadline, settle time, two looks; three times over, since it may be sent again twice.
const ROUNDS: u32 = 9;

/// One message and what goes wrong with it.
struct Case {
    mode: &'static str,
    to: String,
    body: String,
    /// None of its reports arrives.
    is_silent: bool,
    /// Another system sends the same to the same while its outcome is not known.
    has_double: bool,
    faults: Vec<Value>,
}

impl Case {
    fn new(mode: &'static str, number: usize, seeded: &mut Seeded) -> Self {
        let to = format!("+1415555{number:04}");
        let armed = |fault: Value| json!({ "fault": fault, "to": to });
        let milliseconds = seeded.below(400);
        let mut faults = match mode {
            "none" => Vec::new(),
            "accept_late" | "slow" => vec![armed(json!({ mode: { "ms": milliseconds } }))],
            "refuse" => vec![armed(json!({ "refuse": { "code": 21610, "status": 400 } }))],
            mode => vec![armed(json!(mode))],
        };
        let is_silent = seeded.below(4) == 0;
        match seeded.below(4) {
            _ if is_silent => {
                faults.push(json!({ "fault": "callback_lost", "to": to, "times": 12 }));
            }
            0 => faults.push(armed(json!({ "callback_repeated": { "n": 3 } }))),
            1 => faults.push(armed(json!("callbacks_reordered"))),
            2 => faults.push(armed(json!({ "callback_delayed": { "ms": milliseconds } }))),
            _ => {}
        }
        if seeded.below(3) == 0 {
            faults.push(armed(json!({ "list_lag": { "ms": milliseconds } })));
        }
        let body = format!("Message {number}");
        Self { mode, to, body, is_silent, has_double: seeded.below(3) == 0, faults }
    }
}

/// What our database says in the end.
#[derive(sqlx::FromRow)]
struct End {
    to_number: String,
    state: String,
    provider_sid: Option<String>,
    was_unknown: bool,
    needs_attention: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_twilio_does_each_is_sent_once_and_bound_to_its_own() {
    run(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_traffic_with_the_same_text_is_never_taken_for_ours() {
    run(false).await;
}

async fn run(is_exclusive: bool) {
    let (seed, seeds) = (torture::seed(), if torture::is_full() { 100 } else { 3 });
    let mut seeded = Seeded(seed);
    let cases: Vec<Case> =
        (0..seeds * MODES.len()).map(|number| Case::new(MODES[number % MODES.len()], number, &mut seeded)).collect();
    let setup = Setup::new().await.with("MISSION_CONTROL_DISPATCH_SENDER_IS_EXCLUSIVE", &is_exclusive.to_string());
    let service = setup.start().await;
    let token = service.token("ada@example.com", Role::Admin).await;

    for case in &cases {
        if !case.faults.is_empty() {
            service.fault(json!(case.faults)).await;
        }
    }
    let asking = cases.iter().map(|case| service.ask_approved(&token, &case.to, &case.body));
    let _ids: Vec<String> = stream::iter(asking).buffer_unordered(AT_ONCE).collect().await;
    nothing_under_way(&service).await;
    let mut doubles = Vec::new();
    if !is_exclusive {
        for case in cases.iter().filter(|case| case.has_double) {
            doubles.push(foreign(&service, case).await);
        }
    }
    // The sandbox counts its delays in real time, and all of them are over before Twilio's list is asked.
    tokio::time::sleep(Duration::from_millis(500)).await;
    for _ in 0..ROUNDS {
        service.clock.advance(Duration::from_secs(92));
        worker::sweep_once(service.app()).await.expect("a pass");
        look(service.app()).await.expect("a look");
        service.app().changes.wake();
        nothing_under_way(&service).await;
    }
    verdict(&service, &cases, &doubles, is_exclusive, seed).await;
    service.stop().await;
}

/// Longest that all sends may take: a hundred that hang for 20 s each, a few at a time. A bound against hanging.
const PATIENCE: Duration = Duration::from_mins(10);

/// Waits until nothing can be on its way to Twilio: only then may the clock be moved.
async fn nothing_under_way(service: &Service) {
    let began = tokio::time::Instant::now();
    loop {
        let left: i64 = sqlx::query_scalar("select count(*) from operations where state in ('approved', 'sending')")
            .fetch_one(&service.app().db)
            .await
            .expect("a count");
        if left == 0 {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{left} under way");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn foreign(service: &Service, case: &Case) -> String {
    let credentials = service.app().vault.twilio().await.expect("the vault").expect("credentials");
    #[expect(clippy::disallowed_methods, reason = "the test is another user of the account")]
    let password = credentials.auth_token.expose_secret().to_owned();
    let account = &credentials.account_sid;
    let url = format!("{}/2010-04-01/Accounts/{account}/Messages.json", service.sandbox().trim_end_matches('/'));
    let form = [("To", case.to.as_str()), ("From", "+15005550006"), ("Body", case.body.as_str())];
    loop {
        let sending = service.client().post(&url).basic_auth(account, Some(&password)).form(&form).send();
        // What was armed for this recipient and not used up strikes the other system too.
        if let Ok(answer) = sending.await
            && answer.status() == 201
            && let Ok(answer) = answer.json::<Value>().await
        {
            return text(&answer["sid"]);
        }
    }
}

async fn verdict(service: &Service, cases: &[Case], doubles: &[String], is_exclusive: bool, seed: u64) {
    let ends: Vec<End> = sqlx::query_as(
        "select to_number, state, provider_sid, needs_attention(o, clock_timestamp() + $1) as needs_attention,
             exists (select from audit_lines where object = 'operation/' || o.id and to_state = 'unknown') as was_unknown
         from operations o",
    )
    .bind(service.clock.offset())
    .fetch_all(&service.app().db)
    .await
    .expect("the operations");
    let ends: BTreeMap<String, End> = ends.into_iter().map(|end| (end.to_number.clone(), end)).collect();
    let mut accepted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in service.accepted().await {
        let sid = text(&message["sid"]);
        if !doubles.contains(&sid) {
            accepted.entry(text(&message["to"])).or_default().push(sid);
        }
    }
    let (mut duplicates, mut lost, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    let (mut unknown, mut by_itself, mut heard, mut heard_by_itself) = (0, 0, 0, 0);
    for case in cases {
        let end = &ends[&case.to];
        let ours = accepted.get(&case.to).map_or(&[][..], Vec::as_slice);
        let told = format!("{} {} {:?} {:?} {ours:?}", case.mode, case.to, end.state, end.provider_sid);
        if ours.len() > 1 {
            duplicates.push(told.clone());
        }
        if end.provider_sid.as_ref().is_some_and(|sid| !ours.contains(sid)) {
            wrong.push(told.clone());
        }
        let is_settled = matches!(end.state.as_str(), "accepted" | "delivered" | "failed");
        // What went out is known to have gone out, and everything is final or in front of a person.
        if !is_settled && !end.needs_attention || end.state == "failed" && !ours.is_empty() && case.mode != "refuse" {
            lost.push(told);
        }
        let settled = u32::from(is_settled);
        unknown += u32::from(end.was_unknown);
        by_itself += u32::from(end.was_unknown) * settled;
        let was_heard = end.was_unknown && !ours.is_empty() && !case.is_silent;
        heard += u32::from(was_heard);
        heard_by_itself += u32::from(was_heard) * settled;
    }
    torture::report(&format!(
        "provider_faults: seed {seed}, exclusive {is_exclusive}, {} modes, {} runs, {} foreign, {unknown} unknown, \
         {by_itself} settled without a person ({heard_by_itself} of {heard} where reports arrive), {} duplicates, {} lost, {} wrong bindings",
        MODES.len(),
        cases.len(),
        doubles.len(),
        duplicates.len(),
        lost.len(),
        wrong.len(),
    ));
    assert!(duplicates.is_empty() && lost.is_empty() && wrong.is_empty(), "{duplicates:?} {lost:?} {wrong:?}");
    assert!(heard > 0 && heard_by_itself * 100 >= heard * 99, "{heard_by_itself} of {heard}");
    assert!(!is_exclusive || by_itself == unknown, "the list settles what no report does: {by_itself} of {unknown}");
}
