//! Which master keys there are, what each still opens, and which of them nothing needs any longer.

use super::{Vault, VaultError};

/// A master key that is in the key ring of this process, or that something here is sealed with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "any of them may be so with any other")]
pub struct KeyUse {
    /// Its id.
    pub id: String,
    /// Whether it wraps what is stored from now on.
    pub is_primary: bool,
    /// Whether this process has it.
    pub is_in_ring: bool,
    /// Versions of entries of this mode under it.
    pub entries: i64,
    /// Kept secrets under it.
    pub kept: i64,
    /// Whether a process of this mode that comes without it is refused.
    pub is_in_use: bool,
    /// Whether the other mode's vault uses it.
    pub is_used_elsewhere: bool,
}

impl KeyUse {
    /// Everything under it.
    pub fn count(&self) -> i64 {
        self.entries + self.kept
    }

    /// Whether wrapping everything by the primary key would take something off it.
    pub fn can_be_relieved(&self) -> bool {
        !self.is_primary && self.is_in_ring && (self.count() > 0 || self.is_in_use)
    }

    /// Whether it may leave the key ring of every process.
    pub fn may_be_removed(&self) -> bool {
        !self.is_primary && self.is_in_ring && self.count() == 0 && !self.is_in_use && !self.is_used_elsewhere
    }
}

impl Vault {
    /// The keys, the primary one first.
    pub async fn keys(&self) -> Result<Vec<KeyUse>, VaultError> {
        let (ring, primary) = (self.ring.ids(), self.ring.primary().id());
        let keys = sqlx::query_as!(
            KeyUse,
            r#"
            with entries as (
                select key_id as id, count(*) as count
                from vault_entries
                where mode = $1
                    and state <> 'destroyed'
                group by key_id
            ), kept as (
                select key_id as id, count(*) as count
                from kept_secrets
                group by key_id
            ), canaries as (
                select split_part(key_id, '/', 2) as id, split_part(key_id, '/', 1) as mode
                from vault_canaries
            ), known as (
                select unnest($3::text[]) as id
                union select id from entries
                union select id from kept
                union select id from canaries where mode = $1
            )
            select
                known.id as "id!",
                known.id = $4 as "is_primary!",
                known.id = any($3) as "is_in_ring!",
                coalesce(entries.count, 0) as "entries!",
                coalesce(kept.count, 0) as "kept!",
                exists (select from canaries where id = known.id and mode = $1) as "is_in_use!",
                exists (select from canaries where id = known.id and mode = $2) as "is_used_elsewhere!"
            from known
            left join entries on entries.id = known.id
            left join kept on kept.id = known.id
            order by
                known.id <> $4,
                known.id
            "#,
            self.mode.as_str(),
            self.mode.other().as_str(),
            ring.as_slice() as _,
            primary,
        );
        Ok(keys.fetch_all(&self.db).await?)
    }
}
