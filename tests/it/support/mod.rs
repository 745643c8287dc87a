//! What the tests share: a PostgreSQL and a way to cut it off, a running service with its sandbox, the program itself,
//! and the log.

pub(crate) mod log;
pub(crate) mod postgres;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod seeded;
pub(crate) mod service;
