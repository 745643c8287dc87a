//! The same request as a program would send it: for curl, for `HTTPie` and for `fetch`. Whatever a text holds, it stays text
//! when the line is pasted.

use std::fmt::Write as _;

use serde_json::Value;

use crate::config::PublicUrl;
use crate::operation::content::Kind;
use crate::operation::store::Operation;

/// Lines to paste. The token is a variable, so that it stands in no history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commands {
    pub(crate) curl: String,
    pub(crate) httpie: String,
    pub(crate) fetch: String,
}

/// The idempotency key of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Key<'a> {
    /// This one.
    Given(&'a str),
    /// A new one, which whoever pastes the line puts into the variable `MC_KEY`.
    Theirs,
}

impl Commands {
    pub(crate) fn of(public_url: &PublicUrl, kind: Kind, body: &Value, key: Key<'_>) -> Self {
        let address = public_url.join(match kind {
            Kind::Sms => "/api/twilio/send-sms",
            Kind::Call => "/api/twilio/make-call",
        });
        let body = visible(&body.to_string());
        let (url, json) = (quoted(&address), quoted(&body));
        let key_line = match key {
            Key::Given(key) => quoted(&format!("Idempotency-Key: {key}")),
            Key::Theirs => "\"Idempotency-Key: $MC_KEY\"".to_owned(),
        };
        let key_name = match key {
            Key::Given(key) => visible(&Value::from(key).to_string()),
            Key::Theirs => "process.env.MC_KEY".to_owned(),
        };
        let header = "\"Authorization: Bearer $MC_TOKEN\"";
        // `HTTPie` reads name:value as a header; a space after the colon would belong to the value.
        let [httpie_header, httpie_key] = [header, &key_line].map(|line| line.replacen(": ", ":", 1));
        Self {
            curl: format!("curl {url} \\\n  -H {header} \\\n  -H {key_line} \\\n  --json {json}"),
            // As raw JSON: in its own fields a text that begins with @ would be a file.
            httpie: format!(
                "http --ignore-stdin POST {url} \\\n  {httpie_header} \\\n  {httpie_key} \\\n  Content-Type:application/json \\\n  --raw {json}"
            ),
            fetch: format!(
                "await fetch({}, {{\n  method: \"POST\",\n  headers: {{\n    \"Authorization\": `Bearer ${{process.env.MC_TOKEN}}`,\n    \"Idempotency-Key\": {key_name},\n    \"Content-Type\": \"application/json\",\n  }},\n  body: JSON.stringify({body}),\n}});",
                Value::from(address.as_str()),
            ),
        }
    }

    /// The request that asks once more for what an operation asked for.
    pub(crate) fn again(public_url: &PublicUrl, operation: &Operation) -> Self {
        let Operation { to_number, from_number, message, audio_url, speech_text, voice_id, model_id, note, .. } =
            operation;
        let members = [
            ("to", Some(to_number)),
            ("from", Some(from_number)),
            ("message", message.as_ref()),
            ("audioUrl", audio_url.as_ref()),
            ("text", speech_text.as_ref()),
            ("voiceId", voice_id.as_ref()),
            ("modelId", model_id.as_ref()),
            ("note", note.as_ref()),
        ];
        let given =
            members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?.as_str()))));
        Self::of(public_url, operation.kind, &Value::Object(given.collect()), Key::Theirs)
    }

    /// Each with its name and the id of its place.
    pub(crate) fn all(&self) -> [(&'static str, &'static str, &str); 3] {
        [
            ("curl", "command-curl", &self.curl),
            ("HTTPie", "command-httpie", &self.httpie),
            ("fetch", "command-fetch", &self.fetch),
        ]
    }
}

