//! Mission Control sends SMS and places calls through Twilio for people who must not send the wrong thing, to the
//! wrong number, twice. Every outbound action is held until a person approves exactly that content, is sent at most
//! once, and is followed until Twilio says what became of it.
//!
//! This file is the map: the modules in the order in which a request meets them.

// Putting it together.
pub mod app;
pub mod router;
pub mod state;
pub mod config;
pub mod database;
pub mod private_postgres;
pub mod telemetry;
mod tls;
mod outbound;
pub mod memory;
pub mod metrics;
pub mod openapi;

// Small types that everything speaks in.
pub mod clock;
pub mod error;
pub mod id;
pub mod phone;
mod rate;

// A request comes in: manners, then who is asking, then what they want.
pub mod web;
pub mod auth;
pub mod access;
mod visit;
pub mod operation;
pub mod idempotency;

// May it be sent at all, and may this one go?
pub mod guard;
pub mod approval;

// It is sent once, and followed.
pub mod dispatch;
pub mod twilio;
pub mod speech;
pub mod callback;

// Whoever looks at a page sees it happen.
pub mod live;

// Calls that come in, by the configuration of an OpenClaw installation.
pub mod gateway;

// What all of it stands on.
pub mod settings;
pub mod vault;
pub mod audit;

// Whether all of it works: on a page, and as a checklist before real use.
mod integrations;
pub mod verify;

// The emulator of Twilio and ElevenLabs that stands in until there is an account.
pub mod sandbox;
