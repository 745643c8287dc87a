//! Lists: filters and pages.

use mission_control::sandbox::Pace;
use serde_json::{Value, json};

use super::{Emulator, OWN, RECIPIENT, SECOND, code};

fn sids(list: &Value) -> Vec<String> {
    let messages = list["messages"].as_array().expect("a list");
    messages.iter().map(|message| message["sid"].as_str().expect("a SID").to_owned()).collect()
}

/// Follows an address as given in a list.
async fn follow(emulator: &Emulator, list: &Value, name: &str) -> Value {
    let uri = list[name].as_str().unwrap_or_else(|| panic!("no {name}"));
    emulator.follow(uri).await
}

async fn send_five(emulator: &Emulator) -> Vec<String> {
    let mut newest_first = Vec::new();
    for _ in 0..5 {
        newest_first.insert(0, emulator.send(RECIPIENT, None).await["sid"].as_str().expect("a SID").to_owned());
    }
    newest_first
}

#[tokio::test]
async fn pages_follow_each_other_newest_first() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let all = send_five(&emulator).await;

    let first = emulator.get_json("/Messages.json?To=%2B14155552671&PageSize=2").await;
    assert_eq!(sids(&first), all[..2]);
    assert_eq!(
        (&first["page"], &first["page_size"], &first["start"], &first["end"]),
        (&json!(0), &json!(2), &json!(0), &json!(1))
    );
    assert_eq!(first["previous_page_uri"], json!(null));
    let next = first["next_page_uri"].as_str().expect("a next page");
    assert!(next.contains("To=%2B14155552671") && next.contains(&format!("PageToken=PA{}", all[1])), "{next}");

    // A message that comes in between moves no page.
    emulator.send(RECIPIENT, None).await;
    let second = follow(&emulator, &first, "next_page_uri").await;
    assert_eq!(sids(&second), all[2..4]);
    assert_eq!((&second["page"], &second["start"], &second["end"]), (&json!(1), &json!(2), &json!(3)));
    let third = follow(&emulator, &second, "next_page_uri").await;
    assert_eq!(sids(&third), all[4..]);
    assert_eq!(third["next_page_uri"], json!(null));
    assert_eq!(sids(&follow(&emulator, &third, "previous_page_uri").await), all[2..4]);
    assert_eq!(sids(&follow(&emulator, &third, "first_page_uri").await).len(), 2);

    let whole = emulator.get_json("/Messages.json").await;
    assert_eq!((sids(&whole).len(), &whole["page_size"]), (6, &json!(50)));
}

#[tokio::test]
async fn impossible_positions_are_refused() {
    let emulator = Emulator::start(Pace::ByHand).await;
    for query in ["PageSize=x", "Page=-1", "PageToken=nonsense", "PageToken=PASM1", "DateSent=yesterday"] {
        assert_eq!(code(emulator.get(&format!("/Messages.json?{query}")).await).await, (400, 20001), "{query}");
    }
    let list = emulator.get_json("/Messages.json?PageSize=5000").await;
    assert_eq!(list["page_size"], 1000);
    assert_eq!(sids(&list), Vec::<String>::new());
}

#[tokio::test]
async fn lists_are_filtered_by_recipient_and_sender() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let first = emulator.send(RECIPIENT, None).await["sid"].clone();
    let form = [("To", "+14155550100"), ("From", SECOND), ("Body", "Hello")];
    let answer = emulator.post("/Messages.json", &form).await.expect("an answer");
    let second = answer.json::<Value>().await.expect("JSON")["sid"].clone();
    for (query, expected) in [
        (format!("To=%2B{}", &RECIPIENT[1..]), vec![first.clone()]),
        (format!("From=%2B{}", &SECOND[1..]), vec![second.clone()]),
        (format!("From=%2B{}&To=%2B14155550100", &OWN[1..]), vec![]),
        (String::new(), vec![second, first]),
    ] {
        assert_eq!(sids(&emulator.get_json(&format!("/Messages.json?{query}")).await), expected, "{query}");
    }
}

#[tokio::test]
async fn date_filters_see_only_what_was_sent() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let queued = emulator.send(RECIPIENT, None).await["sid"].as_str().expect("a SID").to_owned();
    let sent = emulator.send(RECIPIENT, None).await["sid"].as_str().expect("a SID").to_owned();
    emulator.drive(&sent, json!({ "status": "sent" })).await;
    for (query, expected) in [
        ("DateSent%3E=2020-01-01", vec![&sent]),
        ("DateSent%3E=2020-01-01T00:00:00Z", vec![&sent]),
        ("DateSent%3C=2020-01-01", vec![]),
        ("DateSent%3C=2999-01-01", vec![&sent]),
        ("DateSent%3E=2020-01-01&DateSent%3C=2020-12-31", vec![]),
        ("DateSent=2020-01-01", vec![]),
        ("", vec![&sent, &queued]),
    ] {
        let list = sids(&emulator.get_json(&format!("/Messages.json?{query}")).await);
        assert_eq!(list.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    let message = emulator.message(&sent).await;
    let at = message["date_sent"].as_str().expect("a date");
    let day = time::OffsetDateTime::parse(at, &time::format_description::well_known::Rfc2822).expect("a date").date();
    for filter in ["DateSent", "DateSent%3E", "DateSent%3C"] {
        assert_eq!(
            sids(&emulator.get_json(&format!("/Messages.json?{filter}={day}")).await),
            [sent.as_str()],
            "{filter}"
        );
    }
}
