//! The ways past such a guard that are known: each is stopped by what reads the address or by what looks it up, and
//! nothing is sent.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use proptest::prelude::*;
use url::Url;

use super::public;
use super::{Guarded, Stopped};
use crate::config::Mode;
use crate::operation::audio_url::AudioUrl;

/// Written so that the address gives nothing away, or everything.
const ADDRESSES: [&str; 87] = [
    // This machine.
    "https://127.0.0.1/",
    "https://127.0.0.1:443/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.255.255.254/",
    "https://0/",
    "https://0.0.0.0/",
    "https://0.1.2.3/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://localhost../",
    "https://a.localhost/",
    "https://a.localhost./",
    "https://localhost.localdomain/",
    // In other numerals.
    "https://2130706433/",
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0X7F000001/",
    "https://0x7f.0.0.1/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://0177.1/",
    "https://127.0.0.01/",
    "https://00000177.0.0.1/",
    "https://0x7f.0x0.0x0.0x1/",
    "https://127.0x0.0.1/",
    "https://127.0.0.1./",
    "https://1.1.1.1./",
    "https://16843009/",
    "https://0x01010101/",
    "https://001.1.1.1/",
    // In other letters.
    "https://%31%32%37.0.0.1/",
    "https://%6c%6f%63%61%6c%68%6f%73%74/",
    "https://127%2e0%2e0%2e1/",
    "https://①②⑦.⓪.⓪.①/",
    "https://１２７．０．０．１/",
    "https://127。0。0。1/",
    "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "https://loc\u{ad}alhost/",
    "https://loca\u{200b}lhost/",
    "https://%E2%91%A0%E2%91%A1%E2%91%A6.0.0.1/",
    // The neighbours.
    "https://10.0.0.1/",
    "https://10.255.255.255/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.0.1/",
    "https://100.64.0.1/",
    "https://198.18.0.1/",
    "https://192.0.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://router/",
    "https://intranet/",
    "https://files.corp/",
    "https://printer.local/",
    "https://nas.home.arpa/",
    // What the machine's owner tells it.
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/latest/meta-data/",
    "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376/",
    "https://169.254.43518/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://metadata/",
    "https://instance-data/",
    "https://100.100.100.200/latest/meta-data/",
    "https://192.0.0.192/opc/v2/",
    // By IPv6.
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::169.254.169.254]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[fd00:ec2::254]/latest/meta-data/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    // With somebody's name before it.
    "https://user:secret@example.com/",
    "https://example.com@127.0.0.1/",
    "https://example.com:443@127.0.0.1/",
];

/// Written so that two readers do not agree on the host, or on anything else.
const DISPUTED: [&str; 20] = [
    "https://example.com\\@127.0.0.1/",
    "https://127.0.0.1\\@example.com/",
    "https:\\\\127.0.0.1/",
    "https:/\\127.0.0.1/",
    "https:127.0.0.1/",
    "https:/example.com/",
    "https:///example.com/",
    "https:////127.0.0.1/",
    "https://@example.com/",
    "https://:@example.com/",
    "https://example.com#@127.0.0.1/",
    "https://example.com:80:443/",
    "https://example.com:/",
    "https://example.com:00443\\/",
    "https://exa\tmple.com/",
    "https://example.com\r\nhost: 127.0.0.1/",
    "http://example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "//127.0.0.1/",
];

/// Names that anybody may buy, and where they lead.
const NAMES: [&[&str]; 12] = [
    &["127.0.0.1"],
    &["169.254.169.254"],
    &["10.0.0.1"],
    &["::1"],
    &["::ffff:10.0.0.1"],
    &["64:ff9b::a9fe:a9fe"],
    &["2002:a00:1::"],
    &["fd00::1"],
    &["0.0.0.0"],
    &["1.1.1.1", "127.0.0.1"],
    &["2606:4700::1111", "fe80::1"],
    &["1.1.1.1", "1.0.0.1", "100.64.0.1"],
];

