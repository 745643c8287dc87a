//! Two ways to send that are known to be wrong, each as its textbooks have it. The test's own program, run again, is
//! their process.

use std::time::Duration;

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use crate::support::client;
use crate::support::installation::{ACCOUNT_SID, AUTH_TOKEN};

/// What tells the program that it is a worker: which one, and its ways.
pub(super) const KIND: &str = "SWEEP_CONTROL_WORKER";
pub(super) const DATABASE: &str = "SWEEP_CONTROL_DATABASE";
pub(super) const TWILIO: &str = "SWEEP_CONTROL_TWILIO";

/// How long a claim of the requeueing worker is good for.
pub(super) const LEASE: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Sends inside the transaction that records it.
    Naive,
    /// Claims for a time; when that is over, whoever comes next sends.
    Requeueing,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Requeueing => "requeueing",
        }
    }

    pub(super) fn named(name: &str) -> Self {
        if name == "naive" { Self::Naive } else { Self::Requeueing }
    }

    /// Sends all there is.
    pub(super) async fn work(self, database: &str, twilio: &str) {
        let mut db = PgConnection::connect(database).await.expect("the database");
        match self {
            Self::Naive => naive(&mut db, twilio).await,
            Self::Requeueing => requeueing(&mut db, twilio).await,
        }
    }
}

async fn naive(db: &mut PgConnection, twilio: &str) {
    loop {
        let mut tx = db.begin().await.expect("a transaction");
        let due: Option<(i64, String)> = sqlx::query_as(
            "select id, recipient from control_messages where sid is null order by id for update skip locked limit 1",
        )
        .fetch_optional(&mut *tx)
        .await
        .expect("the queue");
        let Some((id, recipient)) = due else { return };
        record(&mut tx, id, &post(twilio, &recipient, "Hello").await).await;
        tx.commit().await.expect("a commit");
    }
}

async fn requeueing(db: &mut PgConnection, twilio: &str) {
    loop {
        let due: Option<(i64, String)> = sqlx::query_as(
            "update control_messages set lease_until = clock_timestamp() + $1 where id = ( \
             select id from control_messages where sid is null and lease_until < clock_timestamp() \
             order by id for update skip locked limit 1) returning id, recipient",
        )
        .bind(LEASE)
        .fetch_optional(&mut *db)
        .await
        .expect("the queue");
        let Some((id, recipient)) = due else { return };
        record(db, id, &post(twilio, &recipient, "Hello").await).await;
    }
}

pub(super) async fn post(twilio: &str, recipient: &str, body: &str) -> String {
    let url = format!("{}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json", twilio.trim_end_matches('/'));
    let form = [("To", recipient), ("From", "+15005550006"), ("Body", body)];
    let answer = client().post(url).basic_auth(ACCOUNT_SID, Some(AUTH_TOKEN)).form(&form).send().await;
    let answer: Value = answer.expect("an answer").json().await.expect("JSON");
    answer["sid"].as_str().expect("a SID").to_owned()
}

async fn record(db: &mut PgConnection, id: i64, sid: &str) {
    let recorded = sqlx::query("update control_messages set sid = $2 where id = $1").bind(id).bind(sid).execute(db);
    recorded.await.expect("it is recorded");
}
