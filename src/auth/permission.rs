//! What may be done, and what it takes: a role of the person, and a scope of the token where one acts for them.

use std::fmt;
use std::str::FromStr;

use super::Role;

/// What a token may be used for. Its owner's role must allow it as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// `operations:read`
    OperationsRead,
    /// `operations:write`
    OperationsWrite,
    /// `approvals:write`
    ApprovalsWrite,
    /// `vault:write`
    VaultWrite,
    /// `audit:read`
    AuditRead,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 5] =
        [Self::OperationsRead, Self::OperationsWrite, Self::ApprovalsWrite, Self::VaultWrite, Self::AuditRead];

    /// The scope's name in rows, commands and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OperationsRead => "operations:read",
            Self::OperationsWrite => "operations:write",
            Self::ApprovalsWrite => "approvals:write",
            Self::VaultWrite => "vault:write",
            Self::AuditRead => "audit:read",
        }
    }

    /// The least role that can use it.
    pub fn role(self) -> Role {
        let permissions = Permission::ALL.into_iter().filter(|permission| permission.scope() == Some(self));
        permissions.map(Permission::role).min().unwrap_or(Role::Admin)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// There is no scope of that name.
#[derive(Clone, Debug, thiserror::Error)]
#[error("a scope is operations:read, operations:write, approvals:write, vault:write or audit:read")]
pub struct UnknownScope;

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(UnknownScope)
    }
}

/// What a handler is about to do for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Look at operations.
    ReadOperations,
    /// Ask for operations, and cancel them.
    AskOperations,
    /// Approve, reject and resolve.
    Decide,
    /// Stop all sending, and resume it.
    Hold,
    /// Store and remove credentials.
    ManageVault,
    /// Add, disable and reset people.
    ManageUsers,
    /// Change operating settings.
    ManageSettings,
    /// Read what happened. No line holds a secret, so everyone who may look at all may look here.
    ReadAudit,
}

impl Permission {
    /// All permissions.
    pub const ALL: [Self; 8] = [
        Self::ReadOperations,
        Self::AskOperations,
        Self::Decide,
        Self::Hold,
        Self::ManageVault,
        Self::ManageUsers,
        Self::ManageSettings,
        Self::ReadAudit,
    ];

    /// The least role that has it.
    pub fn role(self) -> Role {
        match self {
            Self::ReadOperations | Self::ReadAudit => Role::Viewer,
            Self::AskOperations => Role::Operator,
            Self::Decide => Role::Approver,
            Self::Hold | Self::ManageVault | Self::ManageUsers | Self::ManageSettings => Role::Admin,
        }
    }

    /// The scope that a token needs for it; `None`: no token has it, only a person who is signed in.
    pub fn scope(self) -> Option<Scope> {
        match self {
            Self::ReadOperations => Some(Scope::OperationsRead),
            Self::AskOperations => Some(Scope::OperationsWrite),
            // A monitor must be able to stop the sending; whoever may let things go may also stop them.
            Self::Decide | Self::Hold => Some(Scope::ApprovalsWrite),
            Self::ManageVault => Some(Scope::VaultWrite),
            Self::ReadAudit => Some(Scope::AuditRead),
            Self::ManageUsers | Self::ManageSettings => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_for_the_least_role_that_can_use_it() {
        let roles = Scope::ALL.map(Scope::role);
        assert_eq!(roles, [Role::Viewer, Role::Operator, Role::Approver, Role::Admin, Role::Viewer]);
    }
}
