//! Kill, pause and cut at every outside effect. The program runs as a process; all that it says to PostgreSQL, to Twilio
//! and to its clients goes over [`crate::support::wire`], and at each message in turn it is killed, paused, or loses the
//! connection. What the former process left behind, the next one has to cope with; at the end a healthy one settles
//! everything, and what Twilio really accepted is compared with what was approved.
//!
//! [`system_calls`] strikes the same life between the messages, where no wire sees it.
//!
//! `make test` takes a few points by a seed, `make torture` all of them.

mod asked;
mod control;
mod cut;
mod harness;
mod kill;
mod pause;
mod phase;
mod points;
mod rotation;
mod speech;
mod system_calls;
mod verdict;
