//! The checker, asked one of two things: that everything holds everywhere, or how a promise is broken.

use stateright::{Checker, HasDiscoveries, Model as _};

use super::Sending;
use super::rules::Rules;
use crate::support::torture;

/// Walks every way to its end: nothing that is promised is ever broken. Answers what should be possible and was not seen.
pub(super) fn holds(name: &str, rules: Rules) -> Vec<&'static str> {
    let checker = Sending { rules }.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let mut unseen = Vec::new();
    for property in checker.model().properties() {
        match (property.expectation.discovery_is_failure(), checker.discovery(property.name)) {
            (true, Some(path)) => panic!("{name}: {} is broken by {:?}", property.name, path.into_actions()),
            (false, None) => unseen.push(property.name),
            _ => {}
        }
    }
    tell(name, &checker, "every promise holds");
    unseen
}

/// Finds a shortest way to break a promise.
pub(super) fn breaks(name: &str, promise: &'static str, rules: Rules) {
    let checker = Sending { rules }.checker().finish_when(HasDiscoveries::AnyOf([promise].into())).spawn_bfs().join();
    let Some(path) = checker.discovery(promise) else { panic!("{name}: not broken: {promise}") };
    tell(name, &checker, &format!("broken in {} steps: {promise}", path.into_actions().len()));
}

fn tell(name: &str, checker: &impl Checker<Sending>, result: &str) {
    let (states, unique, depth) = (checker.state_count(), checker.unique_state_count(), checker.max_depth());
    torture::report(&format!("model {name}: {states} states, {unique} unique, depth {depth}; {result}"));
}
