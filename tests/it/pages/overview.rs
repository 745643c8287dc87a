//! The overview: what is counted of the last days, and where it stands.

use mission_control::auth::Role;

use super::browser::Browser;
use crate::support::service::Service;

const PAGE: &str = "/dashboard/operations/overview";

/// Copies of an operation as if asked for some days ago, with this of them changed. Each was decided after a minute and a
/// half, and ended ten seconds later.
async fn past(service: &Service, operation: &str, days: i32, count: i32, changes: &str) {
    let statement = format!(
        "insert into operations select (jsonb_populate_record(o, jsonb_build_object(
            'id', (lpad(to_hex((extract(epoch from (now() at time zone 'UTC')::date - {days}) * 1000)::bigint + n), 12, '0')
                || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
            'approved_digest', o.content_digest,
            'approved_at', o.created_at + interval '90 seconds',
            'execute_before', o.created_at + interval '1 hour',
            'approved_by', o.requested_by,
            'self_approved', true,
            'finished_at', o.created_at + interval '100 seconds') || '{changes}')).*
        from operations o, generate_series(1 + {days} * 1000, {count} + {days} * 1000) n
        where o.id = '{operation}'"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut service.direct().await).await.expect("operations");
}

/// The row of the first table that begins with this day.
fn row<'a>(page: &'a str, day: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("<td data-label=\"Day\">{day}</td>")).expect("the day");
    rest.split("</tr>").next().unwrap_or_default()
}

fn cell(row: &str, label: &str) -> String {
    let mark = format!("data-label=\"{label}\"");
    let (_, rest) = row.split_once(&mark).unwrap_or_else(|| panic!("{label}: {row}"));
    let (_, rest) = rest.split_once('>').expect("a cell");
    rest.split('<').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn nothing_says_so_and_what_to_do() {
    let service = Service::start().await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let page = operator.page(PAGE).await;
    assert!(page.contains("Nothing was asked for in the last 14 days") && page.contains("Write an SMS"), "{page}");
    let mut viewer = Browser::of(&service, "vera@example.com", Role::Viewer).await;
    assert!(!viewer.page(PAGE).await.contains("Write an SMS"));
    service.stop().await;
}

#[tokio::test]
async fn each_day_is_counted_by_what_became_of_it() {
    let service = Service::start().await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let asked = operator.ask("+14155550132", "Counted").await;
    let id = asked.rsplit('/').next().expect("an id");
    past(&service, id, 1, 3, r#"{"state": "delivered"}"#).await;
    past(&service, id, 2, 2, r#"{"state": "failed", "error_code": 30003}"#).await;
    past(&service, id, 3, 1, r#"{"state": "failed", "error_code": 21211}"#).await;
    past(
        &service,
        id,
        13,
        1,
        r#"{"state": "delivered", "kind": "call", "message": null, "audio_url": "https://a.example/b.mp3"}"#,
    )
    .await;
    past(&service, id, 14, 7, r#"{"state": "delivered"}"#).await;
    past(&service, id, 4, 5, r#"{"state": "delivered", "mode": "live"}"#).await;
    past(&service, id, 5, 1, r#"{"state": "cancelled"}"#).await;

    let mut viewer = Browser::of(&service, "vera@example.com", Role::Viewer).await;
    let page = viewer.page(PAGE).await;
    let today = row(&page, "Today");
    let of = |day: &str, label: &str| cell(row(&page, day), label);
    assert_eq!([cell(today, "Asked"), cell(today, "Waiting"), cell(today, "SMS")], ["1", "1", "1"]);
    assert_eq!([of("Yesterday", "Delivered"), of("Yesterday", "Failed")], ["3", "0"]);
    assert_eq!(of("Yesterday", "SMS"), "3, 3 delivered");
    assert!(page.contains("In 14 days 9 asked for, 4 delivered, 3 failed, 1 waiting."), "{page}");
    assert_eq!(page.matches("1, 1 delivered</td>").count(), 1, "the call of thirteen days ago");
    // 4 of 7; the median of 8 decisions, which each took 90 s, and of 4 deliveries of 10 s, to 3 %.
    assert!(page.contains(">57.1 %</span>") && page.contains("4 of 7 that were delivered or failed"), "{page}");
    assert!(page.contains("Median of 8 decisions by people"), "{page}");
    assert!(
        ["1 min 28 s", "1 min 29 s", "1 min 30 s", "1 min 31 s", "1 min 32 s"].iter().any(|span| page.contains(span))
    );
    assert!(page.contains("Median of 4 deliveries"), "{page}");
    let (_, errors) = page.split_once("id=\"errors\"").expect("the codes");
    let first = errors.find("30003").expect("the more frequent");
    assert!(first < errors.find("21211").expect("the other") && errors.contains("The phone cannot be reached."));
    assert_eq!(page.matches("<svg class=\"chart").count(), 2);
    assert_eq!(
        page.matches("<summary>").count() - page.matches("class=\"more hold\"").count(),
        2,
        "a table behind each"
    );
    assert!(!page.contains("5550132"), "no number");
    service.stop().await;
}

#[tokio::test]
async fn the_list_counts_today_and_leads_to_the_overview() {
    let service = Service::start().await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    operator.ask("+14155550132", "One").await;
    let page = operator.page("/dashboard/operations").await;
    assert!(page.contains("Asked today</span><span class=\"figure-value\">1</span>"), "{page}");
    assert!(page.contains("href=\"/dashboard/operations/overview\"") && page.contains("<svg class=\"chart\""));
    operator.ask("+14155550132", "Two").await;
    let counted = "Asked today</span><span class=\"figure-value\">2</span>";
    let page = operator.until("/dashboard/operations", counted).await;
    assert!(page.contains("Waiting for approval</span><span class=\"figure-value\">2</span>"), "{page}");
    service.stop().await;
}
