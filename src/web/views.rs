//! Pages that belong to no subject: the error page.

use crate::config::Mode;
use crate::error::Problem;

/// The page of a refusal.
pub(crate) fn error_page(_mode: Mode, problem: &Problem, correlation_id: &str) -> String {
    format!("{} {correlation_id}", problem.detail)
}
