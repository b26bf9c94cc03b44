//! Over a socket: servers with one worker on one core, the load generator on the other.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use wharf_host::domain::route::{Policy, Route};
use wharf_host::http::gateway::{Gateway, Limits};
use wharf_host::http::routes::{Mounted, RouteTable, Routes};
use wharf_host::http::server::{Listener, Server};

use crate::case::Case;
use crate::pipeline;
use crate::report::{Report, Spread};
use crate::side::{Alone, Rig, Side};

const ROUNDS: usize = 9;
const SECONDS: &str = "1";
const CONNECTIONS: &str = "32";
/// Where the routes are mounted.
pub(crate) const PREFIX: &str = "/bench";

/// One run against one server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) cpu_us: f64,
    per_second: f64,
}

/// A server in a process of its own.
pub(crate) struct Remote {
    process: Child,
    address: SocketAddr,
    /// What its routes need.
    token: Option<String>,
}

/// `static again` is the control: whatever it differs by is noise.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    report.section(
        "network: one worker on core 0, 32 connections from core 1 (medians of pairs of neighbouring runs)",
        "wharf-bench network (runs `taskset -c 0 wharf-bench server SIDE` and `taskset -c 1 wharf-bench load ADDRESS CASE SECONDS CONNECTIONS`)",
    );
    if !std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) {
        report.hole("this machine has one core, and the load generator would share it with the server");
        return Ok(());
    }
    let names = ["static", "static again", "plain", "tokio"];
    let remotes: Vec<Remote> = names.iter().map(|name| Remote::start(name)).collect::<Result<_>>()?;
    for case in [Case::JSON_1, Case::JSON_10, Case::ECHO] {
        let mut runs: Vec<Vec<Run>> = vec![Vec::new(); remotes.len()];
        for round in 0..ROUNDS {
            for place in 0..remotes.len() {
                // The base runs first in one round and last in the next, and so do the others around it.
                let which = if round % 2 == 0 { place } else { remotes.len() - 1 - place };
                let which = (which + round / 2) % remotes.len();
                if let (Some(remote), Some(runs)) = (remotes.get(which), runs.get_mut(which)) {
                    runs.push(remote.load(&case)?);
                }
            }
        }
        rows(report, &case, &names, &runs);
    }
    Ok(())
}

fn rows(report: &mut Report, case: &Case, names: &[&str], runs: &[Vec<Run>]) {
    let Some(base) = runs.first() else { return };
    let cpu = Spread::of(base.iter().map(|run| run.cpu_us).collect());
    let speed = Spread::of(base.iter().map(|run| run.per_second).collect());
    let spread = |s: Spread| format!("[{:.3} .. {:.3}]", s.least, s.most);
    report.figure(
        &format!("{}: static, CPU a request", case.name),
        cpu.middle,
        "us",
        None,
        &spread(cpu),
    );
    report.figure(&format!("{}: static, requests a second", case.name), speed.middle, "", None, "");
    for (name, runs) in names.iter().zip(runs).skip(1) {
        let cpu = Spread::of(runs.iter().zip(base).map(|(run, base)| run.cpu_us / base.cpu_us * 100.0).collect());
        let speed = Spread::of(
            runs.iter()
                .zip(base)
                .map(|(run, base)| run.per_second / base.per_second * 100.0)
                .collect(),
        );
        let bar = Some(105.0).filter(|_| *name != "static again");
        report.figure(&format!("{}: {name}, CPU of static", case.name), cpu.middle, "%", bar, &spread(cpu));
        report.figure(
            &format!("{}: {name}, throughput of static", case.name),
            speed.middle,
            "%",
            None,
            &spread(speed),
        );
    }
}

impl Remote {
    pub(crate) fn start(name: &str) -> Result<Self> {
        let side = if name.starts_with("static") { "linked" } else { name };
        let mut process = pinned("0")?
            .args(["server", side])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("taskset could not be started; it is in util-linux")?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("the server has no output")?).read_line(&mut line)?;
        let (address, token) = pipeline::address_and_token(&line)?;
        Ok(Self { process, address, token })
    }

    pub(crate) fn load(&self, case: &Case) -> Result<Run> {
        let before = self.cpu()?;
        let output = pinned("1")?
            .args(["load", &self.address.to_string(), case.short(), SECONDS, CONNECTIONS])
            .args(&self.token)
            .output()?;
        if !output.status.success() {
            return Err(anyhow!("the load generator failed: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let cpu = self.cpu()? - before;
        let text = String::from_utf8(output.stdout)?;
        let (requests, seconds) = text.trim().split_once(' ').context("the load generator said something else")?;
        let (requests, seconds): (f64, f64) = (requests.parse()?, seconds.parse()?);
        Ok(Run {
            cpu_us: cpu / requests / 1e3,
            per_second: requests / seconds,
        })
    }

    /// Nanoseconds that all its threads were on a core.
    fn cpu(&self) -> Result<f64> {
        let mut sum = 0.0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
            sum += text.split(' ').next().context("schedstat is empty")?.parse::<f64>()?;
        }
        Ok(sum)
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // It ends when its input does; killed as well, so that nothing is left if it does not listen.
        drop(self.process.stdin.take());
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Serves one side until its input ends.
pub(crate) fn serve(side: &str) -> Result<()> {
    let rig = Rig::new(Arc::new(Alone))?;
    let is_guarded = side == "guarded";
    let Side::Endpoint(endpoint) = rig.side(if is_guarded { "plain" } else { side })? else {
        return Err(anyhow!("found side {side:?}, expected linked, plain, tokio or guarded"));
    };
    let routes = Arc::new(Routes::new());
    let gateway = Gateway::new(routes.clone()).with_limits(Limits::default());
    let (gateway, policy, token) = match is_guarded {
        true => pipeline::guard(gateway)?,
        false => (gateway, Policy::Public, String::new()),
    };
    let route = |method: &str, template: &str| Route {
        method: method.to_owned(),
        template: template.to_owned(),
        policy: policy.clone(),
        rate_class: None,
        hidden: false,
    };
    let table = RouteTable::build(vec![Mounted {
        id: "bench".to_owned(),
        prefix: Some(PREFIX.to_owned()),
        routes: vec![route("GET", "/json"), route("GET", "/plain"), route("POST", "/echo")],
        grpc: Vec::new(),
        endpoint,
        descriptors: None,
        openapi: None,
    }])
    .map_err(|findings| anyhow!("{findings:#?}"))?;
    drop(routes.swap(table));
    let gateway = Arc::new(gateway);
    let worker = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    worker.block_on(async {
        if is_guarded {
            pipeline::check(&gateway, &token).await?;
        }
        let listener = Listener::bind(([127, 0, 0, 1], 0).into())?;
        let server = Server::start(listener, gateway, None);
        println!("{} {token}", server.address());
        let ended = tokio::task::spawn_blocking(|| std::io::stdin().lines().for_each(drop));
        ended.await?;
        Ok(())
    })
}

fn pinned(core: &str) -> Result<Command> {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(std::env::current_exe()?);
    Ok(command)
}
