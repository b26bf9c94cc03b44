//! A stream of numbers with a pause between them. It needs no task: dropping it ends it.

use std::ops::RangeInclusive;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep};
use tokio_stream::Stream;

/// Numbers in order, the first at once and each further one after a pause.
#[derive(Debug)]
pub(crate) struct Paced {
    numbers: RangeInclusive<u32>,
    pause: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    /// The numbers from one to `limit`.
    pub(crate) fn new(limit: u32, pause: Duration) -> Self {
        Self {
            numbers: 1..=limit,
            pause,
            waiting: None,
        }
    }
}

impl Stream for Paced {
    type Item = u32;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u32>> {
        if let Some(waiting) = &mut self.waiting {
            ready!(waiting.as_mut().poll(cx));
            self.waiting = None;
        }
        let number = self.numbers.next();
        if number.is_some() && !self.pause.is_zero() && !self.numbers.is_empty() {
            self.waiting = Some(Box::pin(sleep(self.pause)));
        }
        Poll::Ready(number)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.numbers.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;
    use tokio_stream::StreamExt as _;

    #[tokio::test(start_paused = true)]
    async fn the_first_number_comes_at_once_and_there_is_no_pause_after_the_last() {
        let start = Instant::now();
        let mut numbers = Paced::new(3, Duration::from_millis(100));
        let mut seen = Vec::new();
        while let Some(number) = numbers.next().await {
            seen.push((number, start.elapsed().as_millis() / 100));
        }
        assert_eq!(seen, [(1, 0), (2, 1), (3, 2)]);
        assert_eq!(start.elapsed().as_millis() / 100, 2);
    }

    #[tokio::test]
    async fn counting_to_nothing_ends_at_once() {
        assert_eq!(Paced::new(0, Duration::from_secs(1)).next().await, None);
    }
}
