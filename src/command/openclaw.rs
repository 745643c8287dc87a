//! `openclaw`: the configuration of Path B, looked at and written. Neither needs a database.

use std::path::PathBuf;

use clap::Subcommand;
use mission_control::config::Environment;
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
}

pub(super) fn run(command: &OpenclawCommand) -> anyhow::Result<()> {
    let mut output = std::io::stdout();
    match command {
        OpenclawCommand::Check { file } => commands::check(file, &Environment::of_process(), &mut output),
        OpenclawCommand::Init(arguments) => commands::init(arguments, &mut output),
    }
}
