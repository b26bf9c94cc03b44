//! Results row by row.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec::IntoIter;

use futures_core::Stream;
use sea_orm::{DbErr, QueryResult, Statement};
use wharf_plugin_api::Fault;
use wharf_plugin_api::abi_stable::std_types::RVec;
use wharf_plugin_api::future::FfiFuture;
use wharf_plugin_api::sql::Request;
use wharf_plugin_api::sql::codec::{AnswerView, answer_view};

use super::columns::Plan;
use super::errors::{self, While};
use super::link::{Link, Session};
use super::rows::Shape;

/// Rows that cross at a time.
const ROWS: u32 = 256;

/// Rows of a result, fetched as they are read: whoever reads slowly slows the database down. Holds a connection until its
/// end or its drop; the one of its transaction, whose other statements wait. The end of the call it was opened in closes it.
#[must_use = "streams do nothing unless polled"]
pub struct RowStream {
    link: Arc<Link>,
    cursor: u64,
    plan: Arc<Plan>,
    by_name: bool,
    shape: Option<Shape>,
    ready: IntoIter<QueryResult>,
    fetching: Option<FfiFuture<RVec<u8>>>,
    has_ended: bool,
}

impl RowStream {
    pub(super) async fn open(session: &Session, statement: Statement) -> Result<Self, DbErr> {
        let (cursor, plan) = session.open(statement).await?;
        Ok(Self {
            link: session.link.clone(),
            cursor,
            plan,
            by_name: session.by_name,
            shape: None,
            ready: Vec::new().into_iter(),
            fetching: None,
            has_ended: false,
        })
    }

    fn take(&mut self, answer: Result<RVec<u8>, Fault>) -> Result<(), DbErr> {
        let bytes = answer.map_err(|fault| errors::fault(&fault))?;
        match answer_view(&bytes).map_err(errors::codec)? {
            AnswerView::Rows(mut view) => {
                if view.rows_left() == 0 {
                    // The host has closed it.
                    self.has_ended = true;
                    return Ok(());
                }
                let shape = self
                    .shape
                    .get_or_insert_with(|| Shape::new(&view.columns, &self.plan, self.by_name));
                self.ready = shape.rows(&mut view)?.into_iter();
                Ok(())
            }
            AnswerView::Failed(failure) => Err(errors::failed(&failure, While::Querying)),
            _ => Err(errors::unexpected("rows")),
        }
    }

    fn close(&mut self) {
        if !self.has_ended {
            self.has_ended = true;
            self.fetching = None;
            self.link.notify(&Request::Close(self.cursor));
        }
    }
}

impl Stream for RowStream {
    type Item = Result<QueryResult, DbErr>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(row) = this.ready.next() {
                return Poll::Ready(Some(Ok(row)));
            }
            if this.has_ended {
                return Poll::Ready(None);
            }
            let fetching = this
                .fetching
                .get_or_insert_with(|| this.link.call(&Request::Fetch(this.cursor, ROWS)));
            let Poll::Ready(answer) = Pin::new(fetching).poll(cx) else {
                return Poll::Pending;
            };
            this.fetching = None;
            if let Err(error) = this.take(answer) {
                this.close();
                return Poll::Ready(Some(Err(error)));
            }
        }
    }
}

impl Drop for RowStream {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for RowStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowStream").field("cursor", &self.cursor).finish_non_exhaustive()
    }
}
