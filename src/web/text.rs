//! How times, numbers and texts are written on the pages.

use rlibphonenumber::{PhoneNumber, PhoneNumberFormat};
use time::{Duration, UtcDateTime, format_description::BorrowedFormatItem, macros::format_description};

const EXACT: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
const MACHINE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const CLOCK: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute]:[second]");
const MOMENT: &[BorrowedFormatItem<'_>] =
    format_description!("[day padding:none] [month repr:short], [hour]:[minute] UTC");
const DAY: &[BorrowedFormatItem<'_>] = format_description!("[day padding:none] [month repr:short] [year]");

/// How much of a message a list shows; the style sheet cuts it to the width, this bounds the page.
const FIRST_WORDS: usize = 160;

/// `2026-11-23 14:29:08 UTC`
pub(crate) fn exact(at: UtcDateTime) -> String {
    write(at, EXACT)
}

/// `2026-11-23T14:29:08Z`, for the `datetime` attribute.
pub(crate) fn machine(at: UtcDateTime) -> String {
    write(at, MACHINE)
}

/// `14:29:08`
pub(crate) fn clock(at: UtcDateTime) -> String {
    write(at, CLOCK)
}

/// `24 Nov, 14:29 UTC`
pub(crate) fn moment(at: UtcDateTime) -> String {
    write(at, MOMENT)
}

/// `Today`, `Yesterday`, or `21 Nov 2026`: the heading of a day.
pub(crate) fn day(at: UtcDateTime, now: UtcDateTime) -> String {
    let (day, today) = (at.date(), now.date());
    if day == today {
        "Today".to_owned()
    } else if today.previous_day() == Some(day) {
        "Yesterday".to_owned()
    } else {
        write(at, DAY)
    }
}

/// JSON as a person reads it.
pub(crate) fn pretty(raw: &serde_json::Value) -> String {
    format!("{raw:#}")
}

fn write(at: UtcDateTime, format: &[BorrowedFormatItem<'_>]) -> String {
    at.format(format).unwrap_or_else(|_| at.unix_timestamp().to_string())
}

/// `just now`, `4 min ago`, `2 h ago`, `3 days ago`, then the date. Clocks differ a little: the future is now.
pub(crate) fn ago(at: UtcDateTime, now: UtcDateTime) -> String {
    let passed = now - at;
    match passed.whole_minutes() {
        ..1 => "just now".to_owned(),
        minutes @ 1..60 => format!("{minutes} min ago"),
        minutes @ 60..1_440 => format!("{} h ago", minutes / 60),
        minutes @ 1_440..2_880 => format!("{} day ago", minutes / 1_440),
        minutes @ 2_880..10_080 => format!("{} days ago", minutes / 1_440),
        _ => write(at, DAY),
    }
}

/// `12 ms`, `4.1 s`, `1 min 35 s`, `23 h 55 min`, `3 days 2 h`: the two largest parts.
pub(crate) fn span(duration: Duration) -> String {
    let milliseconds = duration.whole_milliseconds().max(0);
    let seconds = milliseconds / 1_000;
    let pair = |large: i128, large_unit: &str, small: i128, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    };
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..10 if milliseconds % 1_000 >= 100 => {
            format!("{seconds}.{} s", milliseconds % 1_000 / 100)
        }
        1..60 => format!("{seconds} s"),
        60..3_600 => pair(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => pair(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => {
            let days = seconds / 86_400;
            pair(days, if days == 1 { "day" } else { "days" }, seconds % 86_400 / 3_600, "h")
        }
    }
}

/// `+1 415 555 0132`: grouped as people of that country read it.
pub(crate) fn phone(number: &str) -> String {
    parse(number).map_or_else(
        || number.to_owned(),
        |parsed| parsed.format_as(PhoneNumberFormat::International).replace(['-', '(', ')'], " "),
    )
}

/// `+1•••••0132`: the country and the last four digits, for people who may not see whom we write to.
pub(crate) fn masked_phone(number: &str) -> String {
    let country = parse(number).map_or_else(String::new, |parsed| parsed.country_code.to_string());
    let national = number.trim_start_matches('+').strip_prefix(&country).unwrap_or_default();
    // A short number shows less of itself, so that at least half of it stays hidden.
    let shown = (national.len() / 2).min(4);
    let tail = national.get(national.len() - shown..).unwrap_or_default();
    format!("+{country}•••••{tail}")
}

fn parse(number: &str) -> Option<PhoneNumber> {
    PhoneNumber::parse(number, None).ok()
}

/// A reason as a sentence, wherever it comes from: capital first, full stop last.
pub(crate) fn sentence(reason: &str) -> String {
    let reason = reason.trim();
    let mut letters = reason.chars();
    let mut sentence: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    if !sentence.is_empty() && !sentence.ends_with(['.', '!', '?', '…', '”', ')']) {
        sentence.push('.');
    }
    sentence
}

/// The start of a message on one line.
pub(crate) fn first_words(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(FIRST_WORDS) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

/// `c07e93d1aa54…f2b6`: enough of a digest to compare two by eye.
pub(crate) fn short_digest(digest: &str) -> String {
    match (digest.get(..12), digest.get(digest.len().saturating_sub(4)..)) {
        (Some(start), Some(end)) if digest.len() > 20 => format!("{start}…{end}"),
        _ => digest.to_owned(),
    }
}

/// `1 segment`, `2 segments`, `1,600 characters`: a count that agrees with its noun.
pub(crate) fn counted(count: i64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(count))
}

/// `1,284`, of what is never negative.
pub(crate) fn characters(count: u64) -> String {
    thousands(i64::try_from(count).unwrap_or(i64::MAX))
}

/// `1,284`
pub(crate) fn thousands(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let mut text = if count < 0 { "-".to_owned() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use time::macros::{datetime, utc_datetime};

    use super::*;

    const NOW: UtcDateTime = utc_datetime!(2026-11-23 14:33:00);

    #[test]
    fn times_are_written_in_utc_wherever_they_come_from() {
        let at = datetime!(2026-11-23 01:05:09 +5:30).to_utc();
        assert_eq!(exact(at), "2026-11-22 19:35:09 UTC");
        assert_eq!(machine(at), "2026-11-22T19:35:09Z");
        assert_eq!(clock(at), "19:35:09");
        assert_eq!(moment(at), "22 Nov, 19:35 UTC");
        assert_eq!(day(at, NOW), "Yesterday");
        assert_eq!(day(NOW, NOW), "Today");
        assert_eq!(day(utc_datetime!(2026-11-03 08:00), NOW), "3 Nov 2026");
    }

    #[test]
    fn distance_is_told_in_the_largest_unit() {
        for (passed, words) in [
            (Duration::seconds(-5), "just now"),
            (Duration::seconds(59), "just now"),
            (Duration::seconds(60), "1 min ago"),
            (Duration::minutes(59), "59 min ago"),
            (Duration::minutes(60), "1 h ago"),
            (Duration::hours(23), "23 h ago"),
            (Duration::hours(24), "1 day ago"),
            (Duration::days(6), "6 days ago"),
            (Duration::days(7), "16 Nov 2026"),
        ] {
            assert_eq!(ago(NOW - passed, NOW), words);
        }
    }

    #[test]
    fn spans_are_told_in_their_two_largest_parts() {
        for (duration, words) in [
            (Duration::milliseconds(-3), "0 ms"),
            (Duration::milliseconds(12), "12 ms"),
            (Duration::milliseconds(4_130), "4.1 s"),
            (Duration::milliseconds(4_030), "4 s"),
            (Duration::seconds(61), "1 min 1 s"),
            (Duration::seconds(95), "1 min 35 s"),
            (Duration::minutes(1_435), "23 h 55 min"),
            (Duration::hours(24), "1 day"),
            (Duration::hours(74), "3 days 2 h"),
        ] {
            assert_eq!(span(duration), words);
        }
    }

    #[test]
    fn numbers_are_grouped_as_their_country_does() {
        assert_eq!(phone("+14155550132"), "+1 415 555 0132");
        assert_eq!(phone("+447700900612"), "+44 7700 900612");
        assert_eq!(phone("not a number"), "not a number");
    }

    #[test]
    fn a_masked_number_shows_the_country_and_four_digits_at_most() {
        assert_eq!(masked_phone("+14155550132"), "+1•••••0132");
        assert_eq!(masked_phone("+447700900612"), "+44•••••0612");
        assert_eq!(masked_phone("+29021"), "+290•••••1");
        assert_eq!(masked_phone("?"), "+•••••");
    }

    #[test]
    fn a_reason_reads_as_a_sentence() {
        for (reason, sentence_of_it) in [
            ("the connection failed: closed early", "The connection failed: closed early."),
            ("Twilio refused it (21211)", "Twilio refused it (21211)"),
            (" Not wanted. ", "Not wanted."),
            ("über Nacht", "Über Nacht."),
            ("", ""),
        ] {
            assert_eq!(sentence(reason), sentence_of_it);
        }
    }

    #[test]
    fn first_words_are_one_short_line() {
        assert_eq!(first_words("  Hi\n\n Tom,\t13:00 "), "Hi Tom, 13:00");
        let cut = first_words(&"ä".repeat(FIRST_WORDS + 1));
        assert_eq!(cut.chars().count(), FIRST_WORDS + 1);
        assert!(cut.ends_with('…'));
    }

    #[test]
    fn a_digest_is_shortened_only_if_it_is_long() {
        assert_eq!(short_digest("c07e93d1aa54bbbbbbbbbbbbbbbbf2b6"), "c07e93d1aa54…f2b6");
        assert_eq!(short_digest("c07e"), "c07e");
        assert_eq!(short_digest("äöüäöüäöüäöüäöüäöü"), "äöüäöü…öü");
    }

    #[test]
    fn counts_agree_with_their_nouns() {
        assert_eq!(counted(1, "segment"), "1 segment");
        assert_eq!(counted(1_600, "character"), "1,600 characters");
        assert_eq!(thousands(-1_234_567), "-1,234,567");
        assert_eq!(thousands(0), "0");
    }
}
