//! What happened, as people and programs read it: filters, pages, the export, and who may see what.

use std::collections::BTreeSet;
use std::time::Duration;

use mission_control::auth::{Role, Scope};
use reqwest::StatusCode;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::support::service::{Answer, PASSWORD, Service, eventually, text};

const OPERATION: &str = "019ab2c4-7e10-7c3a-9f21-5b8e0d6a41c2";

/// Lines of a history: two people, a token's owner and the service itself, on three days.
async fn history(service: &Service) {
    let lines = format!(
        r#"insert into audit_lines (object, at, actor, action, from_state, to_state, mode, ip, correlation_id, details) values
        ('operation/{OPERATION}', '2025-03-01 23:59:59.9Z', 'ada@old.example', 'operation.asked', null, 'pending_approval',
            'sandbox', '192.0.2.1', 'r-1', '{{"rule": "Every operation waits"}}'),
        ('operation/{OPERATION}', '2025-03-02 00:00Z', 'bob@old.example', 'approval.granted', 'pending_approval', 'approved',
            'sandbox', '192.0.2.2', 'r-2', '{{"comment": "100% sure_"}}'),
        ('operation/{OPERATION}', '2025-03-02 12:00Z', 'dispatch', 'dispatch.claimed', 'approved', 'sending', 'sandbox', null,
            'r-1', '{{"attempt": 1}}'),
        ('operation/{OPERATION}', '2025-03-02 23:59:59Z', 'dispatch', 'dispatch.refused', 'sending', 'failed', 'sandbox', null,
            'r-1', '{{"attempt": 1, "reason": "The To number +14155550132 is not valid."}}'),
        ('vault/twilio_auth_token', '2025-03-03 00:00Z', 'ada@old.example', 'vault.set', null, null, null, '192.0.2.1', 'r-3',
            '{{"hint": "wxyz"}}'),
        ('vaulted', '2025-03-03 00:00:01Z', 'ada@old.example', 'vaultage', null, null, null, '192.0.2.1', 'r-4', '{{}}')"#
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(lines)).execute(&service.app().db).await.expect("lines");
}

/// This many lines of one actor, all alike.
async fn flood(service: &Service, count: i32) {
    sqlx::query(
        "insert into audit_lines (object, seq, actor, action, details)
         select 'operation/' || gen_random_uuid(), 1, 'flood', 'flood.line', jsonb_build_object('n', n, 'pad', repeat('x', 200))
         from generate_series(1, $1) n",
    )
    .bind(count)
    .execute(&service.app().db)
    .await
    .expect("lines");
}

/// The session cookie of a new person.
async fn signed_in(service: &Service, email: &str, role: Role) -> String {
    service.person(email, role).await;
    let form = service.client().post(service.url("/login")).form(&[("email", email), ("password", PASSWORD)]);
    let answer = service.send(form.header("sec-fetch-site", "same-origin")).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned()
}

async fn look(service: &Service, path: &str, cookie: &str) -> Answer {
    service.send(service.client().get(service.url(path)).header("cookie", cookie).header("accept", "text/html")).await
}

async fn page(service: &Service, path: &str, cookie: &str) -> String {
    let answer = look(service, path, cookie).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
    answer.text
}

async fn items(service: &Service, token: &str, query: &str) -> Vec<Value> {
    let answer = service.get(&format!("/api/audit?{query}"), token).await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text);
    answer.json()["items"].as_array().expect("a list").clone()
}

fn records(csv: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
    reader.records().map(|record| record.expect("a row").iter().map(str::to_owned).collect()).collect()
}

