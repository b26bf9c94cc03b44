//! W3C trace context, version 00: `00-<32 hex>-<16 hex>-<2 hex>`.

use serde::Deserialize;

use crate::ports::traces::{SpanId, TraceId};

/// Where in which trace something happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace; all zero: none.
    pub trace_id: TraceId,
    /// The span in it that comes next above; all zero: none.
    pub span_id: SpanId,
    /// W3C flags.
    pub flags: u8,
}

/// What the envelope of an event says of where it came from. Everything else in it is skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct EventOrigin {
    /// Its id.
    #[serde(default)]
    pub id: String,
    /// Its subject.
    #[serde(default, rename = "type")]
    pub event_type: String,
    /// Trace context of whoever published it.
    #[serde(default)]
    traceparent: String,
}

impl TraceContext {
    /// Whether it is in a trace at all.
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.trace_id != [0; 16]
    }

    /// Whether its spans are recorded.
    #[inline]
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.flags & 1 == 1 && self.is_some()
    }

    /// Reads a `traceparent` header; `None` for anything that the recommendation calls invalid.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let version = hex::<1>(value.get(..2)?)?;
        let dashes = value.get(2) == Some(&b'-') && value.get(35) == Some(&b'-') && value.get(52) == Some(&b'-');
        // A later version may be longer; it then goes on with a dash.
        let length = match version {
            [0xff] => false,
            [0] => value.len() == 55,
            _ => value.len() == 55 || value.get(55) == Some(&b'-'),
        };
        let trace_id = hex::<16>(value.get(3..35)?)?;
        let span_id = hex::<8>(value.get(36..52)?)?;
        let [flags] = hex::<1>(value.get(53..55)?)?;
        (dashes && length && trace_id != [0; 16] && span_id != [0; 8]).then_some(Self { trace_id, span_id, flags })
    }

    /// As a `traceparent` header; empty outside of a trace.
    #[must_use]
    pub fn to_header(&self) -> String {
        if !self.is_some() {
            return String::new();
        }
        let (trace, span) = (u128::from_be_bytes(self.trace_id), u64::from_be_bytes(self.span_id));
        format!("00-{trace:032x}-{span:016x}-{:02x}", self.flags)
    }
}

impl EventOrigin {
    /// Of an envelope; nothing is known of one that cannot be read.
    #[must_use]
    pub fn of(envelope: &[u8]) -> Self {
        serde_json::from_slice(envelope).unwrap_or_default()
    }

    /// Where it was published.
    #[must_use]
    pub fn context(&self) -> Option<TraceContext> {
        TraceContext::parse(self.traceparent.as_bytes())
    }
}

fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        *byte = (digit(*pair.first()?)? << 4) | digit(*pair.get(1)?)?;
    }
    Some(out)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn traceparent_is_read_as_the_recommendation_says() {
        let good = TraceContext::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(good.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes());
        assert_eq!(good.span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
        assert!(good.is_recorded());
        assert_eq!(good.to_header(), GOOD);
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00x4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(bad.as_bytes()), None, "{bad}");
        }
        assert!(TraceContext::parse(b"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more").is_some());
        assert_eq!(TraceContext::default().to_header(), "");
    }

    #[test]
    fn an_event_says_where_it_was_published_and_its_data_say_nothing() {
        let envelope = format!("{{\"data\":{{\"traceparent\":\"no\"}},\"id\":\"7\",\"type\":\"a.b.v1\",\"traceparent\":\"{GOOD}\"}}");
        let origin = EventOrigin::of(envelope.as_bytes());
        assert_eq!((origin.id.as_str(), origin.event_type.as_str()), ("7", "a.b.v1"));
        assert_eq!(origin.context().unwrap().to_header(), GOOD);
        assert_eq!(EventOrigin::of(b"no event"), EventOrigin::default());
        assert!(EventOrigin::of(b"{\"traceparent\":\"x\"}").context().is_none());
    }
}
