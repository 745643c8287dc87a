//! What a path and a method ask for.

use hyper::{Method, StatusCode};

use super::{api::API_VERSION, faults::On};

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    ListAccounts,
    FetchAccount,
    UpdateAccount,
    CreateNumber,
    ListNumbers,
    FetchNumber(String),
    UpdateNumber(String),
    DeleteNumber(String),
    CreateMessage,
    ListMessages,
    FetchMessage(String),
    UpdateMessage(String),
    DeleteMessage(String),
    CreateCall,
    ListCalls,
    FetchCall(String),
    UpdateCall(String),
    DeleteCall(String),
}

impl Route {
    /// What is asked for, and the account in the path, if one is in it.
    pub(super) fn parse(method: &Method, path: &str) -> Option<(Option<String>, Self)> {
        let path =
            path.strip_prefix('/')?.strip_prefix(API_VERSION)?.strip_prefix("/Accounts")?.strip_suffix(".json")?;
        if path.is_empty() {
            return (method == Method::GET).then_some((None, Self::ListAccounts));
        }
        let segments = path.strip_prefix('/')?.split('/').collect::<Vec<_>>();
        let route = match (method.as_str(), &segments[1..]) {
            ("GET", []) => Self::FetchAccount,
            ("POST", []) => Self::UpdateAccount,
            ("POST", ["IncomingPhoneNumbers"]) => Self::CreateNumber,
            ("GET", ["IncomingPhoneNumbers"]) => Self::ListNumbers,
            ("GET", ["IncomingPhoneNumbers", sid]) => Self::FetchNumber((*sid).to_owned()),
            ("POST", ["IncomingPhoneNumbers", sid]) => Self::UpdateNumber((*sid).to_owned()),
            ("DELETE", ["IncomingPhoneNumbers", sid]) => Self::DeleteNumber((*sid).to_owned()),
            ("POST", ["Messages"]) => Self::CreateMessage,
            ("GET", ["Messages"]) => Self::ListMessages,
            ("GET", ["Messages", sid]) => Self::FetchMessage((*sid).to_owned()),
            ("POST", ["Messages", sid]) => Self::UpdateMessage((*sid).to_owned()),
            ("DELETE", ["Messages", sid]) => Self::DeleteMessage((*sid).to_owned()),
            ("POST", ["Calls"]) => Self::CreateCall,
            ("GET", ["Calls"]) => Self::ListCalls,
            ("GET", ["Calls", sid]) => Self::FetchCall((*sid).to_owned()),
            ("POST", ["Calls", sid]) => Self::UpdateCall((*sid).to_owned()),
            ("DELETE", ["Calls", sid]) => Self::DeleteCall((*sid).to_owned()),
            _ => return None,
        };
        Some((Some(segments[0].to_owned()), route))
    }

    /// Whether it is about the account itself.
    pub(super) fn is_about_accounts(&self) -> bool {
        matches!(self, Self::ListAccounts | Self::FetchAccount | Self::UpdateAccount)
    }

    /// The status of an answer that is no refusal.
    pub(super) fn success(&self) -> StatusCode {
        match self {
            Self::CreateMessage | Self::CreateCall | Self::CreateNumber => StatusCode::CREATED,
            Self::DeleteMessage(_) | Self::DeleteCall(_) | Self::DeleteNumber(_) => StatusCode::NO_CONTENT,
            _ => StatusCode::OK,
        }
    }

    /// The kind of request that faults know it as.
    pub(super) fn on(&self) -> Option<On> {
        match self {
            Self::CreateMessage | Self::CreateCall => Some(On::Create),
            Self::FetchMessage(_) | Self::FetchCall(_) => Some(On::Fetch),
            Self::ListMessages | Self::ListCalls => Some(On::List),
            _ => None,
        }
    }
}
