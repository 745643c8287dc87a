//! A person at one of our pages, and the frame around what they see. Every page of every subject starts here.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use axum_extra::extract::cookie::CookieJar;

use crate::audit::Actor;
use crate::auth::{Permission, Principal, Refusal, SignedIn};
use crate::config::{Mode, Operating};
use crate::error::{Error, Problem, Result};
use crate::guard::hold::{self, Hold};
use crate::live::position;
use crate::operation::store::{self, Counts};
use crate::state::AppState;
use crate::web::banners::Banner;
use crate::web::client::ClientAddress;
use crate::web::correlation::CorrelationId;
use crate::web::frame::{self, Frame, Place, Shortcuts, Theme, html};
use crate::web::views::ErrorPage;

/// A person at a page of ours, with everything that a handler needs of them.
pub(crate) struct Visit {
    pub(crate) app: AppState,
    pub(crate) principal: Principal,
    /// The author of whatever they change.
    pub(crate) actor: Actor,
    pub(crate) correlation_id: String,
    theme: Theme,
    shortcuts: Shortcuts,
}

impl FromRequestParts<AppState> for Visit {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Refusal> {
        let SignedIn(principal) = SignedIn::from_request_parts(parts, app).await?;
        let cookies = CookieJar::from_headers(&parts.headers);
        let (theme, shortcuts) = (Theme::of(&cookies), Shortcuts::of(&cookies));
        let Ok(address) = ClientAddress::from_request_parts(parts, app).await;
        let Ok(correlation_id) = CorrelationId::from_request_parts(parts, app).await;
        principal.require(Permission::ReadOperations).map_err(Error::from)?;
        let actor = principal.actor(address, &correlation_id);
        Ok(Self { app: app.clone(), principal, actor, correlation_id: correlation_id.0, theme, shortcuts })
    }
}

impl Visit {
    /// Viewers see the ends of telephone numbers only, and no raw data.
    pub(crate) fn is_masked(&self) -> bool {
        !self.principal.sees_numbers()
    }

    /// The frame of a page at this place, as things stand now.
    pub(crate) async fn frame(&self, place: Place) -> Result<Frame> {
        let Self { app, principal, theme, shortcuts, .. } = self;
        let mode = app.config.mode;
        let counts = store::counts(&app.db, &app.clock, mode);
        let (since, counts, hold) = tokio::try_join!(position::now(&app.db), counts, hold::current(&app.db))?;
        let person = person(principal, &app.settings.current(), mode, counts, &hold, place);
        let person = frame::SignedIn { shortcuts: *shortcuts, live_since: since.to_string(), ..person };
        Ok(Frame::of(mode, *theme, person))
    }

    /// The page of an address that names nothing, with the menu, so that the reader can go on.
    pub(crate) async fn not_found(&self, place: Place, title: &str, advice: &str) -> Result<Response> {
        let status = StatusCode::NOT_FOUND;
        let page = ErrorPage {
            frame: self.frame(place).await?,
            status: status.as_u16(),
            title: title.to_owned(),
            detail: format!("Nothing stands at this address in {} mode.", self.app.config.mode),
            advice: advice.to_owned(),
            correlation_id: self.correlation_id.clone(),
        };
        Ok(html(status, &page))
    }
}

/// What a refusal says to the reader; a fault of ours is not theirs to mend, and goes on as it is.
pub(crate) fn refusal(error: Error) -> Result<Problem> {
    match error {
        Error::Problem(problem) if problem.status.is_client_error() => Ok(*problem),
        error => Err(error),
    }
}

fn person(
    principal: &Principal,
    settings: &Operating,
    mode: Mode,
    counts: Counts,
    hold: &Hold,
    place: Place,
) -> frame::SignedIn {
    let may_hold = principal.may(Permission::Hold);
    let reason = hold.held.then(|| hold.reason.clone().unwrap_or_default());
    let mut banners: Vec<Banner> = reason.iter().map(|reason| Banner::held(reason, may_hold)).collect();
    if let Some(newest) = counts.newest_suspected {
        banners.push(Banner::duplicate_suspected(counts.suspected, &newest.to_string()));
    }
    if !settings.approval.required {
        banners.push(Banner::approval_off());
    }
    // In the sandbox nobody is reached: there it is worth saying only if somebody chose it.
    if settings.approval.allow_self_approval || (mode == Mode::Live && !settings.approval.four_eyes(mode)) {
        banners.push(Banner::self_approval_allowed());
    }
    if principal.must_change_password {
        banners.push(Banner::initial_password());
    }
    frame::SignedIn {
        name: principal.name.clone(),
        email: principal.email.clone(),
        role: principal.role.to_string(),
        may_request: principal.may(Permission::AskOperations),
        may_hold,
        waiting: counts.waiting,
        attention: counts.attention,
        held: reason,
        banners,
        place,
        shortcuts: Shortcuts::default(),
        live_since: String::new(),
    }
}
