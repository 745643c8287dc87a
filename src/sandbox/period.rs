//! The filters by date that lists have: `DateSent`, `DateSent<` and `DateSent>`, or the same of another date.

use time::{Date, OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

use super::{answer::Refusal, api::ApiRequest};

/// The time that a request asks for by one date.
pub(super) struct Period {
    on: Option<Moments>,
    until: Option<Moments>,
    since: Option<Moments>,
}

impl Period {
    pub(super) fn of(request: &ApiRequest, date: &str) -> Result<Self, Refusal> {
        let moments = |operator: &str| {
            let text = request.query(&format!("{date}{operator}"));
            text.map(|text| Moments::parse(text).ok_or_else(|| Refusal::invalid(&format!("{date} {text}")))).transpose()
        };
        Ok(Self { on: moments("")?, until: moments("<")?, since: moments(">")? })
    }

    /// Whether it includes this time. What has not happened yet has no date, so no filter by date finds it.
    pub(super) fn includes(&self, at: Option<OffsetDateTime>) -> bool {
        let Some(at) = at else {
            return self.on.is_none() && self.until.is_none() && self.since.is_none();
        };
        self.on.as_ref().is_none_or(|day| day.first.date() == at.date())
            && self.until.as_ref().is_none_or(|day| at <= day.last)
            && self.since.as_ref().is_none_or(|day| at >= day.first)
    }
}

/// The time that one filter names: a whole day in GMT, or one instant.
struct Moments {
    first: OffsetDateTime,
    last: OffsetDateTime,
}

impl Moments {
    fn parse(text: &str) -> Option<Self> {
        if let Ok(day) = Date::parse(text, format_description!("[year]-[month]-[day]")) {
            let first = day.midnight().assume_utc();
            return Some(Self { first, last: first + time::Duration::DAY - time::Duration::NANOSECOND });
        }
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?.to_offset(time::UtcOffset::UTC);
        Some(Self { first: at, last: at })
    }
}
