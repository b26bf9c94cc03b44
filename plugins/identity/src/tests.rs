//! The module in a host: accounts, links, and who sees what.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use tonic::Code;
use wharf_proto::identity::v1 as pb;
use wharf_proto::identity::v1::bootstrap_client::BootstrapClient;
use wharf_proto::identity::v1::credentials_client::CredentialsClient;
use wharf_proto::identity::v1::groups_client::GroupsClient;
use wharf_proto::identity::v1::registration_client::RegistrationClient;
use wharf_proto::identity::v1::service_accounts_client::ServiceAccountsClient;
use wharf_proto::identity::v1::tenants_client::TenantsClient;
use wharf_proto::identity::v1::users_client::UsersClient;
use wharf_sdk::audit::Record;
use wharf_testing::{Body, Channel, TestHost};

use crate::{AccountChanged, MembershipChanged};

/// Holds everything in every tenant.
pub(crate) const ROOT: &str = "user:root";
const PASSWORD: &str = "canary horse battery";
const OTHER: &str = "canary staple window";

async fn host() -> TestHost {
    let config = serde_json::json!({
        "password": { "memory_kib": 8, "iterations": 1 }, "lockout": { "after": 3, "base_seconds": 60 }, "public_url": "http://wharf.test",
    });
    let builder = TestHost::builder().module(crate::root()).config("identity", config);
    builder.allow("user:*", "identity.*").start().await
}

fn root(host: &TestHost) -> Channel {
    host.as_user("root").grpc()
}

async fn create(host: &TestHost, tenant: &str, email: &str) -> pb::User {
    let new = pb::CreateUserRequest {
        tenant: tenant.to_owned(),
        email: email.to_owned(),
        name: "Ada".to_owned(),
        password: PASSWORD.to_owned(),
        email_verified: true,
    };
    UsersClient::new(root(host)).create(new).await.unwrap().into_inner()
}

async fn check(host: &TestHost, login: &str, password: &str) -> pb::CheckResponse {
    let asked = pb::CheckPasswordRequest {
        tenant: String::new(),
        login: login.to_owned(),
        password: password.to_owned(),
    };
    CredentialsClient::new(root(host)).check_password(asked).await.unwrap().into_inner()
}

/// The path of the link in a mail.
fn link(text: &str) -> String {
    let line = text.lines().find(|line| line.starts_with("http://wharf.test/")).expect("a link");
    line.trim_start_matches("http://wharf.test").to_owned()
}

async fn submit(host: &TestHost, path: &str, form: &str) -> wharf_testing::Answer {
    let request = http::Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::full(form.to_owned()))
        .unwrap();
    host.request(request).await
}

