//! May *this* go? The gate holds what is asked for; a person decides on exactly the content that was shown.

pub mod decisions;
pub mod gate;
pub mod policy;
