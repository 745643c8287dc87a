//! API tokens: one's own, and for admins everybody's.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use crate::access::{Access, Routes};
use crate::auth::tokens::{self, NewToken, Token};
use crate::auth::views::tokens::{Lifetime, MadeTokenPage, RevokePage, RotatePage, TokensPage, Typed};
use crate::auth::{self, Overlap, Permission, Scope};
use crate::config::PublicUrl;
use crate::error::Result;
use crate::id::TokenId;
use crate::visit::{Visit, refusal};
use crate::web::extract::{Form, Path};
use crate::web::frame::{FormError, Place, html};

const LIST: &str = "/dashboard/settings/tokens";

const LOST_KEY: &str = "This form has lost its key and has a new one now. Check it, and send it again.";

/// The routes of the tokens.
pub(super) fn routes() -> Routes {
    let person = Access::Person(Permission::ReadOperations);
    Routes::new()
        .get(LIST, person, show)
        .post(LIST, person.confirmed(), create)
        .get("/dashboard/settings/tokens/{id}/rotate", person, ask_to_rotate)
        .post("/dashboard/settings/tokens/{id}/rotate", person.confirmed(), rotate)
        .get("/dashboard/settings/tokens/{id}/revoke", person, ask_to_revoke)
        .post("/dashboard/settings/tokens/{id}/revoke", person, revoke)
}

async fn show(visit: Visit) -> Result<Response> {
    Ok(html(StatusCode::OK, &page(&visit, TokenId::new(), Typed::default(), Vec::new()).await?))
}

/// Answers with the token at once: sent on to another address, it would have to be kept somewhere.
async fn create(visit: Visit, Form(fields): Form<Vec<(String, String)>>) -> Result<Response> {
    let (app, typed) = (&visit.app, typed(&fields));
    let key = all(&fields, "key").next().and_then(|key| key.parse::<TokenId>().ok());
    let (errors, key) = (wrong(&visit, &typed, key), key.unwrap_or_else(TokenId::new));
    if !errors.is_empty() {
        return Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &page(&visit, key, typed, errors).await?));
    }
    let new = NewToken {
        owner: visit.principal.email.parse().map_err(anyhow::Error::from)?,
        name: typed.name.trim().to_owned(),
        scopes: typed.scopes.clone(),
        days: typed.lifetime.days(),
    };
    match tokens::create_once(&app.db, &app.clock, &visit.actor, key, new).await {
        Ok(token) => {
            let page = MadeTokenPage {
                frame: visit.frame(Place::Settings).await?,
                name: typed.name.trim().to_owned(),
                token,
                example: example(&app.public_url, &typed.scopes),
                old_ends_at: None,
                now: app.clock.now(),
            };
            Ok(html(StatusCode::OK, &page))
        }
        Err(error) => {
            let problem = refusal(error)?;
            let errors = vec![FormError { field: None, text: problem.detail }];
            Ok(html(problem.status, &page(&visit, TokenId::new(), typed, errors).await?))
        }
    }
}

/// Only one's own: the new token is shown, and it acts for its owner. For others' there is the command.
async fn own(visit: &Visit, id: &str) -> Result<Option<Token>> {
    let token = find(visit, id).await?;
    Ok(token.filter(|token| token.owner == visit.principal.email))
}

async fn ask_to_rotate(visit: Visit, Path(id): Path<String>) -> Result<Response> {
    match own(&visit, &id).await? {
        None => not_found(&visit).await,
        Some(token) if !token.may_rotate(visit.app.clock.now()) => Ok(Redirect::to(LIST).into_response()),
        Some(token) => rotate_page(&visit, StatusCode::OK, token, String::new(), Vec::new()).await,
    }
}

#[derive(Deserialize)]
struct RotateForm {
    #[serde(default)]
    key: String,
    #[serde(default)]
    overlap: String,
}

/// Answers with the token at once, as [`create`] does.
async fn rotate(visit: Visit, Path(id): Path<String>, Form(form): Form<RotateForm>) -> Result<Response> {
    let Some(token) = own(&visit, &id).await? else { return not_found(&visit).await };
    let app = &visit.app;
    let overlap = form.overlap.parse::<Overlap>();
    let (Ok(overlap), Ok(key)) = (&overlap, form.key.parse::<TokenId>()) else {
        let error = match overlap {
            Err(wrong) => FormError { field: Some("overlap"), text: wrong.to_string() },
            Ok(_) => FormError { field: None, text: LOST_KEY.to_owned() },
        };
        return rotate_page(&visit, StatusCode::UNPROCESSABLE_ENTITY, token, form.overlap, vec![error]).await;
    };
    match auth::rotate(&app.db, &app.clock, &app.token_cache, &visit.actor, (token.id, key), *overlap).await {
        Ok(rotated) => {
            let scopes: Vec<Scope> = token.scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
            let page = MadeTokenPage {
                frame: visit.frame(Place::Settings).await?,
                name: token.name,
                token: rotated.token,
                example: example(&app.public_url, &scopes),
                old_ends_at: Some(rotated.old_ends_at),
                now: app.clock.now(),
            };
            Ok(html(StatusCode::OK, &page))
        }
        Err(error) => {
            let problem = refusal(error)?;
            let errors = vec![FormError { field: None, text: problem.detail }];
            rotate_page(&visit, problem.status, token, form.overlap, errors).await
        }
    }
}

