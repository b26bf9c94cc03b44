//! What the demo consists of.

use reqwest::Method;
use serde_json::{Value, json};

use super::Stage;
use crate::cli::exit::Failure;
use crate::cli::people::text;

/// Somebody, and what they may do.
pub(super) struct Person {
    pub(super) email: &'static str,
    pub(super) name: &'static str,
    pub(super) role: &'static str,
    pub(super) what: &'static str,
    /// Permission and object.
    pub(super) rules: &'static [(&'static str, &'static str)],
}

/// An author, somebody who runs things, a reader who is a customer too; in this order.
pub(super) fn people() -> &'static [Person] {
    &[
        Person {
            email: "ada@example.org",
            name: "Ada",
            role: "author",
            what: "Writes posts of their own, and comments",
            rules: &[
                ("blog.post.write", "own"),
                ("blog.post.publish", "own"),
                ("blog.image.write", "*"),
                ("blog.comment.write", "*"),
            ],
        },
        Person {
            email: "grace@example.org",
            name: "Grace",
            role: "manager",
            what: "Moderates, bills and looks at the numbers",
            rules: &[("blog.*", "*"), ("billing.*", "*"), ("analytics.*", "*")],
        },
        Person {
            email: "linus@example.org",
            name: "Linus",
            role: "reader",
            what: "Comments, and sees and pays their own invoices",
            rules: &[
                ("blog.comment.write", "*"),
                ("billing.customer.read", "own"),
                ("billing.subscription.read", "own"),
                ("billing.invoice.read", "own"),
                ("billing.invoice.pay", "own"),
            ],
        },
    ]
}

/// Posts of the author; all but the last one are published.
pub(super) fn posts() -> Vec<Value> {
    let post =
        |title: &str, summary: &str, body: &str, tags: &[&str]| json!({ "title": title, "summary": summary, "body": body, "tags": tags });
    vec![
        post(
            "Welcome to the harbour",
            "What this place is",
            "# A place to dock\n\nModules come and go here **while the harbour stays open**. This post was written by one of them.\n",
            &["news", "harbour"],
        ),
        post(
            "Swapping ships under load",
            "How a module is replaced while it serves",
            "The new build is loaded *beside* the old one. Requests in flight finish where they began; the next ones go to the new build.\n\n- no connection is cut\n- no request is lost\n",
            &["reload", "harbour"],
        ),
        post(
            "Tides and time zones",
            "Why jobs know about summer time",
            "A job at half past two in the morning happens once on the night when there are two of them, and once on the night when there is none.\n",
            &["jobs"],
        ),
        post("Not ready yet", "", "A draft that only its author sees.\n", &["news"]),
    ]
}

impl Stage {
    /// Posts, all but one published, with comments.
    pub(super) async fn blog(&self, author: &str, manager: &str, reader: &str) -> Result<usize, Failure> {
        let posts = posts();
        let mut published = Vec::new();
        for (n, post) in posts.iter().enumerate() {
            let made = self.write(author, "/blog/posts", post.clone(), &format!("post-{n}")).await?;
            if n + 1 < posts.len() {
                let path = format!("/blog/drafts/{}/publish", text(&made, "id"));
                published.push(self.ask(Method::POST, &path, Some(author), None, &[("if-match", "*")]).await?);
            }
        }
        for (n, post) in published.iter().enumerate() {
            let path = format!("/blog/posts/{}/comments", text(post, "slug"));
            let comment = json!({ "body": "Good to know. What happens to open streams?" });
            let made = self.write(reader, &path, comment, &format!("comment-{n}")).await?;
            if text(&made, "state") == "pending" {
                let path = format!("/blog/comments/{}/approve", text(&made, "id"));
                self.ask(Method::POST, &path, Some(manager), None, &[]).await?;
            }
        }
        Ok(posts.len())
    }

    /// A plan, two customers, what they used, invoices, one of them paid.
    pub(super) async fn billing(&self, manager: &str, reader: &str, owner: &str) -> Result<usize, Failure> {
        let plan = json!({
            "code": "demo-berth", "name": "Berth", "currency": "EUR", "price": 1900, "interval": "month",
            "meters": [{ "feature": "posts", "per": 1, "tiers": [{ "up_to": 10, "price": 0 }, { "price": 25 }] }],
        });
        let plan = self.write(manager, "/billing/plans", plan, "plan").await?;
        let mut invoices = 0;
        for (n, (name, email, account)) in [
            ("Linus", "linus@example.org", Some(owner)),
            ("Harbour Ltd", "office@example.org", None),
        ]
        .into_iter()
        .enumerate()
        {
            let mut customer = json!({ "name": name, "email": email, "currency": "EUR", "tax_bps": 1900 });
            if let (Some(account), Some(fields)) = (account, customer.as_object_mut()) {
                fields.insert("owner".to_owned(), account.into());
            }
            let customer = self
                .write(manager, "/billing/customers", customer, &format!("customer-{n}"))
                .await?;
            let subscription = json!({ "customer": text(&customer, "id"), "plan": text(&plan, "id") });
            self.write(manager, "/billing/subscriptions", subscription, &format!("subscription-{n}"))
                .await?;
            let lines = json!([{ "description": "Mooring, by the night", "quantity": 3, "unit_price": 1250 }]);
            let draft = json!({ "customer": text(&customer, "id"), "lines": lines });
            let draft = self.write(manager, "/billing/invoices", draft, &format!("invoice-{n}")).await?;
            let path = format!("/billing/invoices/{}", text(&draft, "id"));
            self.write(manager, &format!("{path}/finalize"), Value::Null, &format!("finalize-{n}"))
                .await?;
            invoices += 1;
            if account.is_some() {
                self.write(reader, &format!("{path}/pay"), json!({ "token": "tok_ok" }), "pay")
                    .await?;
            }
        }
        Ok(invoices)
    }

    /// Page views from outside, beside those that the blog reports itself.
    pub(super) async fn views(&self, manager: &str) -> Result<usize, Failure> {
        let mut seen = 0;
        for (page, views) in [("/", 9), ("/pricing", 4), ("/about", 2)] {
            for _ in 0..views {
                self.ask(Method::POST, "/analytics/views", Some(manager), Some(json!({ "path": page })), &[])
                    .await?;
                seen += 1;
            }
        }
        Ok(seen)
    }

    async fn write(&self, token: &str, path: &str, body: Value, key: &str) -> Result<Value, Failure> {
        let body = (!body.is_null()).then_some(body);
        let key = format!("demo-{key}");
        self.ask(Method::POST, path, Some(token), body, &[("idempotency-key", &key)]).await
    }
}
