//! Who speaks, and which clip is awaited: the one that others await already, the one that was made before, or a new one.

use secrecy::SecretString;
use tracing::Instrument as _;

use super::clip::{new_name, request_hash};
use super::{BATCH, NO_KEY, finishing};
use crate::id::OperationId;
use crate::speech::catalogue::{Chosen, Wanted};
use crate::speech::elevenlabs::FORMAT;
use crate::state::AppState;

/// An operation without a clip to await.
struct Waiting {
    operation: OperationId,
    text: String,
    voice: Option<String>,
    model: Option<String>,
    /// It awaits one that was deleted meanwhile.
    awaited: Option<String>,
    correlation_id: String,
    /// It has waited so long for an answer about voices and models that none is expected.
    is_late: bool,
}

/// Why an operation gets no clip.
#[derive(Clone)]
struct Failure {
    code: &'static str,
    reason: String,
    is_transient: bool,
}

/// Gives clips to await to those without; answers how many there were.
pub(super) async fn choose(app: &AppState) -> anyhow::Result<usize> {
    let waiting = waiting(app).await?;
    if waiting.is_empty() {
        return Ok(0);
    }
    let key = app.vault.elevenlabs_key().await?;
    let (mut chosen, mut unanswered) = (0, None);
    for waiting in waiting {
        let span = tracing::info_span!("speech", correlation_id = %waiting.correlation_id);
        let is_chosen = choose_for(app, key.as_ref(), &waiting, &mut unanswered).instrument(span).await?;
        chosen += usize::from(is_chosen);
    }
    Ok(chosen)
}

/// Answers whether it was chosen. Once `ElevenLabs` gave no answer, it is not asked again for the others in need of one.
async fn choose_for(
    app: &AppState,
    key: Option<&SecretString>,
    waiting: &Waiting,
    unanswered: &mut Option<Failure>,
) -> anyhow::Result<bool> {
    let needs_answer = waiting.voice.is_none() || waiting.model.is_none();
    let chosen = match unanswered.clone().filter(|_| needs_answer) {
        Some(failure) => Err(failure),
        None => chosen(app, key, waiting).await,
    };
    match chosen {
        Ok(chosen) => {
            await_clip(app, waiting, &chosen).await?;
            return Ok(true);
        }
        Err(failure) if failure.is_transient => {
            if waiting.is_late {
                finishing::fail(app, waiting.operation, failure.code, &failure.reason).await?;
            } else {
                postpone(app, waiting.operation, &failure.reason).await?;
            }
            *unanswered = Some(failure);
        }
        Err(Failure { code, reason, .. }) => finishing::fail(app, waiting.operation, code, &reason).await?,
    }
    Ok(false)
}

async fn waiting(app: &AppState) -> sqlx::Result<Vec<Waiting>> {
    sqlx::query_as!(
        Waiting,
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        )
        select
            o.id as "operation: OperationId",
            o.speech_text as "text!",
            o.voice_id as voice,
            o.model_id as model,
            o.awaited_clip as awaited,
            o.correlation_id,
            o.created_at < clock.at - interval '10 minutes' as "is_late!"
        from clock, operations o left join clips c on c.id = o.awaited_clip
        where o.mode = $2
            and o.state = 'preparing'
            and o.speech_text is not null
            and o.not_before <= clock.at
            and o.expires_at > clock.at
            and (o.awaited_clip is null or c.state = 'deleted')
        order by o.id
        limit $3
        "#,
        app.clock.offset(),
        app.config.mode.as_str(),
        BATCH,
    )
    .fetch_all(&app.db)
    .await
}

/// Voice and model of this text, which they take.
async fn chosen(app: &AppState, key: Option<&SecretString>, waiting: &Waiting) -> Result<Chosen, Failure> {
    let Some(key) = key else {
        return Err(Failure { code: "speech_no_key", reason: NO_KEY.to_owned(), is_transient: false });
    };
    let settings = app.settings.current();
    let wanted = Wanted { voice: waiting.voice.as_deref(), model: waiting.model.as_deref() };
    let chosen = app.catalogue.choose(&app.elevenlabs, key, &settings.voice, wanted).await;
    let chosen = chosen.map_err(|why| Failure {
        code: why.code(),
        reason: why.to_string(),
        is_transient: why.is_transient(),
    })?;
    match chosen.too_long(&waiting.text) {
        Some(reason) => Err(Failure { code: "speech_text_too_long", reason, is_transient: false }),
        None => Ok(chosen),
    }
}

impl Chosen {
    /// Why the model does not take this text; it is never cut.
    pub(crate) fn too_long(&self, text: &str) -> Option<String> {
        let (count, limit) = (text.chars().count(), self.limit?);
        let is_too_long = u32::try_from(count).map_or(true, |count| count > limit);
        is_too_long.then(|| {
            format!(
                "The text has {count} characters, and the model {} takes {limit} at once. Shorten it, or choose a model that takes more.",
                self.model
            )
        })
    }
}

/// Lets the operation await the clip of this text, voice and model, which is made if there is none.
async fn await_clip(app: &AppState, waiting: &Waiting, chosen: &Chosen) -> anyhow::Result<()> {
    let Chosen { voice, model, .. } = chosen;
    let request_hash = request_hash(app.config.mode, &waiting.text, voice, model, FORMAT);
    sqlx::query!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), operation as (
            select id
            from operations
            where id = $2 and state = 'preparing' and awaited_clip is not distinct from $3
            for update
        ), clip as (
            insert into clips (id, request_hash, state, text_spoken, voice_id, model_id, format, created_at)
            select $4, $5, 'preparing', $6, $7, $8, $9, clock.at
            from operation, clock
            -- somebody wanted the same: an update of nothing names that one
            on conflict (request_hash) where state in ('preparing', 'ready') do update set tries = clips.tries
            returning id
        )
        update operations o
        set awaited_clip = clip.id
        from operation, clip
        where o.id = operation.id
        "#,
        app.clock.offset(),
        waiting.operation.0,
        waiting.awaited,
        new_name()?,
        &request_hash[..],
        waiting.text,
        voice,
        model,
        FORMAT,
    )
    .execute(&app.db)
    .await?;
    Ok(())
}

/// `ElevenLabs` could not be asked: once more, a little later.
async fn postpone(app: &AppState, operation: OperationId, reason: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update operations
        set not_before = clock_timestamp() + $1::interval + interval '5 seconds', delay_reason = $3
        where id = $2 and state = 'preparing'
        "#,
        app.clock.offset(),
        operation.0,
        reason,
    )
    .execute(&app.db)
    .await?;
    tracing::warn!(event = "voice.not_chosen", %operation, reason, "voice and model are chosen a little later");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_over_the_limit_names_the_limit_and_one_at_it_is_taken() {
        let chosen = |limit| Chosen { voice: "v".to_owned(), model: "eleven_v3".to_owned(), limit };
        assert_eq!(chosen(Some(5)).too_long("Grüße"), None);
        assert_eq!(chosen(None).too_long("Grüße an alle"), None);
        let reason = chosen(Some(4)).too_long("Grüße").expect("too long");
        assert!(reason.contains("has 5 characters, and the model eleven_v3 takes 4"), "{reason}");
    }
}
