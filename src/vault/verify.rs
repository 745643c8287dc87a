//! Whether the credentials in force work: read-only look-ups at Twilio, whose result is kept with exactly the versions
//! that were used. What is found here never sets the hold: only a refused send does.

use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::entries::Held;
use super::{Checked, Finding, TwilioCredentials, Vault, VaultError, VaultName, canary};
use crate::audit::{self, Actor, Change};
use crate::database;
use crate::twilio::Twilio;
use crate::twilio::account::{Capabilities, Unread};

/// The names of which the account is found out.
const PAIR: [VaultName; 2] = [VaultName::TwilioAccountSid, VaultName::TwilioAuthToken];

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Of account SID and auth token.
    pub account: Finding,
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

/// The stored version behind each of Twilio's values.
type Versions = [Option<i32>; 3];

impl Vault {
    /// Asks Twilio about the credentials in force. `None`: account SID or auth token is missing.
    pub async fn verify(&self, twilio: &Twilio, actor: &Actor) -> Result<Option<Verification>, VaultError> {
        let held = self.held().await?;
        let Some(credentials) = self.twilio_among(&held)? else { return Ok(None) };
        // At once: a slow answer to each must still fit into the time of one request.
        let (account, number) = tokio::join!(account(twilio, &credentials), number(twilio, &credentials));
        let number = if account.is_good() || number == Finding::NoNumber { number } else { Finding::NotChecked };
        self.note(versions(&held), account, number, actor).await.map(Some)
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
        account: Finding,
        number: Finding,
        actor: &Actor,
    ) -> Result<Verification, VaultError> {
        let mut tx = database::begin(&self.db).await?;
        // Whoever sets or removes a value waits for this lock.
        canary::lock(&mut tx, self.mode, &self.ring).await?;
        let is_outdated = versions(&self.held_in(&mut *tx).await?) != used;
        let mut kept_with = Vec::new();
        if !is_outdated {
            kept_with.extend(self.mark(&mut tx, &PAIR, account).await?);
            kept_with.extend(self.mark(&mut tx, &[VaultName::TwilioPhoneNumber], number).await?);
        }
        let [account_sid, auth_token, phone_number] = used;
        let details = json!({
            "mode": self.mode,
            "account": account.words(),
            "number": number.words(),
            "versions": {
                "twilio_account_sid": account_sid,
                "twilio_auth_token": auth_token,
                "twilio_phone_number": phone_number,
            },
            "kept_with": kept_with,
        });
        let object = "vault/twilio".to_owned();
        audit::record(&mut tx, actor, Change { object, action: "vault.verified", details }).await?;
        tx.commit().await?;
        let (found_account, found_number) = (account.as_str(), number.as_str());
        tracing::info!(event = "vault.verified", mode = %self.mode, found_account, found_number, "Twilio was asked");
        Ok(Verification { account, number, at: self.clock.now(), kept_with, is_outdated })
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

    /// Forgets what was found, because one of the pair changed: the finding was about both, and about that account's
    /// number.
    pub(super) async fn forget_findings(&self, tx: &mut PgConnection, changed: VaultName) -> sqlx::Result<()> {
        if !PAIR.contains(&changed) {
            return Ok(());
        }
        let names = VaultName::TWILIO.map(VaultName::as_str);
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
    VaultName::TWILIO.map(|name| held.iter().find(|held| held.is_current && held.name == name).map(|held| held.version))
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

async fn number(twilio: &Twilio, credentials: &TwilioCredentials) -> Finding {
    let Some(number) = &credentials.phone_number else { return Finding::NoNumber };
    match twilio.own_number(number, credentials).await {
        Ok(Some(Capabilities { sms: true, voice: true })) => Finding::Ready,
        Ok(Some(Capabilities { sms: false, voice: true })) => Finding::NoSms,
        Ok(Some(Capabilities { sms: true, voice: false })) => Finding::NoVoice,
        Ok(Some(Capabilities { sms: false, voice: false })) => Finding::NoSmsNoVoice,
        Ok(None) => Finding::NotOwned,
        Err(Unread::Unreachable) => Finding::Unreachable,
        Err(Unread::Refused { .. } | Unread::Unclear) => Finding::Unclear,
    }
}
