//! Who asks: a person who signed in, or an API token that acts for one.

use std::time::Duration;

use super::{Permission, Role, Scope};
use crate::audit::Actor;
use crate::error::Problem;
use crate::id::{TokenId, UserId};
use crate::web::client::ClientAddress;
use crate::web::correlation::CorrelationId;

/// Who asks. As an extractor: whoever may use the API; anybody else is refused with 401.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The person, also behind a token.
    pub user: UserId,
    /// Their address, by which people and the audit know them.
    pub email: String,
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// How they came in.
    pub via: Via,
    /// Somebody else knows their password: pages ask them to change it, live mode insists.
    pub must_change_password: bool,
    /// They have set a second factor.
    pub has_second_factor: bool,
}

/// How a principal came in.
#[derive(Clone, Debug)]
pub enum Via {
    /// By signing in.
    Session {
        /// How long ago the person last showed who they are, by the database's clock.
        age: Duration,
        /// Whether they did so with their second factor too.
        second_factor: bool,
        /// Whether it was begun at a provider of OpenID Connect.
        by_provider: bool,
    },
    /// By an API token.
    Token {
        /// The token.
        id: TokenId,
        /// What its owner calls it.
        name: String,
        /// What it may be used for.
        scopes: Vec<Scope>,
    },
}

impl Principal {
    /// Refuses with 403, naming what is missing, unless both the person's role and the token's scopes allow it.
    pub fn require(&self, permission: Permission) -> Result<(), Problem> {
        if self.role < permission.role() {
            return Err(role_missing(self, permission.role()));
        }
        let Via::Token { scopes, .. } = &self.via else { return Ok(()) };
        match permission.scope() {
            Some(scope) if scopes.contains(&scope) => Ok(()),
            Some(scope) => Err(scope_missing(scope)),
            None => Err(Problem::forbidden(
                "session_required",
                "No API token can do this, whatever its scopes. Sign in with a browser and do it there.",
            )),
        }
    }

    /// Whether [`Principal::require`] would let it pass; pages show only what can be done.
    pub fn may(&self, permission: Permission) -> bool {
        self.require(permission).is_ok()
    }

    /// Whether whole telephone numbers may be shown; viewers see the country and the last digits.
    pub fn sees_numbers(&self) -> bool {
        self.role > Role::Viewer
    }

    /// Whether the session was begun, or confirmed, with a second factor.
    pub(super) fn used_second_factor(&self) -> bool {
        matches!(self.via, Via::Session { second_factor: true, .. })
    }

    /// The token that acts for the person, if one does.
    pub fn token(&self) -> Option<TokenId> {
        match self.via {
            Via::Session { .. } => None,
            Via::Token { id, .. } => Some(id),
        }
    }

    /// The author of an audit line.
    pub(crate) fn actor(&self, address: ClientAddress, correlation_id: &CorrelationId) -> Actor {
        Actor {
            name: self.email.clone(),
            user: Some(self.user),
            token: self.token(),
            ip: Some(address.0.to_string()),
            correlation_id: Some(correlation_id.0.clone()),
        }
    }
}

fn role_missing(principal: &Principal, needed: Role) -> Problem {
    let detail = format!(
        "This needs the role {needed}, and {} is {}. Ask somebody who has it, or an admin for the role.",
        principal.email, principal.role
    );
    Problem::forbidden("role_missing", detail).with("requiredRole", needed.as_str())
}

fn scope_missing(needed: Scope) -> Problem {
    let detail = format!("This needs a token with the scope {needed}. Make one with `token create --scope {needed}`.");
    Problem::forbidden("scope_missing", detail).with("requiredScope", needed.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(role: Role, via: Via) -> Principal {
        let email = "ada@example.com".to_owned();
        Principal {
            user: UserId::new(),
            email,
            name: "Ada".to_owned(),
            role,
            via,
            must_change_password: false,
            has_second_factor: false,
        }
    }

    fn code(principal: &Principal, permission: Permission) -> Option<&'static str> {
        principal.require(permission).err().map(|problem| problem.code)
    }

    #[test]
    fn a_person_may_what_the_role_allows() {
        for role in Role::ALL {
            let person =
                principal(role, Via::Session { age: Duration::ZERO, second_factor: false, by_provider: false });
            for permission in Permission::ALL {
                let expected = (role < permission.role()).then_some("role_missing");
                assert_eq!(code(&person, permission), expected, "{role} {permission:?}");
            }
        }
    }

    #[test]
    fn a_token_may_what_both_its_scope_and_the_role_allow() {
        for role in Role::ALL {
            for scope in Scope::ALL {
                let via = Via::Token { id: TokenId::new(), name: "ci".to_owned(), scopes: vec![scope] };
                let token = principal(role, via);
                for permission in Permission::ALL {
                    let expected = match permission.scope() {
                        _ if role < permission.role() => Some("role_missing"),
                        None => Some("session_required"),
                        Some(needed) => (needed != scope).then_some("scope_missing"),
                    };
                    assert_eq!(code(&token, permission), expected, "{role} {scope} {permission:?}");
                }
            }
        }
    }
}
