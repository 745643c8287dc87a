//! The form that asks for an SMS.

use super::ask::AskForm;
use crate::error::Result;
use crate::operation::views::checked::Checked;
use crate::operation::views::new_sms::NewSmsPage;
use crate::operation::views::terms::Terms;
use crate::visit::Visit;
use crate::web::frame::Place;

pub(super) async fn page(visit: &Visit, terms: Terms, form: AskForm, checked: Checked) -> Result<NewSmsPage> {
    Ok(NewSmsPage { frame: visit.frame(Place::NewSms).await?, terms, typed: form.typed(), checked })
}
