//! Talking to the provider: what it says of itself, where to send somebody, and what it says of them afterwards.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreResponseType,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AsyncHttpClient, AuthenticationFlow, AuthorizationCode, Client, ClientId, ClientSecret,
    CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    IdTokenClaims, IdTokenFields, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, StandardErrorResponse, StandardTokenResponse, TokenResponse as _,
};
use reqwest::redirect::Policy;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::attempt::Attempt;
use crate::auth::Role;
use crate::auth::sessions;
use crate::config::{OidcProvider, PublicUrl};
use crate::tls;

/// Longest that one request to the provider may take; two stand between a person and their session.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Most bytes of an answer that are read.
const LARGEST: usize = 512 * 1024;

/// How long what the provider says of itself is believed. Its keys change more rarely, and a key that is not among them
/// asks at once.
const FRESH: Duration = Duration::from_hours(1);

/// Signatures by a key of which we know the public half only. None that a shared secret makes, and none that is missing.
const SIGNATURES: [CoreJwsSigningAlgorithm; 8] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Values of `amr` that say that more was shown than a password (RFC 8176).
const SECOND_FACTORS: [&str; 6] = ["mfa", "otp", "hwk", "swk", "sc", "fpt"];

/// Claims besides the standard ones: the groups are among them, under a name that the provider chooses.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Others {
    #[serde(flatten)]
    all: Map<String, Value>,
}

impl AdditionalClaims for Others {}

type Tokens = StandardTokenResponse<
    IdTokenFields<
        Others,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

type OurClient = Client<
    Others,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The provider at which people may sign in. Clones share what is known of it.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

struct Inner {
    settings: OidcProvider,
    http: Http,
    known: Mutex<Option<(CoreProviderMetadata, Instant)>>,
}

/// Our way to it.
struct Http(reqwest::Client);

/// Whom the provider vouches for.
#[derive(Debug)]
pub(super) struct Vouched {
    /// The provider's own name for them, which it gives to nobody else.
    pub(super) subject: String,
    /// Their address, if the provider has made sure that it is theirs.
    pub(super) email: Option<String>,
    pub(super) name: Option<String>,
    /// What their groups may do here.
    pub(super) role: Option<Role>,
    /// When they last showed the provider who they are, in seconds since 1970.
    pub(super) authenticated_at: i64,
    /// Whether they showed more than a password.
    pub(super) second_factor: bool,
}

/// Why the provider vouches for nobody.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotVouched {
    /// It did not answer, or with what is no answer.
    #[error("{0:#}")]
    Away(anyhow::Error),
    /// What it answered is not to be believed.
    #[error("{0:#}")]
    Unsound(anyhow::Error),
}

/// What the provider answered is too much, or did not come.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct NotAnswered(#[from] anyhow::Error);

impl Provider {
    /// Nothing is asked yet: a provider that is away must not keep the service from starting.
    pub fn new(settings: &OidcProvider) -> anyhow::Result<Self> {
        // What the provider names is where it was configured to be: a redirect could lead anywhere.
        let http = reqwest::Client::builder()
            .use_preconfigured_tls(tls::client()?)
            .redirect(Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self(Arc::new(Inner { settings: settings.clone(), http: Http(http), known: Mutex::default() })))
    }

    /// What its button says.
    pub(in crate::auth) fn name(&self) -> &str {
        &self.0.settings.name
    }

    /// Exactly as it writes it.
    pub(super) fn issuer(&self) -> &str {
        &self.0.settings.issuer
    }

