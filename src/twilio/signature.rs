//! Checks of the signature that Twilio puts on its webhooks.
