//! The core services given to modules, one file each.
