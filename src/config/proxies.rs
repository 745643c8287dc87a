//! The reverse proxies in front of us, whose word about a caller's address is believed.

use std::net::{IpAddr, Ipv6Addr};

use anyhow::bail;
use ipnet::IpNet;

/// Addresses that stand for one of IPv4 begin like this.
const MAPPED: u8 = 96;

/// Shortest prefix of a network: a whole private one of IPv4, and what a provider of IPv6 has. Whoever believes more than
/// that believes strangers.
const SHORTEST_V4: u8 = 8;
const SHORTEST_V6: u8 = 32;

/// The private networks of IPv6.
const PRIVATE_V6: u8 = 8;

/// Networks of proxies, in which an address of IPv4 is found however it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Reads addresses and networks, such as `127.0.0.1` and `10.0.0.0/24`.
    pub(super) fn parse(texts: &[String]) -> anyhow::Result<Self> {
        texts.iter().map(|text| network(text)).collect::<anyhow::Result<_>>().map(Self)
    }

    /// Whether this is a proxy of ours.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

fn network(text: &str) -> anyhow::Result<IpNet> {
    let address = || text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
    let Ok(network) = address().or_else(|_| text.parse::<IpNet>()) else {
        bail!(
            "MISSION_CONTROL_TRUSTED_PROXIES names {text:?}, which is neither an address nor a network. Write for example 10.0.0.7 or 10.0.0.0/24."
        );
    };
    let network = canonical(network);
    let shortest = match network {
        IpNet::V4(_) => SHORTEST_V4,
        IpNet::V6(network) if network.addr().is_unique_local() => PRIVATE_V6,
        IpNet::V6(_) => SHORTEST_V6,
    };
    if network.prefix_len() < shortest {
        bail!(
            "MISSION_CONTROL_TRUSTED_PROXIES names {text}, which is so wide that strangers are in it: whoever is, chooses the address by which they are counted. Name the proxies' own network, /{shortest} or narrower."
        );
    }
    Ok(network)
}

/// A network of mapped addresses is one of IPv4.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else { return network };
    let as_v4 = |address: Ipv6Addr| address.to_ipv4_mapped().map(IpAddr::V4);
    let length = mapped.prefix_len().checked_sub(MAPPED);
    let inner = as_v4(mapped.network()).zip(length).and_then(|(address, length)| IpNet::new(address, length).ok());
    inner.unwrap_or(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(texts: &[&str]) -> anyhow::Result<Proxies> {
        Proxies::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn proxies_are_known_by_address_and_by_network() {
        for (given, inside, outside) in [
            ("10.0.0.7", "10.0.0.7", "10.0.0.8"),
            ("10.0.0.7", "::ffff:10.0.0.7", "::ffff:10.0.0.8"),
            ("::ffff:10.0.0.7", "10.0.0.7", "10.0.0.8"),
            ("10.1.2.0/24", "10.1.2.255", "10.1.3.0"),
            ("10.1.2.77/24", "10.1.2.1", "10.1.1.255"),
            ("10.0.0.0/8", "::ffff:10.255.0.1", "11.0.0.1"),
            ("::ffff:10.1.2.0/120", "10.1.2.200", "10.1.3.200"),
            ("172.16.0.0/12", "172.31.255.255", "172.32.0.0"),
            ("::1", "::1", "::2"),
            ("::1", "::1", "127.0.0.1"),
            ("fd00::/8", "fd12:3456::1", "fc00::1"),
            ("2001:db8:1::/48", "2001:db8:1:ffff::1", "2001:db8:2::1"),
        ] {
            let known = proxies(&[given]).expect("a network");
            let contains = |address: &str| known.contains(address.parse().expect("an address"));
            assert!(contains(inside) && !contains(outside), "{given}: {inside}, not {outside}");
        }
        assert!(!Proxies::default().contains(IpAddr::from([127, 0, 0, 1])));
    }

    #[test]
    fn a_network_that_strangers_are_in_stops_the_start() {
        for wide in ["0.0.0.0/0", "::/0", "1.2.3.4/0", "10.0.0.0/7", "2000::/3", "2001:db8::/31", "fc00::/7"] {
            let told = proxies(&["127.0.0.1", wide]).expect_err(wide).to_string();
            assert!(told.contains("TRUSTED_PROXIES") && told.contains("narrower"), "{told}");
        }
        // The same in other words: all of IPv4, mapped.
        assert!(proxies(&["::ffff:0.0.0.0/96"]).expect_err("all of IPv4").to_string().contains("narrower"));
    }

    #[test]
    fn what_is_no_network_stops_the_start() {
        for junk in ["", "proxy.example", "10.0.0.0/33", "10.0.0/24", "10.0.0.1:80", "010.0.0.1", "*", "fe80::1%eth0"] {
            let told = proxies(&[junk]).expect_err(junk).to_string();
            assert!(told.contains("TRUSTED_PROXIES") && told.contains("10.0.0.0/24"), "{told}");
        }
    }
}
