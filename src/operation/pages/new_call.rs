//! The form that asks for a call.

use super::ask::AskForm;
use crate::error::Result;
use crate::operation::compose::speakers::speakers;
use crate::operation::views::checked::Checked;
use crate::operation::views::new_call::NewCallPage;
use crate::operation::views::terms::Terms;
use crate::speech::preparing::beside::Said;
use crate::visit::Visit;
use crate::web::frame::Place;

pub(super) async fn page(
    visit: &Visit,
    terms: Terms,
    form: AskForm,
    checked: Checked,
    heard: Option<Said>,
) -> Result<NewCallPage> {
    let (frame, speakers) = tokio::try_join!(visit.frame(Place::NewCall), speakers(&visit.app))?;
    Ok(NewCallPage { frame, terms, typed: form.typed(), checked, speakers, heard })
}
