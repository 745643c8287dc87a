//! How much one peer may have under way at once. A place is given back however the work ends.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Places of each peer.
#[derive(Clone, Debug)]
pub(super) struct PerPeer {
    limit: usize,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    peer: IpAddr,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl PerPeer {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, taken: Arc::default() }
    }

    /// A place for this peer, unless it has as many as it may have.
    pub(super) fn take(&self, peer: IpAddr) -> Option<Place> {
        let peer = network(peer);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let places = taken.entry(peer).or_default();
        if *places >= self.limit {
            return None;
        }
        *places += 1;
        Some(Place { peer, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = taken.get_mut(&self.peer) {
            *places -= 1;
            if *places == 0 {
                taken.remove(&self.peer);
            }
        }
    }
}

/// Whoever has one address of a /64 has all of them.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_peer_has_so_many_places_and_gets_them_back() {
        let places = PerPeer::new(2);
        let first = places.take(peer("203.0.113.9"));
        let second = places.take(peer("::ffff:203.0.113.9"));
        assert!(first.is_some() && second.is_some(), "one peer, however its address is written");
        assert!(places.take(peer("203.0.113.9")).is_none());
        assert!(places.take(peer("203.0.113.10")).is_some(), "another peer has its own");
        drop(first);
        assert!(places.take(peer("203.0.113.9")).is_some());
        drop(second);
        assert!(places.taken.lock().expect("the places").is_empty(), "nothing is kept of a peer that is gone");
    }

    #[test]
    fn a_place_is_given_back_also_by_a_panic() {
        let places = PerPeer::new(1);
        let inside = places.clone();
        let panicked = std::panic::catch_unwind(move || {
            let _place = inside.take(peer("203.0.113.9"));
            panic!("in the middle of the work");
        });
        assert!(panicked.is_err());
        assert!(places.take(peer("203.0.113.9")).is_some());
    }

    #[test]
    fn one_network_of_ipv6_is_one_peer() {
        let places = PerPeer::new(1);
        let place = places.take(peer("2001:db8:1:2::1"));
        assert!(place.is_some() && places.take(peer("2001:db8:1:2:ffff::9")).is_none());
        assert!(places.take(peer("2001:db8:1:3::1")).is_some());
    }
}
