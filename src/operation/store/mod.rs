//! Every statement on `operations` that belongs to asking and reading. Claims and outcomes are in `dispatch`, decisions
//! in `approval`, reports in `callback`: each with its own compare-and-set on the state.

mod acknowledge;
mod create;
mod list;
mod queued;
mod row;
mod story;

pub use acknowledge::acknowledge;
pub use create::{Asking, Created, create, find_by_key};
pub use list::{Counts, Cursor, Filter, PAGE_LIMIT, Page, counts, find_all, list, newer};
pub use queued::queued;
pub use row::{Operation, find};
pub use story::{Attempt, Decision, Event, Evidence, HistoryLine, Story, whole};
