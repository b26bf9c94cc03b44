//! Templates of mails: `NAME.subject`, `NAME.txt` and perhaps `NAME.html`, and `NAME.LOCALE.subject` and so on beside them.

use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::Value;

/// The templates of one module, checked.
#[derive(Debug)]
pub struct Templates(Environment<'static>);

/// A mail that is asked for.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Name of the template.
    pub template: String,
    /// `de-AT`; empty for the template without one.
    pub locale: String,
    /// Who gets it.
    pub to: Vec<String>,
    /// Where answers go; empty for nowhere else.
    pub reply_to: String,
    /// What the template is filled with.
    pub data: Value,
    /// W3C trace context of whoever sends it; empty for none.
    pub traceparent: String,
}

/// A template that was filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// As text.
    pub text: String,
    /// As HTML, where there is such a template.
    pub html: Option<String>,
}

/// What is wrong with a template or what it is filled with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// Not a name of a template.
    #[error("found mail template {0:?}, expected NAME.subject, NAME.txt or NAME.html, or NAME.LOCALE.txt and so on")]
    Name(String),
    /// It cannot be read.
    #[error("mail template {name} cannot be read: {why}")]
    Syntax {
        /// Which.
        name: String,
        /// What is wrong, with the line.
        why: String,
    },
    /// There is none of that name.
    #[error("found no mail template {0:?}, expected {0}.subject and {0}.txt in Module::templates")]
    Missing(String),
    /// It could not be filled.
    #[error("mail template {name} cannot be filled: {why}")]
    Data {
        /// Which.
        name: String,
        /// What is wrong: a name that is not in the data, mostly.
        why: String,
    },
    /// A subject is one line.
    #[error("the subject of mail template {0} is not one line of text after it was filled")]
    Subject(String),
}

impl Templates {
    /// Checks templates, by name and text.
    ///
    /// # Errors
    /// [`TemplateError`]
    pub fn new(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|name| {
            if name.ends_with(".html") {
                AutoEscape::Html
            } else {
                AutoEscape::None
            }
        });
        // Enough for a long mail, and an end for a loop that has none.
        environment.set_recursion_limit(64);
        for (name, text) in files {
            if !is_template_name(&name) {
                return Err(TemplateError::Name(name));
            }
            environment
                .add_template_owned(name.clone(), text)
                .map_err(|error| TemplateError::Syntax {
                    why: explain(&error),
                    name,
                })?;
        }
        Ok(Self(environment))
    }

    /// Fills a template. Of `de-AT` the parts are looked for as `de-AT`, then `de`, then without a locale, each by itself.
    ///
    /// # Errors
    /// [`TemplateError`]
    pub fn render(&self, draft: &Draft) -> Result<Rendered, TemplateError> {
        let missing = || TemplateError::Missing(draft.template.clone());
        let subject = self.part(draft, "subject")?.ok_or_else(missing)?;
        let subject = subject.trim().to_owned();
        if subject.is_empty() || subject.chars().any(char::is_control) {
            return Err(TemplateError::Subject(draft.template.clone()));
        }
        Ok(Rendered {
            subject,
            text: self.part(draft, "txt")?.ok_or_else(missing)?,
            html: self.part(draft, "html")?,
        })
    }

    fn part(&self, draft: &Draft, part: &str) -> Result<Option<String>, TemplateError> {
        let mut locale = draft.locale.as_str();
        loop {
            let name = if locale.is_empty() {
                format!("{}.{part}", draft.template)
            } else {
                format!("{}.{locale}.{part}", draft.template)
            };
            if let Ok(template) = self.0.get_template(&name) {
                let filled = template.render(minijinja::value::Serde(&draft.data));
                return filled.map(Some).map_err(|error| TemplateError::Data {
                    why: explain(&error),
                    name,
                });
            }
            if locale.is_empty() {
                return Ok(None);
            }
            locale = locale.rsplit_once(['-', '_']).map_or("", |(broader, _)| broader);
        }
    }
}

fn is_template_name(name: &str) -> bool {
    let parts: Vec<_> = name.split('.').collect();
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    matches!(
        parts.as_slice(),
        [_, "subject" | "txt" | "html"] | [_, _, "subject" | "txt" | "html"]
    ) && parts.iter().all(|part| is_word(part))
}

/// What went wrong and in which line, without the values of the data.
fn explain(error: &minijinja::Error) -> String {
    let line = error.line().map_or(String::new(), |line| format!(" in line {line}"));
    error.detail().map_or_else(
        || format!("{}{line}", error.kind()),
        |detail| format!("{}: {detail}{line}", error.kind()),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn templates(files: &[(&str, &str)]) -> Result<Templates, TemplateError> {
        Templates::new(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
    }

    fn draft(locale: &str, data: Value) -> Draft {
        Draft {
            template: "welcome".into(),
            locale: locale.into(),
            data,
            ..Draft::default()
        }
    }

    const FILES: &[(&str, &str)] = &[
        ("welcome.subject", "Welcome, {{ name }}"),
        ("welcome.de.subject", "Willkommen, {{ name }}"),
        ("welcome.txt", "Hello {{ name }}"),
        ("welcome.html", "<p>Hello {{ name }}</p>"),
    ];

    #[test]
    fn html_is_escaped_and_text_is_not() {
        let rendered = templates(FILES)
            .unwrap()
            .render(&draft("", json!({ "name": "<Ada> & co" })))
            .unwrap();
        assert_eq!(rendered.subject, "Welcome, <Ada> & co");
        assert_eq!(rendered.text, "Hello <Ada> & co");
        assert_eq!(rendered.html.unwrap(), "<p>Hello &lt;Ada&gt; &amp; co</p>");
    }

    #[test]
    fn each_part_falls_back_to_a_broader_locale() {
        let templates = templates(FILES).unwrap();
        for (locale, subject) in [
            ("de-AT", "Willkommen, A"),
            ("de", "Willkommen, A"),
            ("fr", "Welcome, A"),
            ("", "Welcome, A"),
        ] {
            let rendered = templates.render(&draft(locale, json!({ "name": "A" }))).unwrap();
            assert_eq!(
                (rendered.subject.as_str(), rendered.text.as_str()),
                (subject, "Hello A"),
                "{locale}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said_and_no_value_is_shown() {
        let good = templates(FILES).unwrap();
        let error = good.render(&draft("", json!({ "nam": "canary" }))).unwrap_err();
        assert!(
            matches!(error, TemplateError::Data { .. }) && !error.to_string().contains("canary"),
            "{error}"
        );
        let error = good.render(&draft("", json!({ "name": "A\r\nBcc: x@example.org" }))).unwrap_err();
        assert_eq!(error, TemplateError::Subject("welcome".into()));
        let mut none = draft("", json!({}));
        none.template = "goodbye".into();
        assert_eq!(good.render(&none).unwrap_err(), TemplateError::Missing("goodbye".into()));
        assert!(matches!(
            templates(&[("a.txt", "{{ x ")]).unwrap_err(),
            TemplateError::Syntax { .. }
        ));
        for name in ["a", "a.md", "../a.txt", "a.b.c.txt", ".txt"] {
            assert_eq!(templates(&[(name, "")]).unwrap_err(), TemplateError::Name(name.into()));
        }
    }
}
