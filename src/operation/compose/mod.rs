//! Help for whoever writes an SMS or a call: what a number is, how a message is cut and what it costs, and the same request
//! as a program would send it. Nothing here is stored, and nothing is asked for.

pub(crate) mod commands;
pub(crate) mod cost;
mod countries;
pub(crate) mod number;
pub(crate) mod plain;
pub(crate) mod size;
pub(crate) mod speakers;
