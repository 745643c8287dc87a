//! The integration tests: one binary, one file a subject.

mod support;

mod auth;
mod migrations;
mod private_postgres;
mod readme;
mod sandbox;
mod settings;
mod signature;
mod smoke;
mod vault;
