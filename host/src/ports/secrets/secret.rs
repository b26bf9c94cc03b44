//! A value that must not be seen.

use std::fmt;

use zeroize::Zeroizing;

/// The bytes of a secret. Overwritten when dropped; `Debug` hides them.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves, for the one place that needs them.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// Without the line end that editors and `echo` put there.
    #[must_use]
    pub fn without_line_end(self) -> Self {
        let Self(mut bytes) = self;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        Self(bytes)
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_it_and_one_line_end_goes() {
        let secret = SecretBytes::new(b"canary\n\r\n".to_vec());
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(secret.without_line_end().reveal(), b"canary\n");
        assert_eq!(SecretBytes::new(Vec::new()).without_line_end().reveal(), b"");
    }
}