#[tokio::test]
async fn each_filter_finds_its_lines_and_no_others() {
    let service = Service::start().await;
    let token = service.token("eve@example.com", Role::Viewer).await;
    history(&service).await;
    let whole = "asked granted claimed refused set vaultage";
    for (query, expected) in [
        ("to=2025-03-03", whole),
        ("actor=ada%40old.example", "asked set vaultage"),
        ("actor=dispatch", "claimed refused"),
        ("action=dispatch.claimed&actor=dispatch", "claimed"),
        ("action=dispatch", "claimed refused"),
        ("action=vault&to=2025-03-03", "set"),
        ("action=dispatch.&to=2025-03-03", ""),
        ("action=dis_atch", ""),
        (&format!("object={OPERATION}"), "asked granted claimed refused"),
        (&format!("object=operation/{OPERATION}"), "asked granted claimed refused"),
        ("object=vault/twilio_auth_token&actor=ada%40old.example", "set"),
        ("correlation=r-1", "asked claimed refused"),
        ("from=2025-03-02&to=2025-03-02", "granted claimed refused"),
        ("from=2025-03-03&to=2025-03-03", "set vaultage"),
        ("to=2025-03-01", "asked"),
        ("q=WXYZ&to=2025-03-03", "set"),
        ("q=100%25+sure_&to=2025-03-03", "granted"),
        ("q=1_0&to=2025-03-03", ""),
        ("q=192.0.2.2", "granted"),
        ("q=dispatch&correlation=r-1&from=2025-03-02", "claimed refused"),
        ("actor=nobody", ""),
    ] {
        let mut found: Vec<String> =
            items(&service, &token, query).await.iter().map(|item| text(&item["action"])).collect();
        found.reverse();
        let names: Vec<&str> = found.iter().map(|action| action.rsplit('.').next().unwrap_or_default()).collect();
        assert_eq!(names.join(" "), expected, "{query}");
    }
    let refused = service.get("/api/audit?from=today&actr=x", &token).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::BAD_REQUEST, "invalid_request"));
    let granted = &items(&service, &token, "correlation=r-2").await[0];
    assert_eq!((&granted["from"], &granted["to"]), (&"pending_approval".into(), &"approved".into()));
    assert_eq!((&granted["operationId"], &granted["at"]), (&OPERATION.into(), &"2025-03-02T00:00:00Z".into()));
    service.stop().await;
}

#[tokio::test]
async fn pages_have_no_gaps_and_no_repeats_while_lines_come_in() {
    let service = Service::start().await;
    let token = service.token("eve@example.com", Role::Viewer).await;
    flood(&service, 95).await;
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let answer = service.get(&format!("/api/audit?actor=flood&limit=10{cursor}"), &token).await.json();
        seen.extend(answer["items"].as_array().expect("a list").iter().map(|item| item["details"]["n"].as_i64()));
        pages += 1;
        flood(&service, 7).await;
        match answer["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let expected: Vec<Option<i64>> = (1..=95).rev().map(Some).collect();
    assert_eq!((seen, pages), (expected, 10));
    service.stop().await;
}

#[tokio::test]
async fn only_those_who_may_read_it_do() {
    let service = Service::start().await;
    service.person("eve@example.com", Role::Viewer).await;
    let other = service.token_of("eve@example.com", &[Scope::OperationsRead]).await;
    let reader = service.token_of("eve@example.com", &[Scope::AuditRead]).await;
    let refused = service.get("/api/audit", &other).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "scope_missing"));
    assert_eq!(service.get("/api/audit", &reader).await.status, StatusCode::OK);
    assert_eq!(service.get("/api/audit", "mc_wrong").await.status, StatusCode::UNAUTHORIZED);
    for path in ["/dashboard/audit", "/dashboard/audit.csv", "/dashboard/audit.json"] {
        assert_eq!(look(&service, path, "").await.status, StatusCode::SEE_OTHER, "{path}: to sign in");
    }
    service.stop().await;
}

