//! What the tests share: a PostgreSQL and a way to cut it off, a running service with its sandbox, the program itself
//! as one process or several, and the log.

pub(crate) mod authenticator;
pub(crate) mod cluster;
mod described;
pub(crate) mod dump;
pub(crate) mod installation;
pub(crate) mod log;
pub(crate) mod postgres;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod seeded;
pub(crate) mod service;
pub(crate) mod studio;
pub(crate) mod torture;
pub(crate) mod way;
pub(crate) mod wire;

/// A client that follows no redirect and goes through no proxy.
pub(crate) fn client() -> reqwest::Client {
    client_builder().build().expect("a client")
}

/// The same with settings of its own.
pub(crate) fn client_builder() -> reqwest::ClientBuilder {
    // The provider of TLS for every client, whichever test is the first to need one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().no_proxy().timeout(std::time::Duration::from_mins(1));
    builder.redirect(reqwest::redirect::Policy::none())
}
