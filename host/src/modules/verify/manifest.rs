//! Stage 4: the manifest on its own, against what this host is and has.

use std::panic::{AssertUnwindSafe, catch_unwind};

use prost_reflect::DescriptorPool;
use wharf_manifest::{AbiMismatch, Manifest};

use super::VerifyContext;
use super::config::check_config;
use crate::domain::finding::Finding;
use crate::domain::finding::kind;

/// Everything that is wrong with a manifest on this host. Modules that are linked in go through it too.
#[must_use]
pub fn check_manifest(manifest: &Manifest, descriptors: &[u8], context: &VerifyContext) -> Vec<Finding> {
    let mut findings: Vec<Finding> = manifest.check().iter().map(Finding::from_problem).collect();
    findings.extend(check_abi(manifest, context));
    findings.extend(check_services(manifest, context));
    findings.extend(check_descriptors(manifest, descriptors));
    findings.extend(check_config(manifest, context.configs.get(&manifest.id)));
    findings
}

fn check_abi(manifest: &Manifest, context: &VerifyContext) -> Option<Finding> {
    let mismatch = context.abi.accepts(manifest.abi).err()?;
    let kind = match mismatch {
        AbiMismatch::TooNew { .. } => &kind::ABI_TOO_NEW,
        _ => &kind::ABI_TOO_OLD,
    };
    Some(Finding::new(kind, mismatch.to_string()))
}

fn check_services(manifest: &Manifest, context: &VerifyContext) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, major) in &manifest.services {
        match context.services.get(name) {
            None => {
                let known = context.services.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                findings.push(Finding::new(
                    &kind::SERVICE_UNKNOWN,
                    format!("services.{name}: this host has {known}"),
                ));
            }
            Some(majors) if !majors.contains(major) => {
                let what = format!("services.{name}: found major {major}, this host has {majors:?}");
                findings.push(Finding::new(&kind::SERVICE_MAJOR, what));
            }
            Some(_) => {}
        }
    }
    findings
}

fn check_descriptors(manifest: &Manifest, descriptors: &[u8]) -> Vec<Finding> {
    if manifest.grpc.services.is_empty() && descriptors.is_empty() {
        return Vec::new();
    }
    // The decoder is someone else's and what it reads is a stranger's: a panic in it is a finding.
    let pool = match catch_unwind(AssertUnwindSafe(|| DescriptorPool::decode(descriptors))) {
        Ok(Ok(pool)) => pool,
        Ok(Err(error)) => return vec![malformed(&error.to_string())],
        Err(_) => return vec![malformed("the decoder gave up")],
    };
    let undescribed = manifest
        .grpc
        .services
        .iter()
        .enumerate()
        .filter(|(_, name)| pool.get_service_by_name(name).is_none());
    undescribed
        .map(|(index, name)| {
            let known = pool
                .services()
                .map(|service| service.full_name().to_owned())
                .collect::<Vec<_>>()
                .join(", ");
            let known = if known.is_empty() { "no gRPC service".to_owned() } else { known };
            Finding::new(
                &kind::GRPC_UNDESCRIBED,
                format!("grpc.services[{index}]: {name} is not in the descriptor set, which has {known}"),
            )
        })
        .collect()
}

fn malformed(error: &str) -> Finding {
    Finding::new(&kind::DESCRIPTORS_MALFORMED, format!("the descriptor set cannot be read: {error}"))
}
