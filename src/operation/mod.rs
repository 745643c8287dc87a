//! What people want to send: content, state, and every address under which an operation is asked for, listed and read.

pub mod attention;
pub mod audio_look;
pub mod audio_url;
mod described;
pub mod content;
pub mod message;
pub mod overview;
pub mod request;
pub mod segments;
pub mod speech;
pub mod status;
pub mod store;

pub(crate) mod answer;
pub(crate) mod api;
pub(crate) mod ask;
pub(crate) mod compose;
pub(crate) mod pages;
pub(crate) mod views;
mod wait;