/// No secret is in what was logged, published or recorded.
async fn no_canaries(host: &TestHost) {
    let mut all = host.logs().lines().join("\n");
    for subject in ["wharf.audit.recorded.v1", "identity.account.changed.v1"] {
        for event in host.events().published(subject).await {
            all.push_str(&event.envelope.to_string());
        }
    }
    assert!(!all.contains("canary") && !all.contains("$argon2"), "{all}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_account_is_made_changed_suspended_and_deleted_and_each_change_is_told() {
    let host = host().await;
    let mut users = UsersClient::new(root(&host));
    let ada = create(&host, "", "Ada@Example.org").await;
    assert_eq!(
        (ada.email.as_str(), ada.tenant.as_str(), ada.status.as_str()),
        ("ada@example.org", "default", "active")
    );
    let again = users
        .create(pb::CreateUserRequest {
            email: "ada@example.org".to_owned(),
            ..pb::CreateUserRequest::default()
        })
        .await;
    assert_eq!(again.unwrap_err().code(), Code::AlreadyExists);

    let change = pb::UpdateUserRequest {
        id: ada.id.clone(),
        version: 1,
        name: Some("Ada L.".to_owned()),
        ..pb::UpdateUserRequest::default()
    };
    assert_eq!(users.update(change.clone()).await.unwrap().into_inner().version, 2);
    assert_eq!(users.update(change).await.unwrap_err().code(), Code::Aborted);

    let suspend = pb::SetUserStatusRequest {
        id: ada.id.clone(),
        status: "suspended".to_owned(),
    };
    users.set_status(suspend).await.unwrap();
    assert_eq!(check(&host, "ada@example.org", PASSWORD).await.outcome(), pb::Outcome::NotActive);
    users.delete(pb::DeleteUserRequest { id: ada.id.clone() }).await.unwrap();
    let gone = pb::GetUserRequest {
        id: ada.id.clone(),
        ..pb::GetUserRequest::default()
    };
    assert_eq!(users.get(gone).await.unwrap_err().code(), Code::NotFound);

    let told: Vec<AccountChanged> = host.events().data("identity.account.changed.v1").await;
    let told: Vec<_> = told.iter().map(|told| (told.status.as_str(), told.deleted)).collect();
    assert_eq!(
        told,
        [("active", false), ("active", false), ("suspended", false), ("suspended", true)]
    );
    let recorded: Vec<Record> = host.events().data("wharf.audit.recorded.v1").await;
    let actions: Vec<_> = recorded.iter().map(|record| record.action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "identity.user.create",
            "identity.user.update",
            "identity.user.set_status",
            "identity.user.delete"
        ]
    );
    assert!(
        recorded
            .iter()
            .all(|record| record.actor == ROOT && record.object == format!("user:{}", ada.id))
    );
    no_canaries(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn wrong_passwords_and_unknown_logins_are_one_answer_and_lock() {
    let host = host().await;
    create(&host, "", "ada@example.org").await;
    let right = check(&host, " ADA@example.org", PASSWORD).await;
    assert_eq!(
        (right.outcome(), right.account.unwrap().email.as_str()),
        (pb::Outcome::Ok, "ada@example.org")
    );
    for login in ["ada@example.org", "nobody@example.org"] {
        for _ in 0..3 {
            assert_eq!(check(&host, login, OTHER).await.outcome(), pb::Outcome::Wrong, "{login}");
        }
        let locked = check(&host, login, PASSWORD).await;
        assert_eq!(locked.outcome(), pb::Outcome::Locked, "{login}");
        assert!((1..=60).contains(&locked.retry_after_seconds), "{locked:?}");
    }
    no_canaries(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_invitation_is_accepted_once_in_a_page_without_scripts() {
    let host = host().await;
    let mut users = UsersClient::new(root(&host));
    let invite = pb::InviteUserRequest {
        email: "bob@example.org".to_owned(),
        ..pb::InviteUserRequest::default()
    };
    let bob = users.invite(invite).await.unwrap().into_inner();
    assert_eq!(bob.status, "invited");
    let path = link(&host.mail_to("bob@example.org").await.text);
    assert!(path.starts_with("/identity/invitations/"), "{path}");

    let page = host.get(&path).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(
        page.text().contains("type=\"password\"") && page.text().contains("bob@example.org"),
        "{}",
        page.text()
    );

    let short = submit(&host, &path, "name=Bob&password=short").await;
    assert_eq!(short.status, 422, "{}", short.text());
    let done = submit(&host, &path, "name=Bob&password=canary+horse+battery").await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(submit(&host, &path, "password=canary+staple+window").await.status, 410);
    assert_eq!(host.get(&path).await.status, 410);
    assert_eq!(check(&host, "bob@example.org", PASSWORD).await.outcome(), pb::Outcome::Ok);
    let token = path.rsplit('/').next().unwrap();
    assert!(!host.logs().lines().join("\n").contains(token));
    no_canaries(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_changed_password_is_told_with_its_time_and_the_session_that_stays() {
    let host = host().await;
    let ada = create(&host, "", "ada@example.org").await;
    let mut here = UsersClient::new(host.as_user(&ada.id).in_session("s1").grpc());
    let asked = |old: &str| pb::SetPasswordRequest {
        old_password: old.to_owned(),
        new_password: OTHER.to_owned(),
    };
    let wrong = here.set_password(asked("wrong")).await.unwrap_err();
    assert_eq!(wrong.code(), Code::PermissionDenied);
    here.set_password(asked(PASSWORD)).await.unwrap();
    let told: Vec<AccountChanged> = host.events().data("identity.account.changed.v1").await;
    let changed: Vec<_> = told.iter().filter(|told| told.credentials_changed).collect();
    assert_eq!(changed.len(), 1, "{told:?}");
    assert_eq!(
        (changed[0].id.as_str(), changed[0].session.as_deref()),
        (ada.id.as_str(), Some("s1"))
    );
    let now = jiff::Timestamp::now().as_millisecond();
    assert!((now - 10_000..=now).contains(&changed[0].credentials_changed_at), "{changed:?}");
    assert!(
        told.iter()
            .filter(|told| !told.credentials_changed)
            .all(|told| told.session.is_none())
    );
    no_canaries(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_password_is_reset_by_mail_and_strangers_learn_nothing() {
    let host = host().await;
    create(&host, "", "ada@example.org").await;
    let mut registration = RegistrationClient::new(host.grpc());
    for email in ["nobody@example.org", "no address", "ada@example.org"] {
        let asked = pb::RequestPasswordResetRequest {
            tenant: String::new(),
            email: email.to_owned(),
        };
        registration.request_password_reset(asked).await.unwrap();
    }
    let path = link(&host.mail_to("ada@example.org").await.text);
    let token = path.rsplit('/').next().unwrap().to_owned();
    let reset = |token: &str| pb::ResetPasswordRequest {
        token: token.to_owned(),
        new_password: OTHER.to_owned(),
    };
    registration.reset_password(reset(&token)).await.unwrap();
    for wrong in [token.as_str(), "", "AAAA"] {
        assert_eq!(
            registration.reset_password(reset(wrong)).await.unwrap_err().code(),
            Code::FailedPrecondition
        );
    }
    assert_eq!(check(&host, "ada@example.org", PASSWORD).await.outcome(), pb::Outcome::Wrong);
    assert_eq!(check(&host, "ada@example.org", OTHER).await.outcome(), pb::Outcome::Ok);
    assert_eq!(host.mails().len(), 1);
    no_canaries(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_link_of_an_administrator_counts_once() {
    let host = host().await;
    let mut bootstrap = BootstrapClient::new(root(&host));
    let state = bootstrap.get_state(pb::GetBootstrapStateRequest {}).await.unwrap().into_inner();
    assert!(!state.has_administrator);
    let invited = bootstrap
        .invite_administrator(pb::InviteAdministratorRequest::default())
        .await
        .unwrap()
        .into_inner();
    let token = invited.url.rsplit('/').next().unwrap().to_owned();
    let accept = pb::AcceptInvitationRequest {
        token,
        password: PASSWORD.to_owned(),
        name: "Ada".to_owned(),
        email: "ada@example.org".to_owned(),
    };
    let mut registration = RegistrationClient::new(host.grpc());
    let (one, other) = tokio::join!(
        async { RegistrationClient::new(host.grpc()).accept_invitation(accept.clone()).await },
        registration.accept_invitation(pb::AcceptInvitationRequest {
            email: "eve@example.org".to_owned(),
            ..accept.clone()
        })
    );
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1, "{one:?} {other:?}");
    let state = bootstrap.get_state(pb::GetBootstrapStateRequest {}).await.unwrap().into_inner();
    assert!(state.has_administrator);
    no_canaries(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn people_of_another_tenant_are_not_there() {
    let host = host().await;
    let mut tenants = TenantsClient::new(root(&host));
    let acme = pb::CreateTenantRequest {
        id: "acme".to_owned(),
        name: String::new(),
    };
    tenants.create(acme).await.unwrap();
    let (ada, bob) = (
        create(&host, "", "ada@example.org").await,
        create(&host, "acme", "bob@example.org").await,
    );
    let mut theirs = UsersClient::new(host.as_user(&bob.id).of_tenant("acme").grpc());
    let listed = theirs.list(pb::ListUsersRequest::default()).await.unwrap().into_inner().users;
    assert_eq!(listed.iter().map(|user| user.id.as_str()).collect::<Vec<_>>(), [bob.id.as_str()]);
    let get = pb::GetUserRequest {
        id: ada.id.clone(),
        ..pb::GetUserRequest::default()
    };
    // There is no authz in this host: nobody says that they may, which is told, and nothing is shown.
    assert!(theirs.get(get).await.is_err());
    assert!(theirs.delete(pb::DeleteUserRequest { id: ada.id.clone() }).await.is_err());
    let me = theirs.me(pb::MeRequest {}).await.unwrap().into_inner();
    assert_eq!(me.id, bob.id);
    let refused = UsersClient::new(host.grpc()).me(pb::MeRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let mut own = UsersClient::new(host.as_user(&bob.id).of_tenant("acme").grpc());
    let change = |old: &str| pb::SetPasswordRequest {
        old_password: old.to_owned(),
        new_password: OTHER.to_owned(),
    };
    assert_eq!(own.set_password(change("wrong")).await.unwrap_err().code(), Code::PermissionDenied);
    own.set_password(change(PASSWORD)).await.unwrap();
    no_canaries(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memberships_are_told_and_end_with_the_account() {
    let host = host().await;
    let ada = create(&host, "", "ada@example.org").await;
    let mut groups = GroupsClient::new(root(&host));
    let new = pb::CreateGroupRequest {
        name: "editors".to_owned(),
        ..pb::CreateGroupRequest::default()
    };
    let editors = groups.create(new).await.unwrap().into_inner();
    let member = pb::GroupMemberRequest {
        group: editors.id.clone(),
        member: format!("user:{}", ada.id),
    };
    assert!(groups.add_member(member.clone()).await.unwrap().into_inner().changed);
    assert!(!groups.add_member(member.clone()).await.unwrap().into_inner().changed);
    let asked = pb::ListMembersRequest {
        group: editors.id.clone(),
        ..pb::ListMembersRequest::default()
    };
    let members = groups.list_members(asked).await.unwrap().into_inner().members;
    assert_eq!(members, [member.member]);
    UsersClient::new(root(&host))
        .delete(pb::DeleteUserRequest { id: ada.id })
        .await
        .unwrap();
    let told: Vec<MembershipChanged> = host.events().data("identity.membership.changed.v1").await;
    assert_eq!(told.iter().map(|told| told.present).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_secret_of_a_program_is_shown_once_and_rotates() {
    let host = host().await;
    let mut programs = ServiceAccountsClient::new(root(&host));
    let new = pb::CreateServiceAccountRequest {
        name: "robot".to_owned(),
        ..pb::CreateServiceAccountRequest::default()
    };
    let made = programs.create(new).await.unwrap().into_inner();
    let id = made.account.unwrap().id;
    let newer = programs
        .rotate(pb::RotateServiceAccountRequest { id: id.clone() })
        .await
        .unwrap()
        .into_inner();
    let mut credentials = CredentialsClient::new(root(&host));
    for (client_id, secret, expected) in [
        (&id, &newer.secret, pb::Outcome::Ok),
        (&id, &made.secret, pb::Outcome::Wrong),
        (&"nobody".to_owned(), &newer.secret, pb::Outcome::Wrong),
    ] {
        let asked = pb::CheckClientSecretRequest {
            client_id: client_id.clone(),
            client_secret: secret.clone(),
        };
        assert_eq!(
            credentials.check_client_secret(asked).await.unwrap().into_inner().outcome(),
            expected
        );
    }
    let told = host.events().published("wharf.audit.recorded.v1").await;
    assert!(told.iter().all(|event| !event.envelope.to_string().contains(&newer.secret)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn somebody_from_elsewhere_is_known_by_issuer_and_subject_and_not_by_address() {
    let host = host().await;
    let ada = create(&host, "", "ada@example.org").await;
    let mut credentials = CredentialsClient::new(root(&host));
    let mut resolve = async |subject: &str, verified: bool, link_by_email: bool| {
        let asked = pb::ResolveExternalRequest {
            issuer: "https://idp.example.org".to_owned(),
            subject: subject.to_owned(),
            email: "ada@example.org".to_owned(),
            email_verified: verified,
            name: "Ada".to_owned(),
            link_by_email,
            ..pb::ResolveExternalRequest::default()
        };
        let answer = credentials.resolve_external(asked).await.unwrap().into_inner();
        assert_eq!(answer.outcome(), pb::Outcome::Ok);
        answer.account.unwrap()
    };
    let stranger = resolve("1", true, false).await;
    assert!(stranger.id != ada.id && stranger.email.is_empty(), "{stranger:?}");
    assert_ne!(resolve("2", false, true).await.id, ada.id);
    assert_eq!(resolve("3", true, true).await.id, ada.id);
    assert_eq!(resolve("1", true, true).await.id, stranger.id);
}
