//! Markdown as HTML that is safe to show, and as plain text.
//!
//! Raw HTML in the source is shown as text, so nothing of it reaches the output as markup. What the renderer writes goes through an
//! allow-list all the same: one of the two may have a mistake without harm.

use std::collections::{HashMap, HashSet};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

/// How deep quotes and lists may be within each other: what is deeper is shown without its frame. Browsers and the sanitizer take
/// time that grows with the square of the depth.
const DEPTH: usize = 32;

/// Whose text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of an author: everything that Markdown has.
    Post,
    /// Of a reader: no headings, tables and images, and links that search engines do not follow.
    Comment,
}

/// Safe HTML.
pub(crate) fn render(source: &str, kind: Kind) -> String {
    let events = Flattened::new(Parser::new_ext(source, options()), kind);
    let mut raw = String::with_capacity(source.len() * 3 / 2);
    html::push_html(&mut raw, events);
    sanitize(&raw, kind)
}

/// What is read of it: without marks, with spaces between blocks.
pub(crate) fn plain(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    for event in Parser::new_ext(source, options()) {
        match event {
            Event::Text(part) | Event::Code(part) => text.push_str(&part),
            Event::SoftBreak | Event::HardBreak | Event::Rule => text.push(' '),
            Event::End(end) if !is_within_a_line(end) => text.push(' '),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A piece of text as HTML that shows it.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Events with raw HTML as text, and without frames that are too deep or not for this kind.
struct Flattened<'s, I> {
    events: I,
    kind: Kind,
    /// Whether each open frame was written.
    open: Vec<bool>,
    written: usize,
    source: std::marker::PhantomData<&'s str>,
}

impl<'s, I: Iterator<Item = Event<'s>>> Flattened<'s, I> {
    fn new(events: I, kind: Kind) -> Self {
        Self {
            events,
            kind,
            open: Vec::new(),
            written: 0,
            source: std::marker::PhantomData,
        }
    }

    fn begins(&mut self, tag: &Tag<'s>) -> bool {
        let is_html = matches!(tag, Tag::HtmlBlock);
        let is_for_posts = matches!(
            tag,
            Tag::Heading { .. } | Tag::Image { .. } | Tag::Table(_) | Tag::TableHead | Tag::TableRow | Tag::TableCell
        );
        let is_written = !is_html && self.written < DEPTH && !(is_for_posts && self.kind == Kind::Comment);
        self.open.push(is_written);
        self.written += usize::from(is_written);
        is_written
    }

    fn ends(&mut self) -> bool {
        let was_written = self.open.pop().unwrap_or(false);
        self.written -= usize::from(was_written);
        was_written
    }
}

impl<'s, I: Iterator<Item = Event<'s>>> Iterator for Flattened<'s, I> {
    type Item = Event<'s>;

    fn next(&mut self) -> Option<Event<'s>> {
        loop {
            match self.events.next()? {
                Event::Html(text) | Event::InlineHtml(text) => return Some(Event::Text(text)),
                Event::Start(tag) => {
                    if self.begins(&tag) {
                        return Some(Event::Start(tag));
                    }
                }
                Event::End(end) => {
                    if self.ends() {
                        return Some(Event::End(end));
                    }
                    if !is_within_a_line(end) {
                        return Some(Event::SoftBreak);
                    }
                }
                event => return Some(event),
            }
        }
    }
}

fn options() -> Options {
    Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH
}

fn is_within_a_line(end: TagEnd) -> bool {
    matches!(
        end,
        TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image | TagEnd::Subscript | TagEnd::Superscript
    )
}

