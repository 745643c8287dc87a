//! The address of a recording that a call plays.

use url::{Host, Position, Url};

use crate::config::Mode;
use crate::outbound::public;
use crate::twilio::twiml;

/// An absolute address that Twilio can fetch, kept byte for byte: what is approved is this address, not what is found
/// there.
#[derive(Clone, PartialEq, Eq)]
pub struct AudioUrl(String);

/// Why a text is not such an address, and what to write instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAudioUrl {
    /// Nothing was written.
    #[error("The address of a recording is needed, for example https://example.com/hello.mp3.")]
    Empty,
    /// Spaces, line breaks, or characters that a URL holds only percent-encoded.
    #[error("The address contains a space or a character outside ASCII. Write it percent-encoded.")]
    NotEncoded,
    /// Not an absolute URL with a host.
    #[error("This is not a web address. Write it whole, for example https://example.com/hello.mp3.")]
    NotAnAddress,
    /// Twilio is to fetch it over the open network.
    #[error("The address must begin with https://, so that nobody can exchange the recording on its way.")]
    NotHttps,
    /// One reader would take it for this host, another for that one.
    #[error("The host is not written plainly. Write its name as it is, and an address as four numbers.")]
    NotPlain,
    /// They would stand in the database, in the log of the other side, and on the approver's screen.
    #[error("The address contains a user name or password. Use a signed or public address instead.")]
    Credentials,
    /// It is not sent to a server, so it cannot matter, and must not look as if it did.
    #[error("The address has a part after #, which no server gets. Remove it.")]
    Fragment,
    /// Twilio is elsewhere.
    #[error("Twilio cannot reach this address: it belongs to this machine or a private network. Use a public one.")]
    NotPublic,
    /// More than fits into the instructions that Twilio takes inline.
    #[error(
        "The address is too long: Twilio takes {} characters with everything around it. Use a shorter one.",
        twiml::LIMIT
    )]
    TooLong,
}

impl AudioUrl {
    /// Reads an address. In the sandbox, which runs on this machine, plain http and local addresses will do.
    pub fn parse(text: &str, mode: Mode) -> Result<Self, InvalidAudioUrl> {
        if text.is_empty() {
            return Err(InvalidAudioUrl::Empty);
        }
        // The parser would quietly drop or encode them, and then what is sent is not what was approved.
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidAudioUrl::NotEncoded);
        }
        let url = Url::parse(text).map_err(|_| InvalidAudioUrl::NotAnAddress)?;
        let host = match url.scheme() {
            "https" | "http" => url.host().ok_or(InvalidAudioUrl::NotAnAddress)?,
            _ => return Err(InvalidAudioUrl::NotHttps),
        };
        if mode == Mode::Live {
            if url.scheme() != "https" {
                return Err(InvalidAudioUrl::NotHttps);
            }
            if is_local(&host) {
                return Err(InvalidAudioUrl::NotPublic);
            }
        }
        let authority = authority(text);
        if authority.is_some_and(|authority| authority.contains('@')) {
            return Err(InvalidAudioUrl::Credentials);
        }
        if url.fragment().is_some() {
            return Err(InvalidAudioUrl::Fragment);
        }
        if !authority.is_some_and(|written| is_plain(written, &url)) || text.contains('\\') {
            return Err(InvalidAudioUrl::NotPlain);
        }
        match twiml::play(text) {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(InvalidAudioUrl::TooLong),
        }
    }

    /// As a row holds it: it was parsed when it was asked for, and cannot have changed since.
    pub(crate) const fn stored(text: String) -> Self {
        Self(text)
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names under which nothing is on the open network: reserved ones (RFC 6761, 6762, 8375), what ICANN set aside, and
/// what networks use all the same.
const LOCAL_NAMES: [&str; 10] = [
    ".localhost",
    ".localdomain",
    ".local",
    ".internal",
    ".home.arpa",
    ".intranet",
    ".private",
    ".corp",
    ".home",
    ".lan",
];

/// Whether a host is plainly not on the open network. A name may still lead anywhere: that is judged where it is looked
/// up, and Twilio looks it up for itself.
fn is_local(host: &Host<&str>) -> bool {
    let closed = |address| public::why_not(address).is_some();
    match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            // Without a dot it is one of the network's own.
            !name.contains('.') || LOCAL_NAMES.iter().any(|end| name.ends_with(end))
        }
        Host::Ipv4(address) => closed((*address).into()),
        Host::Ipv6(address) => closed((*address).into()),
    }
}

