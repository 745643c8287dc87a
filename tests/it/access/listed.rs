//! Every address with who may come, as a list that is read in review: a new route, or another word beside an old one,
//! shows there.

use std::path::Path;

use mission_control::access::Route;
use mission_control::router;

/// `MISSION_CONTROL_UPDATE=1` writes it anew.
const LIST: &str = "tests/data/routes.txt";

fn line(Route { method, path, terms }: &Route) -> String {
    format!("{path} {method} {terms}")
}

#[test]
fn the_list_names_every_route() {
    let mut lines: Vec<String> = router::routes().iter().map(line).collect();
    lines.sort();
    let list = lines.join("\n") + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(LIST);
    if std::env::var_os("MISSION_CONTROL_UPDATE").is_some() {
        std::fs::write(&file, &list).expect("the list can be written");
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == list,
        "{LIST} is not what the router has. Write it anew with MISSION_CONTROL_UPDATE=1, and look at the difference:\n{list}"
    );
}
