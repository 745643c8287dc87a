//! What stays out of a core dump: everything. The process holds keys, tokens and what they open.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// Keeps the memory of this process from being written to a file when it crashes, and from being read by others of the same
/// account. To be called before any secret is read.
///
/// A program that is started from here is dumpable again as soon as it runs, and may raise the limit as it likes.
pub fn keep_from_others() -> io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Core);
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum })?;
    // Where dumps are piped into a program the limit does not count; this does.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}
