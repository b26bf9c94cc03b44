//! One provider: its configuration and keys as it publishes them, the way there, and what comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
    CoreProviderMetadata, CoreUserInfoClaims,
};
use openidconnect::{
    AccessToken, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, IssuerUrl, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, SignatureVerificationError, TokenResponse as _,
};
use tokio::sync::Mutex;

use super::fetch::Fetch;
use crate::config::Provider;
use crate::failure::Failure;
use crate::secret::Secret;

/// What a provider publishes is read again after that.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// Keys are not asked for more often than that, however many tokens name an unknown one.
const BETWEEN: Duration = Duration::from_secs(30);
/// Signatures with a public key. Never `none`, and never a MAC: its key is a secret that the provider shares (RFC 8725, 3.1).
const ALGORITHMS: [CoreJwsSigningAlgorithm; 8] = [
    CoreJwsSigningAlgorithm::EdDsa,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
];

/// One provider.
pub(super) struct OidcProvider {
    pub(super) config: Provider,
    issuer: IssuerUrl,
    redirect: RedirectUrl,
    fetch: Fetch,
    published: Mutex<Option<Published>>,
}

/// What it publishes.
#[derive(Clone)]
struct Published {
    metadata: Arc<CoreProviderMetadata>,
    read: Instant,
    keys_read: Instant,
}

/// What a login needs to come to its end.
pub(super) struct Returned {
    pub(super) code: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

/// Whom it vouches for.
pub(super) struct Person {
    pub(super) subject: String,
    pub(super) email: String,
    pub(super) email_verified: bool,
    pub(super) name: String,
}

impl OidcProvider {
    pub(super) fn new(config: Provider, own_issuer: &str) -> Result<Self, Failure> {
        let wrong =
            |what: &str, found: &str| Failure::internal(format!("found {what} {found:?} of provider {:?}, expected a URL", config.id));
        let back = format!("{own_issuer}/v1/callback/{}", config.id);
        Ok(Self {
            issuer: IssuerUrl::new(config.issuer.clone()).map_err(|_| wrong("issuer", &config.issuer))?,
            redirect: RedirectUrl::new(back.clone()).map_err(|_| wrong("redirect URI", &back))?,
            fetch: Fetch::new(config.allow_private)?,
            published: Mutex::new(None),
            config,
        })
    }

