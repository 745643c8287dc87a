//! The address that a request came from, for logs, throttling and the audit; never for URLs.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

use crate::state::AppState;

/// The client's address: the peer's, or what a configured proxy says of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// Finds the client's address and hands it on.
pub(crate) async fn identify(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() {
        let is_proxy = |address| app.config.trusted_proxies.contains(address);
        let address = client_address(peer.ip(), request.headers(), is_proxy);
        request.extensions_mut().insert(ClientAddress(address));
    }
    next.run(request).await
}

/// Walks the forwarding list from its end, where our own proxy wrote, to the first address that is no proxy of ours. A
/// list in several headers is one list, in their order: else whoever sends a header of their own would be read first.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, is_proxy: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut address = peer.to_canonical();
    let lists = headers.get_all("x-forwarded-for").iter().rev();
    // What cannot be read ends the walk: whoever stands before it cannot be known.
    let hops = lists.flat_map(|list| list.to_str().unwrap_or("unreadable").rsplit(','));
    for hop in hops {
        if !is_proxy(address) {
            break;
        }
        match read(hop.trim()) {
            Some(hop) => address = hop.to_canonical(),
            None => break,
        }
    }
    address
}

/// An address, with a port or without.
fn read(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let unknown = Self(IpAddr::from([0, 0, 0, 0]));
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(unknown))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let cases: [(&str, &[&str], &str); 17] = [
            ("203.0.113.9", &["1.2.3.4"], "203.0.113.9"),
            ("10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
            ("::ffff:10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &["::ffff:1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
            ("10.0.0.1", &["6.6.6.6, 1.2.3.4,::ffff:10.0.0.2"], "1.2.3.4"),
            // Whatever the caller wrote before is not asked for.
            ("10.0.0.1", &["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &["10.0.0.9", "1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &["1.2.3.4", "10.0.0.2"], "1.2.3.4"),
            ("10.0.0.1", &["1.2.3.4:5678"], "1.2.3.4"),
            ("10.0.0.1", &["[2001:db8::1]:5678"], "2001:db8::1"),
            ("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", &["junk"], "10.0.0.1"),
            ("10.0.0.1", &["1.2.3.4, junk"], "10.0.0.1"),
            ("10.0.0.1", &["1.2.3.4,"], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
            ("10.0.0.1", &[], "10.0.0.1"),
        ];
        for (peer, forwarded, expected) in cases {
            let mut headers = HeaderMap::new();
            for list in forwarded {
                headers.append("x-forwarded-for", HeaderValue::from_static(list));
            }
            let is_proxy = |address: IpAddr| address.to_string().starts_with("10.0.0.");
            assert_eq!(client_address(ip(peer), &headers, is_proxy), ip(expected), "{peer} {forwarded:?}");
        }
    }
}
