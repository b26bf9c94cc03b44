//! Comparing layouts, with an error a person can read.

use abi_stable::abi_stability::abi_checking::{
    AbiInstability, AbiInstabilityError, CheckingGlobals, check_layout_compatibility_with_globals,
};
use abi_stable::type_layout::{TLFieldOrFunction, TypeLayout};

use crate::fault::{Fault, FaultCode};

/// Compares two layouts with throw-away globals, so that nothing of an image is remembered by address.
///
/// `interface` is the asker's; `implementation` may have more at the end of prefix types.
///
/// # Errors
/// [`FaultCode::LAYOUT`]: one line that names the first difference; the whole report is in `detail`.
pub fn check(interface: &'static TypeLayout, implementation: &'static TypeLayout) -> Result<(), Fault> {
    let Err(report) = check_layout_compatibility_with_globals(interface, implementation, &CheckingGlobals::new()) else {
        return Ok(());
    };
    let first = report.errors.iter().find(|error| !error.errs.is_empty());
    let first = first.map_or_else(|| "the layouts differ".to_owned(), difference);
    let mut fault = Fault::new(
        FaultCode::LAYOUT,
        format!(
            "layout of {} is not the one asked for: {first}; build both sides against the same wharf-plugin-api 1.x",
            interface.name()
        ),
    );
    fault.detail = report.to_string().into();
    Err(fault)
}

/// One line: what differs, and the way to it by the names of fields, methods and types.
fn difference(found: &AbiInstabilityError) -> String {
    let steps = found.stack_trace.iter().map(|step| match &step.expected {
        TLFieldOrFunction::Field(field) => format!("{}: {}", field.name(), field.layout().name()),
        TLFieldOrFunction::Function(function) => format!("fn {}", function.name),
    });
    let place: Vec<String> = steps.collect();
    let what = match found.errs.first() {
        Some(AbiInstability::FieldCountMismatch(count)) => {
            format!("expected {} fields or methods at least, found {}", count.expected, count.found)
        }
        Some(AbiInstability::Name(name)) => format!("expected type {}, found {}", name.expected, name.found),
        Some(AbiInstability::Size(size)) => format!("expected {} bytes, found {}", size.expected, size.found),
        Some(other) => format!("{other:?}").split_whitespace().take(16).collect::<Vec<_>>().join(" "),
        None => "the layouts differ".to_owned(),
    };
    if place.is_empty() {
        what
    } else {
        format!("{what} (in {})", place.join(" > "))
    }
}