#[tokio::test]
async fn viewers_see_no_whole_number_in_any_form() {
    let service = Service::start().await;
    history(&service).await;
    let (viewer, operator) = (
        signed_in(&service, "vera@example.com", Role::Viewer).await,
        signed_in(&service, "otto@example.com", Role::Operator).await,
    );
    for path in ["/dashboard/audit", "/dashboard/audit.csv", "/dashboard/audit.json", "/api/audit"] {
        let path = format!("{path}?action=dispatch.refused");
        let masked = page(&service, &path, &viewer).await;
        assert!(masked.contains("+1••••••0132") && !masked.contains("4155550132"), "{masked}");
        assert!(page(&service, &path, &operator).await.contains("+14155550132"));
    }
    service.stop().await;
}

#[tokio::test]
async fn the_page_tells_every_line_in_words() {
    let service = Service::start().await;
    let approver = service.token("anna@example.com", Role::Admin).await;
    let id = service.ask_approved(&approver, "+14155550132", "Hello").await;
    service.until(&approver, &id, "delivered").await;
    let cookie = signed_in(&service, "vera@example.com", Role::Viewer).await;
    let page_of = async |query: &str| page(&service, &format!("/dashboard/audit{query}"), &cookie).await;

    let story = page_of(&format!("?object={id}")).await;
    for told in [
        &format!("href=\"/dashboard/operations/{id}\""),
        "Requested</span>",
        "<code class=\"muted\">approval.granted</code>",
        "key test",
        "owner anna@example.com",
        "Dispatcher",
        "state: <del>approved</del> sending",
        "Twilio reported</span>",
        "<code>127.0.0.1</code>",
        "<h2>Today</h2>",
        "?correlation=",
        "Clear filters",
        &format!("/dashboard/audit.csv?object={id}"),
    ] {
        assert!(story.contains(told), "{told}: {story}");
    }
    let people = page_of("?action=user").await;
    assert!(people.contains("Added a person") && people.contains("href=\"/dashboard/settings/people\""), "{people}");
    assert!(people.contains("<option value=\"user\" selected>People: all</option>"));
    assert!(
        page_of("?actor=command+line").await.contains("<option value=\"command line\" selected>Command line</option>")
    );
    let nothing = page_of("?action=call.teleported&actor=%3Cb%3E").await;
    assert!(
        nothing.contains("No line matches these filters")
            && nothing.contains("href=\"/dashboard/audit\">Clear filters")
    );
    assert!(nothing.contains("value=\"&#60;b&#62;\" selected") && !nothing.contains("<b>\""), "{nothing}");
    assert!(page_of("?cursor=1").await.contains("There is nothing older"));
    assert!(page_of("?from=nonsense&colour=red").await.contains("Signed in"), "what means nothing filters nothing");
    service.stop().await;
}

#[tokio::test]
async fn the_page_leads_through_the_whole_history() {
    let service = Service::start().await;
    let cookie = signed_in(&service, "vera@example.com", Role::Viewer).await;
    flood(&service, 120).await;
    let (mut path, mut lines, mut pages) = ("/dashboard/audit?actor=flood".to_owned(), 0, 0);
    loop {
        let page = page(&service, &path, &cookie).await;
        lines += page.matches("<code class=\"muted\">flood.line</code>").count();
        pages += 1;
        let Some((before, _)) = page.split_once("\" rel=\"next\"") else { break };
        path = before.rsplit("href=\"").next().expect("an address").replace("&#38;", "&");
    }
    assert_eq!((lines, pages), (120, 3));
    service.stop().await;
}

