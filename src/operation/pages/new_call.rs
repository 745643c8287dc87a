//! The form that asks for a call.

use super::ask::AskForm;
use crate::error::Result;
use crate::operation::views::new_call::{NewCallPage, Typed};
use crate::operation::views::terms::Terms;
use crate::visit::Visit;
use crate::web::frame::Place;

pub(super) async fn page(visit: &Visit, terms: Terms, form: AskForm) -> Result<NewCallPage> {
    Ok(NewCallPage {
        frame: visit.frame(Place::NewCall).await?,
        terms,
        typed: Typed {
            to: form.to,
            from: form.from,
            text: form.text,
            voice_id: form.voice_id,
            model_id: form.model_id,
            audio_url: form.audio_url,
            note: form.note,
        },
    })
}
