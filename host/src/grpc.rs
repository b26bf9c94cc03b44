//! gRPC at the edge: health, reflection, JSON transcoding.
