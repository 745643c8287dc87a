//! `mission-control user ...` and `mission-control token ...`, for whoever has a shell on the machine.

use std::io::{BufRead, Write};

use anyhow::Context as _;
use secrecy::ExposeSecret as _;
use sqlx::PgPool;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::second_factor::setting;
use super::tokens::{self, NewToken, Token};
use super::users::{self, Invitation, NewUser, User};
use super::{EmailAddress, NewPassword, Overlap, Passwords, Role, Scope, TokenCache, rotate, standing};
use crate::audit::Actor;
use crate::clock::Clock;
use crate::config::PublicUrl;
use crate::error::Error;
use crate::id::TokenId;
use crate::vault::Vault;

/// People who may sign in.
#[derive(Debug, clap::Subcommand)]
pub enum UserCommand {
    /// Add a person; prints a password unless one is brought.
    Add(AddUser),
    /// Invite a person; prints the link by which they choose their password, this once.
    Invite(InviteUser),
    /// Show everybody.
    List,
    /// Shut a person out: no signing in, no session, no token.
    Disable(DisableUser),
    /// Give a person another password, which they must change.
    ResetPassword(ResetPassword),
}

/// Who is to be added.
#[derive(Debug, clap::Args)]
pub struct AddUser {
    /// How the person signs in.
    #[arg(long)]
    pub email: EmailAddress,
    /// viewer, operator, approver or admin.
    #[arg(long)]
    pub role: Role,
    /// How pages call the person; the address if absent.
    #[arg(long)]
    pub name: Option<String>,
    /// Read the password from the standard input; it need not be changed.
    #[arg(long)]
    pub password_stdin: bool,
}

/// Who is to be invited.
#[derive(Debug, clap::Args)]
pub struct InviteUser {
    /// How the person will sign in.
    #[arg(long)]
    pub email: EmailAddress,
    /// How pages call the person.
    #[arg(long)]
    pub name: String,
    /// viewer, operator, approver or admin.
    #[arg(long)]
    pub role: Role,
}

/// Whose second factor is to be removed.
#[derive(Debug, clap::Args)]
pub struct ResetSecondFactor {
    /// The person's address.
    #[arg(long)]
    pub email: EmailAddress,
}

/// Who is to be disabled.
#[derive(Debug, clap::Args)]
pub struct DisableUser {
    /// The person's address.
    #[arg(long)]
    pub email: EmailAddress,
}

/// Whose password is to be replaced.
#[derive(Debug, clap::Args)]
pub struct ResetPassword {
    /// The person's address.
    #[arg(long)]
    pub email: EmailAddress,
    /// Read the password from the standard input instead of printing a random one.
    #[arg(long)]
    pub password_stdin: bool,
}

/// API tokens.
#[derive(Debug, clap::Subcommand)]
pub enum TokenCommand {
    /// Make a token; prints it, and nothing else, this once.
    Create(CreateToken),
    /// Show all tokens, without what they are.
    List,
    /// Make another in the place of one, with the same name, scopes and lifetime; prints it, and nothing else, this once.
    Rotate(RotateToken),
    /// End a token for good.
    Revoke(RevokeToken),
}

/// What a token is to be.
#[derive(Debug, clap::Args)]
pub struct CreateToken {
    /// For whom it acts: the address of a person.
    #[arg(long)]
    pub user: EmailAddress,
    /// operations:read, operations:write, approvals:write, vault:write or audit:read; may be repeated.
    #[arg(long = "scope", required = true)]
    pub scopes: Vec<Scope>,
    /// What to call it in lists.
    #[arg(long, default_value = "token")]
    pub name: String,
    /// After how many days it ends; absent: when it is revoked.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub expires_in_days: Option<u32>,
}

/// Which token is to be replaced.
#[derive(Debug, clap::Args)]
pub struct RotateToken {
    /// Its id, as `token list` shows it.
    pub id: TokenId,
    /// How long the old one goes on: 0, or a number with m, h or d, 30d at most.
    #[arg(long, default_value = "24h")]
    pub overlap: Overlap,
}

/// Which token is to end.
#[derive(Debug, clap::Args)]
pub struct RevokeToken {
    /// Its id, as `token list` shows it.
    pub id: TokenId,
}

/// What the sub-commands of people work on.
pub struct Tools<'a> {
    /// The database.
    pub db: &'a PgPool,
    /// The time.
    pub clock: &'a Clock,
    /// Hashes passwords.
    pub passwords: &'a Passwords,
    /// Where links lead.
    pub public_url: &'a PublicUrl,
}

