//! One database, one Twilio, and processes that are struck one after the other.

use std::sync::Mutex;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;
use sqlx::PgPool;
use tokio::time::{Instant, sleep};

use super::asked::Asked;
use super::phase::Phase;
use crate::support::installation::Installation;
use crate::support::program::Running;
use crate::support::wire::{Action, Wire};

/// How often something that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(10);

pub(super) struct Sweep {
    pub(super) installation: Installation,
    pub(super) wire: Wire,
    /// The straight way, which is known from those of the processes by having no name.
    pub(super) db: PgPool,
    pub(super) asked: Vec<Asked>,
    /// Reports that Twilio was answered with a 2xx: SID and status.
    pub(super) reported: Mutex<Vec<(String, String)>>,
    pub(super) number: u32,
    starts: u32,
}

impl Sweep {
    pub(super) async fn new() -> Self {
        let installation = Installation::new().await;
        let wire = Wire::start(&installation.database.options, &installation.sandbox.url).await;
        let db = PgPool::connect_lazy_with(installation.database.options.clone());
        Self { installation, wire, db, asked: Vec::new(), reported: Mutex::default(), number: 0, starts: 0 }
    }

    /// A process whose every word goes over the wire. Clients and Twilio find it in front.
    pub(super) fn victim(&mut self) -> Running {
        self.victim_with(&[])
    }

    /// The same with settings of its own.
    pub(super) fn victim_with(&mut self, own: &[(&str, &str)]) -> Running {
        let (database, twilio) = (self.wire.database.to_url_lossy().to_string(), self.wire.twilio.clone());
        let ways = [("DATABASE_URL", database.as_str()), ("MISSION_CONTROL_TWILIO_BASE_URL", twilio.as_str())];
        let own = [&ways[..], own].concat();
        self.wire.disarm();
        let process = self.start(&own);
        self.wire.lead_to(&process.address());
        process
    }

    /// A process that nothing happens to. Clients and Twilio find it where they found the others.
    pub(super) fn survivor(&mut self) -> Running {
        self.survivor_with(&[])
    }

    /// The same with settings of its own.
    pub(super) fn survivor_with(&mut self, own: &[(&str, &str)]) -> Running {
        self.start(own)
    }

    fn start(&mut self, own: &[(&str, &str)]) -> Running {
        self.starts += 1;
        let own = [own, &[("MISSION_CONTROL_PUBLIC_URL", self.wire.front.as_str())]].concat();
        let name = format!("process-{}", self.starts);
        // The wire has to go on meanwhile.
        tokio::task::block_in_place(|| self.installation.serve(&name, &own))
    }

    /// Runs the phase once with nothing happening, and answers how many messages there were.
    pub(super) async fn count_messages(&mut self, phase: Phase, victim: &Running) -> usize {
        let mut asked = self.prepare(phase).await;
        self.wire.arm(usize::MAX, Action::Count, Some(victim.id()));
        self.act(phase, &mut asked, Duration::ZERO).await;
        self.asked.append(&mut asked);
        self.clear_faults().await;
        self.wire.disarm()
    }

    /// The same for a process that goes on to the next point: what it does only once is behind it.
    pub(super) async fn count_messages_when_warm(&mut self, phase: Phase, victim: &Running) -> usize {
        self.count_messages(Phase::Approve, victim).await;
        self.count_messages(phase, victim).await
    }

    /// Asks the process in front; `None` if the connection breaks.
    pub(super) async fn try_call(&self, method: Method, path: &str, body: Value) -> Option<(StatusCode, Value)> {
        let Installation { client, token, .. } = &self.installation;
        let request = client.request(method, format!("{}{path}", self.wire.front)).bearer_auth(token).json(&body);
        let answer = request.send().await.ok()?;
        let status = answer.status();
        Some((status, answer.json().await.ok()?))
    }

    /// Stops sending, without a word of the process about it.
    pub(super) async fn hold(&self) {
        self.execute("update hold set held = true, cause = 'person', reason = 'until all is prepared'").await;
    }

    /// Lets everything that is approved become due at once.
    pub(super) async fn lift_hold(&self) {
        self.execute("update hold set held = false, cause = null, reason = null").await;
        self.execute("select pg_notify('mission_control_operations', '')").await;
    }

    /// Makes the time pass that every open attempt waits for, and no more: what Twilio has must still lie between the
    /// attempt's begin and its deadline.
    ///
    /// Not while a process may be inside a POST whose fence was cut: that it ends before the deadline passes is what the
    /// protocol assumes of real time. One that is merely paused keeps its lock, and its attempt must be safe from this.
    pub(super) async fn age(&self) {
        self.execute(
            "update attempts set deadline_at = least(deadline_at, clock_timestamp()), \
             settle_at = case state when 'unknown' then least(settle_at, clock_timestamp()) \
             else settle_at - (deadline_at - least(deadline_at, clock_timestamp())) end, \
             next_look_at = null, last_absent_at = last_absent_at - interval '1 minute' \
             where state in ('sending', 'unknown')",
        )
        .await;
    }

    /// The same for the attempts whose POST is known to be over.
    pub(super) async fn age_unknown(&self) {
        self.execute(
            "update attempts set deadline_at = least(deadline_at, clock_timestamp()), \
             settle_at = least(settle_at, clock_timestamp()), \
             next_look_at = null, last_absent_at = last_absent_at - interval '1 minute' \
             where state = 'unknown'",
        )
        .await;
    }

    pub(super) async fn execute(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.db).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// How many of these are in one of the states.
    pub(super) async fn count(&self, asked: &[Asked], states: &[&str]) -> usize {
        let keys: Vec<&str> = asked.iter().map(|asked| asked.key.as_str()).collect();
        let count: i64 =
            sqlx::query_scalar("select count(*) from operations where idempotency_key = any ($1) and state = any ($2)")
                .bind(keys)
                .bind(states)
                .fetch_one(&self.db)
                .await
                .expect("a count");
        usize::try_from(count).expect("a count")
    }

    pub(super) async fn control(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        self.installation.control(method, path, body).await
    }

    /// What Twilio accepted for this recipient.
    pub(super) async fn ledger(&self) -> Vec<Value> {
        let ledger = self.control(Method::GET, "/sandbox/ledger", None).await;
        ledger["messages"].as_array().expect("a list").clone()
    }

    pub(super) async fn arm_faults(&self, faults: Value) {
        self.control(Method::POST, "/sandbox/faults", Some(faults)).await;
    }

    /// Has Twilio report this status of a message. Answers whether we took the report.
    pub(super) async fn report(&self, sid: &str, status: &str) -> bool {
        let path = format!("/sandbox/messages/{sid}/status");
        let driven = self.control(Method::POST, &path, Some(json!({ "status": status }))).await;
        driven["callback"].as_str().is_some_and(|callback| callback.starts_with("answered 2"))
    }
}

/// Waits until it holds, but no longer than this. Answers whether it does.
pub(super) async fn within<F: Future<Output = bool>>(patience: Duration, mut holds: impl FnMut() -> F) -> bool {
    let began = Instant::now();
    while !holds().await {
        if began.elapsed() > patience {
            return false;
        }
        sleep(LOOK).await;
    }
    true
}
