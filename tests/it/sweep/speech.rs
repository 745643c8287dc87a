//! Struck while speech is made of a text: at each message to PostgreSQL, to ElevenLabs and to the client who asked. The
//! next process goes on with what is left, and in the end each call was asked for once, approved as it was heard, and
//! placed once with exactly that clip.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;
use uuid::Uuid;

use super::asked::Asked;
use super::harness::{Sweep, within};
use super::points::Points;
use crate::support::installation::ELEVENLABS_KEY;
use crate::support::program::Running;
use crate::support::service::text;
use crate::support::torture;
use crate::support::wire::Action;

/// Longest that one step may take; a bound against hanging.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a process may take to cope with a connection that ended, or with what was decided while it stood still.
const COPING: Duration = Duration::from_secs(2);

/// One row a call.
#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    key: String,
    state: String,
    to: String,
    clip: Option<String>,
    is_as_heard: bool,
    is_as_approved: bool,
}

/// Where the processes keep their clips: one folder for all, as on one machine.
struct Ways {
    folder: String,
    elevenlabs: String,
}

impl Ways {
    fn of(sweep: &Sweep, elevenlabs: &str) -> Self {
        let folder = sweep.installation.folder.path().join("shared");
        Self { folder: folder.to_str().expect("a path").to_owned(), elevenlabs: elevenlabs.to_owned() }
    }

    fn settings(&self) -> [(&str, &str); 4] {
        [
            // Else one call a second, of hundreds.
            ("MISSION_CONTROL_DISPATCH_CALLS_PER_SECOND", "0"),
            ("MISSION_CONTROL_DATA_DIR", &self.folder),
            ("MISSION_CONTROL_ELEVENLABS_BASE_URL", &self.elevenlabs),
            ("ELEVENLABS_API_KEY", ELEVENLABS_KEY),
        ]
    }
}

impl Sweep {
    fn speaker(&mut self) -> Running {
        let ways = Ways::of(self, &self.wire.twilio);
        self.victim_with(&ways.settings())
    }

    fn other_speaker(&mut self) -> Running {
        let ways = Ways::of(self, &self.installation.sandbox.url);
        self.survivor_with(&ways.settings())
    }

    fn new_call(&mut self) -> Asked {
        let to = self.new_recipient();
        let says = format!("Table {} is ready", self.number);
        self.new_operation(&to, &says)
    }

    /// Asks for it; answers why there is no answer that counts, if there is none.
    async fn ask_to_speak(&self, asked: &mut Asked) -> Result<(), String> {
        let body = json!({ "to": asked.to, "text": asked.message, "idempotencyKey": asked.key });
        match self.try_call(Method::POST, "/api/twilio/make-call", body).await {
            Some((status, answer)) if status.is_success() => {
                asked.answer = Some(answer);
                Ok(())
            }
            refused => Err(format!("{}: {refused:?}", asked.key)),
        }
    }

    /// Asks a process in peace.
    async fn ask_in_peace(&self, asked: &mut Asked) {
        let mut last = Ok(());
        for _ in 0..10 {
            last = self.ask_to_speak(asked).await;
            if last.is_ok() {
                return;
            }
            sleep(COPING).await;
        }
        panic!("a process in peace answers: {last:?}");
    }

    /// Asks, and waits until there is something to hear, or the process was struck.
    async fn have_it_spoken(&self, asked: &mut Asked) {
        if self.ask_to_speak(asked).await.is_ok() {
            let asked = std::slice::from_ref(asked);
            let is_over = || async { self.count(asked, &["preparing"]).await == 0 || self.wire.has_struck() };
            within(PATIENCE, is_over).await;
        }
    }

    /// Those of the processes to PostgreSQL.
    async fn connections(&self) -> i64 {
        sqlx::query_scalar(
            "select count(*) from pg_stat_activity \
             where datname = current_database() and application_name = 'mission-control'",
        )
        .fetch_one(&self.db)
        .await
        .expect("a count")
    }

