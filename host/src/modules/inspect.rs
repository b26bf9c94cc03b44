//! Stage 3: what a library is, read from its bytes without running a line of it.

mod elf;
mod macho;

use object::FileKind;
use wharf_manifest::{Manifest, SectionError, decode_section};

use super::os::{Format, Target};
use crate::domain::finding::Finding;
use crate::domain::finding::kind;

/// What a library may be.
#[derive(Clone, Debug)]
pub struct InspectRules {
    /// What it must be built for.
    pub target: Target,
    /// Libraries it may need, beyond [`Target::system_libraries`].
    pub allow_libraries: Vec<String>,
}

impl Default for InspectRules {
    fn default() -> Self {
        Self {
            target: Target::HOST,
            allow_libraries: Vec::new(),
        }
    }
}

/// What was read from a library.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspected {
    /// The manifest; its types are right, its rules are not checked yet.
    pub manifest: Manifest,
    /// Encoded `FileDescriptorSet`; empty when there is none.
    pub descriptors: Vec<u8>,
    /// GNU build id, or the UUID of a Mach-O file.
    pub build_id: Option<Vec<u8>>,
    /// Libraries it needs.
    pub needed: Vec<String>,
}

/// What both formats are reduced to.
struct Image<'a> {
    /// Contents of all sections with the manifest's name.
    manifests: Vec<&'a [u8]>,
    /// Exported names that begin like a root symbol.
    roots: Vec<String>,
    needed: Vec<String>,
    /// Key and value of each search path.
    run_paths: Vec<(&'static str, String)>,
    /// Why the stack would be executable, if it would.
    executable_stack: Option<&'static str>,
    /// Index of each segment that is writable and executable.
    writable_code: Vec<usize>,
    build_id: Option<Vec<u8>>,
}

/// What all root symbols of all major versions begin with.
const ROOT_PREFIX: &str = "wharf_root_v";

/// Reads a library.
///
/// # Errors
/// Everything that is wrong with it. When the file is no object file for this host, or ends early, that is all
/// there is to say.
pub fn inspect(data: &[u8], rules: &InspectRules) -> Result<Inspected, Vec<Finding>> {
    let image = read_image(data, rules.target).map_err(|finding| vec![finding])?;
    let mut findings = judge(&image, rules);
    let section = match read_manifest(&image) {
        Ok(section) => Some(section),
        Err(more) => {
            findings.extend(more);
            None
        }
    };
    if let Some((manifest, _)) = &section {
        let symbol = manifest.root_symbol();
        if wharf_manifest::is_module_id(&manifest.id) && !image.roots.contains(&symbol) {
            let found = if image.roots.is_empty() {
                "none".to_owned()
            } else {
                image.roots.join(", ")
            };
            findings.push(Finding::new(
                &kind::ROOT_SYMBOL,
                format!("expected the exported symbol {symbol}, found {found}"),
            ));
        }
        for finding in &mut findings {
            *finding = finding.clone().about(&manifest.id);
        }
    }
    match section {
        Some((manifest, descriptors)) if findings.is_empty() => Ok(Inspected {
            manifest,
            descriptors: descriptors.to_vec(),
            build_id: image.build_id,
            needed: image.needed,
        }),
        _ => Err(findings),
    }
}

fn read_image(data: &[u8], target: Target) -> Result<Image<'_>, Finding> {
    let expected = |found: &str| Finding::new(&kind::WRONG_FORMAT, format!("found {found}, expected {target}"));
    match (FileKind::parse(data), target.format) {
        (Ok(FileKind::Elf64), Format::Elf) => elf::read(data, target.machine),
        (Ok(FileKind::MachO64), Format::MachO) => macho::read(data, target.machine),
        (Ok(FileKind::Elf32), Format::Elf) | (Ok(FileKind::MachO32), Format::MachO) => Err(Finding::new(
            &kind::WRONG_CLASS,
            format!("found a 32-bit library, expected {target}"),
        )),
        (Ok(FileKind::Elf32 | FileKind::Elf64), Format::MachO) => Err(expected("an ELF file")),
        (Ok(FileKind::MachO32 | FileKind::MachO64), Format::Elf) => Err(expected("a Mach-O file")),
        (Ok(FileKind::MachOFat32 | FileKind::MachOFat64), _) => Err(expected("a universal Mach-O file")),
        _ if data.starts_with(b"\x7fELF") => Err(truncated("the ELF header", 64, data.len())),
        _ => Err(not_object(data)),
    }
}

fn not_object(data: &[u8]) -> Finding {
    let start: String = data.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let what = if data.is_empty() {
        "the file is empty".to_owned()
    } else {
        format!("the file begins with {start}, which is no ELF and no Mach-O")
    };
    Finding::new(&kind::NOT_OBJECT, what)
}

/// What both formats are judged by.
fn judge(image: &Image<'_>, rules: &InspectRules) -> Vec<Finding> {
    let mut findings = Vec::new();
    let system = rules.target.system_libraries();
    for name in &image.needed {
        if !system.contains(&name.as_str()) && !rules.allow_libraries.contains(name) {
            findings.push(Finding::new(
                &kind::NEEDED_LIBRARY,
                format!("it needs {name:?}, which is not on the allow-list"),
            ));
        }
    }
    for (key, path) in &image.run_paths {
        findings.push(Finding::new(&kind::RUN_PATH, format!("it has {key} {path:?}")));
    }
    if let Some(cause) = image.executable_stack {
        findings.push(Finding::new(
            &kind::EXECUTABLE_STACK,
            format!("it asks for an executable stack: {cause}"),
        ));
    }
    for index in &image.writable_code {
        findings.push(Finding::new(
            &kind::WRITABLE_CODE,
            format!("segment {index} is writable and executable"),
        ));
    }
    findings
}

fn read_manifest<'a>(image: &Image<'a>) -> Result<(Manifest, &'a [u8]), Vec<Finding>> {
    match image.manifests.as_slice() {
        [] => Err(vec![Finding::new(&kind::NO_MANIFEST, "it has no manifest section")]),
        [section] => decode_section(section).map_err(|error| section_findings(&error)),
        sections => Err(vec![Finding::new(
            &kind::TWO_MANIFESTS,
            format!("it has {} manifest sections, expected 1", sections.len()),
        )]),
    }
}

fn section_findings(error: &SectionError) -> Vec<Finding> {
    let kind = match error {
        SectionError::Malformed(problems) => return problems.iter().map(Finding::from_problem).collect(),
        SectionError::FormatUnknown { .. } => &kind::MANIFEST_FORMAT,
        SectionError::Trailing { .. } => &kind::TWO_MANIFESTS,
        SectionError::Oversized { .. } => &kind::MANIFEST_OVERSIZED,
        SectionError::NotJson(_) => &kind::NOT_JSON,
        _ => &kind::MANIFEST_DAMAGED,
    };
    vec![Finding::new(kind, error.to_string())]
}

fn truncated(part: &str, expected: u64, found: usize) -> Finding {
    Finding::new(&kind::TRUNCATED, format!("{part} ends at byte {expected}, the file has {found}"))
}

fn malformed(error: impl std::fmt::Display) -> Finding {
    Finding::new(&kind::MALFORMED, format!("the object file is malformed: {error}"))
}

/// Fails when a range of the file lies beyond its end.
fn check_range(part: &str, offset: u64, size: u64, data: &[u8]) -> Result<(), Finding> {
    let end = offset.checked_add(size).ok_or_else(|| malformed(format!("{part} wraps around")))?;
    if end > data.len() as u64 {
        Err(truncated(part, end, data.len()))
    } else {
        Ok(())
    }
}