    /// Where to send the browser.
    pub(super) async fn address(&self, attempt: &Attempt, public_url: &PublicUrl) -> Result<Url, NotVouched> {
        let client = self.client(public_url, false).await?;
        let (state, nonce) = (attempt.state(), attempt.nonce());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(attempt.verifier()));
        // With it the provider has to say when the person last showed who they are.
        let age = if attempt.anew { Duration::ZERO } else { sessions::LONGEST };
        let mut request = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .add_scope(Scope::new("email".to_owned()))
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(challenge)
            .set_max_age(age);
        if attempt.anew {
            request = request.add_prompt(CoreAuthPrompt::Login);
        }
        Ok(request.url().0)
    }

    /// Exchanges the code for what the provider says of the person, and believes nothing of it unseen.
    pub(super) async fn vouch(
        &self,
        attempt: &Attempt,
        code: String,
        public_url: &PublicUrl,
    ) -> Result<Vouched, NotVouched> {
        let client = self.client(public_url, false).await?;
        let exchange = client.exchange_code(AuthorizationCode::new(code)).context("it names no token endpoint");
        let tokens: Tokens = exchange
            .map_err(NotVouched::Unsound)?
            .set_pkce_verifier(PkceCodeVerifier::new(attempt.verifier()))
            .request_async(&self.0.http)
            .await
            .map_err(|error| match error {
                RequestTokenError::Request(_) => NotVouched::Away(describe(&error)),
                // It refused the code, or what it sent is no token.
                _ => NotVouched::Unsound(describe(&error)),
            })?;
        let token = tokens.id_token().context("it sent no ID token").map_err(NotVouched::Unsound)?;
        let nonce = Nonce::new(attempt.nonce());
        let claims = match token.claims(&verifier(&client), &nonce) {
            Ok(claims) => claims.clone(),
            // Its keys may have changed since they were asked for.
            Err(openidconnect::ClaimsVerificationError::SignatureVerification(
                openidconnect::SignatureVerificationError::NoMatchingKey,
            )) => {
                let client = self.client(public_url, true).await?;
                token.claims(&verifier(&client), &nonce).map_err(unsound)?.clone()
            }
            Err(error) => return Err(unsound(error)),
        };
        self.vouched(&claims)
    }

    fn vouched(&self, claims: &IdTokenClaims<Others, CoreGenderClaim>) -> Result<Vouched, NotVouched> {
        let authenticated_at = claims.auth_time().map(|at| at.timestamp());
        let authenticated_at =
            authenticated_at.context("it does not say when the person signed in").map_err(NotVouched::Unsound)?;
        let groups = claims.additional_claims().all.get(&self.0.settings.groups_claim);
        let groups: Vec<&str> = match groups {
            Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(group)) => vec![group.as_str()],
            _ => Vec::new(),
        };
        let methods = claims.auth_method_refs().map(Vec::as_slice).unwrap_or_default();
        Ok(Vouched {
            subject: claims.subject().as_str().to_owned(),
            email: claims
                .email()
                .filter(|_| claims.email_verified() == Some(true))
                .map(|email| email.as_str().to_owned()),
            name: claims.name().and_then(|name| name.get(None)).map(|name| name.as_str().to_owned()),
            role: self.0.settings.role_of(groups.into_iter()),
            authenticated_at,
            second_factor: methods.iter().any(|method| SECOND_FACTORS.contains(&method.as_str())),
        })
    }

    /// The client of the flow, by what the provider says of itself; asked anew where that is old, or a key is missing.
    async fn client(&self, public_url: &PublicUrl, anew: bool) -> Result<OurClient, NotVouched> {
        let metadata = self.metadata(anew).await.map_err(NotVouched::Away)?;
        let settings = &self.0.settings;
        #[expect(clippy::disallowed_methods, reason = "the provider asks for it")]
        let secret = settings.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        let back = RedirectUrl::new(public_url.join(super::pages::BACK)).context("the public URL");
        Ok(Client::from_provider_metadata(metadata, ClientId::new(settings.client_id.clone()), secret)
            .set_redirect_uri(back.map_err(NotVouched::Unsound)?))
    }

    async fn metadata(&self, anew: bool) -> anyhow::Result<CoreProviderMetadata> {
        let mut known = self.0.known.lock().await;
        if let Some((metadata, at)) = known.as_ref().filter(|_| !anew)
            && at.elapsed() < FRESH
        {
            return Ok(metadata.clone());
        }
        let issuer = IssuerUrl::new(self.0.settings.issuer.clone()).context("the issuer")?;
        let metadata =
            CoreProviderMetadata::discover_async(issuer, &self.0.http).await.map_err(|error| describe(&error))?;
        *known = Some((metadata.clone(), Instant::now()));
        Ok(metadata)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = NotAnswered;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, NotAnswered>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl Http {
    /// One request, whole and bounded.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, NotAnswered> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string();
        let sent = self.0.request(parts.method, &url).headers(parts.headers).body(body).send();
        let mut answer = sent.await.context("the provider does not answer")?;
        if answer.status().is_server_error() {
            return Err(anyhow::anyhow!("the provider answers {}", answer.status()).into());
        }
        let mut whole = Vec::new();
        while let Some(chunk) = answer.chunk().await.context("the provider broke off")? {
            if whole.len() + chunk.len() > LARGEST {
                return Err(anyhow::anyhow!("the provider's answer is larger than {LARGEST} bytes").into());
            }
            whole.extend_from_slice(&chunk);
        }
        let mut response = axum::http::Response::new(whole);
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

fn verifier(client: &OurClient) -> openidconnect::IdTokenVerifier<'_, CoreJsonWebKey> {
    client.id_token_verifier().set_allowed_algs(SIGNATURES)
}

#[expect(clippy::needless_pass_by_value, reason = "as the caller maps it")]
fn unsound(error: openidconnect::ClaimsVerificationError) -> NotVouched {
    NotVouched::Unsound(describe(&error))
}

/// An error with its causes, which the crate's own words leave out.
fn describe(error: &dyn std::error::Error) -> anyhow::Error {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    anyhow::anyhow!("{text}")
}
