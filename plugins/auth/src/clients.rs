//! OAuth clients: the built-in ones, and those that are registered.

use std::net::IpAddr;

use openidconnect::url::Url;
use sea_orm::{ActiveValue::Set, EntityTrait, ModelTrait, QueryOrder, TransactionTrait};
use wharf_sdk::audit::Entry;

use crate::failure::Failure;
use crate::scopes::is_glob;
use crate::secret::{Secret, digest, same};
use crate::sessions::Which;
use crate::tables::client;
use crate::{Inner, new_id, now_ms};

/// The client of `POST /auth/v1/sessions`: Wharf itself.
pub(crate) const FIRST_PARTY: &str = "wharf";
/// The client of `wharf login`.
pub(crate) const CLI: &str = "wharf-cli";

/// A client.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) name: String,
    secret_hash: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) created_at: i64,
    pub(crate) built_in: bool,
}

/// A client to be registered.
pub(crate) struct NewClient {
    pub(crate) name: String,
    pub(crate) confidential: bool,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) scopes: Vec<String>,
}

impl Client {
    /// Those that come with Wharf.
    pub(crate) fn built_in() -> [Self; 2] {
        let client = |id: &str, name: &str, redirect_uris: &[&str]| Self {
            id: id.to_owned(),
            name: name.to_owned(),
            secret_hash: None,
            redirect_uris: redirect_uris.iter().map(|uri| (*uri).to_owned()).collect(),
            scopes: Vec::new(),
            created_at: 0,
            built_in: true,
        };
        [
            client(FIRST_PARTY, "Wharf", &[]),
            client(CLI, "Wharf command line", &["http://127.0.0.1/callback", "http://[::1]/callback"]),
        ]
    }

    /// Where a client stands in lists: the built-in ones first, then by id.
    pub(crate) fn place(id: &str) -> (bool, &str) {
        (id != FIRST_PARTY && id != CLI, id)
    }

    pub(crate) fn is_confidential(&self) -> bool {
        self.secret_hash.is_some()
    }

    /// Whether it proved who it is. A public client has nothing to prove it with, and must not pretend to.
    pub(crate) fn is_authenticated(&self, secret: Option<&str>) -> bool {
        match (&self.secret_hash, secret) {
            (None, None) => true,
            (Some(hash), Some(secret)) => same(hash, &digest(secret)),
            _ => false,
        }
    }

    /// Whether answers may be sent there: one of its addresses, as text; on the loopback any port counts (RFC 8252, 7.3).
    pub(crate) fn may_redirect_to(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|known| known == uri || same_but_port(known, uri))
    }

    fn from_row(row: client::Model) -> Result<Self, Failure> {
        Ok(Self {
            id: row.id,
            name: row.name,
            secret_hash: row.secret_hash,
            redirect_uris: serde_json::from_str(&row.redirect_uris).map_err(Failure::internal)?,
            scopes: serde_json::from_str(&row.scopes).map_err(Failure::internal)?,
            created_at: row.created_at,
            built_in: false,
        })
    }
}

impl Inner {
    /// The client of this id.
    pub(crate) async fn client(&self, id: &str) -> Result<Option<Client>, Failure> {
        if let Some(client) = Client::built_in().into_iter().find(|client| client.id == id) {
            return Ok(Some(client));
        }
        let row = client::Entity::find_by_id(id).one(&self.db).await?;
        row.map(Client::from_row).transpose()
    }

    /// All, the built-in ones first.
    pub(crate) async fn clients(&self) -> Result<Vec<Client>, Failure> {
        let rows = client::Entity::find().order_by_asc(client::Column::Id).all(&self.db).await?;
        let registered = rows.into_iter().map(Client::from_row).collect::<Result<Vec<_>, _>>()?;
        Ok(Client::built_in().into_iter().chain(registered).collect())
    }

    /// Registers one; the secret is that of a confidential client.
    pub(crate) async fn register(&self, new: NewClient) -> Result<(Client, Option<Secret>), Failure> {
        check(&new)?;
        let secret = new.confidential.then(Secret::random).transpose()?;
        let row = client::ActiveModel {
            id: Set(new_id()),
            name: Set(new.name),
            secret_hash: Set(secret.as_ref().map(Secret::digest)),
            redirect_uris: Set(serde_json::to_string(&new.redirect_uris).map_err(Failure::internal)?),
            scopes: Set(serde_json::to_string(&new.scopes).map_err(Failure::internal)?),
            created_at: Set(now_ms()),
        };
        let tx = self.db.begin().await?;
        let row = client::Entity::insert(row).exec_with_returning(&tx).await?;
        let made = Entry::of("auth.client.register")
            .on(format!("client/{}", row.id))
            .added("name", &row.name);
        self.record(&tx, made.added("redirect_uris", &new.redirect_uris).added("scopes", &new.scopes))
            .await?;
        tx.commit().await?;
        tracing::info!(client.id = row.id, "an OAuth client was registered");
        Ok((Client::from_row(row)?, secret))
    }