#[tokio::test]
async fn the_export_has_the_rows_of_the_api_and_no_formulas() {
    let service = Service::start().await;
    let token = service.token("eve@example.com", Role::Operator).await;
    let cookie = signed_in(&service, "otto@example.com", Role::Operator).await;
    history(&service).await;
    let formula = "insert into audit_lines (object, at, actor, action, ip, correlation_id) values
        ('+14155550132', '2025-03-03 01:00Z', '=HYPERLINK(\"http://x\")', '@SUM(A1)', '-1', E'\\tr,\"5\"\\r\\n')";
    sqlx::raw_sql(formula).execute(&service.app().db).await.expect("a line");

    let answer = look(&service, "/dashboard/audit.csv?to=2025-03-03", &cookie).await;
    assert_eq!((answer.status, answer.header("content-length")), (StatusCode::OK, None));
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    let name = format!("attachment; filename=\"audit-{}.csv\"", service.clock.now().date());
    assert_eq!(answer.header("content-disposition"), Some(name.as_str()));
    let rows = records(&answer.text);
    let items = items(&service, &token, "to=2025-03-03").await;
    assert_eq!(rows.len(), items.len() + 1);
    let mut guarded = BTreeSet::new();
    for (row, item) in rows[1..].iter().zip(&items) {
        for (name, cell) in rows[0].iter().zip(row) {
            let plain = match &item[name] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
            if *cell != plain {
                assert_eq!(*cell, format!("'{plain}"));
                guarded.insert(name.as_str());
            }
        }
    }
    assert_eq!(guarded, ["action", "actor", "correlationId", "ip", "object"].into());

    let refused = look(&service, "/dashboard/audit.csv?from=today", &cookie).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "a wrong filter must not export everything");
    assert_eq!(records(&page(&service, "/dashboard/audit.csv?actor=nobody", &cookie).await).len(), 1, "the names");
    service.stop().await;
}

/// An export on a connection of its own, with its body as the chunks in which it was written.
struct Export(BufReader<TcpStream>);

impl Export {
    async fn begin(service: &Service, cookie: &str) -> Self {
        Self::begin_at(service, "/dashboard/audit.csv?actor=flood", cookie).await
    }

    async fn begin_at(service: &Service, path: &str, cookie: &str) -> Self {
        let address = service.url("").replace("http://", "");
        let mut stream = TcpStream::connect(&address).await.expect("a connection");
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut export = Self(BufReader::new(stream));
        let status = export.line().await.expect("an answer");
        assert!(status.starts_with("HTTP/1.1 200"), "{status}");
        while export.line().await.is_some_and(|line| !line.is_empty()) {}
        export
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = self.0.read_line(&mut line).await.unwrap_or(0);
        (count > 0).then(|| line.trim_end().to_owned())
    }

    /// The next chunk, empty at the end of a complete body; `None` if the connection ended before.
    async fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = usize::from_str_radix(&self.line().await?, 16).ok()?;
        let mut chunk = vec![0; size + 2];
        self.0.read_exact(&mut chunk).await.ok()?;
        chunk.truncate(size);
        Some(chunk)
    }

    /// All that is to come of a complete body, in how many chunks it came, and the largest of them.
    async fn rest(mut self) -> (String, usize, usize) {
        let (mut whole, mut chunks, mut largest) = (Vec::new(), 0, 0);
        loop {
            let chunk = self.chunk().await.expect("a complete body");
            if chunk.is_empty() {
                return (String::from_utf8(whole).expect("text"), chunks, largest);
            }
            chunks += 1;
            largest = largest.max(chunk.len());
            whole.extend(chunk);
        }
    }
}

#[tokio::test]
async fn the_export_as_json_has_the_items_of_the_api() {
    let service = Service::start().await;
    let token = service.token("eve@example.com", Role::Operator).await;
    let cookie = signed_in(&service, "otto@example.com", Role::Operator).await;
    history(&service).await;
    let answer = look(&service, "/dashboard/audit.json?to=2025-03-03", &cookie).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, Some("application/json")));
    let name = format!("attachment; filename=\"audit-{}.json\"", service.clock.now().date());
    assert_eq!(answer.header("content-disposition"), Some(name.as_str()));
    let exported: Vec<Value> = serde_json::from_str(&answer.text).expect("an array");
    assert_eq!(exported, items(&service, &token, "to=2025-03-03").await);
    let nothing = page(&service, "/dashboard/audit.json?actor=nobody", &cookie).await;
    assert_eq!(serde_json::from_str::<Value>(&nothing).expect("JSON"), Value::Array(Vec::new()));
    let refused = look(&service, "/dashboard/audit.json?from=today", &cookie).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "a wrong filter must not export everything");
    let linked = page(&service, "/dashboard/audit?action=vault", &cookie).await;
    assert!(linked.contains("href=\"/dashboard/audit.json?action=vault\" download"), "{linked}");
    service.stop().await;
}

