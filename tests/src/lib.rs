//! End-to-end tests: the real binary, real libraries; and the repository's own rules.