fn sanitize(raw: &str, kind: Kind) -> String {
    const BOTH: [&str; 17] = [
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "em",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "strong",
        "sub",
        "sup",
        "ul",
        "kbd",
    ];
    const POSTS: [&str; 13] = [
        "h1", "h2", "h3", "h4", "h5", "h6", "img", "table", "thead", "tbody", "tr", "th", "td",
    ];
    let mut tags: HashSet<&str> = BOTH.into();
    let mut attributes: HashMap<&str, HashSet<&str>> = HashMap::from([
        ("a", HashSet::from(["href", "title"])),
        ("code", HashSet::from(["class"])),
        ("ol", HashSet::from(["start"])),
    ]);
    if kind == Kind::Post {
        tags.extend(POSTS);
        attributes.insert("img", HashSet::from(["src", "alt", "title"]));
        attributes.insert("th", HashSet::from(["align"]));
        attributes.insert("td", HashSet::from(["align"]));
    }
    let rel = match kind {
        Kind::Post => "noopener noreferrer",
        Kind::Comment => "noopener noreferrer nofollow ugc",
    };
    let mut builder = ammonia::Builder::empty();
    builder
        .tags(tags)
        .tag_attributes(attributes)
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .link_rel(Some(rel))
        .attribute_filter(|element, attribute, value| match (element, attribute) {
            ("code", "class") => is_language(value).then(|| value.into()),
            ("img", "src") => (!value.trim_start().to_ascii_lowercase().starts_with("mailto:")).then(|| value.into()),
            _ => Some(value.into()),
        });
    builder.clean(raw).to_string()
}

