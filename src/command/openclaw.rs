//! `openclaw`: the configuration of Path B, looked at, written, and used to ask for a call. None needs a database.

use std::path::PathBuf;

use clap::Subcommand;
use mission_control::config::{Config, Environment};
use mission_control::gateway::openclaw::call::{self, Call};
use mission_control::gateway::openclaw::commands::{self, Init};

#[derive(Debug, Subcommand)]
pub(super) enum OpenclawCommand {
    /// Say everything that is wrong with an openclaw.json, and what to set in Twilio's console.
    Check {
        /// The openclaw.json.
        file: PathBuf,
    },
    /// Print an openclaw.json with what the gateway needs.
    Init(Init),
    /// Ask the running service for a call that plays a message; it goes out when a person has approved it.
    Call(Call),
}

pub(super) async fn run(command: &OpenclawCommand, config: &Config) -> anyhow::Result<()> {
    let mut output = std::io::stdout();
    match command {
        OpenclawCommand::Check { file } => commands::check(file, &Environment::of_process(), &mut output),
        OpenclawCommand::Init(arguments) => commands::init(arguments, &mut output),
        OpenclawCommand::Call(arguments) => call::ask(config, arguments, &Environment::of_process(), &mut output).await,
    }
}