    /// Where a browser goes to log in.
    pub(super) async fn address(
        &self,
        state: &Secret,
        nonce: &Secret,
        verifier: &Secret,
        secret: Option<String>,
    ) -> Result<String, Failure> {
        let metadata = self.metadata().await?;
        let client = CoreClient::from_provider_metadata((*metadata).clone(), self.client_id(), secret.map(ClientSecret::new));
        let client = client.set_redirect_uri(self.redirect.clone());
        let (state, nonce) = (state.reveal().to_owned(), nonce.reveal().to_owned());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.reveal().to_owned()));
        let (url, _, _) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .add_scopes(self.config.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge)
            .url();
        Ok(url.to_string())
    }

    /// A code that another provider gave must not be shown to this one (RFC 9207).
    pub(super) fn check_issuer(&self, issuer: Option<&str>) -> Result<(), Failure> {
        match issuer {
            Some(other) if other != self.config.issuer => Err(Failure::Grant("the answer is that of another identity provider")),
            _ => Ok(()),
        }
    }

    /// Exchanges a code, and says whom the provider vouches for.
    pub(super) async fn exchange(&self, returned: Returned, secret: Option<String>) -> Result<Person, Failure> {
        let metadata = self.metadata().await?;
        let client = CoreClient::from_provider_metadata((*metadata).clone(), self.client_id(), secret.map(ClientSecret::new));
        let client = client.set_redirect_uri(self.redirect.clone());
        let asked = client
            .exchange_code(AuthorizationCode::new(returned.code))
            .map_err(|_| self.odd("it names no token endpoint"))?;
        let answered = asked
            .set_pkce_verifier(PkceCodeVerifier::new(returned.verifier))
            .request_async(&self.fetch)
            .await;
        let tokens = answered.map_err(|error| self.refused(&error))?;
        let id_token = tokens.id_token().ok_or_else(|| self.odd("it gave no ID token"))?;
        let claims = self.verify(id_token, &Nonce::new(returned.nonce)).await?;
        self.person(claims, tokens.access_token().clone()).await
    }

    /// Issuer, audience, authorized party, nonce, time and signature. A key that nobody knows may be a new one: keys are read again.
    async fn verify<'t>(&self, token: &'t CoreIdToken, nonce: &Nonce) -> Result<&'t CoreIdTokenClaims, Failure> {
        let metadata = self.metadata().await?;
        match token.claims(&self.verifier(metadata.jwks().clone()), nonce) {
            Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) => {}
            checked => return checked.map_err(|error| self.forged(&error)),
        }
        let metadata = self.with_new_keys().await?;
        token
            .claims(&self.verifier(metadata.jwks().clone()), nonce)
            .map_err(|error| self.forged(&error))
    }

    fn verifier(&self, keys: CoreJsonWebKeySet) -> CoreIdTokenVerifier<'static> {
        CoreIdTokenVerifier::new_public_client(self.client_id(), self.issuer.clone(), keys).set_allowed_algs(ALGORITHMS)
    }

    /// What the ID token does not say of a person, the provider is asked for.
    async fn person(&self, claims: &CoreIdTokenClaims, access: AccessToken) -> Result<Person, Failure> {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let mut person = Person {
            subject: claims.subject().as_str().to_owned(),
            email: text(claims.email().map(|email| email.as_str())),
            email_verified: claims.email_verified().unwrap_or(false),
            name: text(claims.name().and_then(|name| name.get(None)).map(|name| name.as_str())),
        };
        let metadata = self.metadata().await?;
        if !person.email.is_empty() || metadata.userinfo_endpoint().is_none() {
            return Ok(person);
        }
        let client = CoreClient::from_provider_metadata((*metadata).clone(), self.client_id(), None);
        // It must speak of the same subject.
        let asked = client
            .user_info(access, Some(claims.subject().clone()))
            .map_err(|_| self.odd("it names no userinfo endpoint"))?;
        let told: CoreUserInfoClaims = asked.request_async(&self.fetch).await.map_err(|error| self.refused(&error))?;
        person.email = text(told.email().map(|email| email.as_str()));
        person.email_verified = told.email_verified().unwrap_or(false);
        if person.name.is_empty() {
            person.name = text(told.name().and_then(|name| name.get(None)).map(|name| name.as_str()));
        }
        Ok(person)
    }

    fn client_id(&self) -> ClientId {
        ClientId::new(self.config.client_id.clone())
    }

    async fn metadata(&self) -> Result<Arc<CoreProviderMetadata>, Failure> {
        let mut published = self.published.lock().await;
        if let Some(published) = published.as_ref().filter(|published| published.read.elapsed() < FRESH) {
            return Ok(Arc::clone(&published.metadata));
        }
        let read = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.fetch).await;
        let metadata = Arc::new(read.map_err(|error| self.refused(&error))?);
        let now = Instant::now();
        *published = Some(Published {
            metadata: Arc::clone(&metadata),
            read: now,
            keys_read: now,
        });
        Ok(metadata)
    }

    async fn with_new_keys(&self) -> Result<Arc<CoreProviderMetadata>, Failure> {
        let known = self.metadata().await?;
        let mut published = self.published.lock().await;
        let Some(published) = published.as_mut().filter(|published| published.keys_read.elapsed() >= BETWEEN) else {
            return Ok(known);
        };
        published.keys_read = Instant::now();
        let keys = CoreJsonWebKeySet::fetch_async(known.jwks_uri(), &self.fetch).await;
        let keys = keys.map_err(|error| self.refused(&error))?;
        published.metadata = Arc::new((*known).clone().set_jwks(keys));
        Ok(Arc::clone(&published.metadata))
    }

    /// The provider does not do what it should.
    fn odd(&self, what: &str) -> Failure {
        tracing::warn!(provider.id = self.config.id, "an identity provider cannot be used: {what}");
        Failure::Unavailable("the identity provider does not answer as it should".to_owned())
    }

    /// The provider refused, or did not answer. What it said may repeat a code: only the kind of the failure is told.
    fn refused<E: std::error::Error + 'static>(&self, error: &E) -> Failure {
        let fetching = std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source())
            .find_map(|error| error.downcast_ref::<super::fetch::FetchError>());
        match fetching {
            Some(fetching) => {
                tracing::warn!(provider.id = self.config.id, error = %fetching, "an identity provider does not answer");
                Failure::Unavailable("the identity provider does not answer".to_owned())
            }
            None => {
                tracing::warn!(
                    provider.id = self.config.id,
                    "an identity provider refused, or answered something else than expected"
                );
                Failure::Grant("the identity provider did not accept the login")
            }
        }
    }

    /// The ID token does not hold. The error of the library names claims, which are no secrets.
    fn forged(&self, error: &ClaimsVerificationError) -> Failure {
        tracing::warn!(provider.id = self.config.id, error = %error, "an ID token was refused");
        Failure::Grant("the identity provider's word could not be verified")
    }
}
