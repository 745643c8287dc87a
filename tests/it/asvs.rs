//! `config/asvs.csv`: which control answers to which item of the OWASP Application Security Verification Standard 5.0, and
//! which tests fail when it is broken. The items are named by their numbers; their words are the standard's own.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What a row may say of its item.
const STATES: [&str; 4] = ["met", "partly", "operator", "not applicable"];

struct Row {
    item: String,
    control: String,
    tests: Vec<String>,
    state: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rows() -> Vec<Row> {
    let mut table = csv::Reader::from_path(root().join("config/asvs.csv")).expect("the table");
    assert_eq!(table.headers().expect("a head"), vec!["item", "control", "tests", "state"]);
    let row = |record: csv::StringRecord| Row {
        item: record[0].to_owned(),
        control: record[1].to_owned(),
        tests: record[2].split_whitespace().map(str::to_owned).collect(),
        state: record[3].to_owned(),
    };
    table.records().map(|record| row(record.expect("a row"))).collect()
}

/// Whether `tests/it/file.rs::name` is a test.
fn is_test(name: &str) -> bool {
    let Some((file, name)) = name.split_once("::") else { return false };
    let Ok(source) = fs::read_to_string(root().join(file)) else { return false };
    let lines: Vec<&str> = source.lines().map(str::trim_start).collect();
    let is_it = |line: &str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ").is_some_and(|rest| rest.starts_with(&format!("{name}(")))
    };
    let is_marked = |at: usize| {
        let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        attributes.into_iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    };
    lines.iter().enumerate().any(|(at, line)| is_it(line) && is_marked(at))
}

#[test]
fn every_test_that_is_named_is_one() {
    for row in rows() {
        for test in &row.tests {
            assert!(is_test(test), "{}: there is no test {test}", row.item);
        }
    }
    assert!(!is_test("tests/it/asvs.rs::is_test") && !is_test("tests/it/asvs.rs::no_such_test"));
}

#[test]
fn every_row_says_what_is_done_and_what_would_show_that_it_is_not() {
    let rows = rows();
    let mut items = BTreeSet::new();
    for row in &rows {
        assert!(items.insert(&row.item), "{} twice", row.item);
        assert!(STATES.contains(&row.state.as_str()) && !row.control.is_empty(), "{}: {}", row.item, row.state);
        let has_tests = !row.tests.is_empty();
        assert_eq!(has_tests, ["met", "partly"].contains(&row.state.as_str()), "{}: {}", row.item, row.state);
    }
    // Level 1 and 2 of the chapters on everything but WebRTC: 253 items, less those of chapter 17.
    let met = rows.iter().filter(|row| row.state == "met").count();
    assert!(rows.len() >= 245 && met >= 150, "{} rows, {met} met", rows.len());
}
