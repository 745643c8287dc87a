//! The requests: an asking with a key and a content of its own, the same again, and Twilio's report on what it accepted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mission_control::twilio::signature::{SIGNATURE_HEADER, sign};
use secrecy::SecretString;
use sqlx::AssertSqlSafe;
use url::form_urlencoded::Serializer;

use crate::product::{ACCOUNT_SID, AUTH_TOKEN, Product};

/// How many keys the replays go round: of one key alone the row's lock would be measured.
const REPLAYED: usize = 1_000;

/// A load's requests, one after the other, and the status that each must have.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) status: &'static str,
    next: Arc<dyn Fn() -> Option<Vec<u8>> + Send + Sync>,
}

impl Source {
    fn new(status: &'static str, next: impl Fn() -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self { status, next: Arc::new(next) }
    }

    pub(crate) fn next(&self) -> Option<Vec<u8>> {
        (self.next)()
    }
}

/// Makes requests.
pub(crate) struct Requests {
    host: String,
    token: String,
    asked: Arc<AtomicUsize>,
}

impl Requests {
    pub(crate) fn new(product: &Product) -> anyhow::Result<Self> {
        Ok(Self { host: product.address.to_string(), token: product.token()?, asked: Arc::default() })
    }

    /// How often was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Each with a key of its own.
    pub(crate) fn asks(&self) -> Source {
        let (head, asked) = (self.head(), Arc::clone(&self.asked));
        Source::new("202", move || Some(ask(&head, asked.fetch_add(1, Ordering::Relaxed))))
    }

    /// Each with a key that was used before.
    pub(crate) fn replays(&self) -> Source {
        let (head, next) = (self.head(), AtomicUsize::new(0));
        let first = self.asked().saturating_sub(REPLAYED);
        let count = self.asked() - first;
        Source::new("202", move || Some(ask(&head, first + next.fetch_add(1, Ordering::Relaxed) % count)))
    }

    fn head(&self) -> String {
        format!(
            "POST /api/twilio/send-sms HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\n",
            self.host, self.token
        )
    }

    /// Reports of a delivery, signed beforehand, on up to `count` operations that Twilio is made to have accepted.
    pub(crate) async fn reports(&self, product: &Product, count: usize) -> anyhow::Result<Source> {
        // Sending is not what is measured, so what the dispatcher would write is written at once, without the triggers
        // that would want every step.
        let accept = format!(
            "
            begin;
            set local session_replication_role = replica;
            create temporary table accepted on commit drop as
                select id, 'SM' || md5(id::text) as sid
                from operations
                where state = 'pending_approval'
                order by created_at desc
                limit {count};
            update operations o
            set state = 'accepted', approved_digest = content_digest, approved_by_rule = 'bench',
                approved_at = created_at, execute_before = expires_at, accepted_at = created_at, attempts = 1,
                provider_sid = sid, provider_status = 'queued', provider_rank = 2
            from accepted
            where o.id = accepted.id;
            insert into attempts (
                id, operation_id, number, state, mode, match_key, digest, ref_hash, account_sid, started_at,
                deadline_at, settle_at, provider_sid, bound_by)
            select id, id, 1, 'accepted', mode, match_key, content_digest, sha256(id::text::bytea), '{ACCOUNT_SID}',
                created_at, created_at, created_at, provider_sid, 'answer'
            from operations
            where id in (select id from accepted);
            commit"
        );
        sqlx::raw_sql(AssertSqlSafe(accept)).execute(&product.db).await?;
        let accepted: Vec<(String, String)> =
            sqlx::query_as("select id::text, provider_sid from operations where state = 'accepted'")
                .fetch_all(&product.db)
                .await?;
        let reports: Vec<_> = accepted.iter().filter_map(|(id, sid)| self.report(product, id, sid)).collect();
        let next = AtomicUsize::new(0);
        Ok(Source::new("204", move || reports.get(next.fetch_add(1, Ordering::Relaxed)).cloned()))
    }

    fn report(&self, product: &Product, operation: &str, sid: &str) -> Option<Vec<u8>> {
        let path = format!("/webhooks/twilio/message-status/{operation}?ref={operation}");
        let params = [("AccountSid", ACCOUNT_SID), ("MessageSid", sid), ("MessageStatus", "delivered")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let signature = sign(&format!("{}{path}", product.url), &params, &SecretString::from(AUTH_TOKEN))?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\n{SIGNATURE_HEADER}: {signature}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n",
            self.host
        );
        Some(whole(&head, &Serializer::new(String::new()).extend_pairs(&params).finish()))
    }
}

fn ask(head: &str, number: usize) -> Vec<u8> {
    let body = format!(r#"{{"to":"+14155550132","message":"Your driver {number} is 10 minutes away."}}"#);
    whole(&format!("{head}Idempotency-Key: bench-{number}\r\n"), &body)
}

fn whole(head: &str, body: &str) -> Vec<u8> {
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
