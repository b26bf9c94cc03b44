//! `wharf.toml` as its author wrote it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};
use toml::de::{DeTable, DeValue};

use crate::abi::Abi;
use crate::check;
use crate::document;
use crate::grammar::{is_inner_path, is_module_id};
use crate::model::{Cache, Events, Grpc, Http, Job, Manifest, ModuleRequirement, Panic, Permission, Runtime, Secrets};
use crate::problem::{Position, Problem, code};
use crate::section::FORMAT;

/// `wharf.toml` as its author wrote it: paths of the descriptor set and the schema are still paths.
///
/// Made by [`parse_toml`], which also checks it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Module id.
    pub id: String,
    /// Semantic version of the module.
    pub version: Version,
    /// One line for people.
    pub description: String,
    /// `Name <address>`.
    #[serde(default)]
    pub authors: Vec<String>,
    /// SPDX expression.
    #[serde(default)]
    pub license: Option<String>,
    /// Which runtime its futures expect.
    #[serde(default)]
    pub runtime: Runtime,
    /// Other modules it needs.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, RequirementForm>")]
    pub modules: BTreeMap<String, ModuleRequirement>,
    /// Core services it imports: name to major version.
    #[serde(default)]
    pub services: BTreeMap<String, u32>,
    /// Its HTTP side.
    #[serde(default)]
    pub http: SourceHttp,
    /// Its gRPC side.
    #[serde(default)]
    pub grpc: SourceGrpc,
    /// Permissions it defines.
    #[serde(default)]
    pub permissions: Vec<Permission>,
    /// Events, both ways.
    #[serde(default)]
    pub events: Events,
    /// Jobs.
    #[serde(default)]
    pub jobs: Vec<Job>,
    /// What it keeps in the cache.
    #[serde(default)]
    pub cache: Cache,
    /// Secrets it may read.
    #[serde(default)]
    pub secrets: Secrets,
    /// Its configuration.
    #[serde(default)]
    pub config: SourceConfig,
}

/// `[http]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceHttp {
    /// What all paths begin with; `/<id>` when left out.
    #[serde(default)]
    pub prefix: Option<String>,
}

/// `[grpc]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceGrpc {
    /// Full names of gRPC services.
    #[serde(default)]
    pub services: Vec<String>,
    /// Encoded `FileDescriptorSet`, path relative to `wharf.toml`.
    #[serde(default)]
    pub descriptors: Option<String>,
}

/// `[config]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// JSON schema of the config section, path relative to `wharf.toml`.
    #[serde(default)]
    pub schema: Option<String>,
}

/// What only the build knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildInfo {
    /// ABI of the SDK.
    pub abi: Abi,
    /// Version of the SDK.
    pub sdk: String,
    /// Version of the compiler.
    pub rustc: String,
    /// Target triple.
    pub target: String,
    /// Panic strategy.
    pub panic: Panic,
}

/// The two ways to write a requirement, for the JSON schema of `wharf.toml`.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum RequirementForm {
    Range(#[schemars(with = "String")] VersionReq),
    Table(ModuleRequirement),
}

/// Reads and checks `wharf.toml`.
///
/// # Errors
/// Everything that is wrong, each with its place in the text. When the text is no TOML or a key is missing or has
/// a value of the wrong type, rules that need the whole document are not tried.
pub fn parse_toml(text: &str) -> Result<Source, Vec<Problem>> {
    let (spanned, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.iter().map(|error| syntax_problem(text, error)).collect());
    }
    let document = text.parse::<toml::Table>().map_err(|error| vec![syntax_problem(text, &error)])?;
    let document = serde_json::to_value(document).map_err(|error| vec![Problem::new(code::SYNTAX, "", error.to_string())])?;
    let (source, mut problems) = document::read::<Source>(document);
    if let Some(source) = &source {
        problems.extend(source.check());
    }
    match source {
        Some(source) if problems.is_empty() => Ok(source),
        _ => {
            for problem in &mut problems {
                problem.position = locate(spanned.get_ref(), &problem.path).map(|offset| position(text, offset));
            }
            problems.sort_by_key(|problem| problem.position.map(|at| (at.line, at.column)));
            Err(problems)
        }
    }
}

