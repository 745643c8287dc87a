//! Where a request came from, as far as counting and logging may tell it apart.

use std::fmt;
use std::net::IpAddr;

/// The network that failures are counted by: one IPv4 address, or the /64 that one IPv6 customer has to itself.
pub(super) fn counted(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("{address}/32"),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// An address as log lines show it: enough to see a pattern, too little to follow a person.
pub(super) struct Masked(pub(super) IpAddr);

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                write!(f, "{a}.{b}.{c}.*")
            }
            IpAddr::V6(address) => {
                let [a, b, c, ..] = address.segments();
                write!(f, "{a:x}:{b:x}:{c:x}:*")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_customer_is_one_network() {
        let of = |text: &str| counted(text.parse().expect("an address"));
        assert_eq!(of("203.0.113.9"), "203.0.113.9/32");
        assert_eq!(of("::ffff:203.0.113.9"), of("203.0.113.9"));
        assert_eq!(of("2001:db8:1:2:aaaa::1"), of("2001:db8:1:2:bbbb::2"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }

    #[test]
    fn a_log_line_does_not_name_the_machine() {
        assert_eq!(Masked("203.0.113.9".parse().expect("an address")).to_string(), "203.0.113.*");
        assert_eq!(Masked("2001:db8:1:2::9".parse().expect("an address")).to_string(), "2001:db8:1:*");
    }
}
