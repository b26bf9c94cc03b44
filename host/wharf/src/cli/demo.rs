//! `wharf demo`: people, roles, posts, plans and invoices to try things with, made through the same APIs that anybody has.

mod content;

use std::io::IsTerminal as _;
use std::time::Duration;

use clap::Subcommand;
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};

use super::client::AdminClient;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::people::text;
use super::remote::Remote;
use content::{Person, people};

const USERS: &str = "wharf.identity.v1.Users";
const ROLES: &str = "wharf.authz.v1.Roles";
const BINDINGS: &str = "wharf.authz.v1.Bindings";
/// Where the demo lives.
const TENANT: &str = "default";
/// How long one call may take.
const CALL: Duration = Duration::from_secs(30);
/// How long rules may take to hold on the host.
const RULES: Duration = Duration::from_secs(10);

#[derive(Debug, Subcommand)]
pub(crate) enum DemoCommand {
    /// Make people, roles, posts, plans, invoices and page views in a host that runs; needs its admin socket
    Seed {
        /// Address of the host [default: `http.listen` of the configuration]
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        /// Read the password of the demo's people from standard input [default: a random one]
        #[arg(long)]
        password_stdin: bool,
        /// Also in an installation that has accounts already
        #[arg(long)]
        yes: bool,
    },
}

/// What was made.
#[derive(Debug, Default, Serialize)]
struct Seeded {
    url: String,
    people: Vec<Made>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    posts: usize,
    invoices: usize,
    views: usize,
    /// Modules that do not run, and whose part is left out.
    without: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Made {
    id: String,
    email: String,
    role: &'static str,
}

/// The host, as its operator and as its people see it.
pub(super) struct Stage {
    admin: AdminClient,
    web: Remote,
}

pub(super) async fn run(context: &Context, command: &DemoCommand) -> Result<Exit, Failure> {
    let DemoCommand::Seed { url, password_stdin, yes } = command;
    let url = match url {
        Some(url) => url.clone(),
        None => {
            let config = context.load_config(true)?;
            format!("http://{}", config.http.address()).replace("//0.0.0.0:", "//127.0.0.1:")
        }
    };
    let stage = Stage {
        admin: context.client()?,
        web: Remote::new(&url)?,
    };
    let running = stage.running().await?;
    require(&running, &["identity", "auth", "authz"])?;
    stage.is_fresh(*yes).await?;
    let password = match password_stdin {
        true => super::people::read_password(&mut std::io::stdin().lock(), std::io::stdin().is_terminal())?,
        false => super::login::random()?,
    };
    let mut seeded = Seeded {
        url,
        password: (!password_stdin).then(|| password.clone()),
        ..Seeded::default()
    };
    context.progress("people and roles");
    for person in people() {
        seeded.people.push(stage.person(person, &password).await?);
    }
    let mut tokens = Vec::new();
    for made in &seeded.people {
        tokens.push(stage.sign_in(&made.email, &password).await?);
    }
    let mut has = |module: &str| {
        let runs = running.iter().any(|id| id == module);
        if !runs {
            seeded.without.push(module.to_owned());
        }
        runs
    };
    let (blog, billing, analytics) = (has("blog"), has("billing"), has("analytics"));
    if let [ada, grace, linus] = tokens.as_slice() {
        if blog {
            context.progress("posts and comments");
            stage.wait_for_rules(ada, "/blog/posts", &content::posts()).await?;
            seeded.posts = stage.blog(ada, grace, linus).await?;
        }
        if billing {
            context.progress("plans, customers and invoices");
            let owner = seeded.people.last().map(|made| format!("user:{}", made.id)).unwrap_or_default();
            seeded.invoices = stage.billing(grace, linus, &owner).await?;
        }
        if analytics {
            context.progress("page views");
            seeded.views = stage.views(grace).await?;
        }
    }
    context.emit(&seeded, human);
    Ok(Exit::Ok)
}

impl Stage {
    async fn running(&self) -> Result<Vec<String>, Failure> {
        let modules: Vec<Value> = self.admin.get("/modules").await?;
        let runs = modules.iter().filter(|module| text(module, "state") == "running");
        Ok(runs.map(|module| text(module, "id").to_owned()).collect())
    }

