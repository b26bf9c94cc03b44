//! What a module asks the host to do, and who may.

use std::time::Duration;

use sea_orm::TransactionTrait as _;
use serde_json::{Value, json};
use wharf_sdk::audit::Entry;
use wharf_sdk::services::scheduler::Run;
use wharf_sdk::{Error, Principal, Resource, Scope};

use crate::{Gamut, StepTaken, Walk};

const TAKE: &str = "gamut.tour.take";

fn step(place: &str) -> StepTaken {
    StepTaken { place: place.to_owned() }
}

/// What is rolled back was never recorded.
pub(crate) async fn audit(gamut: &Gamut) -> Result<Value, Error> {
    let audit = gamut.ctx.audit()?;
    for (object, kept) in [("step/kept", true), ("step/undone", false)] {
        let tx = gamut.db.begin().await?;
        let entry = Entry::of("gamut.step.take").on(object).changed("place", "here", "there");
        audit.record(&tx, entry.added("password", "canary").secret("password")).await?;
        match kept {
            true => tx.commit().await?,
            false => tx.rollback().await?,
        }
    }
    audit
        .record_now(Entry::of("gamut.step.take").on("step/alone").denied("no way"))
        .await?;
    let refused = audit.record_now(Entry::of("No Action")).await.err();
    Ok(json!({ "refused": refused.map(|fault| fault.code.name()) }))
}

pub(crate) fn authz(gamut: &Gamut) -> Result<Value, Error> {
    let authz = gamut.ctx.authz()?;
    let who = Principal::current().map(|who| who.subject().to_owned()).unwrap_or_default();
    let mine = || Resource::named("step/1").owned_by(who.as_str());
    let why = authz.explain(TAKE, mine())?;
    Ok(json!({
        "may": authz.check(TAKE, mine())?,
        "required": authz.require(TAKE, Resource::any()).is_ok(),
        "all": matches!(authz.scope(TAKE)?, Scope::All),
        "explained": why.allowed,
        "undeclared": authz.check("blog.post.write", "post/1").err().map(|fault| fault.code.name()),
    }))
}

/// In a transaction that stays, in one that does not, alone, and for nobody in particular.
pub(crate) async fn events(gamut: &Gamut) -> Result<Value, Error> {
    let events = gamut.ctx.events()?;
    let tx = gamut.db.begin().await?;
    let mut ids = vec![events.publish(&tx, &step("kept")).await?];
    tx.commit().await?;
    let tx = gamut.db.begin().await?;
    events.publish(&tx, &step("undone")).await?;
    tx.rollback().await?;
    ids.push(events.publish_alone(&step("alone")).await?);
    ids.push(events.publish_transient(&step("fleeting"))?);
    ids.sort();
    ids.dedup();
    Ok(json!({ "different_ids": ids.len() }))
}

pub(crate) async fn scheduler(gamut: &Gamut) -> Result<Value, Error> {
    let jobs = gamut.ctx.jobs()?;
    let to = |place: &str| Run::of("walk").with(&Walk { to: place.to_owned() });
    let tx = gamut.db.begin().await?;
    let kept = jobs.enqueue(&tx, to("kept")?).await?;
    tx.commit().await?;
    let tx = gamut.db.begin().await?;
    jobs.enqueue(&tx, to("undone")?).await?;
    tx.rollback().await?;
    let later = to("later")?.after(Duration::from_secs(3600)).unless_there_is("later");
    let first = jobs.enqueue_alone(later.clone()).await?;
    let second = jobs.enqueue_alone(later).await?;
    let cancelled = match &first {
        Some(id) => [jobs.cancel(id).await?, jobs.cancel(id).await?],
        None => [false, false],
    };
    jobs.enqueue_alone(to("alone")?).await?;
    let unknown = jobs.enqueue_alone(Run::of("swim")).await.err();
    Ok(json!({
        "kept": kept.is_some(),
        "second": second.is_some(),
        "cancelled": cancelled,
        "unknown": unknown.map(|fault| fault.code.name()),
    }))
}

pub(crate) async fn notifier(gamut: &Gamut) -> Result<Value, Error> {
    let mail = gamut.ctx.mail()?;
    for (place, kept) in [("Kiel", true), ("Undone", false)] {
        let tx = gamut.db.begin().await?;
        mail.send("step", "walker@example.org", &json!({ "place": place }))
            .within(&tx)
            .await?;
        match kept {
            true => tx.commit().await?,
            false => tx.rollback().await?,
        }
    }
    mail.send("step", "walker@example.org", &json!({ "place": "Alone" }))
        .and_to("friend@example.org")
        .reply_to("help@example.org")
        .locale("de")
        .await?;
    let unknown = mail.send("missing", "walker@example.org", &json!({})).await.err();
    Ok(json!({ "unknown": unknown.map(|fault| fault.code.name()) }))
}
