//! Telling `authz` which permissions there are.

use std::time::Duration;

use wharf_proto::authz::v1 as authz;
use wharf_proto::authz::v1::ReportPermissionsRequest;
use wharf_proto::authz::v1::policy_client::PolicyClient;

use super::{MeshClient, PAUSES, Surroundings};

/// How long `authz` may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The method that is called.
const PATH: &str = "/wharf.authz.v1.Policy/ReportPermissions";

/// A permission that can be granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// `blog.post.write`.
    pub name: String,
    /// For people.
    pub description: String,
    /// Whether only rules for all tenants give it.
    pub installation: bool,
}

/// What one module declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredPermissions {
    /// Its id; `wharf` for the host itself.
    pub module: String,
    /// Its permissions.
    pub permissions: Vec<Permission>,
}

/// Knows what modules declare.
pub trait Permissions: Send + Sync + 'static {
    /// Of all modules that run now, and of the host.
    fn declared(&self) -> Vec<DeclaredPermissions>;
}

impl<F: Fn() -> Vec<DeclaredPermissions> + Send + Sync + 'static> Permissions for F {
    fn declared(&self) -> Vec<DeclaredPermissions> {
        self()
    }
}

/// Reports after each change of the route table, until it has arrived.
pub(super) async fn keep_reporting(around: Surroundings) {
    let mut changes = around.routes.changes();
    let mut pause = PAUSES.0;
    loop {
        changes.mark_unchanged();
        if around.routes.load().grpc(PATH).is_some() {
            if let Err(status) = report(&around).await {
                tracing::debug!(
                    grpc.status = status.code() as i32,
                    "permissions cannot be reported: {}",
                    status.message()
                );
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
                continue;
            }
            pause = PAUSES.0;
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

async fn report(around: &Surroundings) -> Result<(), tonic::Status> {
    let module = |declared: DeclaredPermissions| authz::ModulePermissions {
        module: declared.module,
        permissions: declared.permissions.into_iter().map(permission).collect(),
    };
    let mut request = tonic::Request::new(ReportPermissionsRequest {
        node: around.node.clone(),
        modules: around.permissions.declared().into_iter().map(module).collect(),
    });
    request.set_timeout(PATIENCE);
    let client = MeshClient::new(around.channels.clone(), "authz");
    PolicyClient::new(client).report_permissions(request).await.map(drop)
}

fn permission(permission: Permission) -> authz::Permission {
    authz::Permission {
        name: permission.name,
        description: permission.description,
        installation: permission.installation,
    }
}
