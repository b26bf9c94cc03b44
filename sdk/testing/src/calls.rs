//! Calls of the host itself, as the command line makes them.

use std::time::Duration;

use serde_json::Value;
use wharf_host::grpc::connect::CallFailed;
use wharf_host::security::Principal;

use crate::host::TestHost;

/// Longest wait.
const LIMIT: Duration = Duration::from_secs(20);

impl TestHost {
    /// Calls a unary gRPC method as the host, which may do everything: `"/wharf.authz.v1.Roles/List"` and its message as JSON.
    ///
    /// # Errors
    /// What the module refuses, with its gRPC status.
    pub async fn call(&self, method: &str, message: &Value) -> Result<Value, CallFailed> {
        let calls = self.host().calls();
        let message = message.to_string();
        let answer = calls.json(Principal::host(), method, message.as_bytes(), LIMIT).await?;
        Ok(serde_json::from_slice(&answer).unwrap_or_default())
    }
}
