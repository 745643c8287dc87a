//! Which part of a clip is wanted, and whether the asker has it already (RFC 9110, sections 13 and 14).

use std::ops::Range;

use axum::http::{HeaderMap, HeaderName, header};
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem};

/// The one form of a date that servers write: `Sun, 06 Nov 1994 08:49:37 GMT`.
const DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// What a clip is known by to caches.
pub(super) struct Version {
    /// The strong validator, with its quotes.
    pub(super) etag: String,
    /// When it came to be, to the second.
    pub(super) modified: OffsetDateTime,
}

/// What is to be answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    Whole,
    /// This part; it is not empty and lies within.
    Part(Range<u64>),
    /// A part that lies outside.
    Outside,
    /// Nothing: the asker has this version.
    NotModified,
}

impl Version {
    pub(super) fn new(content_hash: &str, modified: OffsetDateTime) -> Self {
        Self { etag: format!("\"{content_hash}\""), modified: modified.replace_nanosecond(0).unwrap_or(modified) }
    }

    /// As `Last-Modified` says it.
    pub(super) fn last_modified(&self) -> String {
        self.modified.to_utc().format(DATE).unwrap_or_default()
    }

    /// What a request for something of this length is answered with. A HEAD asks for no part of it.
    pub(super) fn wanted(&self, headers: &HeaderMap, length: u64, is_head: bool) -> Wanted {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let is_known = if headers.contains_key(header::IF_NONE_MATCH) {
            headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|tags| {
                let mut tags = tags.split(',').map(str::trim);
                tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.etag)
            })
        } else {
            text(header::IF_MODIFIED_SINCE).and_then(date).is_some_and(|since| self.modified <= since)
        };
        if is_known {
            return Wanted::NotModified;
        }
        // Of another version the asker wants all, and not a part that fits nothing it has.
        let is_of_this_version = text(header::IF_RANGE)
            .is_none_or(|version| version == self.etag || date(version).is_some_and(|date| date == self.modified));
        match text(header::RANGE) {
            Some(range) if is_of_this_version && !is_head => part(range, length),
            _ => Wanted::Whole,
        }
    }
}

fn date(text: &str) -> Option<OffsetDateTime> {
    PrimitiveDateTime::parse(text, DATE).ok().map(PrimitiveDateTime::assume_utc)
}

/// Reads a range. What is none, or several at once, is answered with the whole, as the standard allows.
fn part(range: &str, length: u64) -> Wanted {
    let bounds = range.split_once('=').filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes"));
    let Some((first, last)) = bounds.and_then(|(_, bounds)| bounds.trim().split_once('-')) else {
        return Wanted::Whole;
    };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // More than fits is more than there is.
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (start, end) = match (first, number(first), last, number(last)) {
        (_, Some(first), "", _) => (first, length),
        (_, Some(first), _, Some(last)) if first <= last => (first, length.min(last.saturating_add(1))),
        ("", _, _, Some(count)) => (length.saturating_sub(count), length),
        _ => return Wanted::Whole,
    };
    if start < end { Wanted::Part(start..end) } else { Wanted::Outside }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn version() -> Version {
        Version::new("abc", datetime!(2026-11-23 08:49:37.5 UTC))
    }

    fn wanted(headers: &[(HeaderName, &str)]) -> Wanted {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value"))).collect();
        version().wanted(&headers, 100, false)
    }

    #[test]
    fn a_range_is_a_part_or_is_outside_or_is_none() {
        for (range, expected) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=0-", Wanted::Part(0..100)),
            ("bytes=10-19", Wanted::Part(10..20)),
            ("BYTES = 90-200", Wanted::Part(90..100)),
            ("bytes=99-18446744073709551616", Wanted::Part(99..100)),
            ("bytes=-1", Wanted::Part(99..100)),
            ("bytes=-500", Wanted::Part(0..100)),
            ("bytes=100-", Wanted::Outside),
            ("bytes=100-100", Wanted::Outside),
            ("bytes=18446744073709551616-", Wanted::Outside),
            ("bytes=-0", Wanted::Outside),
            ("bytes=5-4", Wanted::Whole),
            ("bytes=0-0,2-2", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes", Wanted::Whole),
            ("pages=1-2", Wanted::Whole),
        ] {
            assert_eq!(wanted(&[(header::RANGE, range)]), expected, "{range}");
        }
    }

    #[test]
    fn who_has_it_gets_nothing() {
        for tags in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert_eq!(wanted(&[(header::IF_NONE_MATCH, tags)]), Wanted::NotModified, "{tags}");
        }
        let same = "Mon, 23 Nov 2026 08:49:37 GMT";
        assert_eq!(version().last_modified(), same);
        assert_eq!(wanted(&[(header::IF_MODIFIED_SINCE, same)]), Wanted::NotModified);
        assert_eq!(wanted(&[(header::IF_MODIFIED_SINCE, "Mon, 23 Nov 2026 08:49:36 GMT")]), Wanted::Whole);
        assert_eq!(wanted(&[(header::IF_MODIFIED_SINCE, "yesterday")]), Wanted::Whole);
        // The tag is the better witness.
        let both = [(header::IF_NONE_MATCH, "\"x\""), (header::IF_MODIFIED_SINCE, same)];
        assert_eq!(wanted(&both), Wanted::Whole);
    }

    #[test]
    fn a_part_of_another_version_is_not_given() {
        let range = (header::RANGE, "bytes=1-2");
        for (of, expected) in [
            ("\"abc\"", Wanted::Part(1..3)),
            ("Mon, 23 Nov 2026 08:49:37 GMT", Wanted::Part(1..3)),
            ("W/\"abc\"", Wanted::Whole),
            ("\"x\"", Wanted::Whole),
            ("Mon, 23 Nov 2026 08:49:38 GMT", Wanted::Whole),
        ] {
            assert_eq!(wanted(&[range.clone(), (header::IF_RANGE, of)]), expected, "{of}");
        }
    }

    #[test]
    fn a_head_is_about_the_whole() {
        let headers = [(header::RANGE, "bytes=1-2".parse().expect("a value"))].into_iter().collect();
        assert_eq!(version().wanted(&headers, 100, true), Wanted::Whole);
    }
}
