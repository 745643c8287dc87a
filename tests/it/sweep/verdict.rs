//! What really happened, compared with what was approved.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::asked::Asked;
use super::harness::{Sweep, within};
use crate::support::service::text;
use crate::support::torture;

/// Most looks of the healthy process until everything is settled; each comes as if minutes had passed.
const LOOKS: usize = 40;

/// Between two looks: longer than the second in which each process looks.
const LOOKS_APART: Duration = Duration::from_millis(1200);

/// What was found wrong, in words.
#[derive(Default)]
pub(super) struct Verdict {
    pub(super) duplicates: Vec<String>,
    lost: Vec<String>,
    wrong: Vec<String>,
    for_a_person: usize,
}

#[derive(Debug, sqlx::FromRow)]
struct Row {
    id: String,
    key: String,
    state: String,
    sid: Option<String>,
    to: String,
    message: String,
    is_as_approved: bool,
    accepted_attempts: i64,
    needs_attention: bool,
}

impl Sweep {
    /// A healthy process settles everything; clients ask again for what they were not told. Then the books are compared.
    pub(super) async fn settle(mut self) -> Verdict {
        self.clear_faults().await;
        let survivor = self.survivor();
        self.wire.disarm();
        self.wire.lead_to(&survivor.address());
        self.lift_hold().await;
        let mut verdict = Verdict::default();
        for mut asked in std::mem::take(&mut self.asked) {
            let told = asked.id();
            self.ask_again(&mut asked).await;
            if told.is_some() && told != asked.id() {
                verdict.lost.push(format!("{}: told {told:?}, then {:?}", asked.key, asked.id()));
            }
            self.asked.push(asked);
        }
        // A process looks up a hundred at a time.
        for _ in 0..LOOKS + self.asked.len() / 25 {
            // It holds its fence: what it is sending meanwhile is safe.
            self.age().await;
            let is_settled = || async { self.count(&self.asked, &["approved", "sending", "unknown"]).await == 0 };
            if within(LOOKS_APART, is_settled).await {
                break;
            }
        }
        self.compare(&mut verdict).await;
        assert!(!survivor.log().contains("panicked"), "{}", survivor.log());
        survivor.kill();
        verdict
    }

    /// Asks with the same key, and approves what nobody has approved yet.
    async fn ask_again(&self, asked: &mut Asked) {
        self.ask(asked).await;
        let state = asked.answer.as_ref().map(|answer| text(&answer["state"]));
        if state.as_deref() == Some("pending_approval") {
            assert!(self.approve(asked).await, "a process in peace approves");
        }
    }

    async fn compare(&self, verdict: &mut Verdict) {
        let rows: Vec<Row> = sqlx::query_as(
            r#"
            select
                o.id::text,
                o.idempotency_key as key,
                o.state,
                o.provider_sid as sid,
                o.to_number as "to",
                o.message,
                coalesce(o.approved_digest = o.content_digest, false) and not exists (
                    select
                    from attempts a
                    where a.operation_id = o.id and a.digest <> o.approved_digest) as is_as_approved,
                (select count(*) from attempts a where a.operation_id = o.id and a.state = 'accepted')
                    as accepted_attempts,
                needs_attention(o, clock_timestamp() + interval '1 hour') as needs_attention
            from operations o
            "#,
        )
        .fetch_all(&self.db)
        .await
        .expect("the operations");
        let ledger = self.ledger().await;
        let accepted: BTreeMap<String, &Value> =
            ledger.iter().map(|message| (text(&message["sid"]), message)).collect();
        self.compare_requests(&rows, verdict);
        for row in &rows {
            compare_row(row, &accepted, verdict);
        }
        compare_ledger(&rows, &ledger, verdict);
        self.compare_reports(verdict).await;
        self.compare_references(&ledger, verdict).await;
    }

    /// Each request is one operation, whatever its client was told and however often it asked.
    fn compare_requests(&self, rows: &[Row], verdict: &mut Verdict) {
        for asked in &self.asked {
            let found: Vec<_> = rows.iter().filter(|row| row.key == asked.key).collect();
            match &found[..] {
                [row] if Some(&row.id) == asked.id().as_ref() && row.to == asked.to && row.message == asked.message => {
                }
                [] | [_] => verdict.lost.push(format!("{}: {found:?}, told {:?}", asked.key, asked.answer)),
                _ => verdict.duplicates.push(format!("{}: {found:?}", asked.key)),
            }
        }
    }

