//! The operating settings in force. They are stored as numbered versions that are never edited; TOML gives the first
//! version, people make the next ones, and what the environment fixes stands over all of them.

mod catalogue;
mod draft;
mod error;
mod form;
mod history;
pub(crate) mod pages;
mod views;
mod voice;

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sqlx::{PgConnection, PgPool};
use tokio::sync::watch;

use crate::audit::{self, Actor, Change};
use crate::config::{Config, Operating, variable};
use crate::database;

pub use self::error::SettingsError;

/// The operating settings of this process, which follow the stored ones; cheap to clone.
#[derive(Clone)]
pub struct Settings {
    db: PgPool,
    fixed: Arc<Fixed>,
    in_force: Arc<watch::Sender<InForce>>,
}

/// What the process's own settings say: the values for what is not stored, and those that the environment locks.
struct Fixed {
    seeds: Value,
    locked: Vec<String>,
}

struct InForce {
    version: i64,
    operating: Arc<Operating>,
}

struct Stored {
    version: i64,
    document: Value,
}

impl Settings {
    /// Reads the settings in force; at the first start of an installation stores those of this process.
    pub async fn load(db: PgPool, config: &Config) -> Result<Self, SettingsError> {
        let fixed = Fixed { seeds: document(&config.operating), locked: config.locked.clone() };
        let mut tx = database::begin(&db).await?;
        lock(&mut tx).await?;
        let stored = if let Some(stored) = newest(&mut tx).await? {
            stored
        } else {
            let mut first = Value::Object(Map::new());
            fixed.lay_over(&mut first, &fixed.seeds);
            store(&mut tx, &Actor::service("first start"), &Value::Null, first).await?
        };
        let in_force = fixed.in_force(&stored)?;
        tx.commit().await?;
        Ok(Self { db, fixed: Arc::new(fixed), in_force: Arc::new(watch::Sender::new(in_force)) })
    }

    /// The settings in force.
    pub fn current(&self) -> Arc<Operating> {
        Arc::clone(&self.in_force.borrow().operating)
    }

    /// The version in force.
    pub fn version(&self) -> i64 {
        self.in_force.borrow().version
    }

    /// The settings in force with their version, for whoever changes what they saw.
    fn snapshot(&self) -> (i64, Arc<Operating>) {
        let in_force = self.in_force.borrow();
        (in_force.version, Arc::clone(&in_force.operating))
    }

    /// Whether the environment fixes this setting, given as `table.name`.
    fn is_locked(&self, setting: &str) -> bool {
        self.fixed.locked.iter().any(|locked| locked == setting)
    }

    /// Takes over a version that another process stored. After an error the former settings stay in force.
    pub async fn refresh(&self) -> Result<(), SettingsError> {
        let known = self.version();
        let newer = sqlx::query_as!(
            Stored,
            "select version, document from settings where version > $1 order by version desc limit 1",
            known,
        )
        .fetch_optional(&self.db)
        .await?;
        if let Some(stored) = newer {
            self.put_in_force(self.fixed.in_force(&stored)?);
        }
        Ok(())
    }

    /// Stores new settings, made from those of version `seen`, and puts them in force here; other processes follow with
    /// their next [`Settings::refresh`].
    pub async fn change(&self, seen: i64, new: &Operating, actor: &Actor) -> Result<(), SettingsError> {
        new.validate()?;
        let new = document(new);
        self.fixed.refuse_locked(&new)?;
        let mut tx = database::begin(&self.db).await?;
        lock(&mut tx).await?;
        let before = match newest(&mut tx).await? {
            Some(stored) if stored.version == seen => stored.document,
            // The new settings were made from older ones: storing them would undo the change between.
            _ => {
                drop(tx);
                self.refresh().await?;
                return Err(SettingsError::ChangedMeanwhile);
            }
        };
        let mut after = before.clone();
        self.fixed.lay_over(&mut after, &new);
        if after == before {
            return Ok(());
        }
        let stored = store(&mut tx, actor, &before, after).await?;
        let in_force = self.fixed.in_force(&stored)?;
        tx.commit().await?;
        tracing::info!(event = "settings.changed", version = stored.version, "the operating settings were changed");
        self.put_in_force(in_force);
        Ok(())
    }

    /// Replaces what is in force, unless something newer already is.
    fn put_in_force(&self, newer: InForce) {
        self.in_force.send_if_modified(|in_force| {
            let is_newer = newer.version > in_force.version;
            if is_newer {
                *in_force = newer;
            }
            is_newer
        });
    }
}

impl Fixed {
    /// Lays settings over a stored document. Locked ones are left out, so that the environment's value is not stored
    /// and does not outlive its variable; names that only a newer program knows stay as they are.
    fn lay_over(&self, stored: &mut Value, upper: &Value) {
        for (table, name, value) in settings_of(upper) {
            if !self.is_locked(table, name) {
                stored[table][name] = value.clone();
            }
        }
    }

    /// Reads a stored version: our own settings where it has none or they are locked, and nothing that we do not know.
    fn in_force(&self, stored: &Stored) -> Result<InForce, SettingsError> {
        let mut merged = self.seeds.clone();
        for (table, name, _) in settings_of(&self.seeds) {
            if !self.is_locked(table, name)
                && let Some(value) = stored.document[table].get(name)
            {
                merged[table][name] = value.clone();
            }
        }
        let unreadable = |problem: String| SettingsError::Unreadable { version: stored.version, problem };
        let operating: Operating = serde_json::from_value(merged).map_err(|error| unreadable(format!("{error}.")))?;
        operating.validate().map_err(|wrong| unreadable(wrong.to_string()))?;
        Ok(InForce { version: stored.version, operating: Arc::new(operating) })
    }

    fn refuse_locked(&self, new: &Value) -> Result<(), SettingsError> {
        let changed = settings_of(new)
            .find(|(table, name, value)| self.is_locked(table, name) && self.seeds[*table][*name] != **value);
        match changed {
            Some((table, name, _)) => {
                let setting = format!("{table}.{name}");
                Err(SettingsError::Locked { variable: variable(&setting), setting })
            }
            None => Ok(()),
        }
    }

    fn is_locked(&self, table: &str, name: &str) -> bool {
        self.locked.iter().any(|locked| locked.split_once('.') == Some((table, name)))
    }
}

/// Table, name and value of each setting in a document.
fn settings_of(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let tables = document.as_object().into_iter().flatten();
    tables.flat_map(|(table, settings)| {
        settings.as_object().into_iter().flatten().map(move |(name, value)| (table, name, value))
    })
}

fn document(operating: &Operating) -> Value {
    serde_json::to_value(operating).expect("settings are plain values")
}

/// Lets one process at a time store a version; readers do not wait.
async fn lock(tx: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("lock table settings in share row exclusive mode").execute(tx).await?;
    Ok(())
}

async fn newest(tx: &mut PgConnection) -> sqlx::Result<Option<Stored>> {
    sqlx::query_as!(Stored, "select version, document from settings order by version desc limit 1")
        .fetch_optional(tx)
        .await
}

async fn store(tx: &mut PgConnection, actor: &Actor, before: &Value, after: Value) -> sqlx::Result<Stored> {
    let version = sqlx::query_scalar!(
        "insert into settings (document, changed_by) values ($1, $2) returning version",
        after,
        actor.name,
    )
    .fetch_one(&mut *tx)
    .await?;
    let details = json!({ "version": version, "before": before, "after": after });
    audit::record(tx, actor, Change { object: "settings".to_owned(), action: "settings.changed", details }).await?;
    Ok(Stored { version, document: after })
}