    /// The leases that are held now: by whoever was struck, as long as nobody else makes anything.
    async fn leases(&self) -> Vec<Uuid> {
        sqlx::query_scalar("select leased_by from clips where state = 'preparing' and leased_by is not null")
            .fetch_all(&self.db)
            .await
            .expect("leases")
    }

    /// Makes the time pass after which another process takes over what the holders of these leases were making. Nobody
    /// else loses what they are at.
    async fn let_run_out(&self, leases: &[Uuid]) {
        sqlx::query(
            "update clips set leased_until = least(leased_until, clock_timestamp()) \
             where state = 'preparing' and leased_by = any($1)",
        )
        .bind(leases)
        .execute(&self.db)
        .await
        .expect("run out");
        self.execute("update clips set try_at = least(try_at, clock_timestamp()) where state = 'preparing'").await;
        self.execute(
            "update operations set not_before = least(not_before, clock_timestamp()) where state = 'preparing'",
        )
        .await;
    }

    async fn until_spoken(&self, asked: &[Asked], leases: &[Uuid], patience: Duration) -> bool {
        let is_over = || async {
            self.let_run_out(leases).await;
            self.count(asked, &["preparing"]).await == 0
        };
        within(patience, is_over).await
    }

    /// A healthy process makes what is missing; people approve what they hear; each is called.
    async fn settle_calls(&mut self, what: &str, points: usize, reached: usize) {
        // PostgreSQL has done what the last one asked before it was killed.
        let is_alone = || async { self.connections().await == 0 };
        assert!(within(PATIENCE, is_alone).await, "{what}: whoever was killed is connected still");
        let leases = self.leases().await;
        let survivor = self.other_speaker();
        self.wire.disarm();
        self.wire.lead_to(&survivor.address());
        let mut lost = Vec::new();
        let mut calls: BTreeMap<String, Asked> = BTreeMap::new();
        for mut asked in std::mem::take(&mut self.asked) {
            let told = asked.id();
            self.ask_in_peace(&mut asked).await;
            if told.is_some() && told != asked.id() {
                lost.push(format!("{}: told {told:?}, then {:?}", asked.key, asked.id()));
            }
            calls.insert(asked.key.clone(), asked);
        }
        let mut asked: Vec<Asked> = calls.into_values().collect();
        assert!(self.until_spoken(&asked, &leases, PATIENCE * 3).await, "{what}: something is never spoken");
        for asked in &mut asked {
            // The digest is known only now.
            self.ask_in_peace(asked).await;
            assert!(self.approve(asked).await, "{what}: {:?}", asked.answer);
        }
        let open = ["approved", "sending", "accepted"];
        within(PATIENCE * 6, || async { self.count(&asked, &open).await == 0 }).await;
        let rows = self.rows().await;
        lost.extend(rows.iter().filter(|row| row.state != "delivered").map(|row| format!("{} {}", row.id, row.state)));
        lost.extend(asked.iter().filter(|asked| !rows.iter().any(|row| row.key == asked.key)).map(|a| a.key.clone()));
        let ledger = self.control(Method::GET, "/sandbox/ledger", None).await;
        let placed = ledger["calls"].as_array().expect("a list");
        let mut duplicates = Vec::new();
        let mut wrong = Vec::new();
        for row in &rows {
            let here: Vec<&Value> = placed.iter().filter(|call| call["to"] == row.to).collect();
            if here.len() > 1 {
                duplicates.push(format!("{} was called {} times", row.to, here.len()));
            }
            let clip = row.clip.as_deref().unwrap_or("none");
            if !row.is_as_approved || !row.is_as_heard || here.iter().any(|call| !text(&call["twiml"]).contains(clip)) {
                wrong.push(format!("{} plays {here:?}", row.id));
            }
        }
        wrong.extend(self.clips_that_are_not_what_they_say().await);
        let paid = ledger["syntheses"].as_array().map_or(0, Vec::len);
        let texts = rows.len();
        torture::report(&format!(
            "sweep speech {what}: {points} points, {reached} reached, {} duplicates, {} lost, {} wrong clips, \
             {texts} texts spoken {paid} times (seed {})",
            duplicates.len(),
            lost.len(),
            wrong.len(),
            torture::seed(),
        ));
        assert!(reached > 0, "{what}: no point was reached");
        assert!(paid <= texts + reached, "{what}: a strike costs one more at most");
        let nothing: &[String] = &[];
        assert_eq!((&duplicates[..], &lost[..], &wrong[..]), (nothing, nothing, nothing), "{what}");
        assert!(!survivor.log().contains("panicked"), "{}", survivor.log());
        survivor.kill();
    }

