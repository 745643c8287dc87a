//! Killed or stopped at the n-th system call of a name, which `strace` injects: also where nothing is on the wire, and before
//! the operating system has taken what the program wanted to say. `make torture` installs `strace`; where there is none, the
//! slice in `make test` says so and strikes nothing.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{sleep, timeout};

use super::asked::Asked;
use super::harness::{Sweep, within};
use super::phase::Phase;
use crate::support::program::Running;
use crate::support::torture;

/// By which the program speaks with PostgreSQL, with Twilio and with its clients.
const CALLS: [&str; 8] = ["sendto", "writev", "write", "connect", "socket", "recvfrom", "shutdown", "close"];

/// No life has so many calls of one name; a bound against going on for ever.
const MOST: usize = 400;

/// So many lives in a row that were over before the call end a name.
const MISSES: usize = 2;

/// Longest that a life may take, with what `strace` costs.
const PATIENCE: Duration = Duration::from_secs(12);

/// Until the operating system has taken away one that was killed: its connections end before.
const DYING: Duration = Duration::from_secs(2);

/// Until one that stood still has said what it had begun to say.
const COPING: Duration = Duration::from_secs(2);

/// `strace` at a process: at this call it gets the signal.
struct Strace {
    child: Child,
    log: PathBuf,
}

impl Strace {
    fn attach(victim: &Running, folder: &Path, call: &str, at: usize, signal: &str) -> Self {
        let log = folder.join(format!("strace-{}", victim.id()));
        let (trace, inject) = (format!("trace={call}"), format!("inject={call}:signal={signal}:when={at}"));
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-e", &trace, "-e", &inject, "-p", &victim.id().to_string(), "-o"]).arg(&log);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { child: command.spawn().expect("strace"), log }
    }

    /// Whether there is one, and it may.
    fn works() -> bool {
        let mut command = Command::new("strace");
        command
            .args(["-qq", "-o", "/dev/null", "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// Whether it holds each thread: what one that it does not hold says would not be counted.
    fn holds(victim: &Running) -> bool {
        let threads = std::fs::read_dir(format!("/proc/{}/task", victim.id()));
        threads.expect("the process is there").all(|thread| {
            let status = thread.and_then(|thread| read_to_string(thread.path().join("status")));
            // A thread that ended meanwhile says nothing any more.
            status.map_or(true, |status| !status.contains("TracerPid:\t0\n"))
        })
    }

    fn has_stopped(&self) -> bool {
        read_to_string(&self.log).is_ok_and(|log| log.contains("stopped by SIGSTOP"))
    }

    /// Ends with the process.
    fn wait(mut self) {
        self.child.wait().expect("strace ends");
    }
}

impl Sweep {
    /// An operation from its request to Twilio's report, as long as somebody answers.
    async fn live(&self, asked: &mut Asked) {
        self.ask(asked).await;
        if asked.answer.is_some() && self.approve(asked).await {
            let asked = std::slice::from_ref(asked);
            let is_accepted = || async { self.count(asked, &["approved", "sending"]).await == 0 };
            if within(PATIENCE, is_accepted).await {
                self.report_on(&asked[0]).await;
            }
        }
    }

    /// A life that is struck at this call; answers whether it came to that. While the process stands still another lives.
    async fn strike(&mut self, survivor: Option<&Running>, call: &str, at: usize) -> bool {
        let mut victim = self.victim_with(&[("TOKIO_WORKER_THREADS", "1")]);
        let mut asked = self.prepare(Phase::Create).await.remove(0);
        let mut again = [asked.untold()];
        let signal = if survivor.is_some() { "SIGSTOP" } else { "SIGKILL" };
        let strace = Strace::attach(&victim, self.installation.folder.path(), call, at, signal);
        // What it says by itself meanwhile counts, and may be what it is struck at.
        let takes_hold = || std::future::ready(victim.has_ended() || Strace::holds(&victim));
        assert!(within(PATIENCE, takes_hold).await, "strace does not take hold");
        let mut is_struck = || victim.has_ended() || strace.has_stopped();
        {
            let mut life = pin!(timeout(PATIENCE, self.live(&mut asked)));
            let strikes = async {
                while !is_struck() {
                    sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::select! {
                _ = &mut life => {}
                () = strikes => {}
            }
        }
        let struck = within(DYING, || std::future::ready(is_struck())).await;
        if let Some(survivor) = survivor.filter(|_| struck) {
            survivor.signal(Signal::CONT);
            self.wire.lead_to(&survivor.address());
            self.live_on(Phase::Approve, &mut again).await;
            victim.signal(Signal::CONT);
            sleep(COPING).await;
            survivor.signal(Signal::STOP);
        }
        victim.kill();
        strace.wait();
        self.asked.push(asked);
        self.asked.extend(again);
        struck
    }
}

async fn sweep(name: &str, with_survivor: bool, few: usize) {
    if !Strace::works() {
        torture::report(&format!("sweep system calls {name}: there is no strace that works here, nothing was struck"));
        return;
    }
    let mut sweep = Sweep::new().await;
    let survivor = with_survivor.then(|| sweep.survivor());
    if let Some(survivor) = &survivor {
        survivor.signal(Signal::STOP);
    }
    let (mut points, mut reached) = (0, 0);
    let (calls, step, most) = if torture::is_full() { (&CALLS[..], 1, MOST) } else { (&CALLS[..1], 5, few) };
    for call in calls {
        let mut misses = 0;
        for at in (1..).step_by(step).take(most) {
            let struck = sweep.strike(survivor.as_ref(), call, at).await;
            (points, reached) = (points + 1, reached + usize::from(struck));
            misses = if struck { 0 } else { misses + 1 };
            if misses == MISSES {
                break;
            }
        }
    }
    if let Some(survivor) = survivor {
        survivor.signal(Signal::CONT);
        survivor.kill();
    }
    sweep.settle().await.tell(&format!("system calls {name}"), points, reached);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_a_system_call() {
    sweep("kill", false, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_at_a_system_call() {
    sweep("pause", true, 1).await;
}