    /// Removes one, and ends the sessions that were opened with it.
    pub(crate) async fn remove_client(&self, id: &str) -> Result<(), Failure> {
        if Client::built_in().iter().any(|client| client.id == id) {
            return Err(Failure::Forbidden("this client comes with Wharf and cannot be removed"));
        }
        let tx = self.db.begin().await?;
        let row = client::Entity::find_by_id(id).one(&tx).await?;
        row.ok_or(Failure::Missing("there is no such client"))?.delete(&tx).await?;
        self.record(&tx, Entry::of("auth.client.remove").on(format!("client/{id}"))).await?;
        let which = Which {
            client: Some(id.to_owned()),
            ..Which::default()
        };
        self.end_sessions_in(&tx, &which).await?;
        tx.commit().await?;
        self.look().await
    }
}

fn check(new: &NewClient) -> Result<(), Failure> {
    let length = new.name.trim().chars().count();
    if !(1..=100).contains(&length) || new.name.chars().any(char::is_control) {
        return Err(Failure::Invalid(format!(
            "found a name of {length} characters, expected 1 to 100, none of them a control character"
        )));
    }
    if new.redirect_uris.is_empty() || new.redirect_uris.len() > 20 {
        let found = new.redirect_uris.len();
        return Err(Failure::Invalid(format!("found {found} redirect URIs, expected 1 to 20")));
    }
    for uri in &new.redirect_uris {
        if !is_redirect_uri(uri) {
            return Err(Failure::Invalid(format!(
                "found redirect URI {uri:?}, expected one of https, of http on 127.0.0.1 or [::1], or of a scheme with a dot in it such as \"org.example.app:/callback\"; without fragment and user"
            )));
        }
    }
    new.scopes.iter().try_for_each(|scope| is_glob(scope))
}

/// RFC 9700, 4.1, and RFC 8252, 7.
fn is_redirect_uri(text: &str) -> bool {
    let Ok(uri) = Url::parse(text) else { return false };
    if text.len() > 500
        || text.chars().any(|c| c.is_control() || c == '*')
        || uri.fragment().is_some()
        || !uri.username().is_empty()
        || uri.password().is_some()
    {
        return false;
    }
    match uri.scheme() {
        "https" => uri.has_host(),
        "http" => is_loopback(&uri),
        scheme => scheme.contains('.'),
    }
}

fn is_loopback(uri: &Url) -> bool {
    let address = uri.host_str().map(|host| host.trim_matches(['[', ']']).parse::<IpAddr>());
    matches!(address, Some(Ok(address)) if address.is_loopback())
}

fn same_but_port(known: &str, uri: &str) -> bool {
    let (Ok(mut known), Ok(mut asked)) = (Url::parse(known), Url::parse(uri)) else {
        return false;
    };
    // What the parser changes is not what was registered: `http://127.1/` is not taken for `http://127.0.0.1/`.
    if known.scheme() != "http" || asked.scheme() != "http" || !is_loopback(&known) || asked.as_str() != uri {
        return false;
    }
    known.set_port(None).is_ok() && asked.set_port(None).is_ok() && known == asked
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn with(uris: &[&str]) -> Client {
        let [_, mut client] = Client::built_in();
        client.redirect_uris = uris.iter().map(|uri| (*uri).to_owned()).collect();
        client
    }

    #[test]
    fn answers_go_to_registered_addresses_alone_and_to_any_port_of_the_loopback() {
        let client = with(&["http://127.0.0.1/callback", "https://app.example.org/cb?a=1"]);
        for (uri, may) in [
            ("http://127.0.0.1/callback", true),
            ("http://127.0.0.1:49152/callback", true),
            ("https://app.example.org/cb?a=1", true),
            ("http://127.0.0.1:49152/callback/", false),
            ("http://127.0.0.1:49152/callback?x=1", false),
            ("http://127.0.0.1:49152@evil.example/callback", false),
            ("http://user@127.0.0.1:1/callback", false),
            ("http://localhost:49152/callback", false),
            ("http://127.1:49152/callback", false),
            ("http://127.0.0.1.evil.example/callback", false),
            ("https://127.0.0.1:49152/callback", false),
            ("http://[::1]:49152/callback", false),
            ("http://127.0.0.1:49152/callback#x", false),
            ("https://app.example.org:444/cb?a=1", false),
            ("https://app.example.org/cb", false),
            ("https://evil.example/cb?a=1", false),
            ("", false),
        ] {
            assert_eq!(client.may_redirect_to(uri), may, "{uri}");
        }
    }

    #[test]
    fn redirect_uris_that_others_could_take_over_are_refused() {
        for (uri, is_fine) in [
            ("https://app.example.org/cb", true),
            ("http://127.0.0.1/cb", true),
            ("http://[::1]/cb", true),
            ("org.example.app:/cb", true),
            ("http://app.example.org/cb", false),
            ("http://localhost/cb", false),
            ("https://app.example.org/cb#x", false),
            ("https://me@app.example.org/cb", false),
            ("https://*.example.org/cb", false),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("/cb", false),
        ] {
            assert_eq!(is_redirect_uri(uri), is_fine, "{uri}");
        }
    }

    #[test]
    fn a_public_client_must_not_show_a_secret_and_a_confidential_one_must() {
        let public = with(&[]);
        assert!(public.is_authenticated(None) && !public.is_authenticated(Some("x")));
        let confidential = Client {
            secret_hash: Some(digest("canary")),
            ..public
        };
        assert!(confidential.is_authenticated(Some("canary")));
        assert!(!confidential.is_authenticated(None) && !confidential.is_authenticated(Some("other")));
    }
}
