//! How the database stands, read when somebody asks and at most once a second: one statement over the small indexes of
//! work that is under way, and the audit's lines since the last time.

use std::time::{Duration, Instant};

use metrics::Label;
use time::OffsetDateTime;

use super::Metrics;
use crate::clock::interval;
use crate::database::POOL_SIZE;
use crate::operation::content::Kind;
use crate::operation::status::State;
use crate::state::AppState;

/// How long a reading is good for, however often it is asked for.
const FRESH: Duration = Duration::from_secs(1);

/// How old a line of the audit is when it is counted: by then every statement that was writing an earlier one has
/// ended, so none comes to stand behind the mark. Twice the longest that a statement may take.
const SETTLED: Duration = Duration::from_secs(30);

/// How far back is counted at most. Whoever asks more seldom has gaps instead of a long statement.
const LONGEST: time::Duration = time::Duration::minutes(10);

/// States that are worth counting one by one: work that is not over.
const OPEN: [State; 6] =
    [State::Preparing, State::PendingApproval, State::Approved, State::Sending, State::Unknown, State::NeedsReview];

/// Kinds of operations, each with figures of its own from the start, so that none appears out of nowhere.
const KINDS: [Kind; 2] = [Kind::Sms, Kind::Call];

/// How an attempt can end, as the audit names it after `dispatch.`.
const OUTCOMES: [&str; 4] = ["accepted", "refused", "not_sent", "unknown"];

/// What was read last.
pub(super) struct Reading {
    at: Option<Instant>,
    /// Lines of the audit up to here are counted.
    counted_until: OffsetDateTime,
}

/// A figure as the statement gives it.
struct Figure {
    name: String,
    kind: String,
    word: String,
    value: f64,
}

impl Reading {
    pub(super) fn beginning(now: OffsetDateTime) -> Self {
        Self { at: None, counted_until: now }
    }
}

impl Metrics {
    /// Brings everything up to date that is not counted in passing.
    pub(super) async fn read(&self, app: &AppState) -> sqlx::Result<()> {
        let mut reading = self.0.reading.lock().await;
        if reading.at.is_none_or(|at| at.elapsed() >= FRESH) {
            let since = reading.counted_until.max(app.clock.now() - LONGEST);
            let (figures, until) = figures(app, since).await?;
            if reading.at.is_none() {
                self.begin();
            }
            self.zero_what_may_be_absent();
            for figure in figures {
                self.take(figure);
            }
            *reading = Reading { at: Some(Instant::now()), counted_until: until };
        }
        self.take_our_own(app);
        Ok(())
    }

    fn take(&self, Figure { name, kind, word, value }: Figure) {
        let by_kind = |name, label| vec![Label::new("kind", kind.clone()), Label::new(label, name)];
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let count = value as u64;
        match name.as_str() {
            "operations" => self.gauge("mission_control_operations", by_kind(word, "state")).set(value),
            "depth" => self.queue("mission_control_queue_depth", kind).set(value),
            "oldest" => self.queue("mission_control_queue_oldest_seconds", kind).set(value),
            "waiting" => self.gauge("mission_control_waiting_for_approval", Vec::new()).set(value),
            "waiting_oldest" => {
                self.gauge("mission_control_waiting_for_approval_oldest_seconds", Vec::new()).set(value);
            }
            "attention" => self.gauge("mission_control_needs_attention", Vec::new()).set(value),
            "hold" => self.gauge("mission_control_hold", Vec::new()).set(value),
            "transition" => {
                self.counter("mission_control_operation_transitions_total", by_kind(word, "state")).increment(count);
            }
            _ => self.counter("mission_control_attempts_total", by_kind(word, "outcome")).increment(count),
        }
    }

    /// Counters that stand at zero before anything happened: a rate needs a first value.
    fn begin(&self) {
        for kind in KINDS {
            let labels = |name, word: &'static str| vec![Label::new("kind", kind.as_str()), Label::new(name, word)];
            for state in State::ALL {
                self.counter("mission_control_operation_transitions_total", labels("state", state.as_str()))
                    .increment(0);
            }
            for outcome in OUTCOMES {
                self.counter("mission_control_attempts_total", labels("outcome", outcome)).increment(0);
            }
        }
    }

