//! What an SMS and a call are estimated to cost: prices that people write down, and sums of them without rounding.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A price in millionths of its currency's unit, so that sums are exact. Zero: nobody wrote one down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Price(u64);

/// Why a text is not a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Write a price such as 0.0079, with six decimals and 1000 at most, or leave it empty.")]
pub struct InvalidPrice;

/// Settings of the estimates; see `config/default.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Of one segment of an SMS.
    pub sms_segment: Price,
    /// Of one minute of a call.
    pub call_minute: Price,
    /// In which both are.
    pub currency: String,
}

/// The currencies that a price can be in.
pub(crate) const CURRENCIES: &[(&str, &str)] = &[
    ("USD", "USD, US dollar"),
    ("EUR", "EUR, euro"),
    ("GBP", "GBP, pound sterling"),
    ("AUD", "AUD, Australian dollar"),
    ("BRL", "BRL, Brazilian real"),
    ("CAD", "CAD, Canadian dollar"),
    ("CHF", "CHF, Swiss franc"),
    ("CZK", "CZK, Czech koruna"),
    ("DKK", "DKK, Danish krone"),
    ("HKD", "HKD, Hong Kong dollar"),
    ("INR", "INR, Indian rupee"),
    ("JPY", "JPY, yen"),
    ("MXN", "MXN, Mexican peso"),
    ("NOK", "NOK, Norwegian krone"),
    ("NZD", "NZD, New Zealand dollar"),
    ("PLN", "PLN, Polish zloty"),
    ("SEK", "SEK, Swedish krona"),
    ("SGD", "SGD, Singapore dollar"),
    ("ZAR", "ZAR, South African rand"),
];

const UNIT: u64 = 1_000_000;
const DECIMALS: usize = 6;
const HIGHEST: u64 = 1_000 * UNIT;

impl Price {
    /// Reads a decimal number. Nothing, and nought, are no price.
    pub fn parse(text: &str) -> Result<Self, InvalidPrice> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self(0));
        }
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let are_digits = [whole, decimals].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        if !are_digits || whole.len() > 4 || whole.is_empty() || decimals.len() > DECIMALS || text.ends_with('.') {
            return Err(InvalidPrice);
        }
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| InvalidPrice);
        let price = number(whole)? * UNIT + number(&format!("{decimals:0<DECIMALS$}"))?;
        if price > HIGHEST { Err(InvalidPrice) } else { Ok(Self(price)) }
    }

    /// The price of so many; `None` if there is none of one.
    pub(crate) fn times(self, count: u64) -> Option<Self> {
        (self.0 > 0).then_some(Self(self.0.saturating_mul(count)))
    }
}

impl fmt::Display for Price {
    /// With two decimals at least, and no zeros after them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:0DECIMALS$}", self.0 % UNIT);
        let (first, rest) = decimals.split_at(2);
        write!(f, "{}.{first}{}", self.0 / UNIT, rest.trim_end_matches('0'))
    }
}

impl TryFrom<String> for Price {
    type Error = InvalidPrice;

    fn try_from(text: String) -> Result<Self, InvalidPrice> {
        Self::parse(&text)
    }
}

impl From<Price> for String {
    fn from(price: Price) -> Self {
        if price.0 == 0 { Self::new() } else { price.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_read_and_written_exactly() {
        for (typed, written) in [
            ("0.0079", "0.0079"),
            (" 0.05 ", "0.05"),
            ("1", "1.00"),
            ("0.1", "0.10"),
            ("0.000001", "0.000001"),
            ("1000", "1000.00"),
            ("", ""),
            ("0", ""),
            ("0.00", ""),
        ] {
            assert_eq!(Price::parse(typed).map(String::from).as_deref(), Ok(written), "{typed}");
            assert_eq!(Price::parse(written), Price::parse(typed), "{typed}");
        }
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for typed in ["-1", "+1", "1,5", ".5", "1.", "0.0000001", "1e3", "NaN", "1000.01", "99999", "0x1", "1 2", "٣"]
        {
            assert_eq!(Price::parse(typed), Err(InvalidPrice), "{typed}");
        }
    }

    #[test]
    fn a_sum_is_not_rounded() {
        let segment = Price::parse("0.0079").expect("a price");
        assert_eq!(segment.times(2).map(|sum| sum.to_string()).as_deref(), Some("0.0158"));
        assert_eq!(segment.times(11).map(|sum| sum.to_string()).as_deref(), Some("0.0869"));
        assert_eq!(Price::default().times(2), None);
    }
}
