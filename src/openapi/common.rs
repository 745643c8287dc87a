//! What is the same at many addresses: how to say who one is, what it takes, and what may be refused anywhere.

use serde_json::{Map, Value, json};

use super::{examples, is_for_programs};
use crate::access::{Access, Route};
use crate::auth::Permission;

/// A refusal that several addresses share.
struct Refusal {
    name: &'static str,
    status: u16,
    code: &'static str,
    /// The codes that it comes with, and when.
    description: &'static str,
    /// The detail of the example.
    detail: &'static str,
    /// Headers besides.
    header: Option<(&'static str, &'static str)>,
}

const RETRY_AFTER: (&str, &str) = ("Retry-After", "Seconds to wait.");

const BAD_REQUEST: Refusal = Refusal {
    name: "BadRequest",
    status: 400,
    code: "invalid_request",
    description: "`invalid_request` with every wrong field in `details`; `invalid_json`, `invalid_query`, \
        `incomplete_body`, `invalid_key`, `idempotency_keys_differ`, `idempotency_key_required`, `no_sender_number`.",
    detail: "to: This field is required.",
    header: None,
};

const UNAUTHENTICATED: Refusal = Refusal {
    name: "Unauthenticated",
    status: 401,
    code: "unauthenticated",
    description: "`unauthenticated`: nobody is known to ask. `token_revoked`, `token_expired`, `account_disabled`: the \
        token opens nothing any more.",
    detail: "Nobody is known to ask. Sign in, or send `Authorization: Bearer mc_...` with a valid token.",
    header: Some(("WWW-Authenticate", "`Bearer`")),
};

const FORBIDDEN: Refusal = Refusal {
    name: "Forbidden",
    status: 403,
    code: "scope_missing",
    description: "`role_missing`, `scope_missing`: it takes more than this person or token has. `own_request`, \
        `tokens_may_not_decide`: the settings keep this one from deciding. `cross_origin`: another site asks. \
        `password_change_required`, `second_factor_required`: first the person has to choose a password, or set a second \
        factor. `confirmation_required`: a session that is older than ten minutes has to be confirmed, at `confirmUrl`.",
    detail: "This needs a token with the scope operations:write. Make one with `token create --scope operations:write`.",
    header: None,
};

const TOO_LARGE: Refusal = Refusal {
    name: "TooLarge",
    status: 413,
    code: "too_large",
    description: "`too_large`: more than 64 KiB.",
    detail: "The request is larger than 64 KiB. Send less.",
    header: None,
};

const ADDRESS_TOO_LONG: Refusal = Refusal {
    name: "AddressTooLong",
    status: 414,
    code: "address_too_long",
    description: "`address_too_long`: more than 8 KiB.",
    detail: "The address is longer than 8 KiB. Ask for less at once.",
    header: None,
};

const UNSUPPORTED: Refusal = Refusal {
    name: "UnsupportedMediaType",
    status: 415,
    code: "unsupported_media_type",
    description: "`unsupported_media_type`: the body is not what this address takes.",
    detail: "The body must be application/json. Set the Content-Type header.",
    header: None,
};

const MISDIRECTED: Refusal = Refusal {
    name: "UnknownHost",
    status: 421,
    code: "unknown_host",
    description: "`unknown_host`: this service does not answer to that name.",
    detail: "This service does not answer to that host name. Use https://mission.example.",
    header: None,
};

const TOO_MANY: Refusal = Refusal {
    name: "TooManyRequests",
    status: 429,
    code: "rate_limited",
    description: "`rate_limited`: this token, or who asks for a verification, asks too often.",
    detail: "This token asked too often. Wait and ask again.",
    header: Some(RETRY_AFTER),
};

const FAULT: Refusal = Refusal {
    name: "InternalError",
    status: 500,
    code: "internal_error",
    description: "`internal_error`: a fault of ours, which the log names by its correlation id.",
    detail: "Something went wrong here. Repeat the request; if it fails again, tell an admin the correlation id.",
    header: None,
};

