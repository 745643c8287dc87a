//! The sandbox inside the service: it accepts the credentials in force, and reports to our own listener.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Starting;
use crate::sandbox::{self, Sandbox};
use crate::vault::Vault;

/// The embedded sandbox, which outlives the sends that it answers.
pub(super) struct Emulator {
    sandbox: Sandbox,
    tracker: TaskTracker,
    stopping: CancellationToken,
}

impl Emulator {
    /// What stands in for the addresses of Twilio and of `ElevenLabs`.
    pub(super) fn base_url(&self) -> String {
        self.sandbox.base_url()
    }

    /// Returns when nothing of it runs any more.
    pub(super) async fn stop(self) {
        self.stopping.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl Starting {
    pub(super) async fn embed_sandbox(&self, vault: &Vault) -> anyhow::Result<Emulator> {
        let (tracker, stopping) = (TaskTracker::new(), CancellationToken::new());
        let ours = SocketAddr::new(connectable(self.address.ip()), self.address.port());
        let options = sandbox::Options {
            listen: self.config.sandbox_listen,
            credentials: sandbox::CredentialSource::Dynamic(credentials_in(vault.clone())),
            elevenlabs_key: sandbox::KeySource::Dynamic(key_in(vault.clone())),
            journal: Some(self.config.data_dir.join("sandbox.jsonl")),
            callbacks_to: Some((self.public_url.to_string(), ours)),
            pace: self.pace,
        };
        let sandbox = sandbox::start(options, &tracker, stopping.clone()).await?;
        Ok(Emulator { sandbox, tracker, stopping })
    }
}

fn credentials_in(vault: Vault) -> sandbox::CredentialLookup {
    Arc::new(move || {
        let vault = vault.clone();
        Box::pin(async move {
            let credentials = vault.signing_account().await.map_err(|_| sandbox::NotKnown)?;
            Ok(credentials.map(|credentials| sandbox::Credentials {
                account_sid: credentials.account_sid,
                auth_token: credentials.auth_token,
                api_key: credentials.api_key.map(|key| (key.sid, key.secret)),
                numbers: credentials.phone_number.iter().map(ToString::to_string).collect(),
            }))
        })
    })
}

fn key_in(vault: Vault) -> sandbox::KeyLookup {
    Arc::new(move || {
        let vault = vault.clone();
        Box::pin(async move { vault.elevenlabs_key().await.map_err(|_| sandbox::NotKnown) })
    })
}

/// An address at which a listener on any address can be reached from here.
fn connectable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}
