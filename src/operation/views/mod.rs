//! The pages of operations: values in, HTML out. No page asks a question of its own.

pub(crate) mod attention;
pub(crate) mod checked;
pub(crate) mod content;
pub(crate) mod decision;
pub(crate) mod detail;
pub(crate) mod evidence;
pub(crate) mod help;
pub(crate) mod list;
pub(crate) mod new_call;
pub(crate) mod new_sms;
pub(crate) mod notice;
#[cfg(test)]
mod render;
pub(crate) mod review;
#[cfg(test)]
mod samples;
pub(crate) mod status;
pub(crate) mod story;
pub(crate) mod terms;
