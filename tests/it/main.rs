//! The integration tests: one binary, one file a subject.

mod support;

mod private_postgres;
mod sandbox;
mod signature;
