//! JSON5, as a tree. No `Debug`: a configuration holds secrets.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Most levels of objects and lists: a file of opening brackets must not exhaust the stack.
pub(super) const DEEPEST: usize = 64;

/// The entries of an object.
pub(super) type Map = BTreeMap<String, Node>;

/// A value of the document.
#[derive(Clone)]
pub(super) enum Node {
    Null,
    Flag(bool),
    Whole(i128),
    /// A number with a fraction, or none at all: nothing that is read here may be one.
    Fraction,
    Text(String),
    List(Vec<Node>),
    Map(Map),
}

impl Node {
    /// What it is, for a sentence.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Flag(_) => "a boolean",
            Self::Whole(_) => "a number",
            Self::Fraction => "a number with a fraction",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
        }
    }

    pub(super) fn map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// What stands at a key of an object.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.map()?.get(key)
    }
}

/// A document, and the paths of the keys that stand in it twice: the last one counts, as in JavaScript.
pub(super) struct Parsed {
    pub(super) root: Node,
    pub(super) duplicates: Vec<String>,
}

/// Reads a document. The error says where it cannot be read, and nothing of what stands there.
pub(super) fn parse(text: &str, path: &str, levels: usize) -> Result<Parsed, json5::Error> {
    let mut duplicates = Vec::new();
    let mut deserializer = json5::Deserializer::from_str(text);
    let root = Seed { levels, path, duplicates: &mut duplicates }.deserialize(&mut deserializer)?;
    // Whatever begins after it is too much; a seed without levels reads no further than its first character.
    let rest = Seed { levels: 0, path, duplicates: &mut Vec::new() }.deserialize(&mut deserializer);
    match rest {
        Err(error) if error.code() == Some(json5::ErrorCode::EofParsingValue) => Ok(Parsed { root, duplicates }),
        Err(error) => Err(error),
        Ok(_) => Err(json5::Error::new(json5::ErrorCode::TrailingCharacters)),
    }
}

/// The path of what stands at a key. Telephone numbers are masked, and what a terminal would obey is not repeated.
pub(super) fn child(path: &str, key: &str) -> String {
    let is_number = key.starts_with('+') && key.len() > 1 && key.bytes().skip(1).all(|byte| byte.is_ascii_digit());
    let shown: String =
        if is_number { crate::phone::mask(key) } else { key.escape_debug().take(LONGEST_KEY).collect() };
    if path.is_empty() { shown } else { format!("{path}.{shown}") }
}

/// Most characters of a key that are repeated.
const LONGEST_KEY: usize = 60;

/// Reads one value, so many levels deep.
struct Seed<'a> {
    levels: usize,
    path: &'a str,
    duplicates: &'a mut Vec<String>,
}

impl Seed<'_> {
    /// The levels that are left inside of an object or a list.
    fn deeper<E: serde::de::Error>(&self) -> Result<usize, E> {
        self.levels.checked_sub(1).ok_or_else(|| E::custom("more is there than one value of at most 64 levels"))
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node, E> {
        Ok(Node::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Whole(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Whole(number.into()))
    }

    /// `3e2` and `300.0` are the number 300.
    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        let whole = if number.fract() == 0.0 { format!("{number:.0}").parse().ok() } else { None };
        Ok(whole.map_or(Node::Fraction, Node::Whole))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let levels = self.deeper()?;
        let mut list = Vec::new();
        loop {
            let path = format!("{}[{}]", self.path, list.len());
            match items.next_element_seed(Seed { levels, path: &path, duplicates: self.duplicates })? {
                Some(item) => list.push(item),
                None => return Ok(Node::List(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let levels = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let path = child(self.path, &key);
            let value = entries.next_value_seed(Seed { levels, path: &path, duplicates: self.duplicates })?;
            if map.insert(key, value).is_some() {
                self.duplicates.push(path);
            }
        }
        Ok(Node::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Parsed, String> {
        parse(text, "", DEEPEST).map_err(|error| error.to_string())
    }

    #[test]
    fn what_json5_allows_is_read() {
        let text = "// a comment\n{ unquoted: 'single', \"hex\": 0x10, whole: 3e2, point: .5, many: [1, 2,], }\n";
        let Ok(Parsed { root, duplicates }) = parsed(text) else { panic!("refused") };
        assert!(matches!(root.get("unquoted"), Some(Node::Text(text)) if text == "single"));
        assert!(matches!(root.get("hex"), Some(Node::Whole(16))));
        assert!(matches!(root.get("whole"), Some(Node::Whole(300))));
        assert!(matches!(root.get("point"), Some(Node::Fraction)));
        assert!(matches!(root.get("many"), Some(Node::List(list)) if list.len() == 2));
        assert!(duplicates.is_empty());
    }

    #[test]
    fn the_last_of_two_keys_counts_and_is_told() {
        let Ok(Parsed { root, duplicates }) = parsed("{a: {b: 1, b: 2}, a: {b: 3}}") else { panic!("refused") };
        assert!(matches!(root.get("a").and_then(|a| a.get("b")), Some(Node::Whole(3))));
        assert_eq!(duplicates, ["a.b", "a"]);
    }

    #[test]
    fn an_error_says_where_and_repeats_nothing() {
        for text in ["{a: 'secret", "{a: secret}", "{a: 1} secret", "{a: 1} {b: 2}", "", "{a: 1}/*", "[1 secret]"] {
            let Err(error) = parsed(text) else { panic!("accepted: {text}") };
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn brackets_without_end_are_refused_before_the_stack_ends() {
        for bracket in ["[", "{a:", "[{a:"] {
            assert!(parsed(&bracket.repeat(100_000)).is_err());
            assert!(parsed(&format!("1 {}", bracket.repeat(100_000))).is_err());
        }
        assert!(parsed(&format!("{}{}", "[".repeat(DEEPEST), "]".repeat(DEEPEST))).is_ok());
    }

    #[test]
    fn a_path_obeys_no_terminal_and_masks_numbers() {
        assert_eq!(child("a", "\u{1b}[2J"), "a.\\u{1b}[2J");
        assert_eq!(child("numbers", "+14155550132"), "numbers.+1••••••0132");
    }
}
