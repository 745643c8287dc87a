//! The sandbox: an emulator of Twilio and `ElevenLabs` over real HTTP on loopback, embedded in the server or run on its own, so that
//! everything up to the phone network can be tried, and broken, before there is an account.
//!
//! It speaks Twilio's paths (`/2010-04-01/Accounts/{AccountSid}/...`), error bodies and headers; any official Twilio SDK
//! can be pointed at it:
//!
//! | resource | create | fetch | list | update | delete |
//! |---|---|---|---|---|---|
//! | Messages | yes | yes | by `To`, `From`, `DateSent` | redact, cancel | yes |
//! | Calls | with `Twiml` or `Url` | yes | by `To`, `From`, `Status`, `StartTime`, `EndTime` | hang up, other script | yes |
//! | `IncomingPhoneNumbers` | by `PhoneNumber` or `AreaCode` | yes | by `PhoneNumber`, `FriendlyName`, `Origin` | yes | those created |
//! | Accounts | | yes | by `FriendlyName`, `Status` | `FriendlyName`, `Status` | |
//!
//! There is one account. While it is not `active`, it can neither send, nor call, nor buy a number (20005, HTTP 403).
//! What is set on a number is kept and answered, not called: the sandbox receives nothing.
//!
//! A message goes `queued`, `sent`, `delivered`, each step reported to its `StatusCallback` in a signed request. A call
//! goes `queued`, `initiated`, `ringing`, `in-progress`, `completed`; reported is what `StatusCallbackEvent` asks for, by
//! POST only. **No byte leaves the machine**: a request to anything but loopback (or the origin named in
//! [`Options::callbacks_to`]) is not made; the log says so.
//!
//! # Calls
//!
//! When a call is answered, its script is followed: the audio of each `<Play>` is fetched and looked at, up to a
//! `<Hangup>`; all other verbs take no time. A call whose script cannot be followed ends as `failed`, so that a wrong
//! address is noticed here; the code is in the ledger and in the last callback's `ErrorCode`. (With Twilio such a call may
//! end as `completed`: whoever picked up has heard nothing.)
//!
//! | code | because |
//! |---|---|
//! | 11200 | audio or script cannot be reached, or the answer is not 2xx |
//! | 11750 | the fetched script has more than 64 KiB |
//! | 12100 | the script is malformed |
//! | 12300 | what was fetched as the script is none |
//! | 13420 | the audio is of no type that Twilio plays, or does not begin as its type does |
//!
//! Audio or a script elsewhere than on this machine is no error: the call completes, and the log, for audio also the
//! ledger, says that nothing was fetched.
//!
//! # Numbers
//!
//! `+15005550006` always belongs to the account, as do those that come with the [`Credentials`]; they cannot be deleted
//! (20403). Any other number that is created can send at once, and no more once it is deleted. Twilio's magic numbers
//! answer as with Twilio's test credentials:
//!
//! | as `From` | code | | as `To` | code |
//! |---|---|---|---|---|
//! | `+15005550001` | 21212 | | `+15005550001` | 21211 |
//! | `+15005550007` | 21606 | | `+15005550002` | 21612 |
//! | `+15005550008` | 21611 (HTTP 429) | | `+15005550003` | 21408 |
//! | others, not owned | 21659 | | `+15005550004` | 21610 |
//! | | | | `+15005550009` | 21614 |
//!
//! | as `From` of a call | code | | as `To` of a call | code |
//! |---|---|---|---|---|
//! | `+15005550001` | 21212 | | `+15005550001` | 21217 |
//! | others, not owned | 21210 | | `+15005550002` | 21214 |
//! | | | | `+15005550003` | 21215 |
//! | | | | `+15005550004` | 21216 |
//!
//! | to be created | code |
//! |---|---|
//! | `PhoneNumber` `+15005550000`, or one that the account has | 21422 |
//! | `PhoneNumber` `+15005550001`, or no number | 21421 |
//! | `PhoneNumber` `+15005550006` | none, as often as it is asked for |
//! | `AreaCode` `533` | 21452 |
//!
//! Twilio has no magic numbers for what goes wrong after acceptance. These recipients are the sandbox's own; for
//! messages, the last two digits are those of the error:
//!
//! | as `To` | ends |
//! |---|---|
//! | `+15005550100` | `sent`: the carrier never reports back |
//! | `+15005550103` | `undelivered`, 30003 (unreachable handset) |
//! | `+15005550105` | `undelivered`, 30005 (unknown handset) |
//! | `+15005550106` | `undelivered`, 30006 (landline) |
//! | `+15005550107` | `failed`, 30007 (filtered) |
//!
//! | as `To` of a call | ends |
//! |---|---|
//! | `+15005550100` | `completed`, but no callback ever comes |
//! | `+15005550101` | `busy` |
//! | `+15005550102` | `no-answer` |
//! | `+15005550104` | `failed`: the carrier cannot connect it |
//!
//! # Speech
//!
//! On the same address it speaks the paths of `ElevenLabs`, with its header `xi-api-key` and its errors:
//!
//! | path | |
//! |---|---|
//! | `POST /v1/text-to-speech/{voice_id}` | `mp3_44100_*`; 404 `voice_not_found`, 400 `model_not_found` and `max_character_limit_exceeded`, 401 `quota_exceeded`, 422 for what does not fit |
//! | `GET /v2/voices`, `GET /v1/voices` | four voices, made up for the sandbox |
//! | `GET /v1/models` | with `maximum_text_length_per_request` |
//! | `GET /v1/user/subscription` | a million characters in a calendar month, less what was used |
//!
//! What is made can be played: a tone for each letter, silence for each gap, 52 ms each. The same text in the same voice
//! makes the same bytes, every time.
//!
//! # Control
//!
//! `POST|GET|DELETE /sandbox/faults` ([`faults`]), `GET /sandbox/ledger` (what was accepted, and read aloud), `POST /sandbox/messages/{sid}/status` and
//! `POST /sandbox/calls/{sid}/status` (`{"status": "delivered"}`, with `error_code` if wanted; a call that is put
//! `in-progress` has its script followed) and `POST /sandbox/reset`. They need no password: they only answer on loopback, to a loopback `Host` (a web page that rebinds its name has another one) and to no request with an `Origin`.

