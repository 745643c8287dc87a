//! What an operation is estimated to cost, by the prices in the settings. Twilio alone knows what it charges.

use std::fmt;

use crate::config::Prices;
use crate::operation::content::Kind;
use crate::web::text;

/// An estimate in words: by [`Display`](fmt::Display) as a sentence's part, and what it was reckoned from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Estimate {
    /// `0.0158 USD`, or `0.014 USD a minute`.
    pub(crate) amount: String,
    /// `2 segments at 0.0079 USD`.
    pub(crate) basis: String,
}

/// The cost of an SMS of so many segments, or of each minute of a call; `None` where no price is set. Segments do not
/// matter to a call.
pub(crate) fn estimate(prices: &Prices, kind: Kind, segments: i32) -> Option<Estimate> {
    let currency = &prices.currency;
    Some(match kind {
        Kind::Sms => {
            let count = u64::try_from(segments).ok()?;
            let (one, all) = (prices.sms_segment.times(1)?, prices.sms_segment.times(count)?);
            let basis = format!("{} at {one} {currency}", text::counted(segments.into(), "segment"));
            Estimate { amount: format!("{all} {currency}"), basis }
        }
        Kind::Call => {
            let minute = prices.call_minute.times(1)?;
            let basis = "Every minute that begins counts".to_owned();
            Estimate { amount: format!("{minute} {currency} a minute"), basis }
        }
    })
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "About {}, an estimate", self.amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Price;

    #[test]
    fn an_sms_costs_its_segments_and_a_call_its_minutes() {
        let price = |text| Price::parse(text).expect("a price");
        let prices = Prices { sms_segment: price("0.0079"), call_minute: price("0.014"), currency: "USD".to_owned() };
        let sms = estimate(&prices, Kind::Sms, 2).expect("an estimate");
        assert_eq!(sms.to_string(), "About 0.0158 USD, an estimate");
        assert_eq!(sms.basis, "2 segments at 0.0079 USD");
        let call = estimate(&prices, Kind::Call, 0).expect("an estimate");
        assert_eq!(call.to_string(), "About 0.014 USD a minute, an estimate");

        let none = Prices { sms_segment: price(""), call_minute: price("0"), ..prices };
        assert_eq!(estimate(&none, Kind::Sms, 2), None);
        assert_eq!(estimate(&none, Kind::Call, 0), None);
    }
}
