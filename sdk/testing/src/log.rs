//! What a test program has once: a dispatcher and a panic hook for the modules that are linked into it.

use std::sync::Once;

use wharf_host::telemetry::{self, LineFormat, LogControl, LogSink};

static INSTALL: Once = Once::new();

/// Linked-in modules have levels of their own, up to the highest that is named here. Nothing else is of that target: what is
/// dropped anyway is not put into lines first, and libraries trace every frame and statement.
const LEVELS: &str = "off,linked-modules=trace";

/// Events and panics of linked-in modules find the host whose instance they are of. Whatever else the test program logs is
/// dropped, unless it installed a dispatcher of its own first; then linked-in modules log there.
pub(crate) fn install() {
    INSTALL.call_once(|| {
        if let Ok(control) = LogControl::new(LEVELS) {
            let nowhere = LogSink::writer(LineFormat::Json, Box::new(std::io::sink()));
            drop(telemetry::install(&control, &nowhere));
        }
        wharf_host::host::install_panic_hook();
    });
}
