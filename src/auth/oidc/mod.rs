//! Signing in at a provider of OpenID Connect: the authorization code flow with PKCE.
//! <https://openid.net/specs/openid-connect-core-1_0.html>, <https://www.rfc-editor.org/rfc/rfc9700>
//!
//! The provider says who somebody is and which groups they are in; the groups say what they may do here. A person is known
//! by the provider's name for them, never by an address alone, and each sign-in is bound to the browser that began it.

mod attempt;
mod identities;
pub(crate) mod pages;
mod provider;
mod sign_in;

pub(crate) use pages::BEGIN;
pub use provider::Provider;
