//! What the host answers itself: probes and metrics.
