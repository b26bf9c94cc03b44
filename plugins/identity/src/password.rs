//! Passwords: which are taken, and how they are hashed and checked.
//!
//! Length counts and composition does not, and the most common ones are refused, as NIST SP 800-63B section 3.1.1 asks for.
//! Hashes are argon2id (RFC 9106) in the PHC string format, made on threads that may block, a few at a time: a hash costs
//! megabytes and milliseconds, and nobody may use up the machine with wrong passwords.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Password as Config;
use crate::error::{Error, Result};

/// Longest password, in bytes: enough for any phrase.
const LONGEST: usize = 1024;
/// How long somebody waits for their turn.
const TURN: Duration = Duration::from_secs(10);
/// Words that people make most passwords of. A password that is little more than one of them is refused.
const COMMON: &[&str] = &[
    "password",
    "passwort",
    "passw0rd",
    "qwertyuiop",
    "qwertzuiop",
    "qwerty",
    "qwertz",
    "azerty",
    "asdfghjkl",
    "zxcvbnm",
    "letmein",
    "iloveyou",
    "welcome",
    "admin",
    "administrator",
    "changeme",
    "secret",
    "trustno",
    "superman",
    "batman",
    "dragon",
    "monkey",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "starwars",
    "whatever",
    "shadow",
    "master",
    "michael",
    "default",
    "test",
    "guest",
    "root",
    "login",
    "abcdefghijklmnopqrstuvwxyz",
    "wharf",
];
/// What may be left of a password without such a word.
const LEFT: usize = 5;

/// Hashes and checks.
#[derive(Clone)]
pub(crate) struct Passwords {
    argon: Argon2<'static>,
    turns: Arc<Semaphore>,
    min_length: usize,
    /// What the password of nobody is compared with, so that it takes as long.
    nobody: Arc<str>,
}

/// The right to compute one hash.
pub(crate) struct Turn {
    argon: Argon2<'static>,
    nobody: Arc<str>,
    _permit: OwnedSemaphorePermit,
}

impl Passwords {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let params = Params::new(config.memory_kib, config.iterations, config.parallelism, None).map_err(|error| {
            Error::Invalid(format!(
                "found parameters of argon2 that cannot be: {error}; see [modules.identity.password]"
            ))
        })?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let turns = match config.concurrent as usize {
            0 => cores,
            set => set,
        };
        Ok(Self {
            nobody: hash(&argon, &crate::random::secret()?)?.into(),
            argon,
            turns: Arc::new(Semaphore::new(turns)),
            min_length: config.min_length as usize,
        })
    }

    /// Says what is wrong with a password that somebody chose. `about` are words of theirs, such as their address.
    pub(crate) fn check(&self, password: &str, about: &[&str]) -> Result<()> {
        let characters = password.chars().count();
        if characters < self.min_length {
            return Err(Error::Invalid(format!(
                "found a password of {characters} characters, expected at least {}",
                self.min_length
            )));
        }
        if password.len() > LONGEST {
            return Err(Error::Invalid(format!(
                "found a password of {} bytes, expected at most {LONGEST}",
                password.len()
            )));
        }
        let refused = |what| {
            Err(Error::Invalid(format!(
                "found a password that {what}, expected one that is not easy to guess"
            )))
        };
        let lower = password.to_lowercase();
        if is_common(&lower) {
            return refused("is one of the most common ones");
        }
        let own = about.iter().flat_map(|text| [*text, text.split('@').next().unwrap_or_default()]);
        if own
            .into_iter()
            .any(|word| word.chars().count() > 3 && is_little_more(&lower, &word.to_lowercase()))
        {
            return refused("is the account's own name or address");
        }
        Ok(())
    }

    /// Waits for a turn.
    pub(crate) async fn turn(&self) -> Result<Turn> {
        let busy = || Error::Unavailable("too many passwords are being checked; try again later".to_owned());
        let permit = tokio::time::timeout(TURN, self.turns.clone().acquire_owned()).await;
        Ok(Turn {
            argon: self.argon.clone(),
            nobody: self.nobody.clone(),
            _permit: permit.map_err(|_| busy())?.map_err(|_| busy())?,
        })
    }

    /// Hashes a password that was checked.
    pub(crate) async fn hash(&self, password: &str) -> Result<String> {
        let (turn, password) = (self.turn().await?, password.to_owned());
        blocking(move || hash(&turn.argon, &password)).await?
    }

    /// Whether a hash was made with other parameters than those of now.
    pub(crate) fn is_old(&self, kept: &str) -> bool {
        let params = PasswordHash::new(kept).ok().and_then(|hash| Params::try_from(&hash).ok());
        let now = self.argon.params();
        params.is_none_or(|found| (found.m_cost(), found.t_cost(), found.p_cost()) != (now.m_cost(), now.t_cost(), now.p_cost()))
    }
}