const UNAVAILABLE: Refusal = Refusal {
    name: "Unavailable",
    status: 503,
    code: "database_unavailable",
    description: "`database_unavailable`, `timed_out`: nothing was lost; repeat the request with the same key. \
        `too_many_pages`: as many streams are open as there may be.",
    detail: "The database does not answer. Nothing was lost: repeat the request with the same key.",
    header: Some(RETRY_AFTER),
};

/// Probes answer by any name, and are never refused.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// Adds to each address what its route says.
pub(super) fn add(document: &mut Value, routes: &[Route]) {
    document["components"]["securitySchemes"] = json!({
        "token": {
            "type": "http", "scheme": "bearer", "bearerFormat": "mc_...",
            "description": "A token acts for its owner: it needs the scope, and the owner the role.",
        },
        "session": {
            "type": "apiKey", "in": "cookie", "name": "__Host-mc",
            "description": "The cookie of a person who signed in (`mc` on plain http): it needs no scope.",
        },
    });
    let all = [
        &BAD_REQUEST,
        &UNAUTHENTICATED,
        &FORBIDDEN,
        &TOO_LARGE,
        &ADDRESS_TOO_LONG,
        &UNSUPPORTED,
        &MISDIRECTED,
        &TOO_MANY,
        &FAULT,
        &UNAVAILABLE,
    ];
    let shared: Map<String, Value> = all.iter().map(|refusal| (refusal.name.to_owned(), refusal.document())).collect();
    document["components"]["responses"] = Value::Object(shared);
    for route in routes.iter().filter(|route| is_for_programs(route)) {
        let method = route.method.as_str().to_ascii_lowercase();
        let Some(operation) = document["paths"].get_mut(route.path).and_then(|path| path.get_mut(&method)) else {
            continue;
        };
        describe(operation, route);
    }
    examples::add(document);
}

fn describe(operation: &mut Value, route: &Route) {
    if let Access::Caller(permission) = route.terms.access {
        operation["security"] = json!([{ "token": [] }, { "session": [] }]);
        let takes = takes(permission);
        let text = operation["description"].as_str().map_or(takes.clone(), |text| format!("{text}\n\n{takes}"));
        operation["description"] = json!(text);
    }
    let has_body = operation.get("requestBody").is_some();
    let has_query = operation["parameters"].as_array().is_some_and(|list| list.iter().any(|one| one["in"] == "query"));
    let is_caller = matches!(route.terms.access, Access::Caller(_));
    let refusals = [
        (&BAD_REQUEST, is_caller && (has_body || has_query)),
        (&UNAUTHENTICATED, is_caller),
        (&FORBIDDEN, is_caller),
        (&TOO_LARGE, has_body),
        (&ADDRESS_TOO_LONG, has_query),
        (&UNSUPPORTED, is_caller && has_body),
        (&MISDIRECTED, !PROBES.contains(&route.path)),
        (&TOO_MANY, is_caller),
        (&FAULT, true),
        (&UNAVAILABLE, true),
    ];
    for (refusal, _) in refusals.into_iter().filter(|(_, applies)| *applies) {
        let reference = json!({ "$ref": format!("#/components/responses/{}", refusal.name) });
        if let Some(responses) = operation["responses"].as_object_mut() {
            responses.entry(refusal.status.to_string()).or_insert(reference);
        }
    }
}

fn takes(permission: Permission) -> String {
    let role = permission.role();
    match permission.scope() {
        Some(scope) => format!("Takes the role {role}, and of a token the scope `{scope}`."),
        None => format!("Takes the role {role}; no token may."),
    }
}

impl Refusal {
    fn document(&self) -> Value {
        let mut document = json!({
            "description": self.description,
            "content": { "application/problem+json": {
                "schema": { "$ref": "#/components/schemas/Problem" },
                "example": examples::problem(self.status, self.code, self.detail),
            } },
        });
        if let Some((name, description)) = self.header {
            document["headers"] = json!({ name: { "description": description, "schema": { "type": "string" } } });
        }
        document
    }
}
