//! What `ElevenLabs` says of the account, for the page: all of it, or why not.

use std::sync::Arc;

use crate::config::Mode;
use crate::error::Result;
use crate::speech::catalogue::Offer;
use crate::speech::elevenlabs::{ElevenLabsError, Subscription};
use crate::state::AppState;

/// The account at `ElevenLabs` as far as it is known.
pub(super) enum Account {
    /// There is no key to ask with.
    NoKey,
    /// It was asked about.
    Asked {
        /// Its voices and models, or why they are not known.
        offer: Result<Arc<Offer>, ElevenLabsError>,
        /// Its characters, or why they are not known.
        subscription: Result<Subscription, ElevenLabsError>,
        /// An emulator answered.
        is_emulated: bool,
    },
}

impl Account {
    pub(super) fn offer(&self) -> Option<&Offer> {
        match self {
            Self::Asked { offer: Ok(offer), .. } => Some(offer),
            _ => None,
        }
    }
}

pub(super) async fn account(app: &AppState) -> Result<Account> {
    let Some(key) = app.vault.elevenlabs_key().await? else { return Ok(Account::NoKey) };
    // At once: a slow answer to each must still fit into the time of one request.
    let (offer, subscription) =
        tokio::join!(app.catalogue.offer(&app.elevenlabs, &key), app.elevenlabs.subscription(&key));
    Ok(Account::Asked { offer, subscription, is_emulated: app.config.mode == Mode::Sandbox })
}
