//! May anything be sent at all? The hold stops all sending; the do-not-contact list stops sending to a number. Both are
//! read in the statements that ask, claim and fence, so that no code path can forget them.

pub(crate) mod api;
pub mod hold;
pub mod incarnation;
pub mod mode;
pub(crate) mod page;
pub mod witness;