/// Carries out `user ...`.
pub async fn user(
    Tools { db, clock, passwords, public_url }: Tools<'_>,
    command: UserCommand,
    mut input: impl BufRead,
    mut output: impl Write,
) -> anyhow::Result<()> {
    let (actor, cache) = (Actor::command_line(), TokenCache::default());
    match command {
        UserCommand::Add(wanted) => {
            let password = password(wanted.password_stdin, &wanted.email, &mut input)?;
            let printed = (!wanted.password_stdin).then(|| password.secret().clone());
            let new = NewUser {
                name: wanted.name.unwrap_or_else(|| wanted.email.to_string()),
                email: wanted.email,
                role: wanted.role,
                password,
                must_change_password: printed.is_some(),
            };
            users::add(db, clock, passwords, &actor, new).await.map_err(told)?;
            if let Some(password) = printed {
                print(&mut output, &password)?;
            }
        }
        UserCommand::Invite(InviteUser { email, name, role }) => {
            let invitation = Invitation { email, name, role };
            let (_, link) = users::invite(db, clock, passwords, &actor, &invitation).await.map_err(told)?;
            print(&mut output, &link.address(public_url))?;
        }
        UserCommand::List => {
            for user in users::list(db).await? {
                writeln!(output, "{}", user_line(&user)?)?;
            }
        }
        UserCommand::Disable(DisableUser { email }) => {
            let disabled = standing::disable(db, clock, &cache, &actor, &email).await.map_err(told)?;
            writeln!(output, "{email} is disabled{}", if disabled { "" } else { " already" })?;
        }
        UserCommand::ResetPassword(ResetPassword { email, password_stdin }) => {
            let password = password(password_stdin, &email, &mut input)?;
            users::reset_password(db, passwords, &cache, &actor, &email, &password, None).await.map_err(told)?;
            if !password_stdin {
                print(&mut output, password.secret())?;
            }
        }
    }
    Ok(())
}

/// Carries out `user reset-second-factor`.
pub async fn reset_second_factor(
    db: &PgPool,
    vault: &Vault,
    ResetSecondFactor { email }: ResetSecondFactor,
    mut output: impl Write,
) -> anyhow::Result<()> {
    let (actor, cache) = (Actor::command_line(), TokenCache::default());
    let reset = setting::reset(db, vault, &cache, &actor, &email).await.map_err(told)?;
    let said = if reset { "has no second factor any more" } else { "has no second factor" };
    Ok(writeln!(output, "{email} {said}")?)
}

/// Carries out `token ...`.
pub async fn token(db: &PgPool, clock: &Clock, command: TokenCommand, mut output: impl Write) -> anyhow::Result<()> {
    let actor = Actor::command_line();
    match command {
        TokenCommand::Create(wanted) => {
            let CreateToken { user: owner, scopes, name, expires_in_days: days } = wanted;
            let new = NewToken { owner, name, scopes, days };
            let (_, token) = tokens::create(db, clock, &actor, new).await.map_err(told)?;
            print(&mut output, &token)?;
        }
        TokenCommand::List => {
            let now = clock.now();
            for token in tokens::list(db).await? {
                writeln!(output, "{}", token_line(&token, now)?)?;
            }
        }
        TokenCommand::Rotate(RotateToken { id, overlap }) => {
            let cache = TokenCache::default();
            let rotated = rotate(db, clock, &cache, &actor, (id, TokenId::new()), overlap).await.map_err(told)?;
            print(&mut output, &rotated.token)?;
        }
        TokenCommand::Revoke(RevokeToken { id }) => {
            let revoked = tokens::revoke(db, clock, &TokenCache::default(), &actor, id).await.map_err(told)?;
            writeln!(output, "{id} is revoked{}", if revoked { "" } else { " already" })?;
        }
    }
    Ok(())
}

/// A password from the input's first line, or a random one.
fn password(from_input: bool, email: &EmailAddress, input: &mut impl BufRead) -> anyhow::Result<NewPassword> {
    if !from_input {
        return NewPassword::random();
    }
    let mut line = String::new();
    input.read_line(&mut line).context("the password cannot be read from the standard input")?;
    let text = line.trim_end_matches(['\r', '\n']);
    Ok(NewPassword::choose(text.into(), email)?)
}

/// Prints a secret alone on its line, so that a script can take it over.
fn print(output: &mut impl Write, secret: &secrecy::SecretString) -> anyhow::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "shown once to the one who has it made")]
    writeln!(output, "{}", secret.expose_secret())?;
    Ok(())
}

fn user_line(user: &User) -> anyhow::Result<String> {
    let state = match (user.disabled_at, user.invited_at, user.must_change_password) {
        (Some(_), ..) => "disabled",
        (None, Some(_), _) => "invited",
        (None, None, true) => "must change password",
        (None, None, false) => "enabled",
    };
    let seen = user.last_sign_in_at.map_or(Ok("never".to_owned()), minute)?;
    Ok(format!("{:<32} {:<9} {state:<21} last sign-in {seen}  {}", user.email, user.role, user.name))
}

fn token_line(token: &Token, now: OffsetDateTime) -> anyhow::Result<String> {
    let state = match (token.revoked_at, token.expires_at) {
        (Some(_), _) => "revoked".to_owned(),
        (None, Some(end)) if end <= now => "expired".to_owned(),
        (None, Some(end)) => format!("until {}", minute(end)?),
        (None, None) => "valid".to_owned(),
    };
    let used = token.last_used_at.map_or(Ok("never".to_owned()), minute)?;
    let replaced = token.replaced_by.as_ref().map_or_else(String::new, |by| format!(", replaced by …{by}"));
    let (scopes, hint) = (token.scopes.join(","), &token.hint);
    Ok(format!("{} …{hint} {} {:?} {scopes} {state}, last used {used}{replaced}", token.id, token.owner, token.name))
}

fn minute(at: OffsetDateTime) -> anyhow::Result<String> {
    Ok(at.replace_second(0)?.replace_nanosecond(0)?.format(&Rfc3339)?)
}

/// What went wrong, for a person at a terminal.
fn told(error: Error) -> anyhow::Error {
    match error {
        Error::Problem(problem) => anyhow::Error::msg(problem.detail),
        Error::Internal(error) => error,
    }
}