    /// Twilio reports on everything once more. The reference in a report says whose it is, where content cannot: each
    /// operation has one message at most, that very one, also if it waited for a person until now.
    async fn compare_references(&self, ledger: &[Value], verdict: &mut Verdict) {
        let mut unheard = Vec::new();
        for message in ledger {
            let sid = text(&message["sid"]);
            if !self.report(&sid, "delivered").await {
                unheard.push(sid);
            }
        }
        verdict.lost.extend(unheard.iter().map(|sid| format!("the report on {sid} was not taken")));
        let (several, elsewhere): (Vec<String>, Vec<String>) = sqlx::query_as(
            r"
            with owned as (
                select distinct operation_id, sid
                from provider_events
                where matched_by = 'reference'
            )
            select
                array(select operation_id::text from owned group by operation_id having count(*) > 1),
                array(
                    select o.id || ' ' || owned.sid || ' ' || o.state
                    from owned
                    join operations o on o.id = owned.operation_id
                    where o.provider_sid is distinct from owned.sid or o.state <> 'delivered')
            ",
        )
        .fetch_one(&self.db)
        .await
        .expect("the events");
        verdict.duplicates.extend(several.into_iter().map(|id| format!("{id} was accepted more than once")));
        verdict.wrong.extend(elsewhere.into_iter().map(|owned| format!("reported on, but not bound: {owned}")));
    }

    /// What Twilio was told that we took is written down.
    async fn compare_reports(&self, verdict: &mut Verdict) {
        let events: Vec<(String, String)> =
            sqlx::query_as("select sid, status from provider_events").fetch_all(&self.db).await.expect("the events");
        let events: BTreeSet<_> = events.into_iter().collect();
        let reported = self.reported.lock().expect("no panic");
        verdict.lost.extend(reported.iter().filter(|report| !events.contains(report)).map(|r| format!("{r:?}")));
    }
}

/// An operation with a SID is the message that Twilio accepted under it; one without stands where a person sees it.
fn compare_row(row: &Row, accepted: &BTreeMap<String, &Value>, verdict: &mut Verdict) {
    let has_ended_well = matches!(row.state.as_str(), "accepted" | "delivered" | "failed");
    match &row.sid {
        Some(sid) => {
            let message = accepted.get(sid);
            let fits = message.is_some_and(|message| message["to"] == row.to && message["body"] == row.message);
            if !fits || !row.is_as_approved {
                verdict.wrong.push(format!("{row:?} is {message:?}"));
            }
            if !has_ended_well {
                verdict.lost.push(format!("{row:?} has a SID and did not end"));
            }
        }
        None if row.state == "needs_review" && row.needs_attention => verdict.for_a_person += 1,
        None => verdict.lost.push(format!("{row:?} is stuck")),
    }
    if row.accepted_attempts > 1 {
        verdict.duplicates.push(format!("{row:?} was accepted twice"));
    }
}

/// Twilio accepted no more than was approved, and nothing that no operation accounts for.
fn compare_ledger(rows: &[Row], ledger: &[Value], verdict: &mut Verdict) {
    let mut accepted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in ledger {
        accepted.entry(text(&message["to"])).or_default().push(text(&message["sid"]));
    }
    for (to, sids) in accepted {
        let here: Vec<_> = rows.iter().filter(|row| row.to == to).collect();
        let unbound = sids.iter().filter(|sid| !here.iter().any(|row| row.sid.as_ref() == Some(*sid))).count();
        let unsettled = here.iter().filter(|row| row.sid.is_none()).count();
        if sids.len() > here.len() || unbound > unsettled {
            verdict.duplicates.push(format!("{to} was sent {sids:?} for {here:?}"));
        }
    }
}

impl Verdict {
    /// Says it, and fails if anything is wrong.
    pub(super) fn tell(&self, what: &str, points: usize, reached: usize) {
        let Self { duplicates, lost, wrong, for_a_person } = self;
        torture::report(&format!(
            "sweep {what}: {points} points, {reached} reached, {} duplicates, {} lost, {} wrong bindings, {for_a_person} \
             for a person (seed {})",
            duplicates.len(),
            lost.len(),
            wrong.len(),
            torture::seed(),
        ));
        assert!(reached > 0, "{what}: no point was reached");
        let nothing: &[String] = &[];
        assert_eq!((&duplicates[..], &lost[..], &wrong[..]), (nothing, nothing, nothing), "{what}");
    }
}
