//! Lines as one JSON array of the API's documents, in parts.

use super::document::LineDocument;
use super::list::Line;

/// What begins the array.
pub(super) const HEAD: &[u8] = b"[";

/// What ends it.
pub(super) const END: &[u8] = b"\n]\n";

/// Items of the array, each on a line of its own; `is_first` where none stands before them.
pub(super) fn items(lines: &[Line], is_first: bool) -> anyhow::Result<Vec<u8>> {
    let mut written = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        written.extend_from_slice(if is_first && index == 0 { b"\n" } else { b",\n" });
        serde_json::to_writer(&mut written, &LineDocument::from(line))?;
    }
    Ok(written)
}
