//! The sub-commands `vault set`, `vault list` and `vault rotate`.

use std::io::{Read, Write};

use anyhow::Context as _;
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::rotation::BATCH;
use super::{Vault, VaultName};
use crate::audit::Actor;

/// More bytes than a secret may have, so that a longer one is refused and not cut.
const ROOM: usize = 4096;

/// Stores what the input holds, without its last line break.
pub async fn set(
    vault: &Vault,
    name: VaultName,
    mut input: impl Read,
    mut output: impl Write,
    actor: &Actor,
) -> anyhow::Result<()> {
    // Room for any secret at once: a buffer that grows leaves what it held behind.
    let mut text = Zeroizing::new(String::with_capacity(ROOM));
    input.read_to_string(&mut text).context("the value cannot be read from standard input")?;
    let value = text.strip_suffix('\n').unwrap_or(&text);
    let value = value.strip_suffix('\r').unwrap_or(value);
    let version = vault.set(name, SecretString::from(value), actor).await?;
    writeln!(output, "{name} is stored as version {version}.")?;
    Ok(())
}

/// Writes a table of the entries.
pub async fn list(vault: &Vault, mut output: impl Write) -> anyhow::Result<()> {
    writeln!(output, "{:<22} {:<8} {:<34} {:>7}  CHANGED BY", "NAME", "STATE", "VALUE", "VERSION")?;
    for entry in vault.list().await? {
        let hint = match entry.hint {
            Some(hint) if entry.name.is_identifier() => hint,
            Some(end) => format!("...{end}"),
            None => "-".to_owned(),
        };
        let version = entry.version.map_or_else(|| "-".to_owned(), |version| version.to_string());
        let changed_by = entry.created_by.as_deref().unwrap_or("-");
        writeln!(output, "{:<22} {:<8} {hint:<34} {version:>7}  {changed_by}", entry.name, entry.state.as_str())?;
    }
    Ok(())
}

/// Rotates to the primary key and says what may follow.
pub async fn rotate(vault: &Vault, mut output: impl Write, actor: &Actor) -> anyhow::Result<()> {
    let rotation = vault.rotate(actor, BATCH).await?;
    writeln!(output, "{} data keys were wrapped by key `{}`.", rotation.rewrapped, rotation.key_id)?;
    if rotation.remaining > rotation.shared {
        writeln!(output, "{} still need another key: run this again.", rotation.remaining - rotation.shared)?;
    }
    if rotation.shared > 0 {
        let (shared, key_id) = (rotation.shared, &rotation.key_id);
        writeln!(
            output,
            "{shared} are used in the other mode as well, whose vault does not know key `{key_id}` yet: run this with \
             the other MISSION_CONTROL_MODE, then here again."
        )?;
    }
    for key in vault.keys().await?.iter().filter(|key| !key.is_primary && key.is_in_ring) {
        let key_id = &key.id;
        if key.may_be_removed() {
            writeln!(output, "Key `{key_id}` is not needed any longer: take it out of every key ring.")?;
        } else if !key.can_be_relieved() {
            writeln!(output, "Key `{key_id}` is not needed here any longer, but the other mode's vault uses it.")?;
        }
    }
    Ok(())
}