async fn is_stopped(address: &str, leading_to: &[&str]) -> bool {
    if AudioUrl::parse(address, Mode::Live).is_err() {
        return true;
    }
    let guarded = Guarded::scripted(&[leading_to], public::why_not);
    let Ok(url) = Url::parse(address) else { return true };
    // Only up to where it would connect: a table that had a hole must not make a request.
    matches!(guarded.resolve(&url).await, Err(Stopped::Forbidden(_) | Stopped::Unknown(_)))
}

#[tokio::test]
async fn every_known_way_past_the_guard_is_stopped() {
    for address in ADDRESSES.iter().chain(&DISPUTED) {
        assert!(is_stopped(address, &[]).await, "{address}");
    }
    for leading_to in NAMES {
        assert!(is_stopped("https://anybody.example.com/a.mp3", leading_to).await, "{leading_to:?}");
    }
    // So that a guard which stops everything is found out.
    let open: [&[&str]; 2] = [&["1.1.1.1"], &["1.1.1.1", "2606:4700::1111"]];
    for leading_to in open {
        assert!(!is_stopped("https://anybody.example.com/a.mp3", leading_to).await, "{leading_to:?}");
    }
    assert!(!is_stopped("https://1.1.1.1/a.mp3", &[]).await);
}

#[tokio::test]
async fn what_is_stopped_by_its_address_is_not_asked_either() {
    // The second line, without the first: an address of a row that was written before the first was drawn.
    let guarded = Guarded::scripted(&[&["127.0.0.1"]], public::why_not);
    for address in ADDRESSES.iter().filter_map(|address| Url::parse(address).ok()) {
        if public_address(&address) {
            continue;
        }
        let answer = guarded.head(address.clone(), Duration::from_secs(1)).await;
        assert!(matches!(answer, Err(Stopped::Forbidden(_))), "{address}: {answer:?}");
    }
}

/// Refused only because of how it is written.
fn public_address(url: &Url) -> bool {
    url.host_str().is_some_and(|host| host == "1.1.1.1")
}

/// An address of IPv4 as those write it who want to be misread.
fn written(address: Ipv4Addr, how: u8) -> String {
    let [a, b, c, d] = address.octets();
    match how % 7 {
        0 => address.to_string(),
        1 => address.to_bits().to_string(),
        2 => format!("0x{:x}", address.to_bits()),
        3 => format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        4 => format!("{a}.{}", address.to_bits() & 0xff_ffff),
        5 => format!("[::ffff:{address}]"),
        _ => format!("0x{a:x}.{b}.0{c:o}.{d}"),
    }
}

proptest! {
    #[test]
    fn no_text_gets_past_the_guard(text in "(https?:)?[/\\\\]{0,3}[a-z0-9@:.%\\\\\\[\\]#?x-]{0,30}(/.{0,9})?") {
        let Ok(url) = AudioUrl::parse(&text, Mode::Live) else { return Ok(()) };
        prop_assert_eq!(url.as_str(), &text, "kept as it is");
        let rest = text.get(..8).filter(|scheme| scheme.eq_ignore_ascii_case("https://")).map(|_| &text[8..]);
        let authority = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).expect("https");
        prop_assert!(!authority.contains(['@', '\\', '%']) && authority.contains(['.', '[']), "{}", authority);
        let parsed = Url::parse(&text).expect("a URL");
        if let Some(url::Host::Ipv4(address)) = parsed.host() {
            prop_assert_eq!(public::why_not(IpAddr::V4(address)), None);
        }
    }

    #[test]
    fn an_address_is_accepted_only_plainly_written_and_on_the_open_network(bits: u32, how: u8) {
        let address = Ipv4Addr::from_bits(bits);
        let text = written(address, how);
        let accepted = AudioUrl::parse(&format!("https://{text}/a.mp3"), Mode::Live).is_ok();
        let is_open = public::why_not(IpAddr::V4(address)).is_none();
        // `0.x` is the same in all numerals; a mapped address is accepted in the form that every reader makes of it.
        let is_plain = text == address.to_string() || (how % 7 == 5 && Url::parse(&format!("https://{text}/"))
            .is_ok_and(|url| url.host_str() == Some(text.as_str())));
        prop_assert_eq!(accepted, is_open && is_plain, "{}", text);
    }
}
