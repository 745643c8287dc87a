//! What a person may do, as one word.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A person's role. Each one may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Asks for operations.
    Operator,
    /// Decides on what others ask for.
    Approver,
    /// Also keeps the vault, the users, the settings and the hold.
    Admin,
}

impl Role {
    /// All roles, the least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Approver, Self::Admin];

    /// The role's name in rows, commands and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// There is no role of that name.
#[derive(Clone, Debug, thiserror::Error)]
#[error("a role is viewer, operator, approver or admin")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

#[cfg(test)]
mod tests {
    use super::Role;

    #[test]
    fn each_role_is_more_than_the_one_before_and_keeps_its_name() {
        assert!(Role::ALL.is_sorted_by(|less, more| less < more));
        for role in Role::ALL {
            assert_eq!(role.to_string().parse::<Role>().expect("its own name"), role);
        }
        assert!("Admin".parse::<Role>().is_err());
    }
}
