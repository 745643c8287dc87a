//! The integration tests: one binary, one file a subject.

mod support;

mod approval;
mod audit_page;
mod auth;
mod back_in_time;
mod bad_days;
mod bad_input;
mod callbacks;
mod calls;
mod fence;
mod idempotency;
mod integrations;
mod metrics;
mod migrations;
mod pages;
mod private_postgres;
mod processes;
mod provider_faults;
mod readme;
mod reconciling;
mod restarts;
mod sandbox;
mod secrets;
mod sending;
mod settings;
mod settings_page;
mod signature;
mod smoke;
mod structure;
mod vault;
mod vault_api;
mod vault_page;
mod verify;
mod verify_credentials;
