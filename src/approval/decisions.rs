//! The decisions of people, and of the rule that may stand for them: approve, reject, cancel. Each is one statement, a
//! compare-and-set on the state, with its decision row and its audit line.

use axum::http::StatusCode;
use sqlx::{PgConnection, PgPool};

use super::gate::Verdict;
use super::policy::{Approval, Decider};
use crate::audit::Actor;
use crate::clock::{Clock, interval};
use crate::config::Operating;
use crate::error::{Problem, Result};
use crate::id::OperationId;
use crate::operation::content::ContentDigest;
use crate::operation::status::State;
use crate::operation::store::Operation;

/// What became of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It stands, and was made now.
    Now,
    /// The same person had decided the same before: nothing changed.
    Before,
}

/// An approval, and what it is bound to.
#[derive(Debug)]
pub struct Approving<'a> {
    /// Exactly this content.
    pub digest: ContentDigest,
    /// Who approves.
    pub decider: Decider,
    /// Another's request, or one's own.
    pub approval: Approval,
    /// For those who read it later.
    pub comment: Option<&'a str>,
}

/// Approves exactly the content with this digest. `operation` is what the decider looked at; whether it still stands so
/// is decided by the statement.
pub async fn approve(
    db: &PgPool,
    clock: &Clock,
    settings: &Operating,
    operation: &Operation,
    approving: &Approving<'_>,
    actor: &Actor,
) -> Result<Decided> {
    let &Approving { digest, decider, approval, comment } = approving;
    let moved = sqlx::query_scalar!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), moved as (
            update operations o
            set state = 'approved',
                approved_by = $3,
                approved_digest = content_digest,
                approved_at = clock.at,
                execute_before = clock.at + $5::interval,
                not_before = clock.at,
                self_approved = $6,
                updated_at = clock.at
            from clock
            where o.id = $2 and o.state = 'pending_approval' and o.content_digest = $4 and o.expires_at > clock.at
            returning o.id, o.mode, o.kind, o.from_number, o.content_digest
        ), decision as (
            insert into decisions (operation_id, decision, digest, decided_by, token_id, reason, self_approved, decided_at)
            select id, 'approve', content_digest, $3, $7, $8, $6, clock.at
            from moved, clock
        ), line as (
            insert into audit_lines (
                object, at, actor, actor_id, token_id, action, from_state, to_state, mode, ip, correlation_id, details)
            select
                'operation/' || id, clock.at, $9, $3, $7, 'approval.granted', 'pending_approval', 'approved', mode,
                $10, $11, jsonb_build_object(
                    'digest', encode(content_digest, 'hex'), 'comment', $8::text, 'selfApproved', $6::boolean)
            from moved, clock
        ), rate as (
            insert into sender_rates (mode, kind, from_number)
            select mode, kind, from_number
            from moved
            on conflict do nothing
        )
        select id from moved
        "#,
        clock.offset(),
        operation.id.0,
        decider.user.0,
        &digest.as_bytes()[..],
        interval(settings.approval.execution_window()),
        approval == Approval::OfOneself,
        decider.token.map(|token| token.0),
        comment,
        actor.name,
        actor.ip,
        actor.correlation_id,
    )
    .fetch_optional(db)
    .await?;
    if moved.is_some() {
        tracing::info!(event = "approval.granted", operation = %operation.id, digest = %digest, "approved");
        return Ok(Decided::Now);
    }
    let before = previous(db, operation, decider).await?;
    if before.decided_the_same("approve") && before.digest.as_deref() == Some(&digest.as_bytes()[..]) {
        return Ok(Decided::Before);
    }
    if before.state == State::PendingApproval && !operation.has_digest(digest) {
        let detail = "The digest is not that of the content that stands here. Load the operation again and decide on what it shows.";
        return Err(Problem::new(StatusCode::CONFLICT, "digest_differs", detail).into());
    }
    Err(before.refusal().into())
}

