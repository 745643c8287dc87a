//! Whether the credentials in force work: read-only look-ups at Twilio, whose result is kept with exactly the versions
//! that were used. What is found here never sets the hold: only a refused send does.

use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::credentials::KeyStanding;
use super::entries::Held;
use super::{Checked, Finding, TwilioCredentials, Vault, VaultError, VaultName, canary};
use crate::audit::{self, Actor, Change};
use crate::database;
use crate::error::Problem;
use crate::id::UserId;
use crate::rate;
use crate::twilio::Twilio;
use crate::twilio::account::{Capabilities, Unread};

/// How often a minute one person may have others asked, so that the button is no way to try out credentials.
const A_MINUTE: u32 = 6;

/// The names of which the account is found out.
const PAIR: [VaultName; 2] = [VaultName::TwilioAccountSid, VaultName::TwilioAuthToken];

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Of account SID and auth token.
    pub account: Finding,
    /// Of the API key, if there is one or a half.
    pub api_key: Option<Finding>,
    /// Of the phone number.
    pub number: Finding,
    /// When.
    pub at: OffsetDateTime,
    /// The entries with which the result is kept: a value that is not stored has no version to keep it with.
    pub kept_with: Vec<VaultName>,
    /// A value was replaced while Twilio was asked: the result is about the one before it, and kept nowhere.
    pub is_outdated: bool,
}

/// What the last verifications of the values in force found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastVerification {
    /// Of account SID and auth token.
    pub account: Option<Checked>,
    /// Of the phone number.
    pub number: Option<Checked>,
}

/// Everything that a request to Twilio is made with.
const USED: [VaultName; 5] = [
    VaultName::TwilioAccountSid,
    VaultName::TwilioAuthToken,
    VaultName::TwilioPhoneNumber,
    VaultName::TwilioApiKeySid,
    VaultName::TwilioApiKeySecret,
];

/// The stored version behind each of them.
type Versions = [Option<i32>; 5];

/// What was found at once.
#[derive(Clone, Copy)]
struct Found {
    account: Finding,
    api_key: Option<Finding>,
    number: Finding,
}

impl Vault {
    /// Counts a verification that somebody asks for, or says when to ask again.
    pub(super) fn admit_verification(&self, who: UserId) -> Result<(), Problem> {
        let admitted = self.verifications.admit(who, A_MINUTE, self.clock.now());
        admitted.map_err(|wait| rate::refused("You verify", A_MINUTE, wait))
    }

    /// Asks Twilio about the credentials in force. `None`: account SID or auth token is missing.
    pub async fn verify(&self, twilio: &Twilio, actor: &Actor) -> Result<Option<Verification>, VaultError> {
        let held = self.held().await?;
        let Some(by_token) = self.account_among(&held)? else { return Ok(None) };
        let key = self.api_key_among(&held)?;
        let is_half = matches!(key, KeyStanding::Half);
        let key = if let KeyStanding::Whole(key) = key { Some(key) } else { None };
        let credentials = TwilioCredentials { api_key: key, ..by_token.clone() };
        // At once: a slow answer to each must still fit into the time of one request. Of the account Twilio tells an API
        // key nothing, and signing needs the token anyway.
        let (account, key, number) =
            tokio::join!(account(twilio, &by_token), api_key(twilio, &credentials), number(twilio, &credentials),);
        let api_key = if is_half { Some(Finding::ApiKeyHalf) } else { key };
        let is_good = account.is_good() && api_key.is_none_or(Finding::is_good);
        let number = if is_good || number == Finding::NoNumber { number } else { Finding::NotChecked };
        self.note(versions(&held), Found { account, api_key, number }, actor).await.map(Some)
    }

    /// What was last found about the values in force, as far as these are stored.
    pub async fn last_verification(&self) -> Result<LastVerification, VaultError> {
        let held = self.held().await?;
        let last = |name| held.iter().find(|held| held.is_current && held.name == name)?.verified;
        Ok(LastVerification { account: PAIR.into_iter().find_map(last), number: last(VaultName::TwilioPhoneNumber) })
    }

    async fn note(
        &self,
        used: Versions,
        Found { account, api_key, number }: Found,
        actor: &Actor,
    ) -> Result<Verification, VaultError> {
        let mut tx = database::begin(&self.db).await?;
        // Whoever sets or removes a value waits for this lock.
        canary::lock(&mut tx, self.mode, &self.ring).await?;
        let is_outdated = versions(&self.held_in(&mut *tx).await?) != used;
        let mut kept_with = Vec::new();
        if !is_outdated {
            kept_with.extend(self.mark(&mut tx, &PAIR, account).await?);
            if let Some(api_key) = api_key {
                kept_with.extend(self.mark(&mut tx, &VaultName::API_KEY, api_key).await?);
            }
            kept_with.extend(self.mark(&mut tx, &[VaultName::TwilioPhoneNumber], number).await?);
        }
        let versions: serde_json::Map<String, serde_json::Value> =
            USED.into_iter().zip(used).map(|(name, version)| (name.as_str().to_owned(), json!(version))).collect();
        let details = json!({
            "mode": self.mode,
            "account": account.words(),
            "api_key": api_key.map(Finding::words),
            "number": number.words(),
            "versions": versions,
            "kept_with": kept_with,
        });
        let object = "vault/twilio".to_owned();
        audit::record(&mut tx, actor, Change { object, action: "vault.verified", details }).await?;
        tx.commit().await?;
        let (found_account, found_number) = (account.as_str(), number.as_str());
        tracing::info!(event = "vault.verified", mode = %self.mode, found_account, found_number, "Twilio was asked");
        Ok(Verification { account, api_key, number, at: self.clock.now(), kept_with, is_outdated })
    }

