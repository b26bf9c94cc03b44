//! Reading the record, and proving it.

use std::collections::BTreeMap;

use sea_orm::sea_query::LikeExpr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use wharf_proto::pages;
use wharf_sdk::audit::Outcome;

use crate::Audit;
use crate::chain::{Checkpoint, Link, canonical};
use crate::error::{Error, Result};
use crate::record;
use crate::tables::{chain, checkpoint, entry};
use crate::verify::{Finding, Kind, Known, Report, Walk};

/// Rows that are read at a time.
const PAGE: usize = 500;

/// Which entries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Which {
    /// None: of all.
    pub(crate) tenant: Option<String>,
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) object: String,
    pub(crate) outcome: Option<Outcome>,
    /// Microseconds since 1970; from here ...
    pub(crate) since: Option<i64>,
    /// ... to before here.
    pub(crate) until: Option<i64>,
    pub(crate) chain: String,
}

/// A part of a chain, or of all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    pub(crate) chain: String,
    /// 0: from the first one kept.
    pub(crate) from: u64,
    /// 0: to the end.
    pub(crate) to: u64,
    /// From elsewhere.
    pub(crate) checkpoints: Vec<Checkpoint>,
}

impl Which {
    fn condition(&self) -> Condition {
        let mut all = Condition::all();
        for (column, text) in [
            (entry::Column::Actor, &self.actor),
            (entry::Column::Action, &self.action),
            (entry::Column::Object, &self.object),
        ] {
            if text.contains('*') {
                all = all.add(column.like(like(text)));
            } else if !text.is_empty() {
                all = all.add(column.eq(text.as_str()));
            }
        }
        let tenant = self.tenant.as_ref().map(|tenant| entry::Column::Tenant.eq(tenant.as_str()));
        let chain = Some(&self.chain).filter(|chain| !chain.is_empty());
        all.add_option(tenant)
            .add_option(chain.map(|chain| entry::Column::Chain.eq(chain.as_str())))
            .add_option(self.outcome.map(|outcome| entry::Column::Outcome.eq(outcome.number())))
            .add_option(self.since.map(|since| entry::Column::At.gte(since)))
            .add_option(self.until.map(|until| entry::Column::At.lt(until)))
    }

    /// Whether it is whole chains.
    fn is_whole(&self) -> bool {
        self.tenant.is_none() && self.since.is_none() && self.until.is_none()
    }
}

impl Audit {
    /// Newest first, and the token of the next page.
    pub(crate) async fn list(&self, which: &Which, size: u32, token: &str) -> Result<(Vec<entry::Model>, String)> {
        let size = pages::size(size);
        let mut found = entry::Entity::find().filter(which.condition());
        if !token.is_empty() {
            let (at, id) = token
                .split_once('.')
                .and_then(|(at, id)| Some((at.parse::<i64>().ok()?, id)))
                .ok_or_else(|| bad_token(token))?;
            let same = Condition::all().add(entry::Column::At.eq(at)).add(entry::Column::Id.lt(id));
            found = found.filter(Condition::any().add(entry::Column::At.lt(at)).add(same));
        }
        let found = found.order_by_desc(entry::Column::At).order_by_desc(entry::Column::Id);
        let mut rows = found.limit(size as u64 + 1).all(&self.db).await?;
        let next = pages::cut(&mut rows, size, |row| format!("{}.{}", row.at, row.id));
        Ok((rows, next))
    }

    /// One page of an export, as lines, and the token of the next one.
    pub(crate) async fn export(&self, which: &Which, token: &str) -> Result<(Vec<String>, String)> {
        let mut lines = Vec::new();
        let mut found = entry::Entity::find().filter(which.condition());
        match token.split_once('.') {
            None if token.is_empty() => lines.push(self.header(which).await?),
            Some((seq, chain)) => {
                let seq: i64 = seq.parse().map_err(|_| bad_token(token))?;
                found = found.filter(after(chain, seq));
            }
            None => return Err(bad_token(token)),
        }
        let mut rows = in_order(found).limit(PAGE as u64 + 1).all(&self.db).await?;
        let next = pages::cut(&mut rows, PAGE, |row| format!("{}.{}", row.seq, row.chain));
        lines.extend(rows.into_iter().map(|row| line(&link(row))));
        if next.is_empty() && which.is_whole() {
            for row in self.checkpoint_rows(&which.chain).await? {
                lines.push(serde_json::json!({ "checkpoint": signed(row) }).to_string());
            }
        }
        Ok((lines, next))
    }

