//! The sentence that a choice is heard by: made once for each voice and model, and kept like the speech of a call.

use super::ADDRESS;
use crate::speech::preparing::beside::{self, Said};
use crate::state::AppState;

/// What is said.
pub(crate) const TEXT: &str = "Hello. This is how calls from text will sound.";

/// A sample that was asked for.
pub(crate) struct Sample {
    pub(super) said: Said,
    /// What was chosen on the form, to be shown again.
    query: String,
}

impl Sample {
    /// Where it is looked for once more.
    pub(super) fn again(&self) -> String {
        format!("{ADDRESS}?{}#sample", self.query)
    }
}

/// The sample of that name. What a call says is none, whoever names it.
pub(super) async fn find(app: &AppState, clip: &str, query: String) -> sqlx::Result<Option<Sample>> {
    if clip.is_empty() {
        return Ok(None);
    }
    Ok(beside::said(app, clip, TEXT).await?.map(|said| Sample { said, query }))
}
