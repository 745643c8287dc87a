//! What was done and by whom, in plain words. The name of an action is `subject.verb`.

/// The actions of one subject.
pub(super) struct Subject {
    /// The first part of the actions' names.
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    /// Each action's whole name, with what it means.
    pub(super) actions: &'static [(&'static str, &'static str)],
}

/// Every subject, in the order in which an operation meets them.
pub(super) const SUBJECTS: [Subject; 12] = [
    Subject {
        name: "operation",
        label: "Requests",
        actions: &[
            ("operation.asked", "Requested"),
            ("operation.prepared", "Made its speech"),
            ("operation.not_prepared", "Could not make its speech"),
            ("operation.cancelled", "Cancelled"),
            ("operation.resolved", "Settled what happened"),
            ("operation.acknowledged", "Took it off the attention list"),
            ("operation.settled", "No news for so long that none is expected"),
        ],
    },
    Subject {
        name: "clip",
        label: "Clips",
        actions: &[
            ("clip.asked", "Asked to hear a voice"),
            ("clip.made", "Made speech of a text"),
            ("clip.failed", "Could not make speech of a text"),
            ("clip.deleted", "Removed a clip that nothing needs"),
        ],
    },
    Subject {
        name: "approval",
        label: "Decisions",
        actions: &[
            ("approval.granted", "Approved"),
            ("approval.rejected", "Rejected"),
            ("approval.expired", "Time ran out"),
        ],
    },
    Subject {
        name: "dispatch",
        label: "Sending",
        actions: &[
            ("dispatch.claimed", "Began to send"),
            ("dispatch.accepted", "Accepted by Twilio"),
            ("dispatch.refused", "Refused by Twilio"),
            ("dispatch.not_sent", "Not sent, may be tried again"),
            ("dispatch.unknown", "Outcome unknown"),
            ("dispatch.needs_review", "Left for a person to settle"),
            ("dispatch.reconciled", "Settled by evidence"),
            ("dispatch.rebound", "Bound to the SID that Twilio’s report names"),
            ("dispatch.conflicted", "Its SID was reported on for another operation"),
            ("dispatch.late_answer", "Twilio answered after it was judged"),
        ],
    },
    Subject {
        name: "twilio",
        label: "Reports",
        actions: &[("twilio.callback", "Twilio reported"), ("twilio.look_up", "Asked Twilio how it stands")],
    },
    Subject {
        name: "inbound_call",
        label: "Inbound calls",
        actions: &[
            ("inbound_call.taken", "A call came in"),
            ("inbound_call.refused", "A call came in and was refused"),
            ("inbound_call.unasked", "A call was reported that the gateway was not asked about"),
            ("inbound_call.reported", "Twilio reported on a call"),
            ("inbound_call.looked_up", "Asked Twilio how a call stands"),
            ("inbound_call.conflicted", "Twilio contradicted itself about a call"),
        ],
    },
    Subject {
        name: "hold",
        label: "Hold",
        actions: &[("hold.set", "Put all sending on hold"), ("hold.released", "Resumed sending")],
    },
    Subject {
        name: "vault",
        label: "API Vault",
        actions: &[
            ("vault.set", "Stored a key"),
            ("vault.removed", "Removed a key"),
            ("vault.previous_revoked", "Revoked the previous key"),
            ("vault.verified", "Asked whether the keys work"),
            ("vault.rotated", "Rotated the master key"),
        ],
    },
    Subject { name: "settings", label: "Settings", actions: &[("settings.changed", "Changed the settings")] },
    Subject {
        name: "user",
        label: "People",
        actions: &[
            ("user.signed_in", "Signed in"),
            ("user.signed_out", "Signed out"),
            ("user.password_changed", "Changed the password"),
            ("user.password_reset", "Reset the password"),
            ("user.confirmed", "Confirmed who they are"),
            ("user.added", "Added a person"),
            ("user.invited", "Invited a person"),
            ("user.joined", "Came by an invitation"),
            ("user.link_withdrawn", "Withdrew a link"),
            ("user.second_factor_set", "Set a second factor"),
            ("user.second_factor_removed", "Removed the second factor"),
            ("user.second_factor_reset", "Reset a second factor"),
            ("user.recovery_codes_made", "Made new recovery codes"),
            ("user.recovery_code_used", "Used a recovery code"),
            ("user.role_changed", "Changed a role"),
            ("user.disabled", "Disabled a person"),
            ("user.enabled", "Enabled a person again"),
            ("user.sessions_ended", "Ended sessions"),
        ],
    },
    Subject {
        name: "token",
        label: "API tokens",
        actions: &[
            ("token.created", "Created a token"),
            ("token.rotated", "Rotated a token"),
            ("token.revoked", "Revoked a token"),
        ],
    },
    Subject {
        name: "deployment",
        label: "Installation",
        actions: &[("deployment.recognised", "Recognised the database at start")],
    },
];

/// The parts of the service that act by themselves: the name in a line, and how the page calls it.
pub(super) const PARTS: [(&str, &str); 11] = [
    ("speech", "Speech"),
    ("approval", "Rule of approval"),
    ("dispatch", "Dispatcher"),
    ("twilio", "Twilio"),
    ("gateway", "Voice gateway"),
    ("clock", "Clock"),
    ("cleaning", "Cleaning"),
    ("reconciler", "Reconciler"),
    ("start", "Start of the service"),
    ("first start", "First start of the service"),
    ("command line", "Command line"),
];

/// What an action means; one that is not in the table is told by its own name.
pub(super) fn action(name: &str) -> String {
    let known = SUBJECTS.iter().flat_map(|subject| subject.actions).find(|(known, _)| *known == name);
    known.map_or_else(|| readable(name), |(_, words)| (*words).to_owned())
}

/// What the page calls who acted.
pub(super) fn part(name: &str) -> &str {
    PARTS.iter().find(|(known, _)| *known == name).map_or(name, |(_, words)| words)
}

/// `call.answered_late` as `Call answered late`.
fn readable(name: &str) -> String {
    let words = name.replace(['.', '_'], " ");
    let mut letters = words.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_action_stands_under_its_subject_once() {
        let mut seen = std::collections::BTreeSet::new();
        for subject in &SUBJECTS {
            for (name, words) in subject.actions {
                assert!(name.strip_prefix(subject.name).is_some_and(|rest| rest.starts_with('.')), "{name}");
                assert!(seen.insert(name) && action(name) == *words, "{name}");
            }
        }
    }

    #[test]
    fn what_is_not_known_is_still_readable() {
        assert_eq!(action("call.answered_late"), "Call answered late");
        assert_eq!((action("").as_str(), part("ada@example.com"), part("clock")), ("", "ada@example.com", "Clock"));
    }
}