/// One word of a POSIX shell: nothing between single quotes means anything, and a single quote stands outside of them.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// JSON in which nothing is invisible or changes the direction of what follows: what is pasted is what is seen.
fn visible(json: &str) -> String {
    json.chars().fold(String::with_capacity(json.len()), |mut made, character| {
        let is_seen = !character.is_control()
            && !matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if is_seen {
            made.push(character);
        } else {
            // All of them stand in the basic plane.
            let _ = write!(made, "\\u{:04x}", u32::from(character));
        }
        made
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::json;

    use super::*;

    /// What a shell must not touch.
    const TEXTS: [&str; 12] = [
        "It's \"quoted\"",
        "'; rm -rf / #",
        "$(id) `id` ${HOME} $HOME",
        "back\\slash \\n \\' \\\\",
        "one\ntwo\r\nthree\ttab",
        "@/etc/passwd",
        "!! !history",
        "Grüße 😀 👩\u{200d}👧 日本",
        "\u{202e}reversed\u{2028}\u{feff}",
        "\u{1b}[31mred\u{7f}\u{85}",
        "-n --help",
        "''''",
    ];

    fn commands(message: &str, key: Key<'_>) -> Commands {
        let public_url = PublicUrl::parse("https://mission.example").expect("an address");
        Commands::of(&public_url, Kind::Sms, &json!({ "to": "+14155550132", "message": message }), key)
    }

    /// The words that a shell makes of a line, whose program is replaced by one that prints them.
    fn words(line: &str) -> Vec<String> {
        let (_, arguments) = line.split_once(' ').expect("arguments");
        let script = format!("printf '%s\\0' {arguments}");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).env_clear().env("MC_TOKEN", "secret").env("MC_KEY", "new");
        let printed = shell.output().expect("a shell").stdout;
        let printed = String::from_utf8(printed).expect("text");
        printed.split_terminator('\0').map(str::to_owned).collect()
    }

    #[test]
    fn a_shell_takes_every_text_as_it_is() {
        for message in TEXTS {
            let made = commands(message, Key::Given("page-1"));
            let curl = words(&made.curl);
            assert_eq!(curl[..2], ["https://mission.example/api/twilio/send-sms", "-H"], "{message:?}");
            assert_eq!(curl[2..6], ["Authorization: Bearer secret", "-H", "Idempotency-Key: page-1", "--json"]);
            let httpie = words(&made.httpie);
            let expected = [
                "--ignore-stdin",
                "POST",
                "https://mission.example/api/twilio/send-sms",
                "Authorization:Bearer secret",
                "Idempotency-Key:page-1",
                "Content-Type:application/json",
                "--raw",
            ];
            assert_eq!(httpie[..7], expected, "{message:?}");
            for (words, place) in [(&curl, 6), (&httpie, 7)] {
                let body: Value = serde_json::from_str(&words[place]).expect("JSON");
                assert_eq!(body["message"], message);
            }
            assert_eq!((curl.len(), httpie.len()), (7, 8));
        }
    }

    #[test]
    fn a_new_key_is_a_variable() {
        let made = commands("Hello", Key::Theirs);
        assert_eq!(words(&made.curl)[4], "Idempotency-Key: new");
        assert_eq!(words(&made.httpie)[4], "Idempotency-Key:new");
        assert!(made.fetch.contains("\"Idempotency-Key\": process.env.MC_KEY,"), "{}", made.fetch);
    }

    #[test]
    fn nothing_in_a_line_is_invisible() {
        for message in TEXTS {
            for (name, _, line) in commands(message, Key::Given("k")).all() {
                let hidden = line.chars().find(|one| one.is_control() && *one != '\n');
                assert_eq!(hidden, None, "{name}: {line:?}");
                assert!(!line.contains(['\u{202e}', '\u{2028}', '\u{200d}']), "{name}: {line:?}");
            }
        }
    }

    #[test]
    fn fetch_sends_the_same_json() {
        for message in TEXTS {
            let fetch = commands(message, Key::Given("page-1")).fetch;
            let (_, rest) = fetch.split_once("JSON.stringify(").expect("a body");
            let (body, _) = rest.rsplit_once("),\n});").expect("an end");
            assert_eq!(serde_json::from_str::<Value>(body).expect("JSON")["message"], message);
        }
    }
}
