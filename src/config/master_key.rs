//! Where the master keys of the vault come from. One place, so that it is clear which key is used.

use std::path::PathBuf;

use anyhow::bail;
use secrecy::SecretString;

use super::Environment;

const VALUE: &str = "MISSION_CONTROL_MASTER_KEY";
const FILE: &str = "MISSION_CONTROL_MASTER_KEY_FILE";
const COMMAND: &str = "MISSION_CONTROL_MASTER_KEY_COMMAND";

/// Where the master keys of the vault come from.
#[derive(Clone, Debug)]
pub enum MasterKeySource {
    /// `MISSION_CONTROL_MASTER_KEY`, as `kid:base64,...`.
    Value(SecretString),
    /// `MISSION_CONTROL_MASTER_KEY_FILE`.
    File(PathBuf),
    /// `MISSION_CONTROL_MASTER_KEY_COMMAND`: what it prints, such as what a password manager or a hardware module gives.
    Command(String),
    /// None of them: `master-key` in the data folder, made at the first start; sandbox mode only.
    DataDir,
}

impl MasterKeySource {
    pub(super) fn read(environment: &Environment) -> anyhow::Result<Self> {
        let set: Vec<&str> =
            [VALUE, FILE, COMMAND].into_iter().filter(|name| environment.get(name).is_some()).collect();
        if set.len() > 1 {
            bail!("{} are both set. Keep one, so that it is clear which key is used.", set.join(" and "));
        }
        if let Some(value) = environment.secret(VALUE) {
            return Ok(Self::Value(value));
        }
        if let Some(path) = environment.get(FILE) {
            return Ok(Self::File(path.into()));
        }
        Ok(environment.get(COMMAND).map_or(Self::DataDir, |command| Self::Command(command.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_source_may_be_set() {
        let all = [(VALUE, "a:b"), (FILE, "/x"), (COMMAND, "cat /x")];
        for (first, second) in [(0, 1), (0, 2), (1, 2)] {
            let environment = Environment::of([all[first], all[second]]);
            let refusal = MasterKeySource::read(&environment).expect_err("two sources").to_string();
            assert!(refusal.starts_with(&format!("{} and {} are both set", all[first].0, all[second].0)), "{refusal}");
        }
        assert!(MasterKeySource::read(&Environment::of(all)).is_err());
        for (one, debug) in all.into_iter().zip(["Value(", "File(", "Command("]) {
            let source = MasterKeySource::read(&Environment::of([one])).expect("one source");
            assert!(format!("{source:?}").starts_with(debug));
        }
    }
}
