//! The pages of the settings that are about who is asking: people, API tokens and sessions.

mod people;
mod person;
mod sessions;
mod tokens;

use crate::access::Routes;

/// Longest name of a person or a token, in characters.
const LONGEST_NAME: usize = 80;

/// The routes of these pages, for those who sign in.
pub(crate) fn routes() -> Routes {
    Routes::new().merge(people::routes()).merge(person::routes()).merge(tokens::routes()).merge(sessions::routes())
}

/// A name as it is kept, or what to write instead.
fn name(typed: &str) -> Result<String, String> {
    let name = typed.trim();
    if name.is_empty() {
        return Err("There is no name. Write one that others recognise in lists.".to_owned());
    }
    if name.chars().count() > LONGEST_NAME {
        return Err(format!("The name is longer than {LONGEST_NAME} characters. Write a shorter one."));
    }
    if name.chars().any(char::is_control) {
        return Err("The name has characters that cannot be seen. Type it instead of pasting it.".to_owned());
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_short_visible_line() {
        assert_eq!(name(" Ada Lovelace "), Ok("Ada Lovelace".to_owned()));
        assert!(name(&"ä".repeat(LONGEST_NAME)).is_ok());
        for refused in ["", "  ", "a\nb", "a\u{7}b", &"a".repeat(LONGEST_NAME + 1)] {
            assert!(name(refused).is_err(), "{refused:?}");
        }
    }
}