impl Turn {
    /// Whether it is the password of this hash. Without one it takes as long, and is not.
    pub(crate) async fn verify(&self, password: &str, kept: Option<&str>) -> Result<bool> {
        let (argon, password) = (self.argon.clone(), password.to_owned());
        let (against, known) = (kept.unwrap_or(&self.nobody).to_owned(), kept.is_some());
        let right = blocking(move || {
            let kept = PasswordHash::new(&against).ok();
            password.len() <= LONGEST && kept.is_some_and(|kept| argon.verify_password(password.as_bytes(), &kept).is_ok())
        });
        Ok(right.await? && known)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Error::Unavailable("the service stops".to_owned()))
}

fn hash(argon: &Argon2<'static>, password: &str) -> Result<String> {
    let failed = |error: argon2::password_hash::Error| Error::Unavailable(format!("the password cannot be hashed: {error}"));
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt).map_err(|error| Error::Unavailable(format!("the system gives no random bytes: {error}")))?;
    let salt = SaltString::encode_b64(&salt).map_err(failed)?;
    Ok(argon.hash_password(password.as_bytes(), &salt).map_err(failed)?.to_string())
}

fn is_common(lower: &str) -> bool {
    let few = lower.chars().collect::<std::collections::BTreeSet<_>>().len() < 5;
    few || is_a_row(lower) || COMMON.iter().any(|word| is_little_more(lower, word))
}

/// Whether it is the word, perhaps more than once, and a few other characters.
fn is_little_more(lower: &str, word: &str) -> bool {
    lower.contains(word) && lower.replace(word, "").chars().count() <= LEFT
}

/// `1234567890123`, `abcdefghijklm`: each character follows the one before.
fn is_a_row(lower: &str) -> bool {
    let codes: Vec<u32> = lower.chars().map(u32::from).collect();
    let follows = |pair: &[u32]| match pair {
        [a, b] => a.abs_diff(*b) <= 1 || (*a == u32::from('9') && *b == u32::from('0')),
        _ => false,
    };
    codes.windows(2).all(follows)
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passwords")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    pub(super) fn quick() -> Passwords {
        Passwords::new(&Config {
            memory_kib: 8,
            iterations: 1,
            ..Config::default()
        })
        .unwrap()
    }

    #[test]
    fn common_and_short_passwords_are_refused_and_the_sentence_does_not_show_them() {
        let passwords = quick();
        for bad in [
            "short",
            "Password1234",
            "passwordpassword",
            "123456789012",
            "abcdefghijklm",
            "aaaaaaaaaaaabb",
            "Administrator!1",
            "ada.lovelace1",
            "qwertyuiop123",
        ] {
            let error = passwords.check(bad, &["ada.lovelace@example.org"]).unwrap_err().to_string();
            assert!(error.contains("expected") && !error.contains(bad), "{bad}: {error}");
        }
        for good in ["correct horse battery staple", "Xk3-9vTq_77wZ", "пароль из слов и чисел 7"] {
            passwords.check(good, &["ada.lovelace@example.org"]).unwrap();
        }
        assert!(passwords.check(&"x1y2z3 ".repeat(200), &[]).is_err());
    }

    #[tokio::test]
    async fn a_password_is_its_own_and_nobody_has_one() {
        let passwords = quick();
        let kept = passwords.hash("correct horse battery").await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{kept}");
        let turn = passwords.turn().await.unwrap();
        assert!(turn.verify("correct horse battery", Some(&kept)).await.unwrap());
        assert!(!turn.verify("correct horse", Some(&kept)).await.unwrap());
        assert!(!turn.verify("correct horse battery", None).await.unwrap());
        assert!(!turn.verify("", Some("no hash")).await.unwrap());
        assert!(!passwords.is_old(&kept));
        assert!(passwords.is_old(&kept.replace("t=1", "t=3")));
    }
}