    /// Writes a finding to the current versions of these names, if it says something about them.
    pub(super) async fn mark(
        &self,
        tx: &mut PgConnection,
        names: &[VaultName],
        finding: Finding,
    ) -> sqlx::Result<Vec<VaultName>> {
        if !finding.is_kept() {
            return Ok(Vec::new());
        }
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        sqlx::query_scalar!(
            r#"
            update vault_entries
            set verified_at = clock_timestamp() + $4,
                verify_result = $3
            where mode = $1
                and name = any($2)
                and state = 'current'
            returning name as "name: VaultName"
            "#,
            self.mode.as_str(),
            &names as _,
            finding.as_str(),
            self.clock.offset(),
        )
        .fetch_all(tx)
        .await
    }

    /// Forgets what was found, because one of the pair or of the API key changed: the finding was about all that a request
    /// is made with, and about that account's number.
    pub(super) async fn forget_findings(&self, tx: &mut PgConnection, changed: VaultName) -> sqlx::Result<()> {
        if !PAIR.contains(&changed) && !VaultName::API_KEY.contains(&changed) {
            return Ok(());
        }
        let names = USED.map(VaultName::as_str);
        sqlx::query!(
            r#"
            update vault_entries
            set verified_at = null,
                verify_result = null
            where mode = $1
                and name = any($2)
                and verified_at is not null
            "#,
            self.mode.as_str(),
            names.as_slice() as _,
        )
        .execute(tx)
        .await?;
        Ok(())
    }
}

fn versions(held: &[Held]) -> Versions {
    USED.map(|name| held.iter().find(|held| held.is_current && held.name == name).map(|held| held.version))
}

async fn account(twilio: &Twilio, credentials: &TwilioCredentials) -> Finding {
    match twilio.account(credentials).await {
        Ok(account) => match (account.status.as_str(), account.kind.as_str()) {
            ("active", "Trial") => Finding::Trial,
            ("active", _) => Finding::Active,
            ("suspended", _) => Finding::Suspended,
            ("closed", _) => Finding::Closed,
            _ => Finding::Unclear,
        },
        Err(Unread::Refused { code: Some(10001 | 20005), .. }) => Finding::Suspended,
        Err(Unread::Refused { code: Some(20008), .. }) => Finding::TestCredentials,
        Err(Unread::Refused { status: 401 | 403, .. }) => Finding::Refused,
        Err(Unread::Refused { status: 404, .. }) => Finding::NoSuchAccount,
        Err(Unread::Unreachable) => Finding::Unreachable,
        Err(Unread::Refused { .. } | Unread::Unclear) => Finding::Unclear,
    }
}

/// Whether an API key is accepted, as far as that is found out by reading: a restricted key may send and read nothing.
async fn api_key(twilio: &Twilio, credentials: &TwilioCredentials) -> Option<Finding> {
    credentials.api_key.as_ref()?;
    let (messages, numbers) = tokio::join!(twilio.may_read_messages(credentials), twilio.may_read_numbers(credentials));
    Some(match (messages, numbers) {
        (Ok(()), Ok(())) => Finding::ApiKeyAccepted,
        (Ok(()), Err(Unread::Refused { .. })) | (Err(Unread::Refused { .. }), Ok(())) => Finding::ApiKeyLimited,
        (Err(Unread::Refused { status: 401 | 403, .. }), Err(Unread::Refused { status: 401 | 403, .. })) => {
            Finding::ApiKeyRefused
        }
        (Err(Unread::Unreachable), _) | (_, Err(Unread::Unreachable)) => Finding::Unreachable,
        _ => Finding::Unclear,
    })
}

async fn number(twilio: &Twilio, credentials: &TwilioCredentials) -> Finding {
    let Some(number) = &credentials.phone_number else { return Finding::NoNumber };
    match twilio.own_number(number, credentials).await {
        Ok(Some(Capabilities { sms: true, voice: true })) => Finding::Ready,
        Ok(Some(Capabilities { sms: false, voice: true })) => Finding::NoSms,
        Ok(Some(Capabilities { sms: true, voice: false })) => Finding::NoVoice,
        Ok(Some(Capabilities { sms: false, voice: false })) => Finding::NoSmsNoVoice,
        Ok(None) => Finding::NotOwned,
        Err(Unread::Refused { status: 401 | 403, .. }) if credentials.api_key.is_some() => Finding::NotReadable,
        Err(Unread::Unreachable) => Finding::Unreachable,
        Err(Unread::Refused { .. } | Unread::Unclear) => Finding::Unclear,
    }
}
