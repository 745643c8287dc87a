//! Lines as a table for spreadsheets.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::document::LineDocument;
use super::list::Line;

/// The columns: members of the API's document, under the same names.
const COLUMNS: [&str; 15] = [
    "id",
    "at",
    "actor",
    "person",
    "token",
    "action",
    "object",
    "seq",
    "from",
    "to",
    "mode",
    "ip",
    "correlationId",
    "details",
    "hash",
];

/// The names of the columns, as the first row.
pub(super) fn head() -> anyhow::Result<Vec<u8>> {
    written(|table| table.write_record(COLUMNS))
}

/// One row for each line.
pub(super) fn rows(lines: &[Line]) -> anyhow::Result<Vec<u8>> {
    written(|table| {
        for line in lines {
            let document = json!(LineDocument::from(line));
            table.write_record(COLUMNS.iter().map(|column| guarded(cell(&document[column])).into_owned()))?;
        }
        Ok(())
    })
}

fn written(write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>) -> anyhow::Result<Vec<u8>> {
    let mut table = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    write(&mut table)?;
    table.into_inner().map_err(|error| anyhow::anyhow!("{error}"))
}

fn cell(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// A cell that a spreadsheet would take for a formula, made a text by an apostrophe: a reason that somebody wrote must
/// not run on the machine of whoever opens the export. Telephone numbers begin with a plus, so they get one too.
fn guarded(cell: Cow<'_, str>) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { Cow::Owned(format!("'{cell}")) } else { cell }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn nothing_is_left_that_a_spreadsheet_would_run() {
        for formula in ["=1+1", "+14155550132", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(guarded(formula.into()), format!("'{formula}"));
        }
        for text in ["", "1+1", "ada@example.com", " =1", "{\"a\":\"=1\"}"] {
            assert_eq!(guarded(text.into()), text);
        }
    }

    #[test]
    fn a_row_is_quoted_where_it_must_be() {
        let line = Line {
            id: 7,
            seq: 2,
            at: datetime!(2026-11-23 14:29:08 UTC),
            actor: "=cmd".to_owned(),
            person: Some("Ruiz, \"Dana\"\nII".to_owned()),
            token: None,
            action: "vault.set".to_owned(),
            object: "vault/twilio_auth_token".to_owned(),
            from_state: None,
            to_state: None,
            mode: None,
            ip: Some("::1".to_owned()),
            correlation_id: None,
            details: json!({ "hint": "a,b" }),
            hash: vec![0xab],
        };
        let rows = String::from_utf8(rows(&[line]).expect("rows")).expect("text");
        assert_eq!(
            rows,
            "7,2026-11-23T14:29:08Z,'=cmd,\"Ruiz, \"\"Dana\"\"\nII\",,vault.set,vault/twilio_auth_token,2,,,,::1,,\
             \"{\"\"hint\"\":\"\"a,b\"\"}\",ab\r\n"
        );
    }
}
