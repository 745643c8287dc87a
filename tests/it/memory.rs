//! The memory of the program: it is not written to a file when it crashes, and not read by others.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::geteuid;

use crate::support::program::Running;

/// An account without rights, as Linux has one everywhere.
const NOBODY: u32 = 65_534;

const SANDBOX: [&str; 5] = [
    "sandbox",
    "--account-sid",
    "AC00000000000000000000000000000001",
    "--auth-token",
    "0123456789abcdef0123456789abcdef",
];

/// The soft limit of a process's core files.
fn core_limit(process: u32) -> String {
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).expect("its limits");
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).expect("the limit");
    line.split_whitespace().nth(4).expect("a soft limit").to_owned()
}

#[test]
fn a_crash_writes_no_core_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = Running::start(&SANDBOX, &[], "Twilio sandbox", folder.path());
    assert_eq!(core_limit(running.id()), "0");
}

#[test]
fn a_process_of_the_same_account_cannot_read_it() {
    // The kernel gives what is told of a process that must not be dumped to root, whoever it belongs to. To see that, it
    // has to belong to somebody else.
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("permissions");
    let program = folder.path().join("program");
    std::fs::copy(env!("CARGO_BIN_EXE_mission-control"), &program).expect("a copy");
    let mut command = Command::new(&program);
    command
        .args(SANDBOX)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut child = command.spawn().expect("the program starts");
    let mut said = std::io::BufReader::new(child.stdout.take().expect("an output"));
    std::io::BufRead::read_line(&mut said, &mut String::new()).expect("a line: it runs");
    let owner = Path::new(&format!("/proc/{}/mem", child.id())).metadata().expect("its memory").uid();
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert_eq!(owner, 0);
}
