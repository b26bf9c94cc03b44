//! Login through other identity providers: OpenID Connect with code, PKCE, state and nonce.
//!
//! What a login needs to remember is kept here, bound to the browser by a cookie, and used once. Whom the provider vouches for is
//! told by issuer and subject; an e-mail address links to an account only where the operator trusts the issuer's word.

mod fetch;
mod provider;

use std::collections::BTreeMap;

use sea_orm::{ActiveValue::Set, EntityTrait, ModelTrait};
use serde::{Deserialize, Serialize};
use wharf_proto::identity::v1::{Account, ResolveExternalRequest};
use zeroize::Zeroizing;

use crate::config::{Config, millis};
use crate::failure::Failure;
use crate::secret::{Secret, digest, same};
use crate::tables::login;
use crate::{Inner, now_ms};

use provider::{OidcProvider, Returned};

/// All providers, by id.
#[derive(Default)]
pub(crate) struct Providers(BTreeMap<String, OidcProvider>);

/// A login that begins.
pub(crate) struct Begun {
    /// Where the browser goes.
    pub(crate) address: String,
    /// What its cookie holds.
    pub(crate) browser: Secret,
}

/// What came back with the browser.
#[derive(Default, Deserialize)]
pub(crate) struct CameBack {
    pub(crate) code: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) iss: Option<String>,
    pub(crate) error: Option<String>,
}

/// What is remembered of a login, sealed.
#[derive(Serialize, Deserialize)]
struct Remembered {
    nonce: String,
    verifier: String,
}

const OVER: Failure = Failure::Missing("this login has expired, was used before, or was begun in another browser: begin again");

impl Providers {
    /// Nothing is asked of them before somebody logs in.
    pub(crate) fn new(config: &Config) -> Result<Self, Failure> {
        let provider = |given: &crate::Provider| Ok((given.id.clone(), OidcProvider::new(given.clone(), &config.issuer())?));
        Ok(Self(config.providers.iter().map(provider).collect::<Result<_, Failure>>()?))
    }

    fn find(&self, id: &str) -> Result<&OidcProvider, Failure> {
        self.0.get(id).ok_or(Failure::Missing("there is no such identity provider"))
    }
}

impl Inner {
    /// Begins a login at a provider; with the digest of a request, the answer goes to its client.
    pub(crate) async fn begin_external(&self, id: &str, request: Option<String>) -> Result<Begun, Failure> {
        let provider = self.providers.find(id)?;
        let (state, nonce, verifier, browser) = (Secret::random()?, Secret::random()?, Secret::random()?, Secret::random()?);
        let address = provider.address(&state, &nonce, &verifier, self.provider_secret(id).await?).await?;
        let remembered = Remembered {
            nonce: nonce.reveal().to_owned(),
            verifier: verifier.reveal().to_owned(),
        };
        let remembered = Zeroizing::new(serde_json::to_vec(&remembered).map_err(Failure::internal)?);
        let row = login::ActiveModel {
            hash: Set(state.digest()),
            provider: Set(id.to_owned()),
            browser: Set(browser.digest()),
            sealed: Set(self.seal.seal(&purpose(&state.digest()), &remembered)?),
            request: Set(request),
            expires_at: Set(now_ms() + millis(self.config.login_seconds)),
        };
        login::Entity::insert(row).exec_without_returning(&self.db).await?;
        Ok(Begun { address, browser })
    }

    /// Ends a login: the account the provider vouches for, and the digest of the request it was for.
    pub(crate) async fn end_external(&self, id: &str, back: CameBack, browser: &str) -> Result<(Account, Option<String>), Failure> {
        let provider = self.providers.find(id)?;
        let hash = digest(back.state.as_deref().ok_or(OVER)?);
        let row = login::Entity::find_by_id(&hash).one(&self.db).await?.ok_or(OVER)?;
        let is_right = row.provider == id && same(&row.browser, &digest(browser)) && row.expires_at > now_ms();
        if !is_right {
            return Err(OVER);
        }
        let request = row.request.clone();
        let remembered = self.seal.open(&purpose(&hash), &row.sealed).ok_or(OVER)?;
        // Used up before the code is: whoever comes second has nothing.
        if row.delete(&self.db).await?.rows_affected != 1 {
            return Err(OVER);
        }
        let remembered: Remembered = serde_json::from_slice(&remembered).map_err(Failure::internal)?;
        provider.check_issuer(back.iss.as_deref())?;
        let code = match (back.code, back.error) {
            (Some(code), None) => code,
            _ => return Err(Failure::Grant("the identity provider did not log you in")),
        };
        let returned = Returned {
            code,
            nonce: remembered.nonce,
            verifier: remembered.verifier,
        };
        let person = provider.exchange(returned, self.provider_secret(id).await?).await?;
        let account = self
            .directory
            .by_external(ResolveExternalRequest {
                tenant: provider.config.tenant.clone(),
                issuer: provider.config.issuer.clone(),
                subject: person.subject,
                email: person.email,
                email_verified: person.email_verified,
                name: person.name,
                link_by_email: provider.config.trusted_email,
            })
            .await?;
        Ok((account, request))
    }

    /// Secret of this installation at a provider, if it has one there.
    async fn provider_secret(&self, id: &str) -> Result<Option<String>, Failure> {
        let Some(secrets) = self.ctx.secrets()?.find("provider-secrets").await? else {
            return Ok(None);
        };
        let secrets: BTreeMap<String, String> = serde_json::from_slice(secrets.reveal()).map_err(|_| {
            Failure::internal(
                "found a secret \"provider-secrets\" that is no JSON object with texts, expected such as {\"google\": \"...\"}",
            )
        })?;
        Ok(secrets.get(id).cloned())
    }
}

fn purpose(hash: &str) -> String {
    format!("login {hash}")
}

impl std::fmt::Debug for Providers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}
