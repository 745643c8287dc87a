//! Path B: the voice webhook of an `OpenClaw` installation, served by one safe door.

pub mod openclaw;
