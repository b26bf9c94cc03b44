//! What happens when it is time.

use std::sync::Arc;

use wharf_sdk::{Error, JobContext, Jobs, tracing};

use crate::Blog;
use crate::clock;

/// How long changes are kept for those who watch.
const CHANGES_MS: i64 = 86_400_000;

pub(crate) fn jobs() -> Jobs<Blog> {
    Jobs::new()
        .job("publish-scheduled", Blog::publish_scheduled)
        .job("prune-revisions", Blog::prune_revisions)
}

impl Blog {
    async fn publish_scheduled(self: Arc<Self>, _: JobContext) -> Result<(), Error> {
        let published = self.publish_due().await?;
        if published > 0 {
            tracing::info!(published, "scheduled posts were published");
        }
        Ok(())
    }

    async fn prune_revisions(self: Arc<Self>, _: JobContext) -> Result<(), Error> {
        let pruned = self.prune(clock::now() - CHANGES_MS).await?;
        tracing::info!(pruned, "old revisions were deleted");
        Ok(())
    }
}
