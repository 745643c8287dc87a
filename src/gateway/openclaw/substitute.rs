//! `${VAR}` in texts: replaced by the environment's variable. `$${VAR}` stands for `${VAR}` itself.

use crate::config::Environment;

/// A piece of a text.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Plain(&'a str),
    /// `${NAME}`
    Variable(&'a str),
    /// `$${NAME}`, which means the `${NAME}` that is given here.
    Escaped(&'a str),
}

/// Puts in the variables; fails with the names of those that are not set.
pub(super) fn substitute(text: &str, environment: &Environment) -> Result<String, Vec<String>> {
    let (mut whole, mut missing) = (String::with_capacity(text.len()), Vec::new());
    for piece in pieces(text) {
        match piece {
            Piece::Plain(text) | Piece::Escaped(text) => whole.push_str(text),
            Piece::Variable(name) => match environment.get(name) {
                Some(value) => whole.push_str(value),
                None => missing.push(name.to_owned()),
            },
        }
    }
    if missing.is_empty() { Ok(whole) } else { Err(missing) }
}

/// Whether a text takes anything from the environment.
pub(super) fn has_variable(text: &str) -> bool {
    pieces(text).iter().any(|piece| matches!(piece, Piece::Variable(_)))
}

/// Whether it is the name of a variable: `[A-Z_][A-Z0-9_]*`.
pub(super) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_uppercase() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        if !before.is_empty() {
            pieces.push(Piece::Plain(before));
        }
        if let Some((name, after)) = from.strip_prefix('$').and_then(variable) {
            pieces.push(Piece::Variable(name));
            rest = after;
        } else if let Some((_, after)) = from.strip_prefix("$$").and_then(variable) {
            pieces.push(Piece::Escaped(&from[1..from.len() - after.len()]));
            rest = after;
        } else {
            pieces.push(Piece::Plain("$"));
            rest = &from[1..];
        }
    }
    if !rest.is_empty() {
        pieces.push(Piece::Plain(rest));
    }
    pieces
}

/// The name in `{NAME}` at the beginning of a text, and what follows.
fn variable(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('{')?.split_once('}')?;
    is_name(name).then_some((name, after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A text in which every reference stands for itself.
    fn escaped(text: &str) -> String {
        pieces(text)
            .into_iter()
            .map(|piece| match piece {
                Piece::Plain(text) => text.to_owned(),
                Piece::Variable(name) => format!("$${{{name}}}"),
                Piece::Escaped(reference) => format!("$${reference}"),
            })
            .collect()
    }

    #[test]
    fn variables_are_put_in_and_escapes_are_not() {
        let environment = Environment::of([("TOKEN", "t"), ("_A1", "a"), ("HELD", "PLACEHOLDER_TOKEN")]);
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("${TOKEN}", "t"),
            ("<${TOKEN}${_A1}>", "<ta>"),
            ("$${TOKEN}", "${TOKEN}"),
            ("$$${TOKEN}", "$${TOKEN}"),
            ("${token} $TOKEN ${} ${TOKEN", "${token} $TOKEN ${} ${TOKEN"),
            ("${${TOKEN}}", "${t}"),
            ("ä${TOKEN}ö", "ätö"),
        ] {
            assert_eq!(substitute(text, &environment), Ok(expected.to_owned()), "{text}");
        }
        let missing = substitute("${NONE} ${TOKEN} ${HELD}", &environment);
        assert_eq!(missing, Err(vec!["NONE".to_owned(), "HELD".to_owned()]));
        assert!(has_variable("a${B}") && !has_variable("a$${B}") && !has_variable("$B"));
    }

    proptest! {
        #[test]
        fn an_escaped_text_stands_for_itself(text in "([$]|[{]|[}]|[A-Z]|[a-zä ]){0,40}") {
            prop_assert_eq!(substitute(&escaped(&text), &Environment::default()), Ok(text));
        }

        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            let _ = substitute(&text, &Environment::default());
        }
    }
}
