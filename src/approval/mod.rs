//! May *this* go? The gate holds what is asked for; a person decides on exactly the content that was shown.

pub(crate) mod act;
pub(crate) mod api;
pub mod decisions;
pub mod gate;
pub mod policy;
