//! Names: of metrics, of dimensions, and the values of dimensions.

/// Longest name of a metric.
const METRIC_CHARS: usize = 100;
/// Longest name of a dimension.
const DIMENSION_CHARS: usize = 32;
/// Longest value of a dimension, in characters.
const VALUE_CHARS: usize = 200;
/// What the names of metrics begin with that others than events may record.
const CUSTOM: &str = "custom.";

/// What is counted, such as `blog.post.viewed`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MetricName(String);

/// By what it is counted, and which of them: `post` and its id. The default one stands for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Dimension {
    /// Empty: the total.
    pub(crate) name: String,
    /// Empty with an empty name.
    pub(crate) value: String,
}

/// Why something is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameError {
    /// Of a metric.
    #[error(
        "found metric {0:?}, expected at most {METRIC_CHARS} lower-case letters, digits and _ in parts with dots between, beginning with a letter"
    )]
    Metric(String),
    /// Of a metric that is recorded by request.
    #[error(
        "found metric {0:?}, expected one that begins with {CUSTOM:?}: all others are counted from events, and nobody else may add to them"
    )]
    NotCustom(String),
    /// Of a dimension.
    #[error("found dimension {0:?}, expected at most {DIMENSION_CHARS} lower-case letters, digits and _, beginning with a letter")]
    Dimension(String),
    /// Of a value.
    #[error("found {length} characters for dimension {dimension:?}, expected 1 to {VALUE_CHARS}, and no control characters")]
    Value {
        /// Of which dimension.
        dimension: String,
        /// How long it is.
        length: usize,
    },
}

impl MetricName {
    /// A name that comes from outside.
    pub(crate) fn parse(text: &str) -> Result<Self, NameError> {
        let is_fine = text.len() <= METRIC_CHARS && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.split('.').all(is_word);
        match is_fine {
            true => Ok(Self(text.to_owned())),
            false => Err(NameError::Metric(shown(text))),
        }
    }

    /// The same, for what is recorded by request.
    pub(crate) fn parse_custom(text: &str) -> Result<Self, NameError> {
        let name = Self::parse(text)?;
        match name.0.starts_with(CUSTOM) {
            true => Ok(name),
            false => Err(NameError::NotCustom(name.0)),
        }
    }

    /// A name that this module gives itself.
    pub(crate) fn known(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    /// The amounts that go with a metric, in one currency: amounts of several are never added. None when that is no currency (ISO 4217).
    pub(crate) fn amount(prefix: &str, currency: &str) -> Option<Self> {
        let is_currency = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_currency.then(|| Self(format!("{prefix}.amount.{}", currency.to_ascii_lowercase())))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Dimension {
    /// One that comes from outside.
    pub(crate) fn parse(name: &str, value: &str) -> Result<Self, NameError> {
        Self::check_name(name)?;
        let length = value.chars().count();
        if length == 0 || length > VALUE_CHARS || value.chars().any(char::is_control) {
            return Err(NameError::Value {
                dimension: name.to_owned(),
                length,
            });
        }
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }

    /// Whether a text is the name of one.
    pub(crate) fn check_name(name: &str) -> Result<(), NameError> {
        let is_fine = name.len() <= DIMENSION_CHARS && name.starts_with(|c: char| c.is_ascii_lowercase()) && is_word(name);
        match is_fine {
            true => Ok(()),
            false => Err(NameError::Dimension(shown(name))),
        }
    }

    /// One from an event, which is never refused: control characters become spaces, what is too long is cut. None for nothing.
    pub(crate) fn of_event(name: &'static str, value: &str) -> Option<Self> {
        let clean = |c: char| if c.is_control() { ' ' } else { c };
        let value: String = value.chars().take(VALUE_CHARS).map(clean).collect();
        (!value.is_empty()).then(|| Self {
            name: name.to_owned(),
            value,
        })
    }
}

/// A word may not be empty, so that no name has two dots in a row or ends in one.
fn is_word(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !text.is_empty() && text.bytes().all(is_letter)
}

/// The beginning of a text that was refused.
fn shown(text: &str) -> String {
    text.chars().take(METRIC_CHARS + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_metrics_are_words_with_dots_between() {
        for good in ["a", "blog.post.viewed", "custom.jobs_2.done"] {
            assert_eq!(MetricName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", ".", "a.", ".a", "a..b", "A", "1a", "a b", "a-b", "ä", &"a".repeat(101)] {
            assert!(matches!(MetricName::parse(bad), Err(NameError::Metric(_))), "{bad}");
        }
    }

    #[test]
    fn nobody_adds_to_what_events_count() {
        assert!(MetricName::parse_custom("custom.orders").is_ok());
        for foreign in ["blog.post.viewed", "customs.orders", "custom"] {
            assert!(
                matches!(MetricName::parse_custom(foreign), Err(NameError::NotCustom(_))),
                "{foreign}"
            );
        }
    }

    #[test]
    fn amounts_are_kept_apart_by_currency() {
        assert_eq!(
            MetricName::amount("billing.payment", "EUR").unwrap().as_str(),
            "billing.payment.amount.eur"
        );
        for bad in ["", "EURO", "E R", "12 "] {
            assert_eq!(MetricName::amount("billing.payment", bad), None, "{bad}");
        }
    }

    #[test]
    fn values_from_outside_are_refused_and_those_of_events_are_mended() {
        assert!(Dimension::parse("post", "17").is_ok());
        for (name, value) in [
            ("Post", "17"),
            ("", "17"),
            ("post.id", "17"),
            ("post", ""),
            ("post", "a\nb"),
            ("post", &"ä".repeat(201)),
        ] {
            assert!(Dimension::parse(name, value).is_err(), "{name} {value}");
        }
        assert_eq!(Dimension::of_event("post", "a\nb").unwrap().value, "a b");
        assert_eq!(Dimension::of_event("post", &"ä".repeat(300)).unwrap().value, "ä".repeat(200));
        assert_eq!(Dimension::of_event("post", ""), None);
    }
}
