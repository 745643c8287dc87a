//! The voice gateway: one door, a fixed order of questions, and a record of each call before it is answered.

mod advisories;
mod look_ups;
mod pages;
mod pipeline;
mod policy;
mod program;
mod properties;
mod records;
mod replay;
mod site;
