//! One operation, whole.

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::list::{self, ListQuery};
use super::rights::{self, Reader, Typed};
use super::{evidence, facts, notices, timeline};
use crate::error::{Problem, Result};
use crate::operation::compose::commands::Commands;
use crate::operation::status::State;
use crate::operation::store::{self, Operation};
use crate::operation::views::detail::{DetailPane, OperationPage, Request};
use crate::visit::Visit;
use crate::web::extract::{Path, Query};
use crate::web::frame::{Frame, Place, html};

/// The header by which a page of ours asks for a part of a page only.
const PART: &str = "x-part";

pub(super) async fn show(
    visit: Visit,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Response> {
    if let Some(part) = headers.get(PART) {
        // On the page of the list, or on its own.
        let is_beside = part == "beside";
        return match pane(&visit, &id, &query, None).await? {
            Some((detail, _)) => Ok(html(StatusCode::OK, &DetailPane { is_beside, ..detail })),
            None => super::not_found(&visit).await,
        };
    }
    match page(&visit, &id, &query, None).await? {
        Some(page) => Ok(html(StatusCode::OK, &page)),
        None => super::not_found(&visit).await,
    }
}

/// The page of an operation; after a refused decision it says why, and keeps what was typed.
pub(super) async fn page(
    visit: &Visit,
    id: &str,
    query: &ListQuery,
    refused: Option<(&Problem, Typed)>,
) -> Result<Option<OperationPage>> {
    let Some((detail, frame)) = pane(visit, id, query, refused).await? else { return Ok(None) };
    let counts = frame.signed_in.as_ref().map_or((0, 0), |person| (person.waiting, person.attention));
    let list = list::pane(visit, query, counts, Some(detail.id.clone())).await?;
    Ok(Some(OperationPage { frame, list, detail }))
}

async fn pane(
    visit: &Visit,
    id: &str,
    query: &ListQuery,
    refused: Option<(&Problem, Typed)>,
) -> Result<Option<(DetailPane, Frame)>> {
    let Ok(id) = id.parse() else { return Ok(None) };
    let app = &visit.app;
    let mode = app.config.mode;
    let Some((mut operation, mut story)) = store::whole(&app.db, &app.clock, mode, id).await? else { return Ok(None) };
    let (frame, twin, queued) =
        tokio::try_join!(visit.frame(Place::Operations), twin(visit, &operation), queued(visit, &operation),)?;
    if visit.is_masked() {
        facts::hide_number(&mut operation, &mut story);
    }
    let operation = &operation;
    let settings = app.settings.current();
    let reader = Reader { principal: &visit.principal, settings: &settings, mode };
    let mut decision = rights::decision(&reader, operation, &story, queued);
    if let Some((problem, typed)) = refused {
        decision = rights::refused(decision, problem, &typed);
    }
    let commands = (!visit.is_masked()).then(|| Commands::again(&app.public_url, operation));
    let detail = DetailPane {
        is_beside: false,
        query: query.suffix(),
        now: app.clock.now(),
        id: operation.id.to_string(),
        status: facts::status(operation),
        since: timeline::since(operation, &story),
        provider_word: operation.provider_status.clone(),
        from: operation.from_number.clone(),
        recipient: facts::recipient(operation, visit.is_masked()),
        content: facts::content(operation),
        audio: facts::audio(&story),
        request: Request { commands, ..facts::request(operation) },
        notices: notices::notices(operation, &story, twin.as_ref()),
        attention: operation.attention(),
        decision,
        events: timeline::events(operation, &story),
        decisions: facts::decisions(operation, &story),
        attempts: facts::attempts(&story),
        look_ups: evidence::look_ups(operation, &story, visit.is_masked()),
        reports: facts::reports(&story),
    };
    Ok(Some((detail, frame)))
}

/// The earlier operation that this one may repeat, while that is to be decided.
async fn twin(visit: &Visit, operation: &Operation) -> Result<Option<Operation>> {
    let app = &visit.app;
    match operation.possible_duplicate_of.filter(|_| operation.state == State::PendingApproval) {
        Some(twin) => Ok(store::find(&app.db, &app.clock, app.config.mode, twin).await?),
        None => Ok(None),
    }
}

/// The segments or calls that its sender has to send first, while that is to be decided.
async fn queued(visit: &Visit, operation: &Operation) -> Result<i64> {
    if operation.state != State::PendingApproval {
        return Ok(0);
    }
    Ok(store::queued(&visit.app.db, operation.mode, operation.kind, &operation.from_number).await?)
}
