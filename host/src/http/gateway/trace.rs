//! W3C trace context, version 00: `00-<32 hex>-<16 hex>-<2 hex>`.

use crate::http::request_id::random_u64;

/// The trace a call belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trace {
    pub(super) trace_id: [u8; 16],
    pub(super) flags: u8,
}

impl Trace {
    /// Goes on with the caller's trace, or starts one. The span id of the caller is not kept: the host's span is
    /// the parent of the module's.
    pub(super) fn continue_or_start(traceparent: Option<Self>) -> Self {
        traceparent.unwrap_or_else(|| {
            let id = (u128::from(random_u64()) << 64) | u128::from(random_u64());
            Self {
                trace_id: id.to_be_bytes(),
                flags: 1,
            }
        })
    }

    /// Reads a `traceparent` header; `None` for anything that the recommendation calls invalid.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
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
        (dashes && length && trace_id != [0; 16] && span_id != [0; 8]).then_some(Self { trace_id, flags })
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

    #[test]
    fn traceparent_is_read_as_the_recommendation_says() {
        let good = Trace::parse(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
        assert_eq!(good.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes());
        assert_eq!(good.flags, 1);
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
            assert_eq!(Trace::parse(bad.as_bytes()), None, "{bad}");
        }
        assert!(Trace::parse(b"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more").is_some());
    }

    #[test]
    fn a_call_without_trace_starts_one() {
        let one = Trace::continue_or_start(None);
        assert_ne!(one.trace_id, [0; 16]);
        assert_ne!(one, Trace::continue_or_start(None));
    }
}
