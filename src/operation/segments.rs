//! How many SMS segments a text takes (3GPP TS 23.038, and Twilio's segment calculator): 160 or 70 units alone, 153 or
//! 67 a part, and nothing that belongs together is cut in two.

use std::fmt;

/// The characters of the GSM 7-bit default alphabet, one septet each.
const GSM_BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

/// The characters of its extension table: an escape and a septet.
const GSM_EXTENDED: &str = "\u{c}^{}\\[~]|€";

/// How a text is written on the air.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, sqlx::Type)]
#[sqlx(type_name = "text")]
pub enum Encoding {
    /// Seven bits a character.
    #[serde(rename = "GSM-7")]
    #[sqlx(rename = "GSM-7")]
    Gsm7,
    /// Sixteen bits a character; one character outside GSM-7 makes the whole text so.
    #[serde(rename = "UCS-2")]
    #[sqlx(rename = "UCS-2")]
    Ucs2,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gsm7 => "GSM-7",
            Self::Ucs2 => "UCS-2",
        })
    }
}

/// What a text takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// How it is written.
    pub encoding: Encoding,
    /// How many parts it is sent in; an empty text takes one.
    pub count: u16,
}

impl Segments {
    /// Counts the segments of a text.
    pub fn of(text: &str) -> Self {
        Filling::of(text).segments()
    }
}

/// How a text lies in its segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filling {
    /// How it is written.
    pub encoding: Encoding,
    /// How many septets, or characters of sixteen bits, one segment holds.
    pub capacity: usize,
    /// How many of them each segment holds of the text; an empty text takes one segment.
    pub used: Vec<usize>,
}

impl Filling {
    /// Lays a text into segments.
    pub fn of(text: &str) -> Self {
        let encoding = if first_outside_gsm(text).is_none() { Encoding::Gsm7 } else { Encoding::Ucs2 };
        let (alone, part) = match encoding {
            Encoding::Gsm7 => (160, 153),
            Encoding::Ucs2 => (70, 67),
        };
        let units = units(text, encoding);
        let all = units.iter().sum::<usize>();
        if all <= alone {
            return Self { encoding, capacity: alone, used: vec![all] };
        }
        let (mut used, mut filled) = (Vec::new(), 0);
        for unit in units {
            if filled + unit > part {
                used.push(filled);
                filled = 0;
            }
            filled += unit;
        }
        used.push(filled);
        Self { encoding, capacity: part, used }
    }

    /// What the text takes.
    pub fn segments(&self) -> Segments {
        Segments { encoding: self.encoding, count: u16::try_from(self.used.len()).unwrap_or(u16::MAX) }
    }

    /// How much more the last segment holds.
    pub fn left(&self) -> usize {
        self.used.last().map_or(self.capacity, |used| self.capacity.saturating_sub(*used))
    }
}

/// The first character that forces sixteen bits on the whole text.
pub fn first_outside_gsm(text: &str) -> Option<char> {
    text.chars().find(|character| !GSM_BASIC.contains(*character) && !GSM_EXTENDED.contains(*character))
}

/// The lengths of what may not be cut in two: an escaped character, a surrogate pair, a grapheme cluster.
fn units(text: &str, encoding: Encoding) -> Vec<usize> {
    match encoding {
        Encoding::Gsm7 => text.chars().map(|character| if GSM_EXTENDED.contains(character) { 2 } else { 1 }).collect(),
        Encoding::Ucs2 => {
            use unicode_segmentation::UnicodeSegmentation as _;
            text.graphemes(true).map(|cluster| cluster.encode_utf16().count()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Vectors {
        vectors: Vec<Vector>,
    }

    #[derive(serde::Deserialize)]
    struct Vector {
        name: String,
        text: String,
        encoding: String,
        segments: u16,
        #[serde(default)]
        non_gsm: Vec<String>,
    }

    #[test]
    fn every_vector_of_twilios_calculator() {
        let vectors = include_str!("../../tests/data/segment_vectors.json");
        let vectors: Vectors = serde_json::from_str(vectors).expect("the vectors");
        assert!(vectors.vectors.len() > 20);
        for vector in vectors.vectors {
            let segments = Segments::of(&vector.text);
            if vector.name.starts_with("smart:") {
                // What SmartEncoded would make of it. We send with it off: the text that was approved goes out.
                assert_eq!(segments.encoding, Encoding::Ucs2, "{}", vector.name);
                continue;
            }
            assert_eq!(segments.count, vector.segments, "{}", vector.name);
            assert_eq!(segments.encoding.to_string(), vector.encoding, "{}", vector.name);
            assert_eq!(first_outside_gsm(&vector.text).is_some(), !vector.non_gsm.is_empty(), "{}", vector.name);
        }
    }

    #[test]
    fn the_longest_message_takes_eleven() {
        assert_eq!(Segments::of(&"a".repeat(1600)).count, 11);
    }

    #[test]
    fn what_belongs_together_is_not_cut() {
        for (text, capacity, used, left) in [
            (String::new(), 160, vec![0], 160),
            ("a".repeat(160), 160, vec![160], 0),
            ("a".repeat(161), 153, vec![153, 8], 145),
            // The euro sign is an escape and a septet.
            (format!("{}€{}", "a".repeat(152), "a".repeat(10)), 153, vec![152, 12], 141),
            ("я".repeat(70), 70, vec![70], 0),
            // A surrogate pair.
            (format!("{}😀{}", "я".repeat(66), "я".repeat(10)), 67, vec![66, 12], 55),
        ] {
            let filling = Filling::of(&text);
            assert_eq!((filling.capacity, &filling.used, filling.left()), (capacity, &used, left), "{text}");
        }
    }
}
