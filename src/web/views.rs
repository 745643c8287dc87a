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
    /// The heading below the title, where the place has parts with a name of their own.
    part: Option<Part>,
    icon: &'static str,
    /// What the page cannot do.
    state: &'static str,
    steps: &'static [Step],
}

#[derive(Debug)]
struct Part {
    tab: &'static str,
    address: &'static str,
    heading: &'static str,
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
    part: None,
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

pub(crate) static VAULT: Guide = Guide {
    title: "Settings",
    purpose: "Keys, rules and limits of this installation.",
    part: Some(Part { tab: "API Keys", address: "/dashboard/settings?tab=integrations", heading: "API Vault" }),
    icon: "key",
    state: "Keys cannot be entered on this page yet. On the server, one command stores each of them, encrypted. \
        No page ever shows one.",
    steps: &[
        Step {
            title: "Store the Twilio Account SID",
            text: "Each command reads the value from its input, so that it stays out of the shell’s history.",
            command: Some("mission-control vault set twilio_account_sid"),
        },
        Step {
            title: "Store the Twilio Auth Token",
            text: "The one it replaces keeps checking callbacks for 24 h.",
            command: Some("mission-control vault set twilio_auth_token"),
        },
        Step {
            title: "Store the number that messages come from",
            text: "With + and country code, for example +15005550006.",
            command: Some("mission-control vault set twilio_phone_number"),
        },
        Step {
            title: "See what is stored",
            text: "Names, versions and the last characters; never a value.",
            command: Some("mission-control vault list"),
        },
    ],
};
