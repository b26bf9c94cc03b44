//! Wharf's gRPC APIs: committed generated code and descriptor sets.
