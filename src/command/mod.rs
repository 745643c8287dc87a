//! The sub-commands, and what each needs before it can begin.

mod gateway;
mod openclaw;
mod sandbox;
mod serve;

use std::io::Write as _;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use mission_control::audit::Actor;
use mission_control::audit::commands::{self as audit, AuditCommand};
use mission_control::auth::commands::{self as people, TokenCommand, UserCommand};
use mission_control::auth::{Cost, Passwords};
use mission_control::clock::Clock;
use mission_control::config::Config;
use mission_control::database;
use mission_control::private_postgres::{Options, PrivatePostgres, Purpose};
use mission_control::vault::{Vault, VaultName, commands as vault};
use mission_control::verify::{self, Verify};
use secrecy::ExposeSecret;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use self::openclaw::OpenclawCommand;

/// Sends SMS and places calls through Twilio: approved by a person, sent at most once, followed to the end.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Program {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service (the default).
    Serve,
    /// Run the emulator of Twilio and ElevenLabs alone, for any client of their APIs.
    Sandbox(sandbox::Arguments),
    /// Run the voice gateway: the one door for Twilio's voice webhook, as an OpenClaw configuration says.
    Gateway(gateway::Arguments),
    /// Bring the database's schema up to this program.
    Migrate,
    /// People who sign in.
    #[command(subcommand)]
    User(People),
    /// API tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Credentials at rest.
    #[command(subcommand)]
    Vault(VaultCommand),
    /// What happened, and whether it is as it was written.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Ask the running service for one SMS and one call, follow both, and check everything before real use.
    Verify(Verify),
    /// The configuration of the voice gateway.
    #[command(subcommand)]
    Openclaw(OpenclawCommand),
}

#[derive(Debug, Subcommand)]
enum People {
    #[command(flatten)]
    Other(UserCommand),
    /// Remove a person's second factor, for a telephone that was lost. Takes the vault, which keeps its secret.
    ResetSecondFactor(people::ResetSecondFactor),
}

#[derive(Debug, Subcommand)]
enum VaultCommand {
    /// Store the value that standard input holds.
    Set {
        /// `twilio_account_sid`, `twilio_auth_token`, `twilio_api_key_sid`, `twilio_api_key_secret`, `twilio_phone_number` or
        /// `elevenlabs_api_key`.
        name: VaultName,
    },
    /// Show which entries there are, and never a value.
    List,
    /// Wrap every entry by the first key of the key ring.
    Rotate,
}

impl Program {
    pub(crate) async fn run(self, config: Config) -> anyhow::Result<()> {
        match self.command.unwrap_or(Command::Serve) {
            Command::Serve => serve::run(config).await,
            Command::Sandbox(arguments) => sandbox::run(arguments).await,
            Command::Gateway(arguments) => gateway::run(arguments, config).await,
            Command::Openclaw(command) => openclaw::run(&command, &config).await,
            command => {
                let database = Database::open(&config, Purpose::Command).await?;
                let pool = database::pool(database.options());
                let done = on_database(command, &config, &pool).await;
                pool.close().await;
                database.close().await?;
                done
            }
        }
    }
}

async fn on_database(command: Command, config: &Config, db: &PgPool) -> anyhow::Result<()> {
    database::migrate(db).await?;
    let (input, output) = (std::io::stdin().lock(), std::io::stdout());
    match command {
        Command::User(People::ResetSecondFactor(wanted)) => {
            people::reset_second_factor(db, &open_vault(config, db).await?, wanted, output).await
        }
        Command::User(People::Other(command)) => {
            let (passwords, public_url) = (Passwords::new(Cost::RECOMMENDED)?, config.public_url(config.listen));
            let tools = people::Tools { db, clock: &Clock::System, passwords: &passwords, public_url: &public_url };
            people::user(tools, command, input, output).await
        }
        Command::Token(command) => people::token(db, &Clock::System, command, output).await,
        Command::Audit(command) => audit::audit(db, &Clock::System, command, output).await,
        Command::Vault(command) => {
            let opened = open_vault(config, db).await?;
            let actor = Actor::command_line();
            match command {
                VaultCommand::Set { name } => vault::set(&opened, name, input, output, &actor).await,
                VaultCommand::List => vault::list(&opened, output).await,
                VaultCommand::Rotate => vault::rotate(&opened, output, &actor).await,
            }
        }
        Command::Verify(arguments) => {
            let interrupted = async { drop(tokio::signal::ctrl_c().await) };
            verify::run(config, db, &arguments, interrupted, &mut std::io::stdout()).await
        }
        Command::Migrate => Ok(writeln!(std::io::stdout(), "The schema is up to date.")?),
        Command::Serve | Command::Sandbox(_) | Command::Gateway(_) | Command::Openclaw(_) => Ok(()),
    }
}

async fn open_vault(config: &Config, db: &PgPool) -> anyhow::Result<Vault> {
    let (mode, data_dir) = (config.mode, &config.data_dir);
    let opened = Vault::open(db.clone(), mode, &config.master_key, data_dir, &config.credentials, Clock::System);
    Ok(opened.await?.with_defaults_of(config))
}

/// The operator's PostgreSQL, or the private one.
enum Database {
    Operators(Box<PgConnectOptions>),
    Private(PrivatePostgres),
}

impl Database {
    async fn open(config: &Config, purpose: Purpose) -> anyhow::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "the URL may hold the database's password, which is used here")]
        let url = config.database_url.as_ref().map(ExposeSecret::expose_secret);
        match url {
            // The error does not repeat the URL.
            Some(url) => Ok(Self::Operators(Box::new(url.parse().context("DATABASE_URL cannot be read")?))),
            None => {
                let options = Options { purpose, durable: true };
                Ok(Self::Private(PrivatePostgres::start(&config.data_dir, options).await?))
            }
        }
    }

    fn options(&self) -> PgConnectOptions {
        match self {
            Self::Operators(options) => (**options).clone(),
            Self::Private(postgres) => postgres.connect_options(),
        }
    }

    async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Operators(_) => Ok(()),
            Self::Private(postgres) => Ok(postgres.stop().await?),
        }
    }
}

/// Says on standard error why it failed.
pub(crate) fn complain(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr(), "mission-control: {error:#}");
}
