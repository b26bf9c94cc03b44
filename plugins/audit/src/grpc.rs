//! The gRPC services: they translate, and say who is calling.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use wharf_proto::audit::v1 as pb;
use wharf_sdk::audit::{Entry, Outcome};

use crate::Audit;
use crate::caller::{ALL, Caller};
use crate::chain::Checkpoint;
use crate::error::Result;
use crate::record::{self, from_timestamp, timestamp};
use crate::records::{Part, Which};
use crate::tables::{checkpoint, entry};
use crate::verify::Report;

type Answer<T> = Result<Response<T>, Status>;

const READ: &str = "audit.entry.read";
const VERIFY: &str = "audit.chain.verify";
/// Entries that one call brings at most.
const MOST: usize = 1000;
/// Lines that wait for a client that reads slowly.
const AHEAD: usize = 256;

#[tonic::async_trait]
impl pb::audit_server::Audit for Audit {
    async fn append(&self, request: Request<pb::AppendRequest>) -> Answer<pb::AppendResponse> {
        let (entries, caller) = (request.into_inner().entries, Caller::current());
        if entries.len() > MOST {
            let text = format!("found {} entries, expected at most {MOST} in one call", entries.len());
            return Err(Status::invalid_argument(text));
        }
        let mut records = Vec::with_capacity(entries.len());
        for entry in entries {
            let mut record = record::from_api(entry)?;
            if caller.subject != "host" {
                // Others may say what they saw, and not that somebody else saw it.
                record.recorder = caller.subject.strip_prefix("module:").unwrap_or(&caller.subject).to_owned();
            }
            records.push(record);
        }
        Audit::append(self, &records).await?;
        Ok(Response::new(pb::AppendResponse {}))
    }
}

#[tonic::async_trait]
impl pb::records_server::Records for Audit {
    type ExportStream = ReceiverStream<Result<pb::ExportLine, Status>>;

    async fn list(&self, request: Request<pb::ListEntriesRequest>) -> Answer<pb::ListEntriesResponse> {
        let asked = request.into_inner();
        let which = Which {
            tenant: self.tenant_of(&Caller::current(), &asked.tenant, READ).await?,
            outcome: match asked.outcome() {
                pb::Outcome::Unspecified => None,
                pb::Outcome::Success => Some(Outcome::Success),
                pb::Outcome::Denied => Some(Outcome::Denied),
                pb::Outcome::Failure => Some(Outcome::Failure),
            },
            since: asked.since.as_ref().map(from_timestamp),
            until: asked.until.as_ref().map(from_timestamp),
            actor: asked.actor,
            action: asked.action,
            object: asked.object,
            chain: String::new(),
        };
        let (rows, next_page_token) = Audit::list(self, &which, asked.page_size, &asked.page_token).await?;
        let entries = rows.into_iter().map(sealed).collect::<Result<_>>()?;
        Ok(Response::new(pb::ListEntriesResponse { entries, next_page_token }))
    }

    async fn verify(&self, request: Request<pb::VerifyRequest>) -> Answer<pb::VerifyResponse> {
        self.needs_all(&Caller::current(), VERIFY).await?;
        let asked = request.into_inner();
        let part = Part {
            chain: asked.chain,
            from: asked.from_seq,
            to: asked.to_seq,
            checkpoints: asked.checkpoints.into_iter().map(kept).collect(),
        };
        let chains = Audit::verify(self, &part).await?.into_iter().map(report).collect();
        Ok(Response::new(pb::VerifyResponse { chains }))
    }

    async fn list_checkpoints(&self, request: Request<pb::ListCheckpointsRequest>) -> Answer<pb::ListCheckpointsResponse> {
        self.needs_all(&Caller::current(), VERIFY).await?;
        let asked = request.into_inner();
        let (rows, next_page_token) = self.checkpoints(&asked.chain, asked.page_size, &asked.page_token).await?;
        Ok(Response::new(pb::ListCheckpointsResponse {
            checkpoints: rows.into_iter().map(shown).collect(),
            next_page_token,
        }))
    }

    async fn export(&self, request: Request<pb::ExportRequest>) -> Answer<Self::ExportStream> {
        let which = self.which(request.into_inner()).await?;
        self.say_exported(&which).await?;
        let (send, lines) = mpsc::channel(AHEAD);
        let audit = self.clone();
        self.ctx.spawn(async move {
            let mut token = String::new();
            loop {
                let (lines, next) = match Audit::export(&audit, &which, &token).await {
                    Ok(page) => page,
                    Err(error) => return drop(send.send(Err(error.into())).await),
                };
                for json in lines {
                    if send.send(Ok(pb::ExportLine { json })).await.is_err() {
                        return;
                    }
                }
                if next.is_empty() {
                    return;
                }
                token = next;
            }
        });
        Ok(Response::new(ReceiverStream::new(lines)))
    }

    async fn export_page(&self, request: Request<pb::ExportPageRequest>) -> Answer<pb::ExportPageResponse> {
        let asked = request.into_inner();
        let which = self.which(asked.what.unwrap_or_default()).await?;
        if asked.page_token.is_empty() {
            self.say_exported(&which).await?;
        }
        let (lines, next_page_token) = Audit::export(self, &which, &asked.page_token).await?;
        Ok(Response::new(pb::ExportPageResponse { lines, next_page_token }))
    }
}

impl Audit {
    /// Who takes the record out of the house is part of the record.
    async fn say_exported(&self, which: &Which) -> Result<()> {
        let whose = which.tenant.as_deref().unwrap_or(ALL);
        let entry = Entry::of("audit.entry.export").on(format!("tenant:{whose}"));
        self.ctx.audit()?.record_now(entry).await?;
        Ok(())
    }

    async fn which(&self, asked: pb::ExportRequest) -> Result<Which> {
        Ok(Which {
            tenant: self.tenant_of(&Caller::current(), &asked.tenant, READ).await?,
            chain: asked.chain,
            since: asked.since.as_ref().map(from_timestamp),
            until: asked.until.as_ref().map(from_timestamp),
            ..Which::default()
        })
    }
}

fn sealed(row: entry::Model) -> Result<pb::SealedEntry> {
    Ok(pb::SealedEntry {
        entry: Some(record::to_api(record::read(&row.body)?)),
        chain: row.chain,
        seq: u64::try_from(row.seq).unwrap_or_default(),
        hash: row.hash,
    })
}

fn shown(row: checkpoint::Model) -> pb::Checkpoint {
    pb::Checkpoint {
        chain: row.chain,
        seq: u64::try_from(row.seq).unwrap_or_default(),
        count: u64::try_from(row.count).unwrap_or_default(),
        hash: row.hash,
        at: timestamp(row.at),
        key: row.key,
        signature: row.signature,
    }
}

fn kept(checkpoint: pb::Checkpoint) -> Checkpoint {
    Checkpoint {
        chain: checkpoint.chain,
        seq: checkpoint.seq,
        count: checkpoint.count,
        hash: checkpoint.hash,
        at: checkpoint
            .at
            .as_ref()
            .map(|at| record::text(from_timestamp(at)))
            .unwrap_or_default(),
        key: checkpoint.key,
        signature: checkpoint.signature,
    }
}

fn report(report: Report) -> pb::ChainReport {
    pb::ChainReport {
        chain: report.chain,
        good: report.good,
        first_seq: report.first_seq,
        last_seq: report.last_seq,
        checkpoints: report.checkpoints,
        finding: report.finding.map(|finding| pb::Finding {
            kind: finding.kind.name().to_owned(),
            seq: finding.seq,
            detail: finding.detail,
        }),
    }
}