    /// The statement has no row where there is nothing.
    fn zero_what_may_be_absent(&self) {
        for kind in KINDS.map(Kind::as_str) {
            for state in OPEN.map(State::as_str) {
                let labels = vec![Label::new("kind", kind), Label::new("state", state)];
                self.gauge("mission_control_operations", labels).set(0.0);
            }
            self.queue("mission_control_queue_depth", kind.to_owned()).set(0.0);
            self.queue("mission_control_queue_oldest_seconds", kind.to_owned()).set(0.0);
        }
    }

    fn queue(&self, name: &'static str, kind: String) -> metrics::Gauge {
        self.gauge(name, vec![Label::new("kind", kind)])
    }

    /// What this process knows without asking.
    fn take_our_own(&self, app: &AppState) {
        let set = |name, value| self.gauge(name, Vec::new()).set(value);
        set("mission_control_approval_required", f64::from(u8::from(app.settings.current().approval.required)));
        let open = app.db.size();
        let idle = u32::try_from(app.db.num_idle()).unwrap_or(open).min(open);
        set("mission_control_database_pool_connections", f64::from(open));
        set("mission_control_database_pool_idle", f64::from(idle));
        set("mission_control_database_pool_in_use", f64::from(open - idle));
        set("mission_control_database_pool_limit", f64::from(POOL_SIZE));
    }
}

/// Everything in one statement, and up to when it counted.
async fn figures(app: &AppState, since: OffsetDateTime) -> sqlx::Result<(Vec<Figure>, OffsetDateTime)> {
    let rows = sqlx::query!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), span as materialized (
            select greatest($3::timestamptz, at - $4::interval) as until
            from clock
        ), line as (
            -- values and look-ups, not joins, which might read the history from its beginning
            select
                (select kind from operations where id = substr(object, 11)::uuid) as kind,
                action,
                to_state,
                from_state is distinct from to_state as has_moved
            from audit_lines
            where at >= $3 and at < (select until from span) and mode = $2 and object like 'operation/%'
        ), queue as (
            select o.kind, count(*) as depth, min(greatest(o.approved_at, o.not_before)) as oldest
            from operations o, clock
            where o.mode = $2 and o.state = 'approved' and o.not_before <= clock.at
            group by o.kind
        ), figure as (
            select 'operations' as name, kind, state as word, count(*)::float8 as value
            from operations
            where mode = $2
                and state in ('preparing', 'pending_approval', 'approved', 'sending', 'unknown', 'needs_review')
            group by kind, state
            union all
            select 'depth', kind, '', depth
            from queue
            union all
            select 'oldest', kind, '', extract(epoch from clock.at - oldest)
            from queue, clock
            union all
            select 'waiting', '', '', count(*)
            from operations
            where mode = $2 and state = 'pending_approval'
            union all
            select 'waiting_oldest', '', '', coalesce(extract(epoch from max(clock.at - created_at)), 0)
            from operations, clock
            where mode = $2 and state = 'pending_approval'
            union all
            select 'attention', '', '', count(*)
            from operations o, clock
            where mode = $2
                and acknowledged_at is null
                and (state in ('sending', 'unknown', 'needs_review', 'approved', 'expired')
                    or conflicted_at is not null or duplicate_suspected_at is not null
                    or audio_not_fetched_at is not null)
                and needs_attention(o, clock.at)
            union all
            select 'hold', '', '', held::int
            from hold
            union all
            select 'transition', kind, to_state, count(*)
            from line
            where has_moved and to_state is not null
            group by kind, to_state
            union all
            select 'attempt', kind, substr(action, 10), count(*)
            from line
            where action in ('dispatch.accepted', 'dispatch.refused', 'dispatch.not_sent', 'dispatch.unknown')
            group by kind, action
        )
        select
            name as "name!",
            kind as "kind!",
            word as "word!",
            value as "value!",
            until as "until!"
        from figure, span
        "#,
        app.clock.offset(),
        app.config.mode.as_str(),
        since,
        interval(SETTLED),
    )
    .fetch_all(&app.db)
    .await?;
    // The counts are there whatever else is not.
    let until = rows.first().map_or(since, |row| row.until);
    let figures =
        rows.into_iter().map(|row| Figure { name: row.name, kind: row.kind, word: row.word, value: row.value });
    Ok((figures.collect(), until))
}
