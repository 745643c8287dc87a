//! Recovery codes: ten that open once each, for the day on which the telephone is gone.

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use crate::auth::credential::{CredentialHash, readable};
use crate::clock::Clock;
use crate::error::Result;
use crate::id::UserId;

/// How many a person gets.
pub(super) const COUNT: usize = 10;

/// Characters of each, worth five bits each: 80 bits.
const CHARACTERS: usize = 16;

/// How many of a person's are left, and when they were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) count: i64,
    pub(crate) made_at: Option<OffsetDateTime>,
}

/// Makes new ones in place of the former; they are shown once.
pub(super) async fn make(tx: &mut PgConnection, clock: &Clock, user: UserId) -> Result<Vec<SecretString>> {
    let codes = (0..COUNT).map(|_| readable::<CHARACTERS>()).collect::<anyhow::Result<Vec<_>>>()?;
    let hashes: Vec<Vec<u8>> = codes.iter().map(|code| hash(code).0.to_vec()).collect();
    forget(&mut *tx, user).await?;
    sqlx::query!(
        r#"
        insert into recovery_codes (user_id, code_hash, made_at)
        select $1, code_hash, clock_timestamp() + $3
        from unnest($2::bytea[]) as made (code_hash)
        "#,
        user.0,
        &hashes,
        clock.offset(),
    )
    .execute(tx)
    .await?;
    Ok(codes)
}

/// Removes all of a person's.
pub(super) async fn forget(tx: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("delete from recovery_codes where user_id = $1", user.0).execute(tx).await?;
    Ok(())
}

/// Takes one, once.
pub(super) async fn spend(
    tx: &mut PgConnection,
    clock: &Clock,
    user: UserId,
    typed: &SecretString,
) -> sqlx::Result<bool> {
    let hash = hash(typed);
    let spent = sqlx::query!(
        r#"
        update recovery_codes
        set used_at = clock_timestamp() + $3
        where user_id = $1
          and code_hash = $2
          and used_at is null
        "#,
        user.0,
        hash.0.as_slice(),
        clock.offset(),
    )
    .execute(tx)
    .await?;
    Ok(spent.rows_affected() == 1)
}

/// How many are left.
pub(super) async fn left(db: impl PgExecutor<'_>, user: UserId) -> sqlx::Result<Left> {
    sqlx::query_as!(
        Left,
        r#"
        select
            count(*) filter (where used_at is null) as "count!",
            max(made_at) as made_at
        from recovery_codes
        where user_id = $1
        "#,
        user.0,
    )
    .fetch_one(db)
    .await
}

/// Of the letters and digits alone: people leave out the hyphens, or begin with a capital.
fn hash(code: &SecretString) -> CredentialHash {
    #[expect(clippy::disallowed_methods, reason = "the code goes into its hash")]
    let text = code.expose_secret();
    let characters = text.chars().filter(char::is_ascii_alphanumeric).map(|character| character.to_ascii_lowercase());
    CredentialHash::of(&characters.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_same_however_it_is_typed() {
        let of = |text: &str| hash(&text.into());
        assert_eq!(of("abcd-efgh-ijkm-npqr"), of(" ABCD efgh IJKM-npqr "));
        assert_ne!(of("abcd-efgh-ijkm-npqr"), of("abcd-efgh-ijkm-npqs"));
    }
}
