//! A mail as it is written: RFC 5322 and MIME, by lettre, which encodes what a header cannot hold.

use std::time::{Duration, UNIX_EPOCH};

use lettre::Message;
use lettre::message::{Mailbox, MultiPart, SinglePart};

use crate::ports::mail::{Mail, MailError};

/// What is sent.
pub(super) fn write(mail: &Mail) -> Result<Message, MailError> {
    let mut builder = Message::builder()
        .from(mailbox(&mail.from)?)
        .subject(one_line(&mail.subject)?)
        .message_id(Some(format!("<{}>", one_line(&mail.message_id)?)))
        .date(UNIX_EPOCH + Duration::from_millis(u64::try_from(mail.made_ms).unwrap_or_default()));
    for to in &mail.to {
        builder = builder.to(mailbox(to)?);
    }
    if let Some(reply_to) = &mail.reply_to {
        builder = builder.reply_to(mailbox(reply_to)?);
    }
    let text = SinglePart::plain(mail.text.clone());
    let written = match &mail.html {
        None => builder.singlepart(text),
        Some(html) => builder.multipart(MultiPart::alternative().singlepart(text).singlepart(SinglePart::html(html.clone()))),
    };
    written.map_err(|error| refused(format!("it cannot be written: {error}")))
}

fn mailbox(text: &str) -> Result<Mailbox, MailError> {
    one_line(text)?
        .parse()
        .map_err(|error| refused(format!("an address in it is none: {error}")))
}

/// Whatever is in a header was checked when the mail was queued; a queue can be written by others.
fn one_line(text: &str) -> Result<String, MailError> {
    if text.chars().any(char::is_control) {
        return Err(refused("a header in it has more than one line".to_owned()));
    }
    Ok(text.to_owned())
}

fn refused(answer: String) -> MailError {
    MailError::Refused { answer }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    pub(in crate::infra::mail) fn mail() -> Mail {
        Mail {
            from: "Wharf <wharf@example.org>".into(),
            to: vec!["Zoë <zoe@example.org>".into(), "ada@example.org".into()],
            reply_to: Some("help@example.org".into()),
            subject: "Grüße".into(),
            text: "Hello".into(),
            html: Some("<p>Hello</p>".into()),
            message_id: "0190@example.org".into(),
            made_ms: 1_700_000_000_000,
        }
    }

    #[test]
    fn a_mail_has_its_headers_and_both_texts() {
        let text = String::from_utf8(write(&mail()).unwrap().formatted()).unwrap();
        for expected in [
            "From: Wharf <wharf@example.org>\r\n",
            "ada@example.org",
            "Reply-To: help@example.org\r\n",
            "Message-ID: <0190@example.org>\r\n",
            "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n",
            "multipart/alternative",
            "<p>Hello</p>",
        ] {
            assert!(text.contains(expected), "no {expected:?} in\n{text}");
        }
        assert!(text.is_ascii());
    }

    #[test]
    fn nothing_in_a_mail_begins_a_header_of_its_own() {
        let evil = "x\r\nBcc: victim@example.org";
        let changes: [fn(&mut Mail, String); 5] = [
            |mail, evil| mail.subject = evil,
            |mail, evil| mail.to = vec![format!("{evil} <a@example.org>")],
            |mail, evil| mail.from = format!("{evil} <a@example.org>"),
            |mail, evil| mail.reply_to = Some(format!("a@example.org{evil}")),
            |mail, evil| mail.message_id = evil,
        ];
        for change in changes {
            let mut mail = mail();
            change(&mut mail, evil.to_owned());
            assert!(write(&mail).is_err(), "{mail:?}");
        }
        let mut mail = mail();
        mail.text = evil.to_owned();
        let text = String::from_utf8(write(&mail).unwrap().formatted()).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(!head.contains("Bcc"), "{head}");
    }
}
