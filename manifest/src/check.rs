//! What must hold in a manifest beyond the types of its values: one set of rules for author and host.

use std::collections::BTreeSet;

use crate::abi::Abi;
use crate::grammar::{first_segment, is_dotted_name, is_grpc_service, is_module_id, is_plain_name, is_secret_name, prefix_fault};
use crate::model::{Job, Manifest, Missed, Overlap, Panic, Permission, parse_time};
use crate::problem::{Problem, code};
use crate::schedule;
use crate::source::BuildInfo;
use crate::text::is_printable;

/// Longest description, in characters.
const MAX_DESCRIPTION: usize = 200;

impl Manifest {
    /// Everything that is wrong with this manifest, in the order of its keys; empty when nothing is.
    ///
    /// Whether the ABI fits a host is not asked here: see [`Abi::accepts`].
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        check(self)
    }
}

/// A build about which nothing can be wrong, for checking what an author wrote.
pub(crate) fn blank_build() -> BuildInfo {
    BuildInfo {
        abi: Abi {
            major: 1,
            minor: 0,
            draft: false,
        },
        sdk: String::new(),
        rustc: String::new(),
        target: String::new(),
        panic: Panic::Unwind,
    }
}

pub(crate) fn check(manifest: &Manifest) -> Vec<Problem> {
    let mut problems = Vec::new();
    let out = &mut problems;
    check_build(manifest, out);
    check_identity(manifest, out);
    check_imports(manifest, out);
    check_surfaces(manifest, out);
    check_permissions(manifest, out);
    check_events(manifest, out);
    check_jobs(&manifest.jobs, out);
    check_cache_and_secrets(manifest, out);
    if manifest.config_schema.as_ref().is_some_and(|schema| !schema.is_object()) {
        out.push(Problem::new(code::SCHEMA, "config_schema", "found a schema that is no JSON object"));
    }
    problems
}

fn check_build(manifest: &Manifest, out: &mut Vec<Problem>) {
    if manifest.abi.major == 0 {
        out.push(Problem::new(code::ABI, "abi.major", "found 0, expected 1 or more"));
    }
    if manifest.panic == Panic::Abort {
        out.push(Problem::new(code::PANIC, "panic", "found \"abort\", expected \"unwind\""));
    }
    for (path, text) in [("sdk", &manifest.sdk), ("rustc", &manifest.rustc), ("target", &manifest.target)] {
        check_text(path, text, out);
    }
}

fn check_identity(manifest: &Manifest, out: &mut Vec<Problem>) {
    if !is_module_id(&manifest.id) {
        out.push(Problem::new(
            code::ID,
            "id",
            format!("found {:?}, expected ^[a-z][a-z0-9-]{{0,39}}$", manifest.id),
        ));
    }
    check_description("description", &manifest.description, out);
    for (index, author) in manifest.authors.iter().enumerate() {
        check_text(&format!("authors[{index}]"), author, out);
    }
    if let Some(license) = &manifest.license {
        check_text("license", license, out);
    }
}

fn check_imports(manifest: &Manifest, out: &mut Vec<Problem>) {
    for id in manifest.modules.keys() {
        let path = format!("modules.{id}");
        if !is_module_id(id) {
            out.push(Problem::new(
                code::MODULE,
                path,
                format!("found {id:?}, expected a module id, ^[a-z][a-z0-9-]{{0,39}}$"),
            ));
        } else if *id == manifest.id {
            out.push(Problem::new(code::MODULE, path, format!("module {id:?} requires itself")));
        }
    }
    for (id, required) in &manifest.modules {
        for permission in &required.permissions {
            // `identity.*` is a glob over all of them.
            let is_its_own = permission
                .strip_prefix(id.as_str())
                .and_then(|rest| rest.strip_prefix('.'))
                .is_some_and(|rest| !rest.is_empty());
            if !is_its_own {
                let message = format!("found {permission:?}, expected permissions of that module, which begin with \"{id}.\"");
                out.push(Problem::new(code::PERMISSION, format!("modules.{id}.permissions"), message));
            }
        }
    }
    for (name, major) in &manifest.services {
        let path = format!("services.{name}");
        if !is_plain_name(name) {
            out.push(Problem::new(
                code::SERVICE,
                path,
                format!("found {name:?}, expected the lower-case name of a core service"),
            ));
        } else if *major == 0 {
            out.push(Problem::new(code::SERVICE, path, "found major 0, expected 1 or more"));
        }
    }
}

fn check_surfaces(manifest: &Manifest, out: &mut Vec<Problem>) {
    if let Some(fault) = prefix_fault(&manifest.http.prefix) {
        out.push(Problem::new(
            code::PREFIX,
            "http.prefix",
            format!("found {:?}: {fault}", manifest.http.prefix),
        ));
    }
    for (index, service) in manifest.grpc.services.iter().enumerate() {
        if !is_grpc_service(service) {
            let message = format!("found {service:?}, expected package and name of a gRPC service");
            out.push(Problem::new(code::GRPC, format!("grpc.services[{index}]"), message));
        }
    }
    check_unique("grpc.services", "", manifest.grpc.services.iter().map(String::as_str), out);
}

fn check_permissions(manifest: &Manifest, out: &mut Vec<Problem>) {
    for (index, Permission { name, description }) in manifest.permissions.iter().enumerate() {
        if !is_dotted_name(name) || first_segment(name) != manifest.id {
            let message = format!(
                "found {name:?}, expected dotted lower-case words that begin with \"{}.\"",
                manifest.id
            );
            out.push(Problem::new(code::PERMISSION, format!("permissions[{index}].name"), message));
        }
        check_description(&format!("permissions[{index}].description"), description, out);
    }
    check_unique(
        "permissions",
        ".name",
        manifest.permissions.iter().map(|permission| permission.name.as_str()),
        out,
    );
}

