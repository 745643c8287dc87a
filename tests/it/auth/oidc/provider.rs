//! A provider of OpenID Connect on loopback, which vouches for whomever the test says, soundly or not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{RawForm, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use mission_control::web::extract::Query;
use openidconnect::core::{CoreEdDsaPrivateSigningKey, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKeyId, PrivateSigningKey as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub(super) const CLIENT_ID: &str = "mission-control";
const ACCESS_TOKEN: &str = "an-access-token";
pub(super) const CLIENT_SECRET: &str = "the-secret-of-the-client-at-the-provider";

/// Whom it vouches for, and how.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) subject: &'static str,
    pub(super) email: Option<&'static str>,
    /// Whether it made sure of the address; `None`: it does not say.
    pub(super) email_verified: Option<bool>,
    pub(super) groups: Value,
    pub(super) amr: Vec<&'static str>,
    /// How many seconds ago they showed who they are; `None`: it does not say.
    pub(super) shown_ago: Option<i64>,
}

/// What is wrong with what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// Another client's token.
    Audience,
    /// One for us and for another client, which could have passed it on.
    SharedAudience,
    /// Another provider's.
    Issuer,
    /// Another sign-in's.
    Nonce,
    /// Any sign-in's: it does not say of which.
    NoNonce,
    /// It is over.
    Expired,
    /// Nobody signed it.
    Unsigned,
    /// A key signed it that the provider does not have.
    OtherKey,
    /// A secret that both know signed it.
    SharedSecret,
    /// What the whole world knows was taken for a shared secret.
    PublicKeyAsSecret,
    /// A byte of it was changed after it was signed.
    Changed,
    /// There is none.
    NoToken,
    /// It says that it is another provider.
    Impostor,
    /// The provider is broken.
    Broken,
    /// It answers without end.
    Endless,
}

impl Fault {
    pub(super) const UNSOUND: [Self; 12] = [
        Self::Audience,
        Self::SharedAudience,
        Self::Issuer,
        Self::Nonce,
        Self::NoNonce,
        Self::Expired,
        Self::Unsigned,
        Self::OtherKey,
        Self::SharedSecret,
        Self::PublicKeyAsSecret,
        Self::Changed,
        Self::NoToken,
    ];
}

/// What it knows of one sign-in.
#[derive(Clone, Debug, Default)]
struct Asked {
    redirect_uri: String,
    nonce: String,
    challenge: String,
}

struct Inner {
    base: String,
    key: [u8; 32],
    key_id: String,
    person: Person,
    fault: Fault,
    /// Codes that were given and not taken.
    codes: Vec<(String, Asked)>,
    /// What nobody else may hear of: it would open a session, or help to.
    secrets: Vec<String>,
    /// What the browser asked last, and how often tokens were asked for.
    last: Value,
    exchanges: usize,
}

#[derive(Clone)]
pub(super) struct Provider(Arc<Mutex<Inner>>);

impl Provider {
    pub(super) async fn start(person: Person) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let inner = Inner {
            base,
            key: [7; 32],
            key_id: "first".to_owned(),
            person,
            fault: Fault::None,
            codes: Vec::new(),
            secrets: vec![CLIENT_SECRET.to_owned(), ACCESS_TOKEN.to_owned()],
            last: Value::Null,
            exchanges: 0,
        };
        let provider = Self(Arc::new(Mutex::new(inner)));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(describe))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(provider.clone());
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn base(&self) -> String {
        self.lock().base.clone()
    }

    pub(super) fn vouch_for(&self, person: Person) {
        self.lock().person = person;
    }

    pub(super) fn break_by(&self, fault: Fault) {
        self.lock().fault = fault;
    }

    /// From now on it signs by another key.
    pub(super) fn change_key(&self) {
        let mut inner = self.lock();
        inner.key = [9; 32];
        "second".clone_into(&mut inner.key_id);
    }

    /// What the browser brought to it last.
    pub(super) fn last(&self) -> Value {
        self.lock().last.clone()
    }

    /// Everything secret that went to and fro.
    pub(super) fn secrets(&self) -> Vec<String> {
        self.lock().secrets.clone()
    }

    pub(super) fn exchanges(&self) -> usize {
        self.lock().exchanges
    }
}

fn signing_key(seed: [u8; 32], id: &str) -> CoreEdDsaPrivateSigningKey {
    // RFC 8410, section 7: what stands before the 32 bytes of a private key.
    let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend_from_slice(&seed);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, Some(JsonWebKeyId::new(id.to_owned()))).expect("a key")
}

fn public_key(inner: &Inner) -> Value {
    json!(signing_key(inner.key, &inner.key_id).as_verification_key())
}

async fn describe(State(provider): State<Provider>) -> Response {
    let inner = provider.lock();
    if inner.fault == Fault::Broken {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let base = &inner.base;
    let issuer = if inner.fault == Fault::Impostor { "http://127.0.0.1:1" } else { base };
    axum::Json(json!({
        "issuer": issuer, "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"), "jwks_uri": format!("{base}/keys"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        // It says that it takes everything; what is believed is ours to say.
        "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none", "RS256"],
    }))
    .into_response()
}

