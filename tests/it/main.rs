//! The integration tests: one binary, one file a subject.

mod support;

mod auth;
mod back_in_time;
mod bad_days;
mod bad_input;
mod private_postgres;
mod processes;
mod sandbox;
mod secrets;
mod settings;
mod signature;
mod smoke;
mod vault;
