//! Who may come to which address.

mod listed;
