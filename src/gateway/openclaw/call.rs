//! `openclaw call`: what `openclaw voicecall call --mode notify` is to the plugin. It places no call itself. It asks the
//! running service, so that a call by this door is approved, sent and followed as every other one.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Loaded, OutboundMode, load};
use crate::config::{Config, Environment};
use crate::phone::PhoneNumber;
use crate::verify::service::Service;

/// What is said, and to whom.
#[derive(Debug, clap::Args)]
pub struct Call {
    /// The openclaw.json, for `fromNumber` and `toNumber`.
    #[arg(long = "config", value_name = "FILE")]
    pub file: PathBuf,
    /// What is said.
    #[arg(long)]
    pub message: String,
    /// Who is called, in E.164; absent: `toNumber`.
    #[arg(long)]
    pub to: Option<PhoneNumber>,
    /// The idempotency key: with the same one, the same call is asked for once, however often this runs.
    #[arg(long)]
    pub key: Option<String>,
}

/// Asks for the call, and says where it is approved.
pub async fn ask(
    config: &Config,
    arguments: &Call,
    environment: &Environment,
    output: &mut impl Write,
) -> anyhow::Result<()> {
    let Loaded { voice_call, .. } = load(&arguments.file, environment)?;
    if voice_call.outbound.default_mode == OutboundMode::Conversation {
        bail!(
            "outbound.defaultMode is conversation, which Mission Control does not do. Set it to notify: the message is \
             played, then the call ends."
        );
    }
    let Some(to) = arguments.to.as_ref().or(voice_call.to_number.as_ref()) else {
        bail!("it is not said who is called. Give --to, or set toNumber in {}.", arguments.file.display());
    };
    let token = environment.secret("MISSION_CONTROL_TOKEN").context(
        "MISSION_CONTROL_TOKEN is not set. `mission-control token create --user EMAIL --scope operations:write` makes a token.",
    )?;
    let service = Service::new(config.public_url(config.listen).as_str(), &token, "gateway")?;
    service.ready().await?;
    let key = arguments.key.clone().unwrap_or_else(|| format!("openclaw-{}", Uuid::now_v7().simple()));
    let body = json!({ "to": to.as_str(), "from": voice_call.from_number.as_str(), "text": arguments.message });
    let operation = service.ask("make-call", &key, &body).await?;
    let said = |name: &str| operation[name].as_str().unwrap_or_default().to_owned();
    let again = if operation["replayed"] == Value::Bool(true) {
        " It was asked for before; nothing is sent twice."
    } else {
        ""
    };
    writeln!(output, "A call to {} is {}.{again}", to.masked(), said("state"))?;
    writeln!(output, "Approve and follow it: {}", said("approvalUrl"))?;
    writeln!(output, "Key: {key}")?;
    Ok(())
}
