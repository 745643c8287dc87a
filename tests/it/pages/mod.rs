//! The pages, used as people use them: by links and forms, without any script.

pub(crate) mod browser;

mod asking;
mod composing;
mod deciding;
mod everywhere;
mod overview;
mod panes;
mod together;