async fn keys(State(provider): State<Provider>) -> Response {
    axum::Json(json!({ "keys": [public_key(&provider.lock())] })).into_response()
}

async fn authorize(State(provider): State<Provider>, Query(asked): Query<Value>) -> Redirect {
    let mut inner = provider.lock();
    let text = |name: &str| asked[name].as_str().unwrap_or_default().to_owned();
    let code = format!("authorization-code-{}", inner.codes.len() + inner.exchanges);
    let given = Asked { redirect_uri: text("redirect_uri"), nonce: text("nonce"), challenge: text("code_challenge") };
    let back = format!("{}?code={code}&state={}", given.redirect_uri, text("state"));
    inner.secrets.extend([code.clone(), given.nonce.clone(), text("state")]);
    inner.codes.push((code, given));
    inner.last = asked;
    Redirect::to(&back)
}

async fn token(State(provider): State<Provider>, headers: HeaderMap, RawForm(form): RawForm) -> Response {
    let mut inner = provider.lock();
    inner.exchanges += 1;
    if inner.fault == Fault::Broken {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    if inner.fault == Fault::Endless {
        let body = axum::body::Body::from(vec![b' '; 4 * 1024 * 1024]);
        return ([(header::CONTENT_TYPE, "application/json")], body).into_response();
    }
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&form).into_owned().collect();
    let field = |name: &str| form.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
    let is_client = headers.get(header::AUTHORIZATION).is_some_and(|value| *value == basic);
    let found = inner.codes.iter().position(|(code, _)| code == field("code"));
    // A code is for one exchange.
    let asked = found.map(|index| inner.codes.remove(index).1);
    let proves = |asked: &Asked| {
        URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier"))) == asked.challenge
            && asked.redirect_uri == field("redirect_uri")
    };
    let Some(asked) = asked.filter(|asked| is_client && proves(asked)) else {
        return (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": "invalid_grant" }))).into_response();
    };
    let mut answer = json!({ "access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 60 });
    if inner.fault != Fault::NoToken {
        let id_token = id_token(&inner, &asked);
        inner.secrets.extend([field("code_verifier").to_owned(), id_token.clone()]);
        answer["id_token"] = json!(id_token);
    }
    axum::Json(answer).into_response()
}

fn id_token(inner: &Inner, asked: &Asked) -> String {
    let Inner { base, person, fault, .. } = inner;
    let now = now();
    let mut claims = json!({
        "iss": if *fault == Fault::Issuer { "http://127.0.0.1:1" } else { base },
        "aud": match fault {
            Fault::Audience => json!("somebody-else"),
            Fault::SharedAudience => json!([CLIENT_ID, "somebody-else"]),
            _ => json!(CLIENT_ID),
        },
        "nonce": if *fault == Fault::Nonce { "another" } else { &asked.nonce },
        "sub": person.subject, "iat": now, "name": "Grace <b>Hopper</b>",
        "exp": if *fault == Fault::Expired { now - 60 } else { now + 60 },
        "groups": person.groups, "amr": person.amr,
    });
    match fault {
        Fault::NoNonce => drop(claims.as_object_mut().and_then(|claims| claims.remove("nonce"))),
        Fault::SharedAudience => claims["azp"] = json!(CLIENT_ID),
        _ => {}
    }
    if let Some(email) = person.email {
        claims["email"] = json!(email);
        if let Some(verified) = person.email_verified {
            claims["email_verified"] = json!(verified);
        }
    }
    if let Some(ago) = person.shown_ago {
        claims["auth_time"] = json!(now - ago);
    }
    let alg = match fault {
        Fault::Unsigned => "none",
        Fault::SharedSecret | Fault::PublicKeyAsSecret => "HS256",
        _ => "EdDSA",
    };
    let head = json!({ "alg": alg, "kid": inner.key_id, "typ": "JWT" });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&head), part(&claims));
    let by_secret = |secret: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key");
        mac.update(message.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    let by_key = |seed| signing_key(seed, "any").sign(&CoreJwsSigningAlgorithm::EdDsa, message.as_bytes());
    let signature = match fault {
        Fault::Unsigned => Vec::new(),
        Fault::SharedSecret => by_secret(CLIENT_SECRET.as_bytes()),
        Fault::PublicKeyAsSecret => by_secret(public_key(inner)["x"].as_str().expect("a key").as_bytes()),
        Fault::OtherKey => by_key([1; 32]).expect("a signature"),
        _ => by_key(inner.key).expect("a signature"),
    };
    if *fault == Fault::Changed {
        claims["sub"] = json!("somebody-else");
    }
    format!("{}.{}.{}", part(&head), part(&claims), URL_SAFE_NO_PAD.encode(signature))
}

#[expect(clippy::disallowed_methods, reason = "the provider has a clock of its own")]
fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}
