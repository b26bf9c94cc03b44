//! HTML: one frame for all pages, with everything escaped that comes from elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:26rem;margin:10vh auto;padding:0 1rem}\
label{display:block;margin:1rem 0 .2rem}input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem}\
button{font:inherit;margin-top:1.5rem;padding:.5rem 1.5rem}[role=alert]{color:#a00}";

/// A page with a form.
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    pub(super) text: String,
    pub(super) fields: Vec<Field<'a>>,
    pub(super) button: &'a str,
}

/// One field of a form.
pub(super) struct Field<'a> {
    kind: &'a str,
    name: &'a str,
    label: &'a str,
    value: &'a str,
    autocomplete: &'a str,
    required: bool,
}

impl<'a> Field<'a> {
    pub(super) fn new(kind: &'a str, name: &'a str, label: &'a str, value: &'a str, autocomplete: &'a str, required: bool) -> Self {
        Self {
            kind,
            name,
            label,
            value,
            autocomplete,
            required,
        }
    }

    fn html(&self) -> String {
        let (name, required) = (self.name, if self.required { " required" } else { "" });
        format!(
            "<label for=\"{name}\">{}</label><input type=\"{}\" id=\"{name}\" name=\"{name}\" value=\"{}\" autocomplete=\"{}\"{required}>",
            escape(self.label),
            self.kind,
            escape(self.value),
            self.autocomplete
        )
    }
}

/// No script, nothing from elsewhere, forms to this installation only, in no frame; this style and no other.
pub(super) fn policy() -> String {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!("default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
}

/// The form goes to the address of the page itself.
pub(super) fn form(page: &Page<'_>, error: Option<&str>) -> String {
    let error = error.map_or_else(String::new, |error| format!("<p role=\"alert\">{}</p>", escape(error)));
    let fields: String = page.fields.iter().map(Field::html).collect();
    let body = format!(
        "<p>{}</p>{error}<form method=\"post\">{fields}<button>{}</button></form>",
        escape(&page.text),
        escape(page.button)
    );
    frame(page.title, &body)
}

pub(super) fn message(title: &str, text: &str) -> String {
    frame(title, &format!("<p>{}</p>", escape(text)))
}

fn frame(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"robots\" content=\"noindex\"><title>{title}</title><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1>{body}</main></body></html>\n"
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_elsewhere_is_escaped_and_no_script_is_allowed() {
        let bad = "\"><script>alert('&')</script>";
        let page = Page {
            title: bad,
            text: bad.to_owned(),
            fields: vec![Field::new("text", "name", bad, bad, "name", true)],
            button: bad,
        };
        let html = form(&page, Some(bad)) + &message(bad, bad);
        assert!(!html.contains("<script") && html.contains("&quot;&gt;&lt;script&gt;"), "{html}");
        assert!(policy().starts_with("default-src 'none'; style-src 'sha256-"), "{}", policy());
        assert!(!policy().contains("unsafe") && !policy().contains("script"));
    }
}
