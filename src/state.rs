//! What every handler and worker holds.

use std::sync::Arc;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::{Passwords, TokenCache, oidc};
use crate::clock::Clock;
use crate::config::{Config, PublicUrl};
use crate::dispatch::changes::Changes;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::operation::audio_look::Looker;
use crate::operation::overview::Overview;
use crate::settings::Settings;
use crate::speech::catalogue::Catalogue;
use crate::speech::clips::ClipStore;
use crate::speech::elevenlabs::ElevenLabs;
use crate::twilio::Twilio;
use crate::twilio::signature::SharedKey;
use crate::vault::Vault;

/// The running service: plain fields, cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// Settings of the process.
    pub config: Arc<Config>,
    /// Base of every link and callback.
    pub public_url: Arc<PublicUrl>,
    /// The host names that we answer to.
    pub hosts: Arc<[String]>,
    /// The pool.
    pub db: PgPool,
    /// The time.
    pub clock: Clock,
    /// What people change while the service runs.
    pub settings: Settings,
    /// Credentials at rest.
    pub vault: Vault,
    /// The way to Twilio.
    pub twilio: Twilio,
    /// The audio of calls from text.
    pub clips: ClipStore,
    /// The way to `ElevenLabs`.
    pub elevenlabs: ElevenLabs,
    /// What `ElevenLabs`' account has to offer, as of a few minutes ago.
    pub catalogue: Catalogue,
    /// Looks at recordings elsewhere.
    pub looker: Looker,
    /// How the last days went, as it was counted a moment ago.
    pub overview: Overview,
    /// Keys other than the auth token with which Twilio may sign.
    pub shared_keys: Arc<[SharedKey]>,
    /// Figures for Prometheus.
    pub metrics: Metrics,
    /// Who changed, for those who wait.
    pub changes: Changes,
    /// Who looks, and hears of it.
    pub live: Live,
    /// Hashes and checks passwords, a few at a time.
    pub passwords: Passwords,
    /// Where else people may sign in.
    pub oidc: Option<oidc::Provider>,
    /// Tokens that were found valid a moment ago.
    pub token_cache: TokenCache,
    /// What runs beside requests.
    pub tasks: Tasks,
}

/// The tasks of the service and the first stage of its stop.
#[derive(Clone, Default)]
pub struct Tasks {
    /// Every task of ours; the stop waits for it.
    pub tracker: TaskTracker,
    /// Begin nothing new, finish what is under way.
    pub stopping: CancellationToken,
}
