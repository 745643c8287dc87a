//! The integration tests: one binary, one file a subject.

mod sandbox;
mod signature;
