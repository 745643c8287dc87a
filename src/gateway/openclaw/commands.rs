//! The sub-commands `openclaw check` and `openclaw init`. Neither needs a database or a network.

use std::io::Write;
use std::path::Path;

use anyhow::{bail, ensure};
use url::Url;

use super::finding::Findings;
use super::{InboundPolicy, Loaded, VoiceCall, load, public_url};
use crate::config::Environment;
use crate::phone::PhoneNumber;

/// The file that `init` prints, with addresses and numbers that are nobody's.
const EXAMPLE: &str = include_str!("../../../config/openclaw.example.json5");

/// What `init` may be told.
#[derive(Debug, Default, clap::Args)]
pub struct Init {
    /// The address that Twilio calls, such as <https://voice.acme.io/voice/webhook>.
    #[arg(long)]
    pub public_url: Option<String>,
    /// The account's number, in E.164; absent: `TWILIO_FROM_NUMBER` in the environment.
    #[arg(long)]
    pub from_number: Option<PhoneNumber>,
    /// A caller who hears the greeting; may be repeated. Absent: nobody may call.
    #[arg(long = "allow")]
    pub allow_from: Vec<PhoneNumber>,
}

/// Says everything that is wrong with a configuration, or what to do in Twilio's console. Fails if it cannot be served.
pub fn check(file: &Path, environment: &Environment, output: &mut impl Write) -> anyhow::Result<()> {
    let shown = file.display();
    match load(file, environment) {
        Ok(Loaded { voice_call, warnings }) => {
            for warning in &warnings {
                writeln!(output, "{warning:#}")?;
            }
            summary(&voice_call, output)?;
            writeln!(output, "{shown} can be served; {}.", counted(warnings.len(), "warning"))?;
            Ok(())
        }
        Err(findings) => {
            write!(output, "{findings}")?;
            let (errors, all) = (findings.errors(), findings.iter().count());
            bail!(
                "{shown} cannot be served: {}, {}.",
                counted(errors, "error"),
                counted(all.saturating_sub(errors), "warning")
            )
        }
    }
}

/// Prints a file that `check` accepts.
pub fn init(arguments: &Init, output: &mut impl Write) -> anyhow::Result<()> {
    let mut text = EXAMPLE.to_owned();
    if let Some(address) = &arguments.public_url {
        let url = checked(address)?;
        let path = format!("path: \"{}\"", public_url::normalised(url.path()));
        text = text.replace("path: \"/voice/webhook\"", &path);
        text = text.replace("https://voice.example.com/voice/webhook", url.as_str());
    }
    if let Some(number) = &arguments.from_number {
        text = text.replace("${TWILIO_FROM_NUMBER}", number.as_str());
    }
    if !arguments.allow_from.is_empty() {
        let callers: Vec<String> = arguments.allow_from.iter().map(|number| format!("\"{number}\"")).collect();
        text = text.replace("inboundPolicy: \"disabled\"", "inboundPolicy: \"allowlist\"");
        text = text.replace("allowFrom: []", &format!("allowFrom: [{}]", callers.join(", ")));
    }
    write!(output, "{text}")?;
    Ok(())
}

/// An address that `check` would accept.
fn checked(address: &str) -> anyhow::Result<Url> {
    let mut findings = Findings::default();
    let url = public_url::parse(address, "--public-url", &mut findings);
    let Some(url) = url.filter(|_| findings.errors() == 0) else { bail!(findings) };
    ensure!(public_url::is_path(url.path()), "--public-url has a path that could be written in more than one way.");
    Ok(url)
}

fn summary(voice_call: &VoiceCall, output: &mut impl Write) -> std::io::Result<()> {
    let (serve, url) = (&voice_call.serve, &voice_call.public_url);
    let callers = match voice_call.inbound_policy {
        InboundPolicy::Disabled => "nobody: every call is rejected".to_owned(),
        InboundPolicy::Allowlist => counted(voice_call.allow_from.len(), "number"),
        InboundPolicy::Open => "everybody".to_owned(),
    };
    writeln!(output, "Listens on {}:{} and serves POST {}, nothing else.", serve.bind, serve.port, serve.path)?;
    writeln!(output, "May call: {callers}.")?;
    writeln!(output, "In Twilio's console, at the number {}:", voice_call.from_number.masked())?;
    writeln!(output, "  A call comes in: Webhook, HTTP POST, {url}")?;
    writeln!(output, "  Call status changes: HTTP POST, {url}?type=status")
}

fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}
