//! Master keys from a command: a password manager or a hardware module prints them, and no file holds them.

use std::ffi::OsStr;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

/// Longest that it may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Most that it may print: room for hundreds of keys.
const LONGEST: usize = 64 * 1024;

/// Why the command gave no keys. What it said is not repeated: it may be the keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyCommandError {
    /// There is no shell.
    #[error("MISSION_CONTROL_MASTER_KEY_COMMAND cannot be run by /bin/sh: {0}.")]
    NotStarted(#[source] io::Error),
    /// It failed.
    #[error("MISSION_CONTROL_MASTER_KEY_COMMAND failed ({0}). Run it by hand to see what it says.")]
    Failed(ExitStatus),
    /// It did not end.
    #[error("MISSION_CONTROL_MASTER_KEY_COMMAND did not end within {} s. It must not ask anybody anything.", PATIENCE.as_secs())]
    TooSlow,
    /// It printed what cannot be keys.
    #[error(
        "MISSION_CONTROL_MASTER_KEY_COMMAND printed more than {LONGEST} bytes, or no text. It has to print `id:key` and nothing else."
    )]
    NoKeys,
}

/// What the command prints. Its errors go nowhere: what it complains about may hold a key.
pub(super) async fn run(command: &str, patience: Duration) -> Result<Zeroizing<String>, KeyCommandError> {
    let mut shell = Command::new("/bin/sh");
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(name)) {
        shell.env_remove(name);
    }
    let mut child = shell
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // So that whatever it started ends with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(KeyCommandError::NotStarted)?;
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let ended = tokio::time::timeout(patience, read(&mut child)).await;
    if let (Some(group), true) = (group, !matches!(ended, Ok(Ok(_)))) {
        // Gone already is what is wanted.
        let _ = kill_process_group(group, Signal::KILL);
        let _ = child.wait().await;
    }
    let (status, text) = ended.map_err(|_| KeyCommandError::TooSlow)?.map_err(|_| KeyCommandError::NoKeys)?;
    if status.success() { Ok(text) } else { Err(KeyCommandError::Failed(status)) }
}

/// Whether the command needs nothing of it: our settings, and the secrets among them. The rest says where its own keys are.
fn is_ours(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    ["DATABASE_URL", "PGPASSWORD"].contains(&&*name)
        || ["MISSION_CONTROL_", "TWILIO_", "ELEVENLABS_"].iter().any(|ours| name.starts_with(ours))
}

async fn read(child: &mut Child) -> io::Result<(ExitStatus, Zeroizing<String>)> {
    let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    // Its whole size at once: a buffer that grows leaves what it held behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    let mut output = output.take(u64::try_from(LONGEST + 1).unwrap_or(u64::MAX));
    while bytes.len() <= LONGEST && output.read_buf(&mut *bytes).await? > 0 {}
    if bytes.len() > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| io::ErrorKind::InvalidData)?;
    let text = Zeroizing::new(text.to_owned());
    Ok((child.wait().await?, text))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    async fn text(command: &str) -> String {
        match run(command, PATIENCE).await {
            Ok(text) => text.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn what_it_prints_is_what_counts() {
        assert_eq!(text("printf 'a:b,%s' \"$((1 + 1)):c\"").await, "a:b,2:c");
        assert_eq!(text("cat; echo complaint >&2").await, "", "nobody answers it, and its errors are not read");
    }

    #[tokio::test]
    async fn a_failure_tells_its_exit_code_and_nothing_that_was_said() {
        let told = text("echo s3cret; echo s3cret >&2; exit 7").await;
        assert!(told.contains("exit status: 7") && !told.contains("s3cret"), "{told}");
        assert!(text("kill -9 $$").await.contains("signal: 9"));
        assert!(text("head -c 70000 /dev/zero").await.contains("printed more than"));
        assert!(text("printf '\\377'").await.contains("no text"));
    }

    #[tokio::test]
    async fn one_that_does_not_end_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().expect("a folder");
        let id = folder.path().join("id");
        let began = Instant::now();
        let command = format!("sleep 1000 & echo $! >{}; wait", id.display());
        let error = run(&command, Duration::from_secs(2)).await.expect_err("too slow");
        assert!(matches!(error, KeyCommandError::TooSlow) && began.elapsed() < PATIENCE, "{error}");
        let id = std::fs::read_to_string(id).expect("the id of what it started");
        // It may be there for a moment, or stay as one that nobody has buried.
        let is_gone = || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", id.trim())).unwrap_or_default();
            status.is_empty() || status.contains("State:\tZ")
        };
        while !is_gone() {
            assert!(began.elapsed() < PATIENCE, "what it started goes on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
