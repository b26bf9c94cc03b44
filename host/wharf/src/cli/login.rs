//! `wharf login`, `logout` and `whoami`: who somebody is at a host somewhere else.
//!
//! In a browser it is authorization code and PKCE with an address on the loopback (RFC 8252): the password is typed where it
//! belongs, and this program never sees it.

use std::io::{IsTerminal as _, Read as _};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::args::LoginArgs;
use super::context::{Context, print_error};
use super::exit::{Exit, Failure};
use super::remote::{API_KEY, CLIENT, Callback, Login, Logins, Remote, form};

/// How long somebody may take in the browser.
const PATIENCE: Duration = Duration::from_secs(600);

/// What `WhoAmI` answers.
#[derive(Serialize, Deserialize)]
#[serde(default, rename_all(deserialize = "camelCase"))]
struct Who {
    server: String,
    subject: String,
    tenant: String,
    name: String,
    session: String,
    client: String,
    scopes: Vec<String>,
}

impl Default for Who {
    fn default() -> Self {
        let none = String::new;
        Self {
            server: none(),
            subject: none(),
            tenant: none(),
            name: none(),
            session: none(),
            client: none(),
            scopes: Vec::new(),
        }
    }
}

pub(super) async fn run(args: &LoginArgs, context: &Context) -> Result<Exit, Failure> {
    let remote = context.remote()?;
    let login = match args.api_key {
        true => Login::ApiKey { key: read_key()? },
        false => in_browser(&remote, args).await?,
    };
    let who = ask(&remote, login.bearer()).await?;
    Logins::open()?.begin(&remote.name(), login)?;
    context.emit(&who, |who| format!("logged in at {}\n{}", who.server, shown(who)));
    Ok(Exit::Ok)
}

/// Ends the session there, then forgets it here: a host that does not answer keeps nobody logged in here.
pub(super) async fn log_out(context: &Context) -> Result<Exit, Failure> {
    let remote = context.remote()?;
    let ended = Logins::open()?.end(&remote.name())?;
    let server = remote.name();
    let Some(login) = ended else {
        let message = format!("nobody is logged in at {server}");
        return Err(Failure::new(Exit::Refused, "login.none", message, ""));
    };
    if let Login::Tokens {
        refresh_token: Some(token),
        ..
    } = &login
    {
        let revoked = remote.form("/auth/v1/revoke", &[("token", token), ("client_id", CLIENT)]).await;
        if !matches!(revoked, Ok((200, _))) {
            context.note(&format!(
                "{server} could not be told: the session ends there by itself, or with `wharf sessions revoke`"
            ));
        }
    }
    if matches!(login, Login::ApiKey { .. }) {
        context.note("the API key still counts: `wharf api-keys revoke` ends it");
    }
    context.emit(&json!({ "server": server, "done": "logged out" }), |_| {
        format!("logged out at {server}")
    });
    Ok(Exit::Ok)
}

pub(super) async fn who_am_i(context: &Context) -> Result<Exit, Failure> {
    let remote = context.remote()?;
    let bearer = remote.bearer().await?;
    let who = ask(&remote, &bearer).await?;
    context.emit(&who, |who| format!("{}\n{}", who.server, shown(who)));
    Ok(Exit::Ok)
}

async fn ask(remote: &Remote, bearer: &str) -> Result<Who, Failure> {
    let path = "/wharf.auth.v1.Sessions/WhoAmI";
    let body = ("application/json", b"{}".to_vec());
    let (status, body) = remote
        .send(reqwest::Method::POST, path, Some(bearer), Some(body), Duration::from_secs(60))
        .await?;
    if status != 200 {
        return Err(remote.refused(status, &body));
    }
    let who: Who = serde_json::from_slice(&body).map_err(|error| remote.broken(&format!("an answer this build cannot read: {error}")))?;
    Ok(Who {
        server: remote.name(),
        ..who
    })
}

fn shown(who: &Who) -> String {
    let scopes = match who.scopes.is_empty() {
        true => "all that its rules give".to_owned(),
        false => who.scopes.join(" "),
    };
    format!(
        "subject  {}\nname     {}\ntenant   {}\nscopes   {scopes}",
        who.subject, who.name, who.tenant
    )
}

async fn in_browser(remote: &Remote, args: &LoginArgs) -> Result<Login, Failure> {
    let issuer = remote.issuer().await?;
    let callback = Callback::open().await?;
    let (state, verifier) = (random()?, random()?);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    let scope = args.scope.join(" ");
    let mut fields = vec![
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", callback.uri()),
        ("state", state.as_str()),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    if !scope.is_empty() {
        fields.push(("scope", &scope));
    }
    let address = remote.url(&format!("/auth/v1/authorize?{}", form(&fields)));
    // On standard error: the result alone goes to standard output.
    print_error(&format!("open this address in a browser on this machine:\n\n  {address}\n"));
    if args.browser {
        open_browser(&address);
    }
    let answer = tokio::time::timeout(PATIENCE, callback.wait(&state)).await;
    let answer = answer.map_err(|_| refused("nobody logged in within 10 minutes"))?;
    // Another server that is asked at the same time could have sent its code here (RFC 9207).
    if answer.issuer.as_deref() != Some(issuer.as_str()) {
        return Err(refused("the answer came from another issuer"));
    }
    let code = answer.code.map_err(|why| refused(&why))?;
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT),
        ("code", code.as_str()),
        ("redirect_uri", callback.uri()),
        ("code_verifier", verifier.as_str()),
    ];
    remote.token(&fields).await
}

fn refused(why: &str) -> Failure {
    Failure::new(
        Exit::Refused,
        "login.refused",
        format!("the login did not succeed: {why}"),
        "run `wharf login` again",
    )
}

fn open_browser(address: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let quiet = std::process::Stdio::null;
    // The address is printed already.
    drop(
        std::process::Command::new(program)
            .arg(address)
            .stdin(quiet())
            .stdout(quiet())
            .stderr(quiet())
            .spawn(),
    );
}

pub(super) fn random() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| Failure::failed("cannot draw a random number", &error.to_string(), ""))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// From the environment, or standard input; never from the command line, which others can see.
fn read_key() -> Result<String, Failure> {
    if let Some(key) = std::env::var(API_KEY).ok().filter(|key| !key.is_empty()) {
        return Ok(key);
    }
    if std::io::stdin().is_terminal() {
        let message = "found a terminal on standard input, which shows what is typed; expected the API key from a file or a pipe";
        return Err(Failure::usage(
            message,
            "`wharf login --api-key < FILE`, or WHARF_API_KEY in the environment",
        ));
    }
    let mut key = String::new();
    let read = std::io::stdin().lock().take(4096).read_to_string(&mut key);
    read.map_err(|error| Failure::failed("cannot read standard input", &error.to_string(), ""))?;
    match key.trim() {
        "" => Err(Failure::usage(
            "found nothing on standard input, expected the API key",
            "`wharf login --api-key < FILE`",
        )),
        key => Ok(key.to_owned()),
    }
}