    async fn header(&self, which: &Which) -> Result<String> {
        let chains = chain::Entity::find().all(&self.db).await?;
        let cut = chains.into_iter().filter(|chain| chain.base_seq > 0);
        let bases: BTreeMap<String, (i64, String)> = cut.map(|chain| (chain.name, (chain.base_seq, chain.base_hash))).collect();
        let header = serde_json::json!({
            "format": "wharf-audit-1",
            "whole": which.is_whole(),
            "exported": record::text(jiff::Timestamp::now().as_microsecond()),
            "key": self.public_key(),
            "bases": if which.is_whole() { bases } else { BTreeMap::new() },
            "tenant": which.tenant,
        });
        Ok(header.to_string())
    }

    /// Newest first, and the token of the next page.
    pub(crate) async fn checkpoints(&self, chain: &str, size: u32, token: &str) -> Result<(Vec<checkpoint::Model>, String)> {
        let size = pages::size(size);
        let mut found = checkpoint::Entity::find();
        if !chain.is_empty() {
            found = found.filter(checkpoint::Column::Chain.eq(chain));
        }
        if !token.is_empty() {
            let (at, chain) = token.split_once('.').ok_or_else(|| bad_token(token))?;
            let at: i64 = at.parse().map_err(|_| bad_token(token))?;
            let same = Condition::all()
                .add(checkpoint::Column::At.eq(at))
                .add(checkpoint::Column::Chain.gt(chain));
            found = found.filter(Condition::any().add(checkpoint::Column::At.lt(at)).add(same));
        }
        let found = found.order_by_desc(checkpoint::Column::At).order_by_asc(checkpoint::Column::Chain);
        let mut rows = found.limit(size as u64 + 1).all(&self.db).await?;
        let next = pages::cut(&mut rows, size, |row| format!("{}.{}", row.at, row.chain));
        Ok((rows, next))
    }

    async fn checkpoint_rows(&self, chain: &str) -> Result<Vec<checkpoint::Model>> {
        let mut found = checkpoint::Entity::find();
        if !chain.is_empty() {
            found = found.filter(checkpoint::Column::Chain.eq(chain));
        }
        let found = found.order_by_asc(checkpoint::Column::Chain).order_by_asc(checkpoint::Column::Seq);
        Ok(found.all(&self.db).await?)
    }

    /// Goes through chains.
    pub(crate) async fn verify(&self, part: &Part) -> Result<Vec<Report>> {
        let mut chains = chain::Entity::find().order_by_asc(chain::Column::Name);
        if !part.chain.is_empty() {
            chains = chains.filter(chain::Column::Name.eq(part.chain.as_str()));
        }
        let chains = chains.all(&self.db).await?;
        let mut reports = Vec::new();
        for chain in &chains {
            reports.push(self.walk(chain, part).await?);
        }
        // A chain that is gone altogether leaves what was kept elsewhere, or its entries.
        let mut others: Vec<String> = entry::Entity::find()
            .select_only()
            .column(entry::Column::Chain)
            .distinct()
            .into_tuple()
            .all(&self.db)
            .await?;
        others.extend(part.checkpoints.iter().map(|checkpoint| checkpoint.chain.clone()));
        others.retain(|name| !chains.iter().any(|chain| chain.name == *name) && (part.chain.is_empty() || part.chain == *name));
        others.sort();
        others.dedup();
        for name in others {
            let mut walk = Walk::new(
                &name,
                Known {
                    head: Some(0),
                    checkpoints: part.checkpoints.clone(),
                    ..Known::default()
                },
            );
            if let Some(row) = self.rows(&name, 0).await?.into_iter().next() {
                walk.step(&link(row), None);
            }
            reports.push(walk.finish());
        }
        Ok(reports)
    }

    async fn walk(&self, chain: &chain::Model, part: &Part) -> Result<Report> {
        let from = part.from.max(number(chain.base_seq) + 1);
        let before = match from - 1 {
            seq if seq == number(chain.base_seq) => chain.base_hash.clone(),
            seq => {
                let row = entry::Entity::find_by_id((chain.name.clone(), signed_number(seq)))
                    .one(&self.db)
                    .await?;
                row.map_or_else(String::new, |row| row.hash)
            }
        };
        let mut checkpoints: Vec<Checkpoint> = self.checkpoint_rows(&chain.name).await?.into_iter().map(signed).collect();
        let base = checkpoints
            .iter()
            .any(|signed| signed.seq == number(chain.base_seq) && signed.hash == chain.base_hash && signed.is_signed());
        checkpoints.extend(part.checkpoints.iter().filter(|kept| kept.chain == chain.name).cloned());
        checkpoints.retain(|checkpoint| checkpoint.seq >= from && (part.to == 0 || checkpoint.seq <= part.to));
        let last = entry::Entity::find()
            .filter(entry::Column::Chain.eq(chain.name.as_str()))
            .order_by_desc(entry::Column::Seq)
            .one(&self.db)
            .await?;
        let mut walk = Walk::new(
            &chain.name,
            Known {
                before: Some((from - 1, before)),
                // What is sealed meanwhile is not looked at.
                head: Some(number(chain.seq)).map(|head| if part.to == 0 { head } else { head.min(part.to) }),
                head_hash: Some(chain.hash.clone()).filter(|_| part.to == 0 || part.to >= number(chain.seq)),
                last: last.map(|row| number(row.seq)),
                checkpoints,
                key: Some(self.public_key()),
            },
        );
        if chain.base_seq > 0 && !base {
            walk.base_is_unproven();
        }
        self.step_through(&mut walk, chain, from, part.to).await?;
        Ok(walk.finish())
    }