    async fn rows(&self) -> Vec<Row> {
        sqlx::query_as(
            r#"
            select
                o.id::text,
                o.idempotency_key as key,
                o.state,
                o.to_number as "to",
                o.clip_id as clip,
                exists (
                    select
                    from clips c
                    where c.id = o.clip_id and c.state = 'ready' and c.text_spoken = o.speech_text) as is_as_heard,
                coalesce(o.approved_digest = o.content_digest, false) and not exists (
                    select
                    from attempts a
                    where a.operation_id = o.id and a.digest <> o.approved_digest) as is_as_approved
            from operations o
            where o.kind = 'call'
            "#,
        )
        .fetch_all(&self.db)
        .await
        .expect("the calls")
    }

    /// What is served under each name is what its row, and with it the approval, says.
    async fn clips_that_are_not_what_they_say(&self) -> Vec<String> {
        let clips: Vec<(String, Vec<u8>)> = sqlx::query_as("select id, content_hash from clips where state = 'ready'")
            .fetch_all(&self.db)
            .await
            .expect("clips");
        let mut wrong = Vec::new();
        for (clip, content_hash) in clips {
            let url = format!("{}/api/public/call-audio/{clip}", self.wire.front);
            let audio =
                self.installation.client.get(url).send().await.expect("an answer").bytes().await.expect("audio");
            if Sha256::digest(&audio)[..] != content_hash[..] {
                wrong.push(format!("clip {clip} is something else"));
            }
        }
        wrong
    }
}

async fn strike(what: &str, few: usize, action: fn(&mut Points) -> Action) {
    let mut sweep = Sweep::new().await;
    let victim = sweep.speaker();
    let mut first = sweep.new_call();
    sweep.wire.arm(usize::MAX, Action::Count, Some(victim.id()));
    sweep.have_it_spoken(&mut first).await;
    let count = sweep.wire.disarm();
    sweep.asked.push(first);
    victim.kill();
    let mut points = Points::of(count, few);
    let mut reached = 0;
    for at in points.chosen.clone() {
        let victim = sweep.speaker();
        let (mut asked, action) = (sweep.new_call(), action(&mut points));
        let mut again = asked.untold();
        sweep.wire.arm(at, action, Some(victim.id()));
        tokio::select! {
            () = sweep.have_it_spoken(&mut asked) => {}
            () = sweep.wire.strikes() => {}
        }
        reached += usize::from(sweep.wire.has_struck());
        // What it wrote last is on its way to PostgreSQL still.
        sleep(Duration::from_millis(50)).await;
        let leases = sweep.leases().await;
        match action {
            Action::Pause if sweep.wire.has_struck() => {
                let other = sweep.other_speaker();
                sweep.wire.lead_to(&other.address());
                if sweep.ask_to_speak(&mut again).await.is_ok() {
                    sweep.until_spoken(std::slice::from_ref(&again), &leases, PATIENCE).await;
                }
                // What it began before must change nothing that was decided meanwhile.
                victim.signal(Signal::CONT);
                sleep(COPING).await;
                other.kill();
            }
            Action::Cut(_) => drop(sweep.until_spoken(std::slice::from_ref(&asked), &leases, COPING).await),
            _ => {}
        }
        victim.kill();
        sweep.wire.disarm();
        sweep.asked.extend([asked, again]);
    }
    sweep.settle_calls(what, points.chosen.len(), reached).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_speaks() {
    strike("kill", 4, |_| Action::Kill).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_while_it_speaks() {
    strike("pause", 2, |_| Action::Pause).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_while_it_speaks() {
    strike("cut", 3, |points| Action::Cut(points.random.below(257).try_into().expect("a small number"))).await;
}
