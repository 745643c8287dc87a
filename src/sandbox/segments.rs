//! How many SMS a text is cut into.
//!
//! Deliberately not the product's own counter: an emulator that shares it could not show its faults.

/// Characters that take one septet in GSM 03.38.
const GSM_BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

/// Characters that take two: an escape and themselves.
const GSM_EXTENDED: &str = "\u{c}^{}\\[~]|€";

/// The number of segments of `text`; an empty text is one.
pub(super) fn count(text: &str) -> usize {
    match text.chars().map(septets).collect::<Option<Vec<_>>>() {
        Some(widths) => fill(&widths, 160, 153),
        None => fill(&text.chars().map(char::len_utf16).collect::<Vec<_>>(), 70, 67),
    }
}

fn septets(character: char) -> Option<usize> {
    if GSM_BASIC.contains(character) { Some(1) } else { GSM_EXTENDED.contains(character).then_some(2) }
}

/// Fills segments from the left; a character of two units is never split between two segments.
fn fill(widths: &[usize], single: usize, part: usize) -> usize {
    if widths.iter().sum::<usize>() <= single {
        return 1;
    }
    let (segments, _) =
        widths.iter().fold(
            (1, 0),
            |(segments, used), width| {
                if used + width > part { (segments + 1, *width) } else { (segments, used + width) }
            },
        );
    segments
}

#[cfg(test)]
mod tests {
    use super::count;

    #[derive(serde::Deserialize)]
    struct Vectors {
        vectors: Vec<Vector>,
    }

    #[derive(serde::Deserialize)]
    struct Vector {
        name: String,
        text: String,
        segments: usize,
    }

    #[test]
    fn every_vector_of_twilios_calculator_is_counted_alike() {
        let vectors: Vectors = serde_json::from_str(include_str!("../../tests/data/segment_vectors.json"))
            .expect("the vectors are readable");
        for vector in vectors.vectors {
            assert_eq!(count(&vector.text), vector.segments, "{}", vector.name);
        }
    }

    #[test]
    fn a_character_of_two_units_is_not_split() {
        assert_eq!(count(&format!("{}€{}", "a".repeat(152), "b".repeat(152))), 3);
        assert_eq!(count(&format!("{}👍{}", "я".repeat(66), "я".repeat(66))), 3);
    }
}
