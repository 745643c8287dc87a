//! Who may come to which address.

mod listed;
mod one_credential;
