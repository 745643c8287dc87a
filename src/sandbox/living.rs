//! What messages and calls have in common: what is remembered of them, and what their life asks of them.

use std::{fmt::Display, future::Future, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use time::OffsetDateTime;

use super::{
    api::ApiRequest,
    journal::Line,
    now,
    shelf::Shelf,
    state::{Shared, State},
};

/// What the sandbox remembers of everything that it accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Vitals<S> {
    pub(super) sid: String,
    pub(super) account_sid: String,
    pub(super) to: String,
    pub(super) from: String,
    pub(super) status_callback: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) accepted_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) updated_at: OffsetDateTime,
    pub(super) status: S,
    pub(super) error_code: Option<u32>,
    /// Its life is driven by hand from now on.
    pub(super) driven: bool,
    /// The present status needs no report any more. There is none of the first.
    pub(super) reported: bool,
    /// It is gone for those who ask, though it was accepted.
    #[serde(default)]
    pub(super) deleted: bool,
}

impl<S> Vitals<S> {
    /// Of something that is accepted now.
    pub(super) fn new(sid: String, request: &ApiRequest, to: &str, from: &str, status: S) -> Self {
        let at = now();
        Self {
            sid,
            account_sid: request.credentials.account_sid.clone(),
            to: to.to_owned(),
            from: from.to_owned(),
            status_callback: None,
            accepted_at: at,
            updated_at: at,
            status,
            error_code: None,
            driven: false,
            reported: true,
            deleted: false,
        }
    }
}

/// What lives on after its acceptance: a message or a call.
pub(super) trait Living: Clone + Into<Line> + Send + Sync + 'static {
    type Status: Copy + PartialEq + Display + Serialize + DeserializeOwned + Send + Sync;

    /// Its name in logs and in what the control endpoints say.
    const KIND: &'static str;

    /// Whether a port stays in the signed URL where that is https.
    const SIGNS_HTTPS_PORT: bool;

    fn vitals(&self) -> &Vitals<Self::Status>;
    fn vitals_mut(&mut self) -> &mut Vitals<Self::Status>;
    fn shelf(state: &State) -> &Shelf<Self>;
    fn shelf_mut(state: &mut State) -> &mut Shelf<Self>;

    /// The status after the present one, and the error that it brings; `None` where it rests.
    fn next(&self) -> Option<(Self::Status, Option<u32>)>;

    /// What a status that was just entered at this time brings, beside the vitals.
    fn settle_in(&mut self, at: OffsetDateTime);

    /// Whether the present status is one that its callback is told of.
    fn is_reportable(&self) -> bool {
        true
    }

    /// The parameters of the report of the present status.
    fn report(&self) -> Vec<(&'static str, String)>;

    /// How long the present status lasts at least.
    fn until_due(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether there is still something to do in the present status, which `occupy` then does.
    fn is_occupied(&self) -> bool {
        false
    }

    fn occupy(&self, _: &Shared) -> impl Future<Output = ()> + Send {
        async {}
    }
}
