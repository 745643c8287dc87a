//! Help and runbook: what each state means, and what to do when something is wrong.

use askama::Template;

use super::{
    content::Kind,
    status::{STATES, Status},
};
use crate::web::frame::Frame;

#[derive(Template)]
#[template(path = "help.html")]
pub(crate) struct HelpPage {
    pub(crate) frame: Frame,
}

impl HelpPage {
    fn states() -> impl Iterator<Item = Status> {
        STATES.into_iter().map(|state| Status { kind: Kind::Sms, state: state.to_owned(), is_settled: false })
    }
}
