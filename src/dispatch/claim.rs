//! The claim: the right to send, obtained by a committed change of the row to `sending`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use time::OffsetDateTime;

use crate::clock::{Clock, interval};
use crate::config::{Mode, Operating};
use crate::id::{AttemptId, OperationId};
use crate::operation::audio_url::AudioUrl;
use crate::operation::content::Kind;
use crate::operation::message::Message;

/// One approved operation, taken by this process and committed as `sending`, with its attempt. Only [`claim`] makes
/// one, after the commit.
#[derive(Debug)]
pub struct Claimed {
    pub(super) operation: OperationId,
    pub(super) mode: Mode,
    pub(super) attempt: AttemptId,
    pub(super) lock_key: i64,
    pub(super) number: i32,
    pub(super) to: String,
    pub(super) from: String,
    pub(super) load: Load,
    pub(super) digest: Vec<u8>,
    pub(super) execute_before: OffsetDateTime,
    pub(super) correlation_id: String,
    pub(super) reference: Reference,
}

/// What the person who is reached reads or hears.
#[derive(Debug)]
pub(super) enum Load {
    /// This text.
    Message(Message),
    /// What is found at this address.
    Recording(AudioUrl),
    /// The clip of this name, in this voice: its hash is in the digest that was approved.
    Clip { clip: String, voice: String },
}

impl Load {
    /// From the columns of a row; `None` where none is filled, which the schema rules out.
    fn stored(
        message: Option<String>,
        audio_url: Option<String>,
        clip: Option<String>,
        voice: Option<String>,
    ) -> Option<Self> {
        let message = message.map(|text| Self::Message(Message::stored(text)));
        let recording = || audio_url.map(|url| Self::Recording(AudioUrl::stored(url)));
        let spoken = || clip.zip(voice).map(|(clip, voice)| Self::Clip { clip, voice });
        message.or_else(recording).or_else(spoken)
    }

    /// An SMS, or a call.
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Message(_) => Kind::Sms,
            Self::Recording(_) | Self::Clip { .. } => Kind::Call,
        }
    }
}

/// 256 random bits in the callback's URL, as 43 characters: by them Twilio's report finds its attempt even if the answer
/// to our request was lost. The database holds the SHA-256.
pub struct Reference(String);

impl Reference {
    fn new_random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The characters in the URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is stored and looked up.
    pub fn hash(reference: &str) -> [u8; 32] {
        Sha256::digest(reference.as_bytes()).into()
    }
}

impl std::fmt::Debug for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reference(redacted)")
    }
}