fn check_events(manifest: &Manifest, out: &mut Vec<Problem>) {
    for (index, subject) in manifest.events.publishes.iter().enumerate() {
        if !is_dotted_name(subject) || first_segment(subject) != manifest.id {
            let message = format!(
                "found {subject:?}, expected dotted lower-case words that begin with \"{}.\"",
                manifest.id
            );
            out.push(Problem::new(code::SUBJECT, format!("events.publishes[{index}]"), message));
        }
    }
    for (index, subject) in manifest.events.subscribes.iter().enumerate() {
        if !is_dotted_name(subject) {
            let message = format!("found {subject:?}, expected dotted lower-case words such as \"identity.user.created.v1\"");
            out.push(Problem::new(code::SUBJECT, format!("events.subscribes[{index}]"), message));
        }
    }
    check_unique("events.publishes", "", manifest.events.publishes.iter().map(String::as_str), out);
    check_unique("events.subscribes", "", manifest.events.subscribes.iter().map(String::as_str), out);
}

fn check_jobs(jobs: &[Job], out: &mut Vec<Problem>) {
    for (index, job) in jobs.iter().enumerate() {
        if !is_plain_name(&job.name) {
            let message = format!("found {:?}, expected a lower-case word", job.name);
            out.push(Problem::new(code::JOB, format!("jobs[{index}].name"), message));
        }
        check_description(&format!("jobs[{index}].description"), &job.description, out);
        if let Some(schedule) = &job.schedule
            && let Some(fault) = schedule::fault(schedule)
        {
            out.push(Problem::new(
                code::SCHEDULE,
                format!("jobs[{index}].schedule"),
                format!("found {schedule:?}: {fault}"),
            ));
        }
        check_job_rules(index, job, out);
    }
    check_unique("jobs", ".name", jobs.iter().map(|job| job.name.as_str()), out);
}

fn check_cache_and_secrets(manifest: &Manifest, out: &mut Vec<Problem>) {
    if manifest.cache.version == 0 {
        out.push(Problem::new(code::CACHE, "cache.version", "found 0, expected 1 or more"));
    }
    for (index, name) in manifest.secrets.names.iter().enumerate() {
        if !is_secret_name(name) {
            let message = format!("found {name:?}, expected lower-case letters, digits and -, such as \"stripe-key\", not ending in -file");
            out.push(Problem::new(code::SECRET, format!("secrets.names[{index}]"), message));
        }
    }
    check_unique("secrets.names", "", manifest.secrets.names.iter().map(String::as_str), out);
}

fn check_job_rules(index: usize, job: &Job, out: &mut Vec<Problem>) {
    for (key, time) in [("timeout", &job.timeout), ("drain", &job.drain)] {
        let is_wrong = |time: &String| parse_time(time).is_none_or(|time| time.is_zero());
        if let Some(time) = time.as_ref().filter(|time| is_wrong(time)) {
            let message = format!("found {time:?}, expected a whole number and ms, s, m or h, such as \"30s\"");
            out.push(Problem::new(code::JOB, format!("jobs[{index}].{key}"), message));
        }
    }
    if job.attempts.is_some_and(|attempts| attempts == 0 || attempts > 1000) {
        let message = format!("found {}, expected 1 to 1000", job.attempts.unwrap_or_default());
        out.push(Problem::new(code::JOB, format!("jobs[{index}].attempts"), message));
    }
    let rules_a_schedule = job.timezone.is_some() || job.missed != Missed::default() || job.overlap != Overlap::default();
    if job.schedule.is_none() && rules_a_schedule {
        let message = "found timezone, missed or overlap without a schedule: they say how a schedule is meant";
        out.push(Problem::new(code::SCHEDULE, format!("jobs[{index}]"), message));
    }
    if let Some(zone) = job.timezone.as_ref().filter(|zone| !is_zone_name(zone)) {
        let message = format!("found {zone:?}, expected the name of an IANA zone, such as \"Europe/Berlin\"");
        out.push(Problem::new(code::SCHEDULE, format!("jobs[{index}].timezone"), message));
    }
}

/// The form of a zone's name; whether there is such a zone is for the host to know.
fn is_zone_name(zone: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+'))
    };
    !zone.is_empty() && zone.len() <= 64 && zone.split('/').all(is_part)
}

fn check_description(path: &str, text: &str, out: &mut Vec<Problem>) {
    let length = text.chars().count();
    if text.trim().is_empty() {
        out.push(Problem::new(code::DESCRIPTION, path, "found no text, expected one line"));
    } else if length > MAX_DESCRIPTION {
        out.push(Problem::new(
            code::DESCRIPTION,
            path,
            format!("found {length} characters, expected at most {MAX_DESCRIPTION}"),
        ));
    }
    check_text(path, text, out);
}

fn check_text(path: &str, text: &str, out: &mut Vec<Problem>) {
    if !is_printable(text) {
        out.push(Problem::new(
            code::TEXT,
            path,
            format!("found control characters or line breaks in {text:?}"),
        ));
    }
}

fn check_unique<'a>(list: &str, field: &str, names: impl Iterator<Item = &'a str>, out: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (index, name) in names.enumerate() {
        if !seen.insert(name) {
            out.push(Problem::new(
                code::DUPLICATE,
                format!("{list}[{index}]{field}"),
                format!("found {name:?} twice in {list}"),
            ));
        }
    }
}
