//! The form that asks for an SMS.

use super::ask::AskForm;
use crate::error::Result;
use crate::operation::segments::{Segments, first_outside_gsm};
use crate::operation::views::content::Content;
use crate::operation::views::new_sms::{NewSmsPage, Typed, Widest};
use crate::operation::views::terms::Terms;
use crate::visit::Visit;
use crate::web::frame::Place;

pub(super) async fn page(visit: &Visit, terms: Terms, form: AskForm) -> Result<NewSmsPage> {
    Ok(NewSmsPage {
        frame: visit.frame(Place::NewSms).await?,
        terms,
        size: size(&form.message),
        widest: widest(&form.message),
        typed: Typed { to: form.to, from: form.from, message: form.message, note: form.note },
    })
}

fn size(message: &str) -> Option<Content> {
    let segments = Segments::of(message);
    (!message.is_empty()).then(|| Content::Sms {
        message: message.to_owned(),
        segments: segments.count.into(),
        encoding: segments.encoding.to_string(),
    })
}

fn widest(message: &str) -> Option<Widest> {
    let character = first_outside_gsm(message)?;
    let position = message.chars().position(|one| one == character)? + 1;
    Some(Widest { character, position })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_character_that_costs_the_short_encoding_is_named() {
        let Some(Widest { character, position }) = widest("I’m here") else { panic!("one is outside") };
        assert_eq!((character, position), ('’', 2));
        assert!(widest("I'm here").is_none() && size("").is_none());
    }
}
