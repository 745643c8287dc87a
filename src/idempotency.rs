//! The key that makes a repeated request a replay. One key, one operation, for good: the unique index of
//! `idempotency_keys` decides between concurrent callers, in the statement that creates the operation.
//!
//! Scope: the owner (the person, so that a new token opens no second send), the mode, the route and the key.

use axum::http::{HeaderMap, StatusCode};

use sqlx::PgPool;

use crate::clock::Clock;
use crate::config::Mode;
use crate::error::{FieldProblem, Problem};
use crate::id::UserId;

/// How long a key is remembered in days, and never less than its operation lives. After that it answers 410: it never
/// sends again.
pub const KEPT_DAYS: i32 = 30;

/// 1 to 255 printable characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// A key of ours, for a request that brought none.
    pub fn new_random() -> Self {
        Self(uuid::Uuid::new_v4().to_string())
    }

    /// Reads a key: bare, or as a quoted string of a structured field (RFC 8941).
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let key = match text.strip_prefix('"') {
            Some(quoted) => {
                unquote(quoted).ok_or("The quotes of the key do not match. Send it bare, or quoted as a whole.")?
            }
            None => text.to_owned(),
        };
        if !(1..=255).contains(&key.len()) {
            return Err("A key has 1 to 255 characters. A UUID does well.");
        }
        if !key.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return Err("A key has printable ASCII characters only. A UUID does well.");
        }
        Ok(Self(key))
    }

    /// The key that a request brings in `Idempotency-Key`, `X-Idempotency-Key` or its body. Two that differ are refused:
    /// whichever was meant, the other would be ignored in silence.
    pub fn of_request(headers: &HeaderMap, body: Option<&str>) -> Result<Option<Self>, Problem> {
        let mut found: Option<Self> = None;
        let in_headers = ["idempotency-key", "x-idempotency-key"]
            .into_iter()
            .flat_map(|name| headers.get_all(name).iter().map(move |value| (name, value.to_str().unwrap_or("\0"))));
        for (place, text) in in_headers.chain(body.map(|text| ("idempotencyKey", text))) {
            let key = Self::parse(text).map_err(|why| Problem::invalid_fields(vec![FieldProblem::new(place, why)]))?;
            if found.as_ref().is_some_and(|earlier| *earlier != key) {
                let detail = "The request brings two idempotency keys that differ. Send one.";
                return Err(Problem::new(StatusCode::BAD_REQUEST, "idempotency_keys_differ", detail));
            }
            found = Some(key);
        }
        Ok(found)
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A key in its scope, and the request that it is used for.
#[derive(Clone, Debug)]
pub struct KeyUse {
    /// The person who asks, or whose token does.
    pub owner: UserId,
    /// Keys of the sandbox are none in live mode.
    pub mode: Mode,
    /// The route's name, for example `twilio.send-sms`.
    pub route: &'static str,
    /// The key.
    pub key: IdempotencyKey,
    /// SHA-256 of the request as given.
    pub fingerprint: [u8; 32],
}

/// Counts a replay, for the page that shows it. Beside the answer: a replay changes nothing that is sent.
pub async fn count_replay(db: &PgPool, clock: &Clock, used: &KeyUse) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update idempotency_keys
        set replays = replays + 1, last_replayed_at = clock_timestamp() + $5::interval
        where owner = $1 and mode = $2 and route = $3 and key = $4
        "#,
        used.owner.0,
        used.mode.as_str(),
        used.route,
        used.key.as_str(),
        clock.offset(),
    )
    .execute(db)
    .await?;
    Ok(())
}

fn unquote(quoted: &str) -> Option<String> {
    let mut key = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '\\' => key.push(characters.next().filter(|next| matches!(next, '"' | '\\'))?),
            '"' => return characters.next().is_none().then_some(key),
            character => key.push(character),
        }
    }
}

/// 422: the key is taken by another request.
pub fn mismatch() -> Problem {
    let detail = "The earlier request with this key was another one. Use a new key, or send the same request.";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)
}

/// 410: the key was used long ago.
pub fn expired() -> Problem {
    let detail = "This key was used more than 30 days ago and never sends again. Use a new key for a new message.";
    Problem::new(StatusCode::GONE, "idempotency_key_expired", detail)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_form_of_a_key_is_that_key(key in "[!-~]([ -~]{0,253}[!-~])?", padding in "[ \t]{0,3}") {
            let quoted = format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""));
            let mut forms = vec![quoted.clone(), format!("{padding}{quoted}{padding}")];
            if !key.starts_with('"') {
                forms.extend([key.clone(), format!("{padding}{key}{padding}")]);
            }
            for form in forms {
                prop_assert_eq!(IdempotencyKey::parse(&form).map(|parsed| parsed.0), Ok(key.clone()), "{}", form);
            }
        }

        #[test]
        fn whatever_is_accepted_is_printable_and_short(text: String, bytes: Vec<u8>) {
            for text in [text, String::from_utf8_lossy(&bytes).into_owned()] {
                if let Ok(key) = IdempotencyKey::parse(&text) {
                    prop_assert!((1..=255).contains(&key.0.len()) && key.0.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
                }
            }
        }

        #[test]
        fn two_headers_agree_or_are_refused(first in "[a-z\"\\\\]{0,3}", second in "[a-z\"\\\\]{0,3}") {
            let mut headers = HeaderMap::new();
            headers.append("idempotency-key", HeaderValue::from_str(&first).expect("a value"));
            headers.append("x-idempotency-key", HeaderValue::from_str(&second).expect("a value"));
            let found = IdempotencyKey::of_request(&headers, None).ok().flatten();
            let (first, second) = (IdempotencyKey::parse(&first).ok(), IdempotencyKey::parse(&second).ok());
            prop_assert_eq!(found, first.filter(|first| Some(first) == second.as_ref()));
        }
    }

    #[test]
    fn bare_and_quoted_keys_are_the_same() {
        assert_eq!(IdempotencyKey::parse("k-1"), IdempotencyKey::parse("\"k-1\""));
        assert_eq!(IdempotencyKey::parse(r#""a\"b\\c""#).map(|key| key.0), Ok(r#"a"b\c"#.to_owned()));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "\"", "\"a", "\"a\"b", "ä", "a\tb", &"k".repeat(256), "\"\""] {
            assert!(IdempotencyKey::parse(text).is_err(), "{text:?}");
        }
        assert!(IdempotencyKey::parse(&"k".repeat(255)).is_ok());
    }

    #[test]
    fn two_keys_must_agree() {
        let mut headers = HeaderMap::new();
        assert_eq!(IdempotencyKey::of_request(&headers, None).expect("none"), None);
        headers.insert("idempotency-key", "\"k\"".parse().expect("a value"));
        headers.insert("x-idempotency-key", "k".parse().expect("a value"));
        let key = IdempotencyKey::of_request(&headers, Some("k")).expect("one key");
        assert_eq!(key.expect("a key").as_str(), "k");
        let refusal = IdempotencyKey::of_request(&headers, Some("other")).expect_err("two keys");
        assert_eq!(refusal.code, "idempotency_keys_differ");
    }
}