async fn rotate_page(
    visit: &Visit,
    status: StatusCode,
    token: Token,
    overlap: String,
    errors: Vec<FormError>,
) -> Result<Response> {
    let page = RotatePage {
        frame: visit.frame(Place::Settings).await?,
        token,
        key: TokenId::new(),
        overlap: if overlap.is_empty() { "24h".to_owned() } else { overlap },
        errors,
        correlation_id: visit.correlation_id.clone(),
        now: visit.app.clock.now(),
    };
    Ok(html(status, &page))
}

async fn ask_to_revoke(visit: Visit, Path(id): Path<String>) -> Result<Response> {
    match find(&visit, &id).await? {
        None => not_found(&visit).await,
        Some(token) if token.revoked_at.is_some() => Ok(Redirect::to(LIST).into_response()),
        Some(token) => {
            let (frame, now) = (visit.frame(Place::Settings).await?, visit.app.clock.now());
            Ok(html(StatusCode::OK, &RevokePage { frame, token, now }))
        }
    }
}

async fn revoke(visit: Visit, Path(id): Path<String>) -> Result<Response> {
    let Some(token) = find(&visit, &id).await? else { return not_found(&visit).await };
    let app = &visit.app;
    tokens::revoke(&app.db, &app.clock, &app.token_cache, &visit.actor, token.id).await?;
    Ok(Redirect::to(LIST).into_response())
}

/// The token that an address names, if the reader may know of it.
async fn find(visit: &Visit, id: &str) -> Result<Option<Token>> {
    let Ok(id) = id.parse::<TokenId>() else { return Ok(None) };
    let token = tokens::find(&visit.app.db, id).await?;
    let sees_all = visit.principal.may(Permission::ManageUsers);
    Ok(token.filter(|token| sees_all || token.owner == visit.principal.email))
}

async fn page(visit: &Visit, key: TokenId, typed: Typed, errors: Vec<FormError>) -> Result<TokensPage> {
    let (app, principal) = (&visit.app, &visit.principal);
    let of_everybody = principal.may(Permission::ManageUsers);
    let tokens = async {
        let known =
            if of_everybody { tokens::list(&app.db).await } else { tokens::list_of(&app.db, principal.user).await };
        Ok(known?)
    };
    let (frame, tokens) = tokio::try_join!(visit.frame(Place::Settings), tokens)?;
    Ok(TokensPage {
        frame,
        tokens,
        reader: principal.email.clone(),
        of_everybody,
        offered: Scope::ALL.into_iter().filter(|scope| scope.role() <= principal.role).collect(),
        key,
        typed,
        errors,
        correlation_id: visit.correlation_id.clone(),
        now: app.clock.now(),
    })
}

fn all<'a>(fields: &'a [(String, String)], name: &str) -> impl Iterator<Item = &'a str> {
    fields.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn typed(fields: &[(String, String)]) -> Typed {
    let lifetime = all(fields, "lifetime").next().unwrap_or_default();
    Typed {
        name: all(fields, "name").next().unwrap_or_default().to_owned(),
        scopes: all(fields, "scope").filter_map(|scope| scope.parse().ok()).collect(),
        lifetime: Lifetime::ALL.into_iter().find(|known| known.value() == lifetime).unwrap_or_default(),
    }
}

/// Everything that needs a change.
fn wrong(visit: &Visit, typed: &Typed, key: Option<TokenId>) -> Vec<FormError> {
    let wrong = |field, text: String| Some(FormError { field, text });
    let role = visit.principal.role;
    let beyond = typed.scopes.iter().find(|scope| scope.role() > role);
    let scope = match beyond {
        Some(scope) => {
            wrong(Some("scope"), format!("{scope} needs the role {}, and yours is {role}. Leave it out.", scope.role()))
        }
        None if typed.scopes.is_empty() => {
            wrong(Some("scope"), "A token without a scope opens nothing. Choose at least one.".to_owned())
        }
        None => None,
    };
    let name = super::name(&typed.name).err().and_then(|text| wrong(Some("name"), text));
    let key = if key.is_none() { wrong(None, LOST_KEY.to_owned()) } else { None };
    [key, name, scope].into_iter().flatten().collect()
}

/// A request that a program could make with a token of these scopes. The token itself would stay in the shell's history.
fn example(public_url: &PublicUrl, scopes: &[Scope]) -> String {
    let requests = [
        (Scope::OperationsWrite, r#"--json '{"to":"+14155550132","message":"Gate code 7719"}'"#, "twilio/send-sms"),
        (Scope::OperationsRead, "", "operations"),
        (Scope::AuditRead, "", "audit"),
        (Scope::ApprovalsWrite, r#"--json '{"digest":"DIGEST"}'"#, "operations/ID/approve"),
        (Scope::VaultWrite, "-X POST", "vault/verify"),
    ];
    let (_, content, path) = requests.into_iter().find(|(scope, ..)| scopes.contains(scope)).unwrap_or(requests[1]);
    let lines = ["curl -H \"Authorization: Bearer $MC_TOKEN\"", content, &format!("{public_url}/api/{path}")];
    lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" \\\n  ")
}

async fn not_found(visit: &Visit) -> Result<Response> {
    let advice = "Check the address, or start from the list of API tokens in the settings.";
    visit.not_found(Place::Settings, "There is no such token", advice).await
}
