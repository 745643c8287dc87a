//! The first person: made at the first start, so that somebody can sign in and add the others.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;

use super::new_password::NewPassword;
use super::passwords::Passwords;
use super::users::{self, NewUser};
use super::{EmailAddress, Role};
use crate::audit::Actor;
use crate::clock::Clock;
use crate::database;
use crate::error::Result;

/// The address of the first admin.
pub const EMAIL: &str = "admin@localhost";

/// The file in the data folder that holds the first admin's password until they have signed in.
const FILE: &str = "initial-admin-password";

/// Advisory lock of those who look whether there are users: "first".
const LOCK: i64 = 0x66_69_72_73_74;

/// What the start found.
#[derive(Debug)]
pub enum FirstAdmin {
    /// Made just now.
    Made {
        /// To be shown on a terminal, and nowhere else.
        password: SecretString,
        /// Where the password stands.
        file: PathBuf,
    },
    /// Made at an earlier start; has not signed in yet.
    Waiting {
        /// Where the password stands.
        file: PathBuf,
    },
    /// Has not signed in yet, and the file is gone.
    PasswordLost,
    /// People sign in.
    NotNeeded,
}

impl FirstAdmin {
    /// What to tell whoever starts the service, without the password.
    pub fn sentence(&self) -> Option<String> {
        match self {
            Self::Made { file, .. } | Self::Waiting { file } => {
                Some(format!("Sign in as {EMAIL}; the password is in {}.", file.display()))
            }
            Self::PasswordLost => Some(format!(
                "{EMAIL} has never signed in, and the file with the password is gone. Make another one with `mission-control user reset-password --email {EMAIL}`."
            )),
            Self::NotNeeded => None,
        }
    }
}

/// Makes the first admin if there is nobody. Of several processes that start at once one makes it, and the file holds the
/// password whose hash is stored: both are written under one lock.
pub async fn ensure(db: &PgPool, clock: &Clock, passwords: &Passwords, data_dir: &Path) -> Result<FirstAdmin> {
    let file = data_dir.join(FILE);
    let mut tx = database::begin(db).await?;
    sqlx::query!("select pg_advisory_xact_lock($1)", LOCK).execute(&mut *tx).await?;
    let known = sqlx::query!(
        r#"
        select
            count(*) as "users!",
            coalesce(bool_or(email = $1 and last_sign_in_at is null and disabled_at is null), false) as "waiting!"
        from users
        "#,
        EMAIL,
    )
    .fetch_one(&mut *tx)
    .await?;
    if known.users > 0 {
        return Ok(match (known.waiting, file.exists()) {
            (true, true) => FirstAdmin::Waiting { file },
            (true, false) => FirstAdmin::PasswordLost,
            (false, _) => FirstAdmin::NotNeeded,
        });
    }
    let new = NewUser {
        email: EMAIL.parse::<EmailAddress>().context("the first admin's address")?,
        name: "First admin".to_owned(),
        role: Role::Admin,
        password: NewPassword::random()?,
        must_change_password: true,
    };
    let hash = passwords.hash(&new.password).await?;
    users::insert(&mut tx, clock, &Actor::service("first start"), &new, &hash).await?;
    // Before the commit: a password without an account is replaced at the next start, the reverse would lock us out.
    write(&file, new.password.secret()).with_context(|| format!("{} cannot be written", file.display()))?;
    tx.commit().await?;
    Ok(FirstAdmin::Made { password: new.password.into_secret(), file })
}

/// Whether nobody has signed in yet; the sign-in page then says where the first password is.
pub(super) async fn nobody_has_signed_in(db: &PgPool) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select not exists (select from users where last_sign_in_at is not null) as "nobody!""#)
        .fetch_one(db)
        .await
}

/// Removes the file once the first admin has signed in.
pub(super) async fn remove_password_file(data_dir: &Path, signed_in: &str) {
    if signed_in != EMAIL {
        return;
    }
    let file = data_dir.join(FILE);
    match tokio::fs::remove_file(&file).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            let file = file.display();
            tracing::warn!(event = "auth.password_file_left", %file, %error, "remove this file: it is not needed any more");
        }
        _ => {}
    }
}

/// Writes the file whole or not at all, for its owner alone.
fn write(file: &Path, password: &SecretString) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let draft = file.with_extension("new");
    // A draft that a killed process left behind would keep its own permissions.
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut written = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    #[expect(clippy::disallowed_methods, reason = "the first password has to reach a person")]
    writeln!(written, "{}", password.expose_secret())?;
    written.sync_all()?;
    std::fs::rename(&draft, file)?;
    std::fs::File::open(folder)?.sync_all()
}
