//! The program: one sub-command for each thing that can be done on the machine itself.

mod command;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use mission_control::config::{Config, Environment};
use mission_control::{memory, telemetry};

/// Exit codes: 0 done, 1 failed, 2 wrong usage (from clap).
fn main() -> ExitCode {
    let command = command::Program::parse();
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            command::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(program: command::Program) -> anyhow::Result<()> {
    memory::keep_from_others().context("the memory of this process cannot be kept out of core dumps")?;
    let config = Config::load(&Environment::of_process())?;
    telemetry::start(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(program.run(config))
}