/// Lets through what a rule lets through, in the transaction that made it ready for a decision.
pub async fn approve_by_rule(
    tx: &mut PgConnection,
    clock: &Clock,
    settings: &Operating,
    operation: OperationId,
    verdict: Verdict,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), moved as (
            update operations o
            set state = 'approved',
                approved_by_rule = $3,
                approved_digest = content_digest,
                approved_at = clock.at,
                execute_before = clock.at + $4::interval,
                not_before = clock.at,
                updated_at = clock.at
            from clock
            where o.id = $2 and o.state = 'pending_approval' and $5
            returning o.id, o.mode, o.kind, o.from_number, o.content_digest, o.correlation_id
        ), decision as (
            insert into decisions (operation_id, decision, digest, rule, decided_at)
            select id, 'approve', content_digest, $3, clock.at
            from moved, clock
        ), line as (
            insert into audit_lines (object, at, actor, action, from_state, to_state, mode, correlation_id, details)
            select
                'operation/' || id, clock.at, 'approval', 'approval.granted', 'pending_approval', 'approved', mode,
                correlation_id, jsonb_build_object('digest', encode(content_digest, 'hex'), 'rule', $3::text)
            from moved, clock
        )
        insert into sender_rates (mode, kind, from_number)
        select mode, kind, from_number
        from moved
        on conflict do nothing
        "#,
        clock.offset(),
        operation.0,
        verdict.rule(),
        interval(settings.approval.execution_window()),
        verdict.is_granted(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Rejects what waits for a decision.
pub async fn reject(
    db: &PgPool,
    clock: &Clock,
    operation: &Operation,
    decider: Decider,
    reason: &str,
    actor: &Actor,
) -> Result<Decided> {
    let closing =
        Closing { decision: "reject", from: &["pending_approval"], to: State::Rejected, action: "approval.rejected" };
    close(db, clock, operation, decider, Some(reason), actor, closing).await
}

/// Withdraws what has not been claimed yet: approved or not.
pub async fn cancel(
    db: &PgPool,
    clock: &Clock,
    operation: &Operation,
    decider: Decider,
    reason: Option<&str>,
    actor: &Actor,
) -> Result<Decided> {
    let from = &["preparing", "pending_approval", "approved"];
    let closing = Closing { decision: "cancel", from, to: State::Cancelled, action: "operation.cancelled" };
    close(db, clock, operation, decider, reason, actor, closing).await
}

/// A decision that ends an operation before anything was sent.
struct Closing {
    decision: &'static str,
    from: &'static [&'static str],
    to: State,
    action: &'static str,
}

async fn close(
    db: &PgPool,
    clock: &Clock,
    operation: &Operation,
    decider: Decider,
    reason: Option<&str>,
    actor: &Actor,
    closing: Closing,
) -> Result<Decided> {
    let from: Vec<String> = closing.from.iter().map(|&state| state.to_owned()).collect();
    let moved = sqlx::query_scalar!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), before as (
            select id, state from operations where id = $2 and state = any ($3) for update
        ), moved as (
            update operations o
            set state = $4, reason = $5, reason_code = $6, finished_at = clock.at, updated_at = clock.at
            from clock, before
            where o.id = before.id
            returning o.id, o.mode, before.state as from_state, o.content_digest
        ), decision as (
            insert into decisions (operation_id, decision, digest, decided_by, token_id, reason, decided_at)
            select id, $6, content_digest, $7, $8, $5, clock.at
            from moved, clock
        ), line as (
            insert into audit_lines (
                object, at, actor, actor_id, token_id, action, from_state, to_state, mode, ip, correlation_id, details)
            select
                'operation/' || id, clock.at, $9, $7, $8, $10, from_state, $4, mode, $11, $12,
                jsonb_build_object('reason', $5::text)
            from moved, clock
        )
        select id from moved
        "#,
        clock.offset(),
        operation.id.0,
        &from,
        closing.to.as_str(),
        reason,
        closing.decision,
        decider.user.0,
        decider.token.map(|token| token.0),
        actor.name,
        closing.action,
        actor.ip,
        actor.correlation_id,
    )
    .fetch_optional(db)
    .await?;
    if moved.is_some() {
        tracing::info!(event = closing.action, operation = %operation.id, "{}", closing.to);
        return Ok(Decided::Now);
    }
    let before = previous(db, operation, decider).await?;
    if before.state == closing.to && before.decided_the_same(closing.decision) {
        return Ok(Decided::Before);
    }
    Err(before.refusal().into())
}

/// Where the operation stands now, and what this decider had decided last.
struct Previous {
    state: State,
    decision: Option<String>,
    digest: Option<Vec<u8>>,
}

impl Previous {
    fn decided_the_same(&self, decision: &str) -> bool {
        self.decision.as_deref() == Some(decision)
    }

    fn refusal(&self) -> Problem {
        let conflict = |code, detail: String| Problem::new(StatusCode::CONFLICT, code, detail);
        match self.state {
            State::Preparing => {
                conflict("not_ready", "Its speech is still being made. Decide when it can be heard.".to_owned())
            }
            State::PendingApproval | State::Expired => {
                let detail = "The time to decide ran out. Nothing was sent. Ask again.";
                Problem::new(StatusCode::GONE, "approval_expired", detail)
            }
            state => conflict(
                "already_decided",
                format!("This was decided before: it is {state} now. Load it again to see by whom."),
            ),
        }
        .with("state", self.state.as_str())
    }
}

async fn previous(db: &PgPool, operation: &Operation, decider: Decider) -> sqlx::Result<Previous> {
    sqlx::query_as!(
        Previous,
        r#"
        select o.state as "state: State", d.decision as "decision?", d.digest
        from operations o
        left join lateral (
            select decision, digest
            from decisions
            where operation_id = o.id and decided_by = $2
            order by id desc
            limit 1
        ) d on true
        where o.id = $1
        "#,
        operation.id.0,
        decider.user.0,
    )
    .fetch_one(db)
    .await
}
