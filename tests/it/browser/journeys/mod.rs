//! What people do with the pages, from the first click to the last; each with browsers and a service of its own.

mod deciding;
mod keyboard;
mod second_factor;
mod sending;
mod settling;
mod signing_in;
mod without_scripts;
