//! Comparing layouts, with an error a person can read.

use abi_stable::abi_stability::abi_checking::{CheckingGlobals, check_layout_compatibility_with_globals};
use abi_stable::type_layout::TypeLayout;

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
    let mut first = String::from("the layouts differ");
    if let Some(found) = report.errors.iter().find(|e| !e.errs.is_empty())
        && let Some(error) = found.errs.first()
    {
        let place: Vec<_> = found.stack_trace.iter().map(|step| step.expected.to_string()).collect();
        let text = format!("{error:?}");
        let short: String = text.chars().take(160).collect();
        first = format!("{short} in {}", place.join(" > "));
    }
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