impl Source {
    /// The embedded form. `schema` is the content of the file `config.schema` names.
    #[must_use]
    pub fn embed(self, schema: Option<serde_json::Value>, build: BuildInfo) -> Manifest {
        Manifest {
            format: FORMAT,
            abi: build.abi,
            sdk: build.sdk,
            rustc: build.rustc,
            target: build.target,
            panic: build.panic,
            http: Http {
                prefix: self.http.prefix.unwrap_or_else(|| format!("/{}", self.id)),
            },
            id: self.id,
            version: self.version,
            description: self.description,
            authors: self.authors,
            license: self.license,
            runtime: self.runtime,
            modules: self.modules,
            services: self.services,
            grpc: Grpc {
                services: self.grpc.services,
            },
            permissions: self.permissions,
            events: self.events,
            jobs: self.jobs,
            cache: self.cache,
            secrets: self.secrets,
            config_schema: schema,
        }
    }

    /// What is wrong with it, apart from what only the build knows.
    fn check(&self) -> Vec<Problem> {
        let mut problems = check::check(&self.clone().embed(None, check::blank_build()));
        if self.http.prefix.is_none() {
            // A prefix made from an id that is wrong itself is reported at the id.
            problems.retain(|problem| problem.path != "http.prefix" || is_module_id(&self.id));
        }
        if self.grpc.descriptors.is_none() && !self.grpc.services.is_empty() {
            problems.push(Problem::new(
                code::DESCRIPTORS,
                "grpc.services",
                "found gRPC services and no grpc.descriptors",
            ));
        }
        let paths = [("grpc.descriptors", &self.grpc.descriptors), ("config.schema", &self.config.schema)];
        for (key, path) in paths {
            if let Some(path) = path
                && !is_inner_path(path)
            {
                problems.push(Problem::new(
                    code::PATH,
                    key,
                    format!("found {path:?}, expected a relative path inside the module's folder"),
                ));
            }
        }
        problems
    }
}

fn syntax_problem(text: &str, error: &toml::de::Error) -> Problem {
    let mut problem = Problem::new(code::SYNTAX, "", error.message());
    problem.position = error.span().map(|span| position(text, span.start));
    problem
}

/// Byte offset of the deepest part of `path` that is in the document.
fn locate(table: &DeTable<'_>, path: &str) -> Option<usize> {
    let mut found = None;
    let mut table = Some(table);
    let mut rest = path;
    while let Some(here) = table.take() {
        // A key may itself contain dots, so the longest key the rest begins with is taken.
        let (key, value) = here
            .iter()
            .filter(|(key, _)| {
                rest.strip_prefix(key.get_ref().as_ref())
                    .is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
            })
            .max_by_key(|(key, _)| key.get_ref().len())?;
        found = Some(key.span().start);
        rest = rest.get(key.get_ref().len()..).unwrap_or_default();
        let mut value = value;
        while let Some((index, after)) = leading_index(rest) {
            let DeValue::Array(array) = value.get_ref() else {
                return found;
            };
            let Some(item) = array.get(index) else {
                return found;
            };
            value = item;
            found = Some(value.span().start);
            rest = after;
        }
        if let (DeValue::Table(inner), Some(after)) = (value.get_ref(), rest.strip_prefix('.')) {
            table = Some(inner);
            rest = after;
            if !inner.iter().any(|(key, _)| rest.starts_with(key.get_ref().as_ref())) {
                return found;
            }
        }
    }
    found
}

/// Splits `[3].name` into 3 and `.name`.
fn leading_index(rest: &str) -> Option<(usize, &str)> {
    let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
    Some((index.parse().ok()?, after))
}

fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Position { line, column }
}