    /// A demo among real people would be a nuisance, and a second one finds what the first one left.
    async fn is_fresh(&self, yes: bool) -> Result<(), Failure> {
        let asked = json!({ "tenant": TENANT, "pageSize": 100 });
        let page: Value = self.admin.rpc(USERS, "List", &asked).await?;
        let known: Vec<&str> = page
            .get("users")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|user| text(user, "email"))
            .collect();
        if people().iter().any(|person| known.contains(&person.email)) {
            return Err(Failure::usage(
                "found the people of the demo there already: nothing was changed",
                "log in as one of them, or delete them with `wharf users delete` and begin again",
            ));
        }
        if !known.is_empty() && !yes {
            return Err(Failure::usage(
                format!("found accounts in tenant {TENANT} already: nothing was changed"),
                "give --yes if the demo belongs there",
            ));
        }
        Ok(())
    }

    async fn person(&self, person: &Person, password: &str) -> Result<Made, Failure> {
        let asked = json!({
            "tenant": TENANT, "email": person.email, "name": person.name, "password": password, "emailVerified": true,
        });
        let user: Value = self.admin.rpc(USERS, "Create", &asked).await?;
        let asked = json!({ "tenant": TENANT, "name": person.role, "description": person.what });
        let made: Result<Value, Failure> = self.admin.rpc(ROLES, "Create", &asked).await;
        // A role that is there already is somebody's own, and gets the same rules.
        if let Err(failure) = made
            && !failure.message.contains("already")
        {
            return Err(failure);
        }
        for (permission, object) in person.rules {
            let rule = json!({
                "subject": format!("role:{}", person.role), "tenant": TENANT, "permission": permission, "resource": object,
            });
            let _: Value = self.admin.rpc(ROLES, "AddRule", &json!({ "rule": rule })).await?;
        }
        let member = format!("user:{}", text(&user, "id"));
        let binding = json!({ "member": member, "role": format!("role:{}", person.role), "tenant": TENANT });
        let _: Value = self.admin.rpc(BINDINGS, "Grant", &json!({ "binding": binding })).await?;
        Ok(Made {
            id: text(&user, "id").to_owned(),
            email: person.email.to_owned(),
            role: person.role,
        })
    }

    async fn sign_in(&self, login: &str, password: &str) -> Result<String, Failure> {
        let asked = json!({ "login": login, "password": password });
        let session = self.ask(Method::POST, "/auth/v1/sessions", None, Some(asked), &[]).await?;
        Ok(text(&session, "access_token").to_owned())
    }

    /// Rules hold on every node within a second. The first post shows that they do.
    async fn wait_for_rules(&self, token: &str, path: &str, posts: &[Value]) -> Result<(), Failure> {
        let Some(first) = posts.first() else { return Ok(()) };
        let began = std::time::Instant::now();
        loop {
            let made = self
                .ask(
                    Method::POST,
                    path,
                    Some(token),
                    Some(first.clone()),
                    &[("idempotency-key", "demo-post-0")],
                )
                .await;
            match made {
                Ok(_) => return Ok(()),
                Err(failure) if failure.code.contains("forbidden") && began.elapsed() < RULES => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// A call in somebody's name. Writes have a key of their own, so that one that is sent twice counts once.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
        fields: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        let body = body.map(|body| ("application/json", body.to_string().into_bytes()));
        let (status, answer) = self.web.send_with(method, path, token, body, fields, CALL).await?;
        if !(200..300).contains(&status) {
            return Err(self.web.refused(status, &answer));
        }
        if answer.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer).map_err(|error| Failure::failed("cannot read an answer", &error.to_string(), ""))
    }
}

fn require(running: &[String], needed: &[&str]) -> Result<(), Failure> {
    let missing: Vec<&str> = needed
        .iter()
        .filter(|id| !running.iter().any(|runs| runs == *id))
        .copied()
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(
        format!("found {} not running, which the demo needs", missing.join(", ")),
        "they come with the host: see `security.core_modules` in the configuration, and `wharf modules list`",
    ))
}

fn human(seeded: &Seeded) -> String {
    let mut lines = vec![format!(
        "made {} people, {} posts, {} invoices and {} page views",
        seeded.people.len(),
        seeded.posts,
        seeded.invoices,
        seeded.views
    )];
    lines.extend(seeded.people.iter().map(|made| format!("  {:<20} role {}", made.email, made.role)));
    if let Some(password) = &seeded.password {
        lines.push(format!("their password, shown once: {password}"));
    }
    if !seeded.without.is_empty() {
        lines.push(format!("left out, since the modules do not run: {}", seeded.without.join(", ")));
    }
    lines.push(String::new());
    lines.push(format!("try    curl {}/blog/posts", seeded.url));
    lines.push(format!("       curl '{}/blog/search?q=harbour'", seeded.url));
    lines.push(format!(
        "       curl {}/auth/v1/sessions -H 'content-type: application/json' -d '{{\"login\":\"grace@example.org\",\"password\":\"...\"}}'",
        seeded.url
    ));
    lines.join("\n")
}
