//! What kind of image some bytes are: told by how they begin, never by what a client says.

/// Bytes that are enough to tell.
pub(crate) const HEAD: usize = 32;

/// A kind of image that browsers show and that runs nothing. SVG is none: it can hold scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Png,
    Jpeg,
    Gif,
    WebP,
    Avif,
}

impl Format {
    /// Tells by the first [`HEAD`] bytes.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [0, 0, 0, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f' | b's', ..] => Some(Self::Avif),
            _ => None,
        }
    }

    /// Its media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::WebP => "image/webp",
            Self::Avif => "image/avif",
        }
    }
}

/// Whether a text can be the key of an image: a SHA-256 in hexadecimal.
pub(crate) fn is_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
}

/// The part of an image that a client asks for with `Range` (RFC 9110, section 14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it: no range, or one that is not understood.
    Whole,
    /// From the first number to the second, both included.
    Bytes(u64, u64),
    /// There is no such part.
    Nowhere,
}

/// Reads one range of bytes. Several are answered with the whole, as the RFC allows.
pub(crate) fn part(range: Option<&str>, size: u64) -> Part {
    let Some((first, last)) = range
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
    else {
        return Part::Whole;
    };
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), _) if first >= size && (last.is_empty() || last.parse::<u64>().is_ok()) => Part::Nowhere,
        (Ok(first), Ok(last)) if first <= last => Part::Bytes(first, last.min(size - 1)),
        (Ok(first), Err(_)) if last.is_empty() => Part::Bytes(first, size - 1),
        (Err(_), Ok(0)) if first.is_empty() => Part::Nowhere,
        (Err(_), Ok(_)) if first.is_empty() && size == 0 => Part::Nowhere,
        (Err(_), Ok(tail)) if first.is_empty() => Part::Bytes(size.saturating_sub(tail), size - 1),
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_told_by_their_first_bytes() {
        for (head, format) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], Some(Format::Png)),
            (b"\xff\xd8\xff\xe0", Some(Format::Jpeg)),
            (b"GIF89a", Some(Format::Gif)),
            (b"RIFF\x01\x02\x03\x04WEBPVP8 ", Some(Format::WebP)),
            (b"\0\0\0\x20ftypavif", Some(Format::Avif)),
            (b"<svg onload=alert(1)>", None),
            (b"<html>", None),
            (b"GIF8", None),
            (b"", None),
        ] {
            assert_eq!(Format::of(head), format, "{head:?}");
        }
    }

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        for (range, expected) in [
            (None, Part::Whole),
            (Some("bytes=0-3"), Part::Bytes(0, 3)),
            (Some("bytes=2-"), Part::Bytes(2, 9)),
            (Some("bytes=-4"), Part::Bytes(6, 9)),
            (Some("bytes=-40"), Part::Bytes(0, 9)),
            (Some("bytes=5-400"), Part::Bytes(5, 9)),
            (Some("bytes=10-"), Part::Nowhere),
            (Some("bytes=-0"), Part::Nowhere),
            (Some("bytes=5-2"), Part::Whole),
            (Some("bytes=0-1,4-5"), Part::Whole),
            (Some("lines=0-1"), Part::Whole),
            (Some("bytes=-"), Part::Whole),
        ] {
            assert_eq!(part(range, 10), expected, "{range:?}");
        }
        assert_eq!(
            (part(Some("bytes=0-"), 0), part(Some("bytes=-1"), 0)),
            (Part::Nowhere, Part::Nowhere)
        );
        assert!(is_key(&"a1".repeat(32)) && !is_key(&"A1".repeat(32)) && !is_key("../x"));
    }
}
