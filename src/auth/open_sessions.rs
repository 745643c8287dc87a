//! The open sessions of a person, to be looked at and ended before their time.

use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;

use super::credential::CredentialHash;
use super::{browser, sessions, users};
use crate::audit::{self, Actor, Change};
use crate::clock::{Clock, interval};
use crate::database;
use crate::error::Result;
use crate::id::UserId;
use crate::operation::content::hex;

/// An open session.
#[derive(Debug)]
pub(crate) struct OpenSession {
    hash: CredentialHash,
    /// Where it was begun from.
    pub(crate) ip: Option<String>,
    user_agent: Option<String>,
    /// Whether it was begun, or confirmed, with a second factor.
    pub(crate) second_factor: bool,
    /// When its person signed in.
    pub(crate) created_at: OffsetDateTime,
    /// When it was last used, to the minute.
    pub(crate) last_seen_at: OffsetDateTime,
}

/// Which of them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which<'a> {
    /// The one of this name.
    One(&'a str),
    /// All but this one, or simply all.
    AllBut(Option<CredentialHash>),
}

impl OpenSession {
    /// Its name in addresses: tells it apart, and opens nothing.
    pub(crate) fn name(&self) -> String {
        hex(&Sha256::digest(self.hash.0)[..12])
    }

    /// `Firefox on Linux`
    pub(crate) fn browser(&self) -> String {
        browser::words(self.user_agent.as_deref().unwrap_or_default())
    }

    pub(super) fn is(&self, hash: CredentialHash) -> bool {
        self.hash == hash
    }

    /// As an audit line tells it.
    fn in_words(&self) -> String {
        let ip = self.ip.as_deref().unwrap_or("an unknown address");
        format!("{} from {ip}", self.browser())
    }
}

impl Which<'_> {
    fn includes(self, session: &OpenSession) -> bool {
        match self {
            Self::One(name) => session.name() == name,
            Self::AllBut(kept) => kept.is_none_or(|kept| !session.is(kept)),
        }
    }
}

/// The open sessions of a person, the one used last first.
pub(super) async fn list(db: &PgPool, clock: &Clock, user: UserId) -> sqlx::Result<Vec<OpenSession>> {
    let mut connection = db.acquire().await?;
    let mut sessions = lock(&mut connection, clock, user).await?;
    sessions.sort_by_key(|session| std::cmp::Reverse((session.last_seen_at, session.created_at)));
    Ok(sessions)
}

/// Ends some of the sessions of a person. Answers how many there were; what is not there any more needs no ending.
pub(super) async fn end(
    db: &PgPool,
    clock: &Clock,
    actor: &Actor,
    (user, email): (UserId, &str),
    which: Which<'_>,
) -> Result<usize> {
    let mut tx = database::begin(db).await?;
    let open = lock(&mut tx, clock, user).await?;
    let before = open.len();
    let ended: Vec<OpenSession> = open.into_iter().filter(|session| which.includes(session)).collect();
    if ended.is_empty() {
        return Ok(0);
    }
    let hashes: Vec<Vec<u8>> = ended.iter().map(|session| session.hash.0.to_vec()).collect();
    sqlx::query!("delete from sessions where token_hash = any ($1)", &hashes).execute(&mut *tx).await?;
    let details = json!({
        "before": { "sessions": before },
        "after": { "sessions": before - ended.len() },
        "ended": ended.iter().map(OpenSession::in_words).collect::<Vec<_>>(),
    });
    audit::record(&mut tx, actor, Change { object: users::object(email), action: "user.sessions_ended", details })
        .await?;
    tx.commit().await?;
    Ok(ended.len())
}

/// The open sessions, which end meanwhile by nobody else's hand if this is a transaction.
async fn lock(connection: &mut PgConnection, clock: &Clock, user: UserId) -> sqlx::Result<Vec<OpenSession>> {
    let rows = sqlx::query!(
        r#"
        select token_hash, ip, user_agent, second_factor, created_at, last_seen_at
        from sessions
        where user_id = $1
          and expires_at > clock_timestamp() + $2
          and last_seen_at > clock_timestamp() + $2 - $3::interval
        order by token_hash
        for update
        "#,
        user.0,
        clock.offset(),
        interval(sessions::IDLE),
    )
    .fetch_all(connection)
    .await?;
    let sessions = rows.into_iter().filter_map(|row| {
        Some(OpenSession {
            hash: CredentialHash(row.token_hash.try_into().ok()?),
            ip: row.ip,
            user_agent: row.user_agent,
            second_factor: row.second_factor,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
        })
    });
    Ok(sessions.collect())
}

#[cfg(test)]
impl OpenSession {
    pub(crate) fn sample(text: &str) -> Self {
        Self {
            hash: CredentialHash::of(text),
            ip: Some(text.to_owned()),
            user_agent: Some(text.to_owned()),
            second_factor: true,
            created_at: OffsetDateTime::UNIX_EPOCH,
            last_seen_at: OffsetDateTime::UNIX_EPOCH,
        }
    }
}
