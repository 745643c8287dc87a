//! The integration tests: one binary, one file a subject.

mod support;

mod approval;
mod auth;
mod callbacks;
mod fence;
mod idempotency;
mod pages;
mod private_postgres;
mod sandbox;
mod sending;
mod settings;
mod signature;
mod smoke;
mod structure;
mod vault;
