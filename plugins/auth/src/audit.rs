//! What is recorded: logins and what was refused, sessions and keys that ended, clients that came and went. Never a secret.

use wharf_sdk::audit::Entry;
use wharf_sdk::services::database::Tx;

use crate::Inner;
use crate::failure::Failure;

impl Inner {
    /// Records when the transaction commits.
    pub(crate) async fn record(&self, tx: &Tx, entry: Entry) -> Result<(), Failure> {
        self.ctx.audit()?.record(tx, entry).await?;
        Ok(())
    }

    /// Records what was refused. Whoever was refused hears of it all the same when it cannot be recorded.
    pub(crate) async fn record_refusal(&self, entry: Entry) {
        let recorded = match self.ctx.audit() {
            Ok(audit) => audit.record_now(entry).await.map(drop),
            Err(fault) => Err(fault),
        };
        if let Err(fault) = recorded {
            tracing::error!(error = %fault, "a refusal could not be recorded");
        }
    }

    /// Records a login that did not succeed, and passes on why.
    pub(crate) async fn refuse_login(&self, tenant: &str, login: &str, failure: Failure) -> Failure {
        let reason = match &failure {
            Failure::Wrong | Failure::Client => "wrong secret, unknown, or not active",
            Failure::Locked(_) => "too many tries",
            _ => return failure,
        };
        let entry = Entry::of("auth.session.open").on(named(login)).in_tenant(tenant).denied(reason);
        self.record_refusal(entry).await;
        failure
    }
}

/// People type passwords where their name belongs: only what looks like an e-mail address, or an id, is written down.
fn named(login: &str) -> String {
    let is_id = login.len() <= 64 && login.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') && login.contains('-');
    let is_mail =
        login.len() <= 254 && login.split_once('@').is_some_and(|(_, domain)| domain.contains('.')) && !login.contains(char::is_whitespace);
    match is_id || is_mail {
        true => format!("login/{login}"),
        false => "login/?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_password_is_not_written_down() {
        assert_eq!(named("ada@example.org"), "login/ada@example.org");
        assert_eq!(
            named("018f3c1e-0000-7000-8000-000000000000"),
            "login/018f3c1e-0000-7000-8000-000000000000"
        );
        for password in ["hunter2", "correct horse@battery.staple", "p@ss", ""] {
            assert_eq!(named(password), "login/?", "{password}");
        }
    }
}
