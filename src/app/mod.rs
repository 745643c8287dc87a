//! The running service: what it is made of, how it starts while its database may still be away, and how it stops.

mod emulator;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgConnectOptions;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use url::Url;

use self::emulator::Emulator;
use crate::audit;
use crate::auth::first_admin::{self, FirstAdmin};
use crate::auth::{Cost, Passwords, TokenCache, oidc};
use crate::callback;
use crate::clock::Clock;
use crate::config::{Config, Mode, PublicUrl, loopback_hosts};
use crate::database::{self, Losses};
use crate::dispatch::{changes, fence::Fence, look, worker};
use crate::error::Error;
use crate::gateway::spoken;
use crate::guard::witness::{self, Witness};
use crate::guard::{incarnation, mode};
use crate::live::{self, Live};
use crate::metrics::{self, Metrics};
use crate::operation::audio_look::Looker;
use crate::operation::overview::Overview;
use crate::router;
use crate::sandbox::Pace;
use crate::settings::{Settings, SettingsError};
use crate::speech::catalogue::Catalogue;
use crate::speech::clips::{ClipStore, cleaning};
use crate::speech::elevenlabs::ElevenLabs;
use crate::speech::preparing;
use crate::state::{AppState, Tasks};
use crate::twilio::Twilio;
use crate::twilio::signature::SharedKey;
use crate::vault::{Vault, VaultError};
use crate::web::server::{Limits, Server};
use crate::web::{self, headers::Https};

/// How long requests and sends that are under way may take to end when the service stops. A send ends within its
/// 20 s time-out.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Pause between two tries to reach a database that is away.
const RETRY: Duration = Duration::from_secs(1);

/// What a service is started with.
pub struct Start {
    /// The settings.
    pub config: Config,
    /// Bound already, so that its port is known.
    pub listener: TcpListener,
    /// The way to PostgreSQL.
    pub database: PgConnectOptions,
    /// The time.
    pub clock: Clock,
    /// How fast the embedded sandbox reports.
    pub pace: Pace,
    /// What a password hash costs.
    pub password_cost: Cost,
    /// How long requests and answers may take.
    pub limits: Limits,
}

/// A service that answers requests; until its database was reached it answers 503.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its public URL.
    pub public_url: PublicUrl,
    stopping: CancellationToken,
    /// Ends the connections that did not end by themselves.
    cut: CancellationToken,
    listening: tokio::task::JoinHandle<()>,
    /// `None` once it is known that the start failed.
    working: Option<tokio::task::JoinHandle<anyhow::Result<Service>>>,
    ready: Arc<OnceLock<Ready>>,
}

/// The parts that exist once the database was reached.
struct Ready {
    app: AppState,
    router: Router,
    sandbox_url: Option<String>,
    first_admin: FirstAdmin,
}

/// What a stop has to take down.
struct Service {
    app: AppState,
    emulator: Option<Emulator>,
}

/// A service that is built and not yet at work.
struct Built {
    service: Service,
    fence: Fence,
    outbox: changes::Outbox,
    first_admin: FirstAdmin,
}

impl Running {
    /// Starts answering at once, and working as soon as the database is reached. Fails only on what no waiting mends.
    pub fn start(start: Start) -> anyhow::Result<Self> {
        // The provider of TLS for every client; a second start in one process finds it installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let address = start.listener.local_addr()?;
        let public_url = start.config.public_url(address);
        let (stopping, cut) = (CancellationToken::new(), CancellationToken::new());
        let ready = Arc::new(OnceLock::new());
        let Start { config, listener, database, clock, pace, password_cost, limits } = start;
        let (connections, https) = (config.connections.get(), Https(public_url.is_https()));
        let starting =
            Starting { config, database, clock, pace, password_cost, limits, address, public_url: public_url.clone() };

        let before = web::starting(starting.config.mode, https);
        let gate = Gate { before, ready: Arc::clone(&ready) };
        let router = Router::new().fallback(until_ready).with_state(gate);
        let (stop, end) = (stopping.clone(), cut.clone());
        let server = Server { listener, router, connections, limits, https, stopping: stop, cut: end };
        #[expect(clippy::disallowed_methods, reason = "the stop waits for these two by their handles")]
        let (listening, working) =
            (tokio::spawn(server.run()), tokio::spawn(starting.run(Arc::clone(&ready), stopping.clone())));
        Ok(Self { address, public_url, stopping, cut, listening, working: Some(working), ready })
    }

    /// The parts of the service, once it works.
    pub fn app(&self) -> Option<&AppState> {
        self.ready.get().map(|ready| &ready.app)
    }

    /// Where the embedded sandbox listens, once the service works and if it has one.
    pub fn sandbox_url(&self) -> Option<&str> {
        self.ready.get().and_then(|ready| ready.sandbox_url.as_deref())
    }

