//! (see the map in `lib.rs`)

pub(crate) mod assets;
pub(crate) mod banners;
pub(crate) mod frame;
pub(crate) mod headers;
pub(crate) mod views;
