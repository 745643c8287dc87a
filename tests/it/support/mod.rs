//! What the tests share: a PostgreSQL, a running service with its sandbox, and the log.

pub(crate) mod log;
pub(crate) mod postgres;
pub(crate) mod service;
