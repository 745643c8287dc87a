//! The audio of a call: fetched as Twilio fetches it, and looked at, but heard by nobody.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use url::Url;

use super::super::{
    destination::{Target, read},
    state::Shared,
};

/// Enough of a file to tell what it is.
const HEAD: usize = 12;

/// What became of one `<Play>`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::sandbox) struct Audio {
    url: String,
    /// Whether the whole file came.
    fetched: bool,
    status: Option<u16>,
    content_type: Option<String>,
    bytes: usize,
    problem: Option<String>,
}

impl Audio {
    /// Fetches the file at `url`, and Twilio's code for why it cannot be played, if it cannot.
    pub(super) async fn fetch(shared: &Shared, url: &str) -> (Self, Option<u32>) {
        let mut audio =
            Self { url: url.to_owned(), fetched: false, status: None, content_type: None, bytes: 0, problem: None };
        let code = match (Url::parse(url), Target::parse(url, shared.callbacks_to.as_ref())) {
            (Err(error), _) => audio.cannot_be_played(11200, format!("the address is none: {error}")),
            (Ok(_), Err(reason)) => {
                tracing::warn!(
                    event = "sandbox.audio.not_fetched",
                    reason,
                    "audio was not fetched, because nothing leaves this machine: {reason}"
                );
                audio.problem = Some(format!("not fetched, because nothing leaves this machine: {reason}"));
                None
            }
            (Ok(_), Ok(target)) => match audio.load(shared, &target).await {
                Ok(code) => code,
                Err(error) => audio.cannot_be_played(11200, format!("it cannot be reached: {}", error.without_url())),
            },
        };
        (audio, code)
    }

    #[expect(clippy::unnecessary_wraps, reason = "every way to fetch ends in a code or none")]
    fn cannot_be_played(&mut self, code: u32, reason: String) -> Option<u32> {
        tracing::warn!(event = "sandbox.audio.failed", code, reason, "audio cannot be played: {reason}");
        self.problem = Some(reason);
        Some(code)
    }

    async fn load(&mut self, shared: &Shared, target: &Target) -> reqwest::Result<Option<u32>> {
        let answer = target.request(&shared.client, Method::GET).send().await?;
        let status = answer.status();
        self.status = Some(status.as_u16());
        if !status.is_success() {
            return Ok(self.cannot_be_played(11200, format!("the answer was HTTP {}", status.as_u16())));
        }
        let (content_type, head, bytes) = read(answer, HEAD).await?;
        self.fetched = true;
        self.bytes = bytes;
        let reason = match format_of(&content_type) {
            None => Some(format!("the content type {content_type:?} cannot be played")),
            Some(begins) if !begins(&head) => Some(format!("it does not begin as {content_type} does")),
            Some(_) => None,
        };
        self.content_type = Some(content_type);
        Ok(reason.and_then(|reason| self.cannot_be_played(13420, reason)))
    }
}

/// How a file of one of the content types that Twilio plays begins; `None` for any other type.
fn format_of(content_type: &str) -> Option<fn(&[u8]) -> bool> {
    match content_type {
        "audio/mpeg" => Some(|head| head.starts_with(b"ID3") || matches!(head, [0xff, second, ..] if *second >= 0xe0)),
        "audio/wav" | "audio/wave" | "audio/x-wav" => Some(|head| head.starts_with(b"RIFF") && head.ends_with(b"WAVE")),
        "audio/aiff" | "audio/x-aiff" | "audio/x-aifc" => {
            Some(|head| head.starts_with(b"FORM") && (head.ends_with(b"AIFF") || head.ends_with(b"AIFC")))
        }
        // Each frame has a mark of its own.
        "audio/gsm" | "audio/x-gsm" => Some(|head| head.first().is_some_and(|first| first >> 4 == 0xd)),
        // Bare samples: any are some.
        "audio/ulaw" => Some(|head| !head.is_empty()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::format_of;

    #[test]
    fn a_file_begins_as_its_type_says() {
        for (content_type, head, expected) in [
            ("audio/mpeg", &b"ID3\x04\0\0\0\0\0\0\0\0"[..], Some(true)),
            ("audio/mpeg", b"\xff\xfb\x90\x64", Some(true)),
            ("audio/mpeg", b"<!doctype ht", Some(false)),
            ("audio/mpeg", b"", Some(false)),
            ("audio/wav", b"RIFF\x24\0\0\0WAVE", Some(true)),
            ("audio/x-wav", b"RIFF\x24\0\0\0AVI ", Some(false)),
            ("audio/aiff", b"FORM\0\0\0\x24AIFC", Some(true)),
            ("audio/gsm", b"\xd2\x00", Some(true)),
            ("audio/gsm", b"RIFF", Some(false)),
            ("audio/ulaw", b"\xff", Some(true)),
            ("audio/ulaw", b"", Some(false)),
            ("audio/ogg", b"OggS", None),
            ("text/html", b"ID3", None),
            ("", b"ID3", None),
        ] {
            assert_eq!(format_of(content_type).map(|begins| begins(head)), expected, "{content_type} {head:?}");
        }
    }
}
