//! (see the map in `lib.rs`)

pub(crate) mod views;
