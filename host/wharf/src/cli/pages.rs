//! Lists of the core modules, which come in pages: `page_size`, `page_token`, `next_page_token`.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::client::AdminClient;
use super::exit::Failure;

/// Rows that one call brings.
const PAGE: u32 = 500;

/// Rows of all pages of a `List`, at most so many. `field` is what the answer calls them.
pub(super) async fn all<T: DeserializeOwned>(
    client: &AdminClient,
    service: &str,
    method: &str,
    mut asked: Value,
    field: &str,
    most: u32,
) -> Result<Vec<T>, Failure> {
    let mut rows: Vec<T> = Vec::new();
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    loop {
        let left = u32::try_from(most.saturating_sub(rows.len())).unwrap_or(u32::MAX);
        set(&mut asked, "pageSize", left.min(PAGE).into());
        let mut page: Value = client.rpc(service, method, &asked).await?;
        if let Some(more) = page.get_mut(field).map(Value::take) {
            let more: Vec<T> = serde_json::from_value(more)
                .map_err(|e| Failure::failed(&format!("cannot read the answer of {service}/{method}"), &e.to_string(), ""))?;
            rows.extend(more);
        }
        let next = page.get("nextPageToken").and_then(Value::as_str).unwrap_or_default().to_owned();
        if next.is_empty() || rows.len() >= most {
            rows.truncate(most);
            return Ok(rows);
        }
        set(&mut asked, "pageToken", next.into());
    }
}

/// Sets a field of a message.
fn set(message: &mut Value, field: &str, value: Value) {
    if let Some(fields) = message.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
}
