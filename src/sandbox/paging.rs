//! Twilio's list envelope: a page of resources with the addresses of the pages around it.

use serde_json::{Map, Value, json};

use super::answer::Refusal;

const DEFAULT_PAGE_SIZE: usize = 50;
const LARGEST_PAGE_SIZE: usize = 1000;

/// The parameters that say where in a list one is; all others are filters.
const POSITION: [&str; 3] = ["PageSize", "Page", "PageToken"];

/// The page of `items` (newest first) that `query` asks for, under `name`.
///
/// A token names the item beside the page, so that a page stays where it is while new items come in at the front.
pub(super) fn page<T>(
    name: &str,
    path: &str,
    query: &[(String, String)],
    items: &[T],
    sid: impl Fn(&T) -> &str,
    render: impl Fn(&T) -> Value,
) -> Result<Value, Refusal> {
    let param = |wanted: &str| query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let number = |wanted: &str, default: usize| match param(wanted) {
        None | Some("") => Ok(default),
        Some(text) => text.parse::<usize>().map_err(|_| Refusal::invalid(wanted)),
    };
    let size = number("PageSize", DEFAULT_PAGE_SIZE)?.clamp(1, LARGEST_PAGE_SIZE);
    let page = number("Page", 0)?;
    let position = |wanted: &str| items.iter().position(|item| sid(item) == wanted);
    let start = match param("PageToken").filter(|token| !token.is_empty()) {
        None => page.saturating_mul(size),
        Some(token) => match (token.strip_prefix("PA"), token.strip_prefix("PB")) {
            (Some(before), _) => position(before).ok_or_else(|| Refusal::invalid("PageToken"))? + 1,
            (_, Some(after)) => position(after).ok_or_else(|| Refusal::invalid("PageToken"))?.saturating_sub(size),
            _ => return Err(Refusal::invalid("PageToken")),
        },
    }
    .min(items.len());
    let end = (start + size).min(items.len());
    let shown = &items[start..end];

    let address = |page: usize, token: Option<String>| {
        let mut encoded = url::form_urlencoded::Serializer::new(String::new());
        encoded.extend_pairs(query.iter().filter(|(name, _)| !POSITION.contains(&name.as_str())));
        encoded.append_pair("PageSize", &size.to_string()).append_pair("Page", &page.to_string());
        if let Some(token) = token {
            encoded.append_pair("PageToken", &token);
        }
        format!("{path}?{}", encoded.finish())
    };
    let next =
        shown.last().filter(|_| end < items.len()).map(|last| address(page + 1, Some(format!("PA{}", sid(last)))));
    let previous = shown
        .first()
        .filter(|_| start > 0)
        .map(|first| address(page.saturating_sub(1), Some(format!("PB{}", sid(first)))));
    let first_index = page.saturating_mul(size);

    let mut envelope = Map::new();
    envelope.insert(name.to_owned(), shown.iter().map(render).collect());
    envelope.insert("first_page_uri".to_owned(), json!(address(0, None)));
    envelope.insert("next_page_uri".to_owned(), json!(next));
    envelope.insert("previous_page_uri".to_owned(), json!(previous));
    envelope.insert("uri".to_owned(), json!(address(page, param("PageToken").map(str::to_owned))));
    envelope.insert("page".to_owned(), json!(page));
    envelope.insert("page_size".to_owned(), json!(size));
    envelope.insert("start".to_owned(), json!(first_index));
    envelope.insert("end".to_owned(), json!((first_index + shown.len()).saturating_sub(1)));
    Ok(Value::Object(envelope))
}
