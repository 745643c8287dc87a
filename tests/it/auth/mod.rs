//! Who is asking: signing in, sessions, tokens, throttling, people.

mod commands;
mod first_admin;
mod invitations;
mod logs;
mod oidc;
mod origins;
mod people;
mod people_page;
mod rest;
mod rotation;
mod second_factor;
mod service;
mod sessions;
mod sessions_page;
mod sign_in;
mod step_up;
mod throttle;
mod tokens;
mod tokens_page;