/// Claims up to `limit` operations that are approved, unchanged since, due, inside their window, not held, not blocked by
/// a twin, whose clip can still be played, and whose sender may send; each with its attempt, in one commit. An error means that nothing may be sent: a
/// commit whose outcome is not known is left to the reconciler.
#[expect(clippy::too_many_lines, reason = "one statement: everything in it commits together")]
pub async fn claim(
    db: &PgPool,
    clock: &Clock,
    settings: &Operating,
    mode: Mode,
    account_sid: &str,
    credential_version: Option<i32>,
    limit: usize,
) -> anyhow::Result<Vec<Claimed>> {
    let references = (0..limit).map(|_| Reference::new_random()).collect::<Result<Vec<_>, _>>()?;
    let hashes: Vec<Vec<u8>> =
        references.iter().map(|reference| Reference::hash(reference.as_str()).to_vec()).collect();
    let attempts: Vec<uuid::Uuid> = (0..limit).map(|_| AttemptId::new().0).collect();
    let rows = sqlx::query!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ),
        -- senders that may send now; with a rate, one operation each, so that the rate holds across processes
        sender as (
            select r.mode, r.kind, r.from_number, case r.kind when 'sms' then $6::float8 else $7::float8 end as rate
            from sender_rates r, clock, hold
            where r.mode = $2 and not hold.held and r.next_at <= clock.at
                and exists (
                    select
                    from operations o
                    where o.state = 'approved' and o.mode = r.mode and o.kind = r.kind and o.from_number = r.from_number)
            for update of r skip locked
        ), due as (
            select o.id, o.mode, o.match_key, o.content_digest, o.attempts, s.kind, s.from_number, s.rate, o.segments
            from sender s cross join lateral (
                select o.*
                from operations o, clock
                where o.state = 'approved'
                    and o.mode = s.mode
                    and o.kind = s.kind
                    and o.from_number = s.from_number
                    and o.approved_digest = o.content_digest
                    and o.not_before <= clock.at
                    and o.execute_before > clock.at
                    and o.duplicate_suspected_at is null
                    -- Twilio reported on an earlier attempt, so it has it
                    and not exists (
                        select
                        from provider_events e
                        where e.operation_id = o.id and e.matched_by = 'reference')
                    and not exists (select from do_not_contact d where d.number = o.to_number)
                    -- a clip that is gone would be a silent call
                    and (o.clip_id is null
                        or exists (select from clips c where c.id = o.clip_id and c.state = 'ready'))
                    and not exists (
                        select
                        from attempts a
                        where a.match_key = o.match_key and a.state in ('sending', 'unknown'))
                order by o.approved_at, o.id
                limit case when s.rate > 0 then 1 else $5::bigint end
                for update of o skip locked
            ) o
            limit $5::bigint
        ), numbered as (
            select due.*, row_number() over () as position
            from due
        ), attempt as (
            insert into attempts (
                id, operation_id, number, state, mode, match_key, digest, ref_hash, account_sid, credential_version,
                started_at, deadline_at, settle_at)
            select
                ($3::uuid[])[position], id, attempts + 1, 'sending', mode, match_key, content_digest,
                ($4::bytea[])[position], $8, $9,
                clock.at, clock.at + $10::interval, clock.at + $10::interval + $11::interval
            from numbered, clock
            -- a twin was claimed meanwhile: it goes first
            on conflict do nothing
            returning id, operation_id, number, lock_key, ref_hash, deadline_at
        ), claimed as (
            update operations o
            set state = 'sending',
                attempts = attempt.number,
                sending_deadline = attempt.deadline_at,
                delay_reason = null,
                updated_at = clock.at
            from attempt, clock
            where o.id = attempt.operation_id
            returning
                o.id, o.mode, o.kind, o.to_number, o.from_number, o.message, o.audio_url, o.clip_id, o.voice_id,
                o.content_digest, o.segments, o.execute_before, o.correlation_id, attempt.id as attempt_id,
                attempt.number, attempt.lock_key, attempt.ref_hash
        ), advanced as (
            update sender_rates r
            set next_at = greatest(r.next_at, clock.at) + make_interval(secs => coalesce(claimed.segments, 1) / sender.rate)
            from claimed, sender, clock
            where sender.rate > 0 and sender.mode = claimed.mode and sender.kind = claimed.kind
                and sender.from_number = claimed.from_number
                and r.mode = sender.mode and r.kind = sender.kind and r.from_number = sender.from_number
        ), line as (
            insert into audit_lines (object, at, actor, action, from_state, to_state, mode, correlation_id, details)
            select
                'operation/' || id, clock.at, 'dispatch', 'dispatch.claimed', 'approved', 'sending', mode, correlation_id,
                jsonb_build_object('attempt', number)
            from claimed, clock
        )
        select
            id as "operation: OperationId",
            attempt_id as "attempt: AttemptId",
            number,
            lock_key,
            ref_hash,
            to_number,
            from_number,
            message,
            audio_url,
            clip_id,
            voice_id,
            content_digest as "digest!",
            execute_before as "execute_before!",
            correlation_id
        from claimed
        "#,
        clock.offset(),
        mode.as_str(),
        &attempts,
        &hashes,
        i64::try_from(limit)?,
        settings.dispatch.sms_segments_per_second(mode),
        settings.dispatch.calls_per_second,
        account_sid,
        credential_version,
        interval(settings.dispatch.deadline()),
        interval(settings.dispatch.settle()),
    )
    .fetch_all(db)
    .await?;

    let mut references: std::collections::HashMap<Vec<u8>, Reference> = hashes.into_iter().zip(references).collect();
    rows.into_iter()
        .map(|row| {
            let reference = references.remove(&row.ref_hash);
            let load = Load::stored(row.message, row.audio_url, row.clip_id, row.voice_id);
            Ok(Claimed {
                operation: row.operation,
                mode,
                attempt: row.attempt,
                lock_key: row.lock_key,
                number: row.number,
                to: row.to_number,
                from: row.from_number,
                load: load.ok_or_else(|| anyhow::anyhow!("operation {} says nothing", row.operation))?,
                digest: row.digest,
                execute_before: row.execute_before,
                correlation_id: row.correlation_id,
                reference: reference.ok_or_else(|| anyhow::anyhow!("attempt {} has another reference", row.attempt))?,
            })
        })
        .collect()
}