mod accounts;
mod answer;
mod api;
mod callback;
mod calls;
mod control;
mod credentials;
mod destination;
mod elevenlabs;
pub mod faults;
mod incoming_numbers;
mod journal;
mod life;
mod living;
mod messages;
mod number_settings;
mod numbers;
mod paging;
mod period;
mod register;
mod route;
mod segments;
mod server;
mod shelf;
mod state;
mod strike;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use credentials::{CredentialLookup, CredentialSource, Credentials, KeyLookup, KeySource, NotKnown};

use calls::Call;
use journal::Journal;
use messages::Message;
use state::Shared;

/// What a sandbox is started with.
pub struct Options {
    /// Where it listens; port 0 takes a free one. Anything but loopback is refused.
    pub listen: SocketAddr,
    pub credentials: CredentialSource,
    /// The key that requests to `ElevenLabs` must show.
    pub elevenlabs_key: KeySource,
    /// The file that its state is appended to and resumed from; without one a restart forgets everything.
    pub journal: Option<PathBuf>,
    /// An origin (such as the public URL) whose callbacks are signed as given but sent, in plain HTTP, to this address.
    pub callbacks_to: Option<(String, SocketAddr)>,
    pub pace: Pace,
}

/// How fast the emulated carrier is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Slow enough to watch.
    Standard,
    /// As fast as a test can want it, yet after the answer of the request.
    Immediate,
    /// Nothing happens until `POST /sandbox/messages/{sid}/status`, or the same of `calls`, says so.
    ByHand,
}

impl Pace {
    /// The time that a message or a call spends in one status.
    fn step(self) -> Option<Duration> {
        match self {
            Self::Standard => Some(Duration::from_millis(400)),
            Self::Immediate => Some(Duration::from_millis(5)),
            Self::ByHand => None,
        }
    }

    /// The time between two tries of one callback.
    fn retry(self) -> Duration {
        match self {
            Self::Standard => Duration::from_secs(1),
            Self::Immediate | Self::ByHand => Duration::from_millis(5),
        }
    }
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the sandbox listens on loopback only, not on {0}")]
    NotLoopback(SocketAddr),
    #[error("the sandbox cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    #[error("the sandbox's journal {0} cannot be used: {1}")]
    Journal(PathBuf, std::io::Error),
    #[error("the sandbox's HTTP client cannot be built: {0}")]
    Client(reqwest::Error),
}

/// A running sandbox; it ends with the cancellation token that it was started with.
#[derive(Debug)]
pub struct Sandbox {
    pub address: SocketAddr,
}

impl Sandbox {
    /// What to use in place of `https://api.twilio.com`, and of `https://api.elevenlabs.io`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Starts a sandbox on `tasks`; when it returns, requests are accepted and unfinished messages and calls go on.
pub async fn start(options: Options, tasks: &TaskTracker, stop: CancellationToken) -> Result<Sandbox, Error> {
    let listen = options.listen;
    if !listen.ip().is_loopback() {
        return Err(Error::NotLoopback(listen));
    }
    let (journal, lines) = match options.journal {
        None => (None, Vec::new()),
        Some(path) => {
            let (journal, lines) = Journal::open(&path).map_err(|error| Error::Journal(path, error))?;
            (Some(journal), lines)
        }
    };
    let listener = TcpListener::bind(listen).await.map_err(|error| Error::Listen(listen, error))?;
    let address = listener.local_addr().map_err(|error| Error::Listen(listen, error))?;
    let shared = Arc::new(Shared {
        credentials: options.credentials,
        elevenlabs_key: options.elevenlabs_key,
        callbacks_to: options.callbacks_to,
        pace: options.pace,
        client: callback::client().map_err(Error::Client)?,
        started_at: now(),
        tasks: tasks.clone(),
        stop,
        state: state::resumed(journal, lines),
        in_flight: std::sync::atomic::AtomicUsize::new(0),
    });
    life::resume_all::<Message>(&shared);
    life::resume_all::<Call>(&shared);
    tasks.spawn(server::run(listener, shared));
    tracing::info!(event = "sandbox.started", %address, "the sandbox listens on {address}");
    Ok(Sandbox { address })
}

#[expect(clippy::disallowed_methods, reason = "the sandbox stands for another machine, which has a clock of its own")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// 32 hexadecimal digits that nobody can guess, as in a SID.
fn random_hex() -> String {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    format!("{:032x}", u128::from_be_bytes(bytes))
}
