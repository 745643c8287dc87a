//! Pages that belong to no subject: the refusal, and the places whose work is done elsewhere today.

use askama::Template;

use super::frame::Frame;

/// What is so, and what to do: the page of any refusal or failure.
#[derive(Template)]
#[template(path = "error.html")]
pub(crate) struct ErrorPage {
    pub(crate) frame: Frame,
    pub(crate) status: u16,
    /// What is so, in a few words.
    pub(crate) title: String,
    /// What is so, in a sentence.
    pub(crate) detail: String,
    /// What the reader can do about it.
    pub(crate) advice: String,
    pub(crate) correlation_id: String,
}

/// A place of the menu that says what it is for and how the same is done today.
#[derive(Template)]
#[template(path = "place.html")]
pub(crate) struct PlacePage {
    pub(crate) frame: Frame,
    pub(crate) guide: &'static Guide,
}

/// The text of such a place.
#[derive(Debug)]
pub(crate) struct Guide {
    title: &'static str,
    purpose: &'static str,
    icon: &'static str,
    /// What the page cannot do.
    state: &'static str,
    steps: &'static [Step],
}

#[derive(Debug)]
struct Step {
    title: &'static str,
    text: &'static str,
    command: Option<&'static str>,
}

pub(crate) static INTEGRATIONS: Guide = Guide {
    title: "Integrations",
    purpose: "Whether each provider can be reached, with the last evidence, and a test through the approval gate.",
    icon: "plug",
    state: "This page does not check connections itself yet. On the server, one command does.",
    steps: &[
        Step {
            title: "See which credentials are stored",
            text: "Names, versions and the last characters; never a value.",
            command: Some("mission-control vault list"),
        },
        Step {
            title: "Try the whole way",
            text: "Request an SMS to your own phone and approve it. Its page shows each step, up to Twilio’s last report.",
            command: None,
        },
    ],
};