/// What stands between `://` and the path, as whoever reads by RFC 3986 finds it.
fn authority(text: &str) -> Option<&str> {
    text.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next())
}

/// Whether the host stands there as it is understood here. Browsers' rules read `2130706433`, `0x7f.1` and `%6c` as other
/// readers do not, and what is approved must be what is fetched, whoever reads it.
fn is_plain(written: &str, url: &Url) -> bool {
    let without_port = &url[Position::BeforeHost..Position::AfterHost];
    let with_default = url.port_or_known_default().map(|port| format!("{without_port}:{port}"));
    let meant = &url[Position::BeforeHost..Position::AfterPort];
    written.eq_ignore_ascii_case(meant) || with_default.is_some_and(|meant| written.eq_ignore_ascii_case(&meant))
}

impl std::fmt::Debug for AudioUrl {
    /// Without the query, which may be a signature that opens the recording to anybody.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AudioUrl({})", self.0.split('?').next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_byte_for_byte() {
        for text in ["https://example.com/hello.mp3", "https://EXAMPLE.com:443/a%20b.mp3?sig=a&b=<1>", "https://x.test"]
        {
            assert_eq!(AudioUrl::parse(text, Mode::Live).map(|url| url.0), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_twilio_cannot_or_should_not_fetch_is_refused() {
        let long = format!("https://example.com/{}", "a".repeat(4000));
        for (text, why) in [
            ("", InvalidAudioUrl::Empty),
            ("https://example.com/a b.mp3", InvalidAudioUrl::NotEncoded),
            (" https://example.com/", InvalidAudioUrl::NotEncoded),
            ("https://example.com/é.mp3", InvalidAudioUrl::NotEncoded),
            ("https://example.com/\0", InvalidAudioUrl::NotEncoded),
            ("hello.mp3", InvalidAudioUrl::NotAnAddress),
            ("https://", InvalidAudioUrl::NotAnAddress),
            ("http://example.com/a.mp3", InvalidAudioUrl::NotHttps),
            ("ftp://example.com/a.mp3", InvalidAudioUrl::NotHttps),
            ("file:///etc/passwd", InvalidAudioUrl::NotHttps),
            ("https://me:secret@example.com/a.mp3", InvalidAudioUrl::Credentials),
            ("https://example.com/a.mp3#t=10", InvalidAudioUrl::Fragment),
            ("https://localhost/a.mp3", InvalidAudioUrl::NotPublic),
            ("https://127.0.0.1/a.mp3", InvalidAudioUrl::NotPublic),
            ("https://2130706433/a.mp3", InvalidAudioUrl::NotPublic),
            ("https://192.168.1.4/a.mp3", InvalidAudioUrl::NotPublic),
            ("https://169.254.169.254/latest", InvalidAudioUrl::NotPublic),
            ("https://[::1]/a.mp3", InvalidAudioUrl::NotPublic),
            ("https://[::ffff:10.0.0.1]/a.mp3", InvalidAudioUrl::NotPublic),
            ("https://storage.internal/a.mp3", InvalidAudioUrl::NotPublic),
            ("https://100.64.0.1/a.mp3", InvalidAudioUrl::NotPublic),
            ("https://@example.com/a.mp3", InvalidAudioUrl::Credentials),
            ("https://example.com\\@127.0.0.1/a.mp3", InvalidAudioUrl::Credentials),
            ("https://example.com\\a.mp3", InvalidAudioUrl::NotPlain),
            ("https://%65xample.com/a.mp3", InvalidAudioUrl::NotPlain),
            ("https://16843009/a.mp3", InvalidAudioUrl::NotPlain),
            ("https:example.com/a.mp3", InvalidAudioUrl::NotPlain),
            ("https:///example.com/a.mp3", InvalidAudioUrl::NotPlain),
            ("https://example.com:/a.mp3", InvalidAudioUrl::NotPlain),
            (&long, InvalidAudioUrl::TooLong),
        ] {
            assert_eq!(AudioUrl::parse(text, Mode::Live), Err(why), "{text}");
        }
        assert!(AudioUrl::parse("http://127.0.0.1:3000/a.mp3", Mode::Sandbox).is_ok());
        assert_eq!(AudioUrl::parse("ftp://127.0.0.1/a.mp3", Mode::Sandbox), Err(InvalidAudioUrl::NotHttps));
    }

    #[test]
    fn a_signed_address_is_not_logged() {
        let url = AudioUrl::parse("https://example.com/a.mp3?sig=secret", Mode::Live).expect("an address");
        assert_eq!(format!("{url:?}"), "AudioUrl(https://example.com/a.mp3)");
    }
}
