//! What happened, append-only: who did what to which object, when and from where. A line is written in the
//! transaction of the change that it describes; sequence and hash are made by the table itself.
//!
//! Hot statements insert their line within their own SQL, so that asking and claiming stay one statement; everything
//! else calls [`record`].

mod list;
pub(crate) mod mask;
mod query;

// Whether it is as it was written.
pub mod checkpoint;
pub mod commands;
pub mod verify;

// How it is read: by programs, by people, as a table or a document.
pub(crate) mod api;
mod csv;
mod difference;
mod document;
pub(crate) mod export;
mod json;
mod pages;
pub(crate) mod views;
mod words;

use serde_json::Value;
use sqlx::PgConnection;

use crate::access::Routes;
use crate::id::{TokenId, UserId};

/// The routes of the page and of the API.
pub(crate) fn routes() -> Routes {
    Routes::new().merge(api::routes()).merge(pages::routes())
}

/// Who made a change: a person, a token acting for one, or a part of the service.
#[derive(Clone, Debug)]
pub struct Actor {
    /// How the line names them: an email address, or the part of the service.
    pub name: String,
    /// The person, if there is one.
    pub user: Option<UserId>,
    /// The token that acted for the person.
    pub token: Option<TokenId>,
    /// The address that the request came from.
    pub ip: Option<String>,
    /// The request's correlation id.
    pub correlation_id: Option<String>,
}

impl Actor {
    /// A part of the service, such as `dispatch` or `clock`.
    pub fn service(name: &str) -> Self {
        Self { name: name.to_owned(), user: None, token: None, ip: None, correlation_id: None }
    }

    /// Someone with a shell on the machine, using a sub-command.
    pub fn command_line() -> Self {
        Self::service("command line")
    }
}

/// A change of one object.
#[derive(Debug)]
pub struct Change<'a> {
    /// `subject/name`, for example `vault/twilio_auth_token`.
    pub object: String,
    /// What was done, for example `vault.set`.
    pub action: &'a str,
    /// Before and after, without any secret.
    pub details: Value,
}

/// Writes the line of a change, in the caller's transaction so that it cannot be forgotten afterwards.
pub async fn record(tx: &mut PgConnection, actor: &Actor, change: Change<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into audit_lines (object, actor, actor_id, token_id, action, ip, correlation_id, details)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        "#,
        change.object,
        actor.name,
        actor.user.map(|user| user.0),
        actor.token.map(|token| token.0),
        change.action,
        actor.ip,
        actor.correlation_id,
        change.details,
    )
    .execute(tx)
    .await?;
    Ok(())
}