    /// What the start found about the first admin, once the service works.
    pub fn first_admin(&self) -> Option<&FirstAdmin> {
        self.ready.get().map(|ready| &ready.first_admin)
    }

    /// Returns when the service works, or says why it never will.
    pub async fn until_ready(&mut self) -> anyhow::Result<()> {
        loop {
            // Looked at first: whoever finished without being ready by then never will be.
            let has_finished = self.working.as_ref().is_none_or(tokio::task::JoinHandle::is_finished);
            if self.ready.get().is_some() {
                return Ok(());
            }
            if has_finished {
                if let Some(working) = self.working.take() {
                    working.await??;
                }
                anyhow::bail!("the service was stopped before it could start");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops in two stages: no new requests and claims, then what is under way ends, within limits; the sandbox last,
    /// because sends are waiting for its answers.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stopping.cancel();
        let mut listening = self.listening;
        if tokio::time::timeout(STOP_TIMEOUT, &mut listening).await.is_err() {
            tracing::warn!(event = "stop.cut_off", "some requests did not end in time");
            self.cut.cancel();
            let _ = listening.await;
        }
        // Not started: there is nothing to take down.
        let Some(working) = self.working else { return Ok(()) };
        let Ok(Ok(service)) = working.await else { return Ok(()) };
        service.app.tasks.tracker.close();
        if tokio::time::timeout(STOP_TIMEOUT, service.app.tasks.tracker.wait()).await.is_err() {
            tracing::warn!(event = "stop.cut_off", "some sends did not end in time; they will be settled by evidence");
        }
        if let Some(emulator) = service.emulator {
            let _ = tokio::time::timeout(STOP_TIMEOUT, emulator.stop()).await;
        }
        if let Err(error) = Witness::of(&service.app.config.data_dir).remember(&service.app.db).await {
            tracing::warn!(
                event = "witness.not_written",
                error = format!("{error:#}"),
                "the next start knows a little less"
            );
        }
        service.app.db.close().await;
        Ok(())
    }
}

/// Who answers: until the database was reached, and since.
#[derive(Clone)]
struct Gate {
    before: Router,
    ready: Arc<OnceLock<Ready>>,
}

async fn until_ready(State(gate): State<Gate>, request: Request) -> Response {
    let router = gate.ready.get().map_or(gate.before, |ready| ready.router.clone());
    router.oneshot(request).await.into_response()
}

/// What is needed to begin working.
struct Starting {
    config: Config,
    database: PgConnectOptions,
    clock: Clock,
    pace: Pace,
    password_cost: Cost,
    limits: Limits,
    address: SocketAddr,
    public_url: PublicUrl,
}

impl Starting {
    /// Tries until the database answers, the service stops, or something is wrong that waiting does not mend.
    async fn run(self, ready: Arc<OnceLock<Ready>>, stopping: CancellationToken) -> anyhow::Result<Service> {
        let losses = Losses::default();
        let db = database::watched_pool(self.database.clone(), losses.clone());
        loop {
            match self.build(db.clone(), stopping.clone()).await {
                Ok(Built { service, fence, outbox, first_admin }) => {
                    let router = router::router(&service.app, self.limits);
                    let sandbox_url = service.emulator.as_ref().map(Emulator::base_url);
                    set_to_work(&service.app, fence, outbox);
                    let hearing = changes::hear_others(
                        service.app.changes.clone(),
                        database::listener(self.database.clone()),
                        losses,
                        stopping,
                    );
                    service.app.tasks.tracker.spawn(hearing);
                    let _ = ready.set(Ready { app: service.app.clone(), router, sandbox_url, first_admin });
                    return Ok(service);
                }
                Err(error) if is_away(&error) => {
                    tracing::warn!(
                        event = "start.waiting",
                        error = format!("{error:#}"),
                        "the database does not answer yet"
                    );
                }
                Err(error) if is_pooled_by_transaction(&error) => return Err(error.context(database::NEEDS_A_SESSION)),
                Err(error) => return Err(error),
            }
            tokio::select! {
                () = stopping.cancelled() => anyhow::bail!("stopped before the database answered"),
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    async fn build(&self, db: sqlx::PgPool, stopping: CancellationToken) -> anyhow::Result<Built> {
        let config = &self.config;
        tokio::select! {
            prepared = database::prepare(&db) => prepared?,
            () = stopping.cancelled() => anyhow::bail!("stopped before the schema was up to date"),
        }
        incarnation::check(&db, &self.clock, config).await?;
        let cancelled = mode::cancel_other_mode(&db, &self.clock, config.mode).await?;
        if cancelled > 0 {
            tracing::warn!(event = "mode.changed", cancelled, mode = %config.mode, "operations of the other mode were cancelled");
        }
        let settings = Settings::load(db.clone(), config).await?;
        let vault = Vault::open(
            db.clone(),
            config.mode,
            &config.master_key,
            &config.data_dir,
            &config.credentials,
            self.clock.clone(),
        );
        let vault = vault.await?.with_defaults_of(config);
        let passwords = Passwords::new(self.password_cost)?;
        let first_admin = first_admin::ensure(&db, &self.clock, &passwords, &config.data_dir).await?;
        let emulator = if config.embeds_sandbox() { Some(self.embed_sandbox(&vault).await?) } else { None };
        let emulated: Option<Url> = emulator
            .as_ref()
            .map(|emulator| emulator.base_url().parse())
            .transpose()
            .context("the sandbox's address")?;
        let metrics = Metrics::new(config.mode, &self.clock);
        let (changes, outbox) = changes::Changes::new();
        let app = AppState {
            hosts: self.hosts().into(),
            public_url: Arc::new(self.public_url.clone()),
            twilio: Twilio::new(config.twilio_base_url.clone().or(emulated.clone()))?,
            elevenlabs: elevenlabs(config, emulated)?.counting(metrics.clone()),
            catalogue: Catalogue::default(),
            shared_keys: shared_keys(config),
            clips: ClipStore::open(config)?,
            looker: Looker::new(config.mode)?,
            overview: Overview::default(),
            config: Arc::new(config.clone()),
            db,
            clock: self.clock.clone(),
            settings,
            vault,
            metrics,
            changes,
            live: Live::default(),
            passwords,
            oidc: config.oidc.as_ref().map(oidc::Provider::new).transpose()?,
            token_cache: TokenCache::default(),
            tasks: Tasks { tracker: TaskTracker::new(), stopping },
        };
        let fence = Fence::new(self.database.clone(), app.clock.clone());
        // A connection that cannot hold the fence's locks is found out now, not at the first send.
        fence.connect(&app.db).await?;
        Ok(Built { service: Service { app, emulator }, fence, outbox, first_admin })
    }

    /// The names that we answer to: the public one, and in sandbox mode this machine's own.
    fn hosts(&self) -> Vec<String> {
        let mut hosts = vec![self.public_url.host().to_owned()];
        if self.config.mode == Mode::Sandbox {
            hosts.extend(loopback_hosts(self.address));
        }
        hosts
    }
}

fn set_to_work(app: &AppState, fence: Fence, outbox: changes::Outbox) {
    let (tracker, stopping) = (&app.tasks.tracker, &app.tasks.stopping);
    tracker.spawn(worker::run(app.clone(), Arc::new(fence)));
    tracker.spawn(worker::sweep(app.clone()));
    tracker.spawn(witness::keep(app.clone()));
    tracker.spawn(look::run(app.clone()));
    tracker.spawn(callback::poll::run(app.clone()));
    tracker.spawn(cleaning::run(app.clone()));
    tracker.spawn(audit::checkpoint::run(app.clone()));
    tracker.spawn(preparing::run(app.clone()));
    tracker.spawn(spoken::run(app.clone()));
    tracker.spawn(live::run(app.clone()));
    tracker.spawn(metrics::keep_small(app.clone()));
    tracker.spawn(changes::tell_others(outbox, app.db.clone(), stopping.clone()));
}

fn is_pooled_by_transaction(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref().is_some_and(database::is_pooled_by_transaction))
}

/// Whether an error of the start is one that waiting mends.
fn is_away(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        if let Some(error) = cause.downcast_ref::<sqlx::Error>() {
            database::is_unavailable(error)
        } else if let Some(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) =
            cause.downcast_ref()
        {
            database::is_unavailable(error)
        } else if let Some(error) = cause.downcast_ref::<VaultError>() {
            error.is_unavailable()
        } else if let Some(SettingsError::Database(error)) = cause.downcast_ref() {
            database::is_unavailable(error)
        } else {
            matches!(cause.downcast_ref::<Error>(), Some(Error::Problem(problem)) if problem.code == "database_unavailable")
        }
    })
}

/// The way to `ElevenLabs`: to the address that is set, else to the emulator in sandbox mode, else to `ElevenLabs` itself.
fn elevenlabs(config: &Config, emulated: Option<Url>) -> anyhow::Result<ElevenLabs> {
    let base = config.elevenlabs_base_url.clone().or(emulated);
    match (base, config.mode) {
        (None, Mode::Sandbox) => ElevenLabs::nowhere(),
        (base, _) => ElevenLabs::new(base),
    }
}

fn shared_keys(config: &Config) -> Arc<[SharedKey]> {
    let keys = config.webhook_shared_keys.iter();
    keys.map(|(id, secret)| SharedKey { id: id.clone(), secret: secret.clone() }).collect()
}
