//! The page of the overview.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;

use super::views::OverviewPage;
use crate::access::{Access, Routes};
use crate::auth::Permission;
use crate::error::{Problem, Result};
use crate::visit::Visit;
use crate::web::frame::{Place, html};

/// Longest that the page waits for the first count.
const PATIENCE: Duration = Duration::from_secs(10);

/// The route of the page.
pub(crate) fn routes() -> Routes {
    Routes::new().get("/dashboard/operations/overview", Access::Person(Permission::ReadOperations), show)
}

async fn show(visit: Visit) -> Result<Response> {
    let app = &visit.app;
    let (frame, picture) =
        tokio::try_join!(visit.frame(Place::Operations), async { Ok(app.overview.picture(app, PATIENCE).await) })?;
    let Some(picture) = picture else { return Err(not_counted().into()) };
    Ok(html(StatusCode::OK, &OverviewPage { frame, now: app.clock.now(), picture }))
}

fn not_counted() -> Problem {
    let detail = "The last 14 days are still being counted. Load the page again in a few seconds.";
    Problem { retry_after: Some(5), ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_counted_yet", detail) }
}
