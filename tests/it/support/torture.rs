//! How much of the long-running proofs is run.

/// Whether everything is to be run (`make torture`) or the slice that belongs to `make test`.
pub(crate) fn is_full() -> bool {
    #[expect(clippy::disallowed_methods, reason = "no setting of the program: how long its tests may take")]
    std::env::var("MISSION_CONTROL_TORTURE").is_ok_and(|amount| amount == "full")
}

/// What the choices of a run follow from; printed by each, and set to repeat one.
pub(crate) fn seed() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "no setting of the program: which run of its tests to repeat")]
    let given = std::env::var("MISSION_CONTROL_SEED").ok();
    given.map_or(20_261_123, |seed| seed.parse().expect("MISSION_CONTROL_SEED is a number"))
}

/// Prints what a proof came to.
#[expect(clippy::print_stdout, reason = "the summary of a run is its output")]
pub(crate) fn report(line: &str) {
    println!("{line}");
}
