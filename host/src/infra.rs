//! Adapters: a folder a port.