    async fn step_through(&self, walk: &mut Walk, chain: &chain::Model, from: u64, to: u64) -> Result<()> {
        let mut after = signed_number(from) - 1;
        let mut pending: Option<entry::Model> = None;
        loop {
            let rows = self.rows(&chain.name, after).await?;
            let is_last = rows.len() < PAGE;
            after = rows.last().map_or(after, |row| row.seq);
            for row in rows {
                if let Some(before) = pending.replace(row)
                    && !self.one_step(walk, before, pending.as_ref(), to, chain.seq).await?
                {
                    return Ok(());
                }
            }
            if is_last {
                break;
            }
        }
        if let Some(last) = pending {
            self.one_step(walk, last, None, to, chain.seq).await?;
        }
        Ok(())
    }

    async fn one_step(&self, walk: &mut Walk, row: entry::Model, next: Option<&entry::Model>, to: u64, head: i64) -> Result<bool> {
        if to != 0 && number(row.seq) > to {
            return Ok(false);
        }
        if row.seq > head {
            // Sealed while this looked, or put in by somebody: the head of now knows.
            let now = chain::Entity::find_by_id(row.chain.clone()).one(&self.db).await?;
            if now.is_some_and(|now| now.seq >= row.seq) {
                return Ok(false);
            }
        }
        let stray = !columns_agree(&row);
        let (link, next) = (link(row), next.cloned().map(link));
        let good = walk.step(&link, next.as_ref());
        if good && stray {
            walk.found(Finding {
                kind: Kind::Changed,
                seq: link.seq,
                detail: "what it is found by is not what it says".to_owned(),
            });
            return Ok(false);
        }
        Ok(good)
    }

    async fn rows(&self, chain: &str, after: i64) -> Result<Vec<entry::Model>> {
        let found = entry::Entity::find()
            .filter(entry::Column::Chain.eq(chain))
            .filter(entry::Column::Seq.gt(after));
        Ok(found.order_by_asc(entry::Column::Seq).limit(PAGE as u64).all(&self.db).await?)
    }
}

/// Whether the columns for queries are those of the body.
fn columns_agree(row: &entry::Model) -> bool {
    let Ok(read) = record::read(&row.body) else { return false };
    let is_canonical = serde_json::from_str(&row.body).is_ok_and(|value| canonical(&value) == row.body);
    is_canonical
        && record::micros(&read.at).ok() == Some(row.at)
        && (
            &read.id,
            &read.tenant,
            &read.actor,
            &read.action,
            &read.object,
            read.outcome.number(),
        ) == (&row.id, &row.tenant, &row.actor, &row.action, &row.object, row.outcome)
}

pub(crate) fn link(row: entry::Model) -> Link {
    Link {
        seq: number(row.seq),
        chain: row.chain,
        prev: row.prev,
        hash: row.hash,
        body: row.body,
    }
}

pub(crate) fn signed(row: checkpoint::Model) -> Checkpoint {
    Checkpoint {
        seq: number(row.seq),
        count: number(row.count),
        chain: row.chain,
        hash: row.hash,
        at: record::text(row.at),
        key: row.key,
        signature: row.signature,
    }
}

/// By chain, then by number.
fn in_order(found: Select<entry::Entity>) -> Select<entry::Entity> {
    found.order_by_asc(entry::Column::Chain).order_by_asc(entry::Column::Seq)
}

fn after(chain: &str, seq: i64) -> Condition {
    let same = Condition::all().add(entry::Column::Chain.eq(chain)).add(entry::Column::Seq.gt(seq));
    Condition::any().add(entry::Column::Chain.gt(chain)).add(same)
}

fn line(link: &Link) -> String {
    serde_json::to_string(link).unwrap_or_default()
}

/// `*` stands for any text.
fn like(glob: &str) -> LikeExpr {
    let escaped = glob.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    LikeExpr::new(escaped.replace('*', "%")).escape('\\')
}

fn bad_token(token: &str) -> Error {
    Error::Invalid(format!("found page token {token:?}, expected one from the page before"))
}

fn number(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn signed_number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
