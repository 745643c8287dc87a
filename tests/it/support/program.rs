//! The program itself, as an operator runs it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longest that a process may take to start or to end; a bound against hanging, not a measure.
const PATIENCE: Duration = Duration::from_mins(1);

/// The program with these arguments, and of the environment only what is given.
pub(crate) fn program(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mission-control"));
    // To find PostgreSQL's programs by, unless the test has another.
    #[expect(clippy::disallowed_methods, reason = "no setting: the search path of the test itself")]
    command.args(arguments).env_clear().env("PATH", std::env::var("PATH").unwrap_or_default());
    command.envs(environment.iter().copied());
    command
}

/// Runs it to its end with this input.
pub(crate) fn run(arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Output {
    let mut command = program(arguments, environment);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("an input");
    // A program that ends without reading closes it; that is its right.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

/// A program that runs until it is told to stop. Killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    /// Where it says that it is.
    pub(crate) url: String,
    log: PathBuf,
    /// Kept open: a program may go on writing.
    _output: BufReader<ChildStdout>,
}

impl Running {
    /// Starts it, and waits until it says `{announcement}: {url}`. What it logs goes into a file in the folder.
    pub(crate) fn start(arguments: &[&str], environment: &[(&str, &str)], announcement: &str, folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("a folder");
        let log = folder.join("log");
        let stderr = File::create(&log).expect("a file");
        let mut command = program(arguments, environment);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().expect("the program starts");
        let mut output = BufReader::new(child.stdout.take().expect("an output"));
        let prefix = format!("{announcement}: ");
        // Ends with the announcement, or with the program.
        let url =
            output.by_ref().lines().find_map(|line| line.expect("a line").strip_prefix(&prefix).map(str::to_owned));
        let Some(url) = url else {
            let status = child.wait();
            panic!("it did not start ({status:?}): {}", std::fs::read_to_string(&log).unwrap_or_default());
        };
        Self { child, url, log, _output: output }
    }

    pub(crate) fn serve(environment: &[(&str, &str)], folder: &Path) -> Self {
        Self::start(&["serve"], environment, "Mission Control", folder)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it is gone.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a status").is_some()
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("the log")
    }

    /// Where the process listens, if that is not its public URL.
    pub(crate) fn address(&self) -> String {
        let log = self.log();
        let address = log.split_once("address=").map(|(_, rest)| rest.split_whitespace().next().unwrap_or_default());
        address.unwrap_or_else(|| panic!("no address: {log}")).to_owned()
    }

    /// Lets it stand still wherever it is, or go on.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().expect("a process id")).expect("a process id");
        kill_process(pid, signal).expect("the process is there");
    }

    /// Ends it at once, as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits until it has ended.
    pub(crate) fn wait(mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails if it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
