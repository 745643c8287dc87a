//! `verify`: the checklist before real use. One SMS and one call are asked for over HTTP, as any caller would; a person
//! approves them; both are followed to their end and asked for once more with the same keys. What must be true then is
//! printed line by line.

mod checklist;
pub(crate) mod service;

use std::io::Write;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::Instant;
use uuid::Uuid;

use self::checklist::{Checklist, Proof};
use self::service::Service;
use crate::audit::Actor;
use crate::auth::tokens::{self, NewToken};
use crate::auth::{EmailAddress, Role, Scope, TokenCache, users};
use crate::clock::Clock;
use crate::config::{Config, Mode};
use crate::id::TokenId;
use crate::operation::status::State;
use crate::phone::PhoneNumber;
use crate::speech::test_recording;

/// Who is reached in the sandbox, where nobody is.
const SANDBOX_RECIPIENT: &str = "+14155550132";

/// Between two looks at what became of them.
const LOOK: Duration = Duration::from_millis(500);

/// How long a report of delivery is awaited once Twilio has an SMS: some networks never send one.
const REPORT: Duration = Duration::from_mins(2);

/// What is to be verified, and how.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// The number that gets the SMS and the call: your own. Absent: `TEST_TO_NUMBER`, in the sandbox a made-up one.
    #[arg(long)]
    pub to: Option<PhoneNumber>,
    /// Who asks: the address of a person. Absent: the admin who is there longest.
    #[arg(long)]
    pub user: Option<EmailAddress>,
    /// Approve both right here instead of by a person. Only where tokens may decide, as in the sandbox.
    #[arg(long)]
    pub approve: bool,
    /// How many seconds to wait for the approvals and for Twilio's last word.
    #[arg(long, default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub wait: u64,
}

/// Works through the checklist against the running service. Fails if anything on it does not hold; what still waits for an
/// approval then is withdrawn.
pub async fn run(
    config: &Config,
    db: &PgPool,
    arguments: &Verify,
    interrupted: impl Future<Output = ()>,
    output: &mut impl Write,
) -> anyhow::Result<()> {
    let to = recipient(config, arguments)?;
    let owner = owner(db, arguments.user.clone()).await?;
    let base = config.public_url(config.listen);
    let (id, token) = own_token(db, owner.clone(), arguments.approve).await?;
    let service = Service::new(base.as_str(), &token, "api")?;
    writeln!(output, "Mission Control at {base}, {} mode. {owner} asks; {} is reached.", config.mode, to.masked())?;
    let recording = test_recording::address(&base);
    let verified = tokio::select! {
        verified = verify(&service, arguments, &to, &recording, output) => verified,
        () = interrupted => Err(anyhow::anyhow!("interrupted")),
    };
    if verified.is_err() {
        service.withdraw_all().await;
    }
    tokens::revoke(db, &Clock::System, &TokenCache::default(), &Actor::command_line(), id).await?;
    verified
}

async fn verify(
    service: &Service,
    arguments: &Verify,
    to: &PhoneNumber,
    recording: &str,
    output: &mut impl Write,
) -> anyhow::Result<()> {
    service.ready().await?;
    let before = service.log_events().await?;
    let text = "This is a test message from Mission Control. A person approved it, and it is sent once.";
    let requests = [
        ("send-sms", json!({ "to": to.as_str(), "message": text, "note": "Verification" })),
        ("make-call", json!({ "to": to.as_str(), "audioUrl": recording, "note": "Verification" })),
    ];
    let run = Uuid::now_v7().simple();
    let mut asked = Vec::new();
    for (route, body) in requests {
        let key = format!("verify-{run}-{route}");
        let operation = service.ask(route, &key, &body).await?;
        writeln!(output, "Asked ({route}). Approve it: {}", word(&operation["approvalUrl"]))?;
        asked.push((route, key, body, operation));
    }
    for (.., operation) in asked.iter().filter(|_| arguments.approve) {
        service.approve(operation).await?;
    }
    writeln!(output, "Waiting for both, at most {} s. Ctrl-C withdraws what is not approved.", arguments.wait)?;
    let deadline = Instant::now() + Duration::from_secs(arguments.wait);
    let mut proofs = Vec::new();
    for (route, key, body, operation) in asked {
        let id = word(&operation["operationId"]);
        let story = follow(service, id, deadline, output).await.with_context(|| format!("{route}, operation {id}"))?;
        let replay = service.ask(route, &key, &body).await?;
        // Once more: a replay that sent something would show in the attempts.
        let after = service.operation(id).await?;
        proofs.push(Proof { story, replay, after });
    }
    let after = service.log_events().await?;
    let checklist = Checklist::of(&proofs, &before, &after);
    write!(output, "\n{checklist}")?;
    ensure!(checklist.holds(), "something on the checklist does not hold");
    Ok(())
}

/// Waits for the last word on an operation.
async fn follow(service: &Service, id: &str, deadline: Instant, output: &mut impl Write) -> anyhow::Result<Value> {
    let mut shown = String::new();
    let mut accepted_at = None;
    loop {
        let story = service.operation(id).await?;
        let state = word(&story["state"]);
        if state != shown {
            writeln!(output, "  {} {id}: {state}", word(&story["kind"]))?;
            state.clone_into(&mut shown);
        }
        let Ok(state) = state.parse::<State>() else { bail!("the service speaks of a state {state:?}") };
        if state == State::Accepted {
            let since = *accepted_at.get_or_insert_with(Instant::now);
            if since.elapsed() > REPORT {
                return Ok(story);
            }
        }
        if state.is_final() || state == State::NeedsReview {
            return Ok(story);
        }
        ensure!(Instant::now() < deadline, "it is still {state}. Nothing is sent again; look at it on its page");
        tokio::time::sleep(LOOK).await;
    }
}

fn recipient(config: &Config, arguments: &Verify) -> anyhow::Result<PhoneNumber> {
    match (&arguments.to, &config.test_to_number, config.mode) {
        (Some(to), ..) => Ok(to.clone()),
        (None, Some(to), _) => PhoneNumber::parse(to).context("TEST_TO_NUMBER"),
        (None, None, Mode::Sandbox) => Ok(PhoneNumber::parse(SANDBOX_RECIPIENT)?),
        (None, None, Mode::Live) => bail!("say who is reached: --to with your own number, or TEST_TO_NUMBER"),
    }
}

async fn owner(db: &PgPool, wanted: Option<EmailAddress>) -> anyhow::Result<EmailAddress> {
    if let Some(email) = wanted {
        return Ok(email);
    }
    let email = users::first_enabled(db, Role::Admin).await?;
    let email = email.context("nobody is an admin: add one with `user add`, or say who asks with --user")?;
    email.parse().context("the admin's address")
}

/// A token of this run's own, which ends with it.
async fn own_token(db: &PgPool, owner: EmailAddress, approves: bool) -> anyhow::Result<(TokenId, SecretString)> {
    let mut scopes = vec![Scope::OperationsRead, Scope::OperationsWrite];
    scopes.extend(approves.then_some(Scope::ApprovalsWrite));
    let new = NewToken { owner, name: "verify".to_owned(), scopes, days: Some(1) };
    Ok(tokens::create(db, &Clock::System, &Actor::command_line(), new).await?)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
