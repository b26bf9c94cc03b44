//! Proxies that are believed when they say who the client is.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::HeaderMap;

/// Which header field the trusted proxies write. Only this one is read: a proxy that writes one of them passes
/// the other on as the client sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedBy {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded`, RFC 7239.
    Forwarded,
}

/// The proxies that are believed. By default none.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Vec<Network>,
    header: ForwardedBy,
}

/// An address or a network in CIDR form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: u128,
    mask: u128,
}

/// Text that is not an address or a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found {found:?}, expected an address or a network such as 10.0.0.0/8")]
pub struct NotANetwork {
    /// The text.
    pub found: String,
}

impl TrustedProxies {
    /// Believes these networks when they write this header field.
    #[must_use]
    pub fn new(networks: Vec<Network>, header: ForwardedBy) -> Self {
        Self { networks, header }
    }

    /// Whether an address is a trusted proxy.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        !self.networks.is_empty() && {
            let number = number(address);
            self.networks.iter().any(|network| number & network.mask == network.address)
        }
    }

    /// The client behind a trusted peer: the last address in the header that is not itself a trusted proxy.
    /// An entry that is not an address ends the search, since nothing to its left can be believed.
    pub(super) fn client(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Option<SocketAddr> {
        let mut nearest = peer;
        let name = match self.header {
            ForwardedBy::XForwardedFor => "x-forwarded-for",
            ForwardedBy::Forwarded => "forwarded",
        };
        let lines: Vec<&str> = headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().unwrap_or_default())
            .collect();
        for entry in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let entry = match self.header {
                ForwardedBy::XForwardedFor => entry.trim(),
                ForwardedBy::Forwarded => for_parameter(entry).unwrap_or_default(),
            };
            let Some(address) = address(entry) else { break };
            nearest = Some(address);
            if !self.trusts(address.ip()) {
                break;
            }
        }
        nearest
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let wrong = || NotANetwork { found: text.to_owned() };
        let (address, bits) = match text.split_once('/') {
            None => (text, None),
            Some((address, bits)) => (address, Some(bits.parse::<u32>().map_err(|_| wrong())?)),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let (width, offset) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let bits = bits.unwrap_or(width);
        if bits > width {
            return Err(wrong());
        }
        let mask = u128::MAX.checked_shl(128 - (bits + offset)).unwrap_or(0);
        Ok(Self {
            address: number(address) & mask,
            mask,
        })
    }
}

/// IPv4 addresses are compared in their IPv6-mapped form, which is how a dual-stack socket sees them.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn for_parameter(element: &str) -> Option<&str> {
    let value = element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
    })?;
    Some(value.trim_matches('"'))
}

fn address(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    Some(SocketAddr::new(bare.parse().ok()?, 0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn client(header: ForwardedBy, name: &'static str, lines: &[&'static str]) -> String {
        let networks = ["10.0.0.0/8", "2001:db8::/32"].map(|text| text.parse().unwrap()).to_vec();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, line.parse().unwrap());
        }
        TrustedProxies::new(networks, header)
            .client("10.0.0.1:99".parse().ok(), &headers)
            .unwrap()
            .to_string()
    }

    #[test]
    fn the_client_is_the_last_address_that_is_not_a_proxy() {
        use ForwardedBy::{Forwarded, XForwardedFor};
        for (header, lines, expected) in [
            (XForwardedFor, &["6.6.6.6, 1.2.3.4, 10.2.2.2"][..], "1.2.3.4:0"),
            (XForwardedFor, &["6.6.6.6", "1.2.3.4"], "1.2.3.4:0"),
            (XForwardedFor, &["6.6.6.6, rubbish"], "10.0.0.1:99"),
            (XForwardedFor, &[], "10.0.0.1:99"),
            (XForwardedFor, &["10.3.3.3"], "10.3.3.3:0"),
            (
                Forwarded,
                &["for=6.6.6.6, for=\"[2001:db9::1]:80\";proto=https, For=10.1.1.1"],
                "[2001:db9::1]:80",
            ),
            (Forwarded, &["for=6.6.6.6, for=_hidden"], "10.0.0.1:99"),
        ] {
            let name = if header == XForwardedFor { "x-forwarded-for" } else { "forwarded" };
            assert_eq!(client(header, name, lines), expected, "{lines:?}");
        }
        assert_eq!(client(XForwardedFor, "forwarded", &["for=6.6.6.6"]), "10.0.0.1:99");
    }

    #[test]
    fn networks_are_read_and_compared() {
        let network = |text: &str| TrustedProxies::new(vec![text.parse().unwrap()], ForwardedBy::default());
        assert!(network("10.1.0.0/16").trusts("10.1.255.1".parse().unwrap()));
        assert!(network("10.1.0.0/16").trusts("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!network("10.1.0.0/16").trusts("10.2.0.1".parse().unwrap()));
        assert!(network("0.0.0.0/0").trusts("8.8.8.8".parse().unwrap()));
        assert!(!network("0.0.0.0/0").trusts("2001:db8::1".parse().unwrap()));
        assert!(network("::/0").trusts("2001:db8::1".parse().unwrap()));
        assert!(network("127.0.0.1").trusts("127.0.0.1".parse().unwrap()));
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "x"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
