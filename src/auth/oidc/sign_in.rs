//! From whom the provider vouches for to a session.

use serde_json::json;

use super::attempt::Attempt;
use super::identities::{self, Unknown};
use super::provider::{NotVouched, Provider, Vouched};
use crate::audit::Actor;
use crate::auth::network::Masked;
use crate::auth::sign_in::{self, Entered, Shown, Visitor};
use crate::auth::standing;
use crate::auth::throttle::{self, Subject};
use crate::database;
use crate::error::Result;
use crate::state::AppState;

/// What became of coming back from the provider.
pub(super) enum Answer {
    /// They are in, or at the page that asks for the code of their second factor.
    Entered(Entered),
    /// The provider did not answer.
    Away,
    /// What it answered was not believed.
    NotVouched,
    /// None of their groups has a role here.
    NoRole,
    /// They are new, and the provider vouches for no address of theirs.
    NoAddress,
    /// Their account is disabled, or is somebody else's.
    Refused,
    /// Too many tries from this network.
    Blocked {
        /// Seconds until the next try.
        retry_after: u64,
    },
}

/// Takes the code that somebody came back with.
pub(super) async fn take(
    app: &AppState,
    provider: &Provider,
    visitor: &Visitor,
    attempt: &Attempt,
    code: String,
) -> Result<Answer> {
    // Each makes us ask the provider.
    let network = Subject::network(visitor.address.0);
    if let Some(retry_after) = throttle::count(&app.db, &app.clock, &network).await? {
        return Ok(Answer::Blocked { retry_after });
    }
    let vouched = match provider.vouch(attempt, code, &app.public_url).await {
        Ok(vouched) => vouched,
        Err(error) => {
            let reason = error.to_string();
            let answer = match error {
                NotVouched::Away(_) => Answer::Away,
                NotVouched::Unsound(_) => Answer::NotVouched,
            };
            return Ok(refused(visitor, &reason, answer));
        }
    };
    let answer = admit(app, provider, visitor, &vouched).await?;
    if let Answer::Entered(_) = answer {
        throttle::take_back(&app.db, &network).await?;
    }
    Ok(answer)
}

async fn admit(app: &AppState, provider: &Provider, visitor: &Visitor, vouched: &Vouched) -> Result<Answer> {
    let Some(role) = vouched.role else { return Ok(refused(visitor, "no group of theirs has a role", Answer::NoRole)) };
    let service = Actor {
        ip: Some(visitor.address.0.to_string()),
        correlation_id: Some(visitor.correlation_id.0.clone()),
        ..Actor::service("identity provider")
    };
    let mut tx = database::begin(&app.db).await?;
    let found = identities::find_or_take_in(&mut tx, app, &service, provider.issuer(), vouched, role).await?;
    let person = match found {
        Ok(person) => person,
        Err(Unknown::NoAddress) => return Ok(refused(visitor, "no verified address", Answer::NoAddress)),
        Err(Unknown::Disabled) => return Ok(refused(visitor, "disabled", Answer::Refused)),
        Err(Unknown::Otherwise) => return Ok(refused(visitor, "linked to another", Answer::Refused)),
    };
    // Groups change at the provider: what they mean here counts from the next sign-in on.
    let changed = person.role != role && standing::assign(&mut tx, &service, (person.id, &person.email), role).await?;
    sqlx::query!(
        r#"
        update user_identities
        set last_sign_in_at = clock_timestamp() + $3,
            second_factor = $4
        where issuer = $1
          and subject = $2
        "#,
        provider.issuer(),
        vouched.subject,
        app.clock.offset(),
        vouched.second_factor,
    )
    .execute(&mut *tx)
    .await?;
    let shown = Shown {
        details: json!({ "provider": provider.issuer() }),
        second_factor: vouched.second_factor,
        at: Some(vouched.authenticated_at),
    };
    let entered = sign_in::enter(&mut tx, app, visitor, (person.id, person.email.as_str()), shown).await?;
    tx.commit().await?;
    if changed {
        app.token_cache.forget();
    }
    Ok(Answer::Entered(entered))
}

fn refused(visitor: &Visitor, reason: &str, answer: Answer) -> Answer {
    tracing::warn!(event = "auth.failed", reason, ip = %Masked(visitor.address.0), "a sign-in at the provider was refused");
    answer
}
