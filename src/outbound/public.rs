//! Which addresses are on the open network. All others lead to this machine, to its neighbours, or nowhere: a request
//! there, made in somebody else's name, could read what is meant for them alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is not on the open network, of IANA's registry of special addresses for IPv4.
const SPECIAL_V4: [(Ipv4Addr, u32, &str); 15] = [
    (Ipv4Addr::UNSPECIFIED, 8, "means this machine"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "belongs to a private network"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "belongs to a carrier's own network"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "means this machine"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "belongs to the local link"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "belongs to a private network"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "is reserved for protocols"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "is for documentation only"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "leads through a tunnel"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "belongs to a private network"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "is for measurements only"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "is for documentation only"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "is for documentation only"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "stands for a group"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "is reserved"),
];

/// The same for IPv6. The first that fits counts, so that a part that is another case stands before its whole.
const SPECIAL_V6: [(Ipv6Addr, u32, &str); 14] = [
    (Ipv6Addr::UNSPECIFIED, 128, "means this machine"),
    (Ipv6Addr::LOCALHOST, 128, "means this machine"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "belongs to a local translation"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "leads nowhere"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "leads through a tunnel"),
    (Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48, "is for measurements only"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "is reserved for protocols"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "is for documentation only"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "leads through a tunnel"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "is for documentation only"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "belongs to a private network"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "belongs to the local link"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "belongs to a private network"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "stands for a group"),
];

/// Addresses that stand for one of IPv4: mapped ones, and those of a network that translates.
const TRANSLATED: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0)];

/// All that has been given out for the open network so far.
const GLOBAL: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Why an address is not on the open network; `None`: it is.
pub(crate) fn why_not(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => {
            SPECIAL_V4.iter().find(|(network, length, _)| is_in_v4(address, *network, *length)).map(|(_, _, why)| *why)
        }
        IpAddr::V6(address) if TRANSLATED.iter().any(|network| is_in_v6(address, *network, 96)) => {
            let [.., a, b, c, d] = address.octets();
            why_not(IpAddr::from([a, b, c, d]))
        }
        IpAddr::V6(address) => {
            let special = SPECIAL_V6.iter().find(|(network, length, _)| is_in_v6(address, *network, *length));
            let reserved = (!is_in_v6(address, GLOBAL.0, GLOBAL.1)).then_some("is reserved");
            special.map(|(_, _, why)| *why).or(reserved)
        }
    }
}

fn is_in_v4(address: Ipv4Addr, network: Ipv4Addr, length: u32) -> bool {
    (address.to_bits() ^ network.to_bits()).leading_zeros() >= length
}

fn is_in_v6(address: Ipv6Addr, network: Ipv6Addr, length: u32) -> bool {
    (address.to_bits() ^ network.to_bits()).leading_zeros() >= length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(address: &str) -> Option<&'static str> {
        why_not(address.parse().unwrap_or_else(|_| panic!("{address}")))
    }

    #[test]
    fn the_open_network_is_open() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:200::1",
            "2a00:1450:4001::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
        ] {
            assert_eq!(told(address), None, "{address}");
        }
    }

    #[test]
    fn everything_else_is_closed_from_its_first_address_to_its_last() {
        for (first, last) in [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "239.255.255.255"),
            ("240.0.0.0", "255.255.255.255"),
            ("::", "::1"),
            ("::2", "::fffe:ffff:ffff"),
            ("::ffff:127.0.0.1", "::ffff:10.0.0.1"),
            ("::ffff:169.254.169.254", "::ffff:255.255.255.255"),
            ("64:ff9b::127.0.0.1", "64:ff9b::192.168.255.255"),
            ("64:ff9b:1::", "64:ff9b:1:ffff::1.1.1.1"),
            ("100::", "100::ffff:ffff:ffff:ffff"),
            ("1000::", "1fff::1"),
            ("2001::", "2001:1ff:ffff::1"),
            ("2001:2::", "2001:2:0:ffff::1"),
            ("2001:db8::", "2001:db8:ffff::1"),
            ("2002::", "2002:7f00:1::1"),
            ("2002:101:101::1", "2002:ffff::1"),
            ("3fff::", "3fff:fff:ffff::1"),
            ("4000::", "fbff::1"),
            ("fc00::", "fdff:ffff::1"),
            ("fe80::1", "febf:ffff::1"),
            ("fec0::1", "feff:ffff::1"),
            ("ff00::", "ff02::1"),
        ] {
            assert!(told(first).is_some(), "{first}");
            assert!(told(last).is_some(), "{last}");
        }
    }

    #[test]
    fn what_an_address_is_instead_is_told() {
        assert_eq!(told("169.254.169.254"), Some("belongs to the local link"));
        assert_eq!(told("::ffff:10.1.2.3"), Some("belongs to a private network"));
        assert_eq!(told("2001:0:1::"), Some("leads through a tunnel"));
        assert_eq!(told("ff05::1"), Some("stands for a group"));
    }
}
