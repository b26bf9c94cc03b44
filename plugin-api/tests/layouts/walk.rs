//! Everything that abi_stable's layout check sees, from the root, the two sides, every service and every export.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use wharf_plugin_api::abi_stable::StableAbi;
use wharf_plugin_api::abi_stable::type_layout::{TLData, TLFunction, TypeLayout};
use wharf_plugin_api::host::HostRef;
use wharf_plugin_api::module::ModuleRef;
use wharf_plugin_api::root::Root_Ref;

/// Types of this crate and others, each with what the check compares. One name may stand for several layouts: an `RObject` of each
/// service is an `RObject`.
#[derive(Default)]
struct Seen {
    visited: BTreeSet<usize>,
    ours: BTreeSet<String>,
    others: BTreeSet<String>,
}

pub(crate) fn all() -> String {
    let mut seen = Seen::default();
    let (services, exports) = (wharf_plugin_api::services::LAYOUTS, wharf_plugin_api::exports::LAYOUTS);
    for root in [Root_Ref::LAYOUT, HostRef::LAYOUT, ModuleRef::LAYOUT]
        .iter()
        .chain(services)
        .chain(exports)
    {
        seen.visit(root);
    }
    let mut out = String::from("\n# Types of this crate\n");
    seen.ours.iter().for_each(|text| out.push_str(text));
    out.push_str("\n# Types of abi_stable and std that they are made of\n");
    seen.others.iter().for_each(|text| out.push_str(text));
    out
}

impl Seen {
    fn visit(&mut self, layout: &'static TypeLayout) {
        let name = unique(layout);
        let is_ours = layout.package().as_str() == env!("CARGO_PKG_NAME");
        if !self.visited.insert(std::ptr::from_ref(layout).addr()) {
            return;
        }
        let mut text = format!("{name} size={} align={}", layout.size(), layout.alignment());
        if let TLData::PrefixType(prefix) = layout.data() {
            let _ = write!(text, " prefix={}", prefix.first_suffix_field);
        }
        text.push('\n');
        let mut next = Vec::new();
        let fields = layout.get_fields().into_iter().flatten().chain(layout.phantom_fields());
        for field in fields {
            let functions: Vec<TLFunction> = field.function_range().iter().collect();
            if functions.is_empty() || !field.is_function() {
                let _ = writeln!(text, "  {}: {}", field.name(), unique(field.layout()));
            }
            for function in functions {
                let signature = function.to_string();
                let signature = signature.lines().next().unwrap_or_default();
                let _ = writeln!(text, "  {}: {signature}", field.name());
                next.extend(function.param_type_layouts.iter().map(|layout| layout()));
                next.extend(function.return_type_layout().map(|layout| layout()));
            }
            next.push(field.layout());
        }
        let generics = layout.generics();
        next.extend(generics.type_params().iter().map(|layout| layout()));
        let line = text.lines().next().unwrap_or_default().to_owned() + "\n";
        if is_ours {
            self.ours.insert(text);
        } else {
            self.others.insert(line);
        }
        next.into_iter().for_each(|layout| self.visit(layout));
    }
}

/// Names are used more than once: each service has a `VTable`. Path and type parameters tell them apart.
fn unique(layout: &'static TypeLayout) -> String {
    let path = layout.mod_path();
    let parameters: Vec<String> = layout.generics().type_params().iter().map(|layout| unique(layout())).collect();
    let parameters = if parameters.is_empty() {
        String::new()
    } else {
        format!("<{}>", parameters.join(", "))
    };
    let full = layout.full_type().to_string();
    let name = full.trim().split('<').next().unwrap_or_default();
    let path = path.to_string();
    let path = path
        .as_str()
        .trim_start_matches("wharf_plugin_api::")
        .trim_start_matches("abi_stable::");
    format!("{path}::{name}{parameters}")
}
