//! The second factor: an authenticator app whose codes change every half minute (RFC 6238), and recovery codes.
//!
//! Where one is set, the password alone gives no session; where the settings ask for one and there is none, its person can
//! do nothing but set it.

mod codes;
pub(super) mod factors;
pub(super) mod pages;
mod picture;
mod presenting;
mod recovery;
pub(super) mod setting;
pub(super) mod views;

pub(super) use presenting::present;
