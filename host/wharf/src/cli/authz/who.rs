//! Whom somebody means: an address, an id, or a subject as rules name it.

use serde::Deserialize;
use serde_json::json;

use super::super::client::AdminClient;
use super::super::exit::Failure;

/// The tenant of subjects that have none of their own.
const DEFAULT_TENANT: &str = "default";

/// Somebody.
pub(super) struct Who {
    /// As rules name it.
    pub(super) subject: String,
    tenant: Option<String>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Account {
    id: String,
    tenant: String,
}

impl Who {
    /// The tenant that is meant: the one that was named, or that of the account.
    pub(super) fn tenant(&self, named: Option<&str>) -> String {
        named.or(self.tenant.as_deref()).unwrap_or(DEFAULT_TENANT).to_owned()
    }
}

/// Looks an address up; takes a subject as it is, and an id for that of a user.
pub(super) async fn find(client: &AdminClient, user: &str, tenant: Option<&str>) -> Result<Who, Failure> {
    if user.contains('@') {
        let tenant = tenant.filter(|tenant| *tenant != "*").unwrap_or_default();
        let asked = json!({ "email": user, "tenant": tenant });
        let account: Account = client.rpc("wharf.identity.v1.Users", "Get", &asked).await?;
        return Ok(Who {
            subject: format!("user:{}", account.id),
            tenant: Some(account.tenant),
        });
    }
    let subject = if user.contains(':') {
        user.to_owned()
    } else {
        format!("user:{user}")
    };
    let tenant = match subject.split_once(':') {
        Some(("user" | "service", id)) if tenant.is_none() => tenant_of(client, id).await,
        _ => None,
    };
    Ok(Who { subject, tenant })
}

/// `role:NAME` of a name; other subjects as they are.
pub(super) fn role(name: &str) -> String {
    if name.contains(':') {
        name.to_owned()
    } else {
        format!("role:{name}")
    }
}

/// None when identity does not know the account, or does not run: rules may name accounts that are not there yet.
async fn tenant_of(client: &AdminClient, id: &str) -> Option<String> {
    let asked = json!({ "id": id });
    let account: Account = client.rpc("wharf.identity.v1.Credentials", "GetAccount", &asked).await.ok()?;
    Some(account.tenant).filter(|tenant| !tenant.is_empty())
}