#[tokio::test]
async fn a_long_export_is_written_in_small_chunks() {
    let service = Service::start().await;
    let cookie = signed_in(&service, "vera@example.com", Role::Viewer).await;
    flood(&service, 50_000).await;
    let (table, chunks, largest) = Export::begin(&service, &cookie).await.rest().await;
    assert_eq!(chunks, 101, "the names, and 500 lines a chunk");
    assert!(largest < 512 * 1024, "{largest}");
    let rows = records(&table);
    let ids: BTreeSet<&String> = rows[1..].iter().map(|row| &row[0]).collect();
    assert_eq!((rows.len(), ids.len()), (50_001, 50_000));

    let export = Export::begin_at(&service, "/dashboard/audit.json?actor=flood", &cookie).await;
    let (document, chunks, largest) = export.rest().await;
    assert_eq!(chunks, 102, "the brackets, and 500 lines a chunk");
    assert!(largest < 512 * 1024, "{largest}");
    let items: Vec<Value> = serde_json::from_str(&document).expect("an array");
    let ids: BTreeSet<i64> = items.iter().filter_map(|item| item["id"].as_i64()).collect();
    assert_eq!((items.len(), ids.len()), (50_000, 50_000));
    service.stop().await;
}

#[tokio::test]
async fn an_export_that_fails_on_the_way_does_not_look_complete() {
    let service = Service::start().await;
    let cookie = signed_in(&service, "vera@example.com", Role::Viewer).await;
    flood(&service, 50_000).await;
    let mut export = Export::begin(&service, &cookie).await;
    export.chunk().await.expect("the names");
    // More is to come than the connection holds, so the table is gone before its end was read.
    sqlx::raw_sql("alter table audit_lines rename to lost")
        .execute(&mut service.direct().await)
        .await
        .expect("renamed");
    let mut chunks = 0;
    while let Some(chunk) = export.chunk().await {
        assert!(!chunk.is_empty(), "the body must not end as a complete one does");
        chunks += 1;
    }
    assert!(chunks < 100, "{chunks}");
    sqlx::raw_sql("alter table lost rename to audit_lines").execute(&mut service.direct().await).await.expect("back");
    service.stop().await;
}

#[tokio::test]
async fn slow_readers_hold_neither_connections_nor_all_places() {
    let service = Service::start().await;
    let cookie = signed_in(&service, "vera@example.com", Role::Viewer).await;
    flood(&service, 50_000).await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        slow.push(Export::begin(&service, &cookie).await);
    }
    eventually("no connection to be held", || async {
        let db = &service.app().db;
        let busy = db.size() as usize - db.num_idle();
        // The listener's.
        if busy <= 1 { Ok(()) } else { Err(busy.to_string()) }
    })
    .await;
    let refused = look(&service, "/dashboard/audit.csv", &cookie).await;
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, Some("60")));
    assert!(refused.text.contains("Other exports are being written"), "{}", refused.text);
    drop(slow);
    eventually("a free place", || async {
        let answer = look(&service, "/dashboard/audit.csv?actor=nobody", &cookie).await;
        if answer.status == StatusCode::OK { Ok(()) } else { Err(answer.text) }
    })
    .await;
    // A stop does not wait for somebody who went to lunch.
    let _slow = Export::begin(&service, &cookie).await;
    let stopped = tokio::time::timeout(Duration::from_secs(50), service.stop());
    stopped.await.expect("stopped");
}