/// `language-rust`, as the renderer writes it for fenced code.
fn is_language(class: &str) -> bool {
    class.strip_prefix("language-").is_some_and(|name| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'#' | b'_'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn post(source: &str) -> String {
        render(source, Kind::Post)
    }

    #[test]
    fn markdown_becomes_html() {
        assert_eq!(
            post("# Title\n\nSome *text* and `code`, [a link](https://example.org \"t\").\n\n```rust\nfn main() {}\n```\n"),
            "<h1>Title</h1>\n<p>Some <em>text</em> and <code>code</code>, \
             <a href=\"https://example.org\" title=\"t\" rel=\"noopener noreferrer\">a link</a>.</p>\n\
             <pre><code class=\"language-rust\">fn main() {}\n</code></pre>\n"
        );
        assert!(post("| a | b |\n|---|:-:|\n| 1 | 2 |").contains("<td>1</td>"));
        assert!(post("![alt](/blog/images/abc)").contains("<img src=\"/blog/images/abc\" alt=\"alt\">"));
    }

    /// Nothing in the output may run: no element, attribute or address that does, in whatever way it was written.
    fn assert_safe(html: &str, source: &str) {
        let lower = html.to_ascii_lowercase();
        for tag in [
            "<script",
            "<iframe",
            "<object",
            "<embed",
            "<style",
            "<svg",
            "<math",
            "<form",
            "<input",
            "<meta",
            "<base",
            "<link",
            "<template",
        ] {
            assert!(!lower.contains(tag), "{tag} in {html} of {source}");
        }
        let mut rest = lower.as_str();
        while let Some((_, tail)) = rest.split_once('<') {
            let (element, tail) = tail.split_once('>').unwrap_or((tail, ""));
            for bad in [" on", "javascript:", "vbscript:", "data:", "style=", "srcdoc", "formaction"] {
                let in_value = bad.ends_with(':') && !element.contains(&format!("=\"{bad}"));
                // Text in a title or alt is text; what counts is where an address or a handler stands.
                let is_there = match bad {
                    " on" => has_handler(element),
                    _ if in_value => false,
                    bad => element.contains(bad) && !element.contains("&quot;"),
                };
                assert!(!is_there, "{bad} in <{element}> of {source}");
            }
            rest = tail;
        }
    }

    /// An attribute whose name begins with `on`, outside of quotes.
    fn has_handler(element: &str) -> bool {
        let outside: String = element.split('"').step_by(2).collect();
        outside.split_whitespace().any(|word| word.starts_with("on") && word.contains('='))
    }

    #[test]
    fn what_would_run_in_a_browser_does_not_get_through() {
        for source in [
            "<script>alert(1)</script>",
            "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
            "<img src=x onerror=alert(1)>",
            "<svg/onload=alert(1)>",
            "<a href=\"javascript:alert(1)\">x</a>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](  javascript:alert(1))",
            "[x](java\nscript:alert(1))",
            "[x](java&#10;script:alert(1))",
            "[x](&#106;avascript:alert(1))",
            "[x](vbscript:msgbox(1))",
            "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
            "![x](data:image/svg+xml;base64,PHN2Zy8+)",
            "![x](javascript:alert(1))",
            "![x\" onerror=\"alert(1)](y)",
            "[x](https://a.example \"t\" onmouseover=\"alert(1)\")",
            "[x]: javascript:alert(1)\n\n[x]",
            "<javascript:alert(1)>",
            "<iframe src=\"https://evil.example\"></iframe>",
            "<style>body{background:url(javascript:alert(1))}</style>",
            "<math><mi xlink:href=\"javascript:alert(1)\">x</mi></math>",
            "<template><script>alert(1)</script></template>",
            "```\"><script>alert(1)</script>\nx\n```",
            "```rust\" onclick=\"alert(1)\nx\n```",
            "<p style=\"x:expression(alert(1))\">x</p>",
            "<form action=javascript:alert(1)><input type=submit>",
            "<!--><script>alert(1)</script>-->",
            "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
            "`<script>`<script>alert(1)</script>",
            "<base href=\"https://evil.example/\">",
            "<meta http-equiv=refresh content=\"0;url=javascript:alert(1)\">",
        ] {
            assert_safe(&post(source), source);
            assert_safe(&render(source, Kind::Comment), source);
        }
        assert_eq!(post("<b>x</b>"), "<p>&lt;b&gt;x&lt;/b&gt;</p>\n");
    }

    #[test]
    fn a_comment_has_no_images_and_its_links_are_not_followed() {
        let html = render("# Big\n\n![alt](/x.png) [spam](https://spam.example)", Kind::Comment);
        assert!(
            !html.contains("<h1") && !html.contains("<img") && html.contains("Big") && html.contains("alt"),
            "{html}"
        );
        assert!(html.contains("rel=\"noopener noreferrer nofollow ugc\""), "{html}");
    }

    #[test]
    fn depth_is_bounded_and_nothing_is_lost() {
        for source in [
            format!("{}x", ">".repeat(50_000)),
            format!("{}x", "> ".repeat(20_000)),
            format!("{}x", "- ".repeat(2_000)),
            "*".repeat(50_000) + "x",
        ] {
            let html = post(&source);
            assert!(
                html.contains('x') && html.matches("<blockquote>").count() <= DEPTH,
                "{}",
                html.len()
            );
        }
        let html = post(&"<div>".repeat(15_000));
        assert!(!html.contains("<div>"));
    }

    #[test]
    fn a_text_does_not_grow_without_bound() {
        let header = format!("{}\n{}\n", "|a".repeat(5_000), "|-".repeat(5_000));
        for source in [
            header + &"|\n".repeat(40_000),
            "[](a)".repeat(20_000),
            "-\n".repeat(50_000),
            "\"&<>".repeat(25_000),
        ] {
            let html = post(&source);
            assert!(
                html.len() < 4 << 20,
                "{} bytes of {}",
                html.len(),
                source.chars().take(20).collect::<String>()
            );
        }
    }

    #[test]
    fn plain_text_has_the_words_and_no_marks() {
        let text = plain("# Title\n\nSome *text*\nand `code`.\n\n- one\n- two\n\n![an image](/x) <b>bold</b>");
        assert_eq!(text, "Title Some text and code. one two an image bold");
        assert_eq!(escaped("<a href='x'>&\"</a>"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;&lt;/a&gt;");
    }

    proptest! {
        #[test]
        fn no_text_gives_markup_that_runs(source in "[<>\\[\\]()!\"'`a-z:/= \\n&#;*_~|-]{0,120}") {
            assert_safe(&post(&source), &source);
            assert_safe(&render(&source, Kind::Comment), &source);
        }
    }
}
