//! Whether the ways to the providers work: the evidence that there is, and tests that go the way of everything else.

pub(crate) mod arrival;
mod arrival_words;
mod evidence;
mod follow;
pub(crate) mod pages;
#[cfg(test)]
mod samples;
pub(crate) mod views;

/// The note of every test. Its index names these words too (`operations_tests`).
const NOTE: &str = "Test from the integrations page";
