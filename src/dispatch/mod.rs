//! Send it once. An operation is claimed by a committed change of its row, passes the fence, is handed to Twilio, and
//! what is then known is recorded:
//!
//! 1. [`claim`]: the attempt and the move to `sending` are one commit, before the network is touched;
//! 2. [`fence`]: a session lock proves that its process lives, and everything is checked once more;
//! 3. [`worker`]: the POST; [`outcome`]: what came of it, by compare-and-set;
//! 4. [`reconcile`]: attempts that nobody recorded are settled by Twilio's own reports, or called unknown;
//!    [`look`]: what no report settles is looked up in Twilio's list, as far as that proves anything;
//! 5. [`resolve`]: what the evidence does not settle, a person does;
//! 6. [`expiry`]: what waited too long goes nowhere.

pub mod changes;
pub mod claim;
pub mod expiry;
pub mod fence;
pub mod look;
pub mod outcome;
pub mod reconcile;
pub mod resolve;
pub mod worker;

pub use fence::Fenced;
