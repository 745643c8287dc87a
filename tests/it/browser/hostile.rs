//! What somebody writes to harm whoever reads it is text to the reader, on every page, in every field, also where a page
//! changes while it is open.

use mission_control::audit::Actor;
use mission_control::auth::tokens::{self, NewToken};
use mission_control::auth::users::{self, NewUser};
use mission_control::auth::{NewPassword, Role, Scope};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use super::Stopwatch;
use super::furnished::{ADMIN, Furnished};
use super::pages::{self, Reader};
use super::window::Window;
use crate::support::service::{PASSWORD, Service, Setup, text};
use crate::support::studio::{self, Studio};

const MALLORY: &str = "mallory@example.com";

/// Each would leave `window.hostile`, an element, a broken page, or a formula, if it were taken for more than text.
const TEXTS: [&str; 22] = [
    "<script>window.hostile=1</script>",
    "</script><script>window.hostile=2</script>",
    "<img src=x onerror=window.hostile=3 data-hostile>",
    "<svg onload=window.hostile=4 data-hostile><animate onbegin=window.hostile=4></svg>",
    "\"><b data-hostile onmouseover=window.hostile=5>a",
    "' autofocus onfocus='window.hostile=6' data-hostile='",
    "</textarea></title></style><b data-hostile>b</b>",
    "<!-- --!><b data-hostile>c</b>",
    "<iframe srcdoc='<script>parent.hostile=7</script>' data-hostile></iframe>",
    "<base href=https://evil.example/ data-hostile><meta http-equiv=refresh content=0;url=https://evil.example data-hostile>",
    "<form action=https://evil.example data-hostile><button autofocus>d",
    "<template shadowrootmode=open><b data-hostile>e</b></template>",
    "<div hx-get=/dashboard/live hx-trigger=load hx-on:load=window.hostile=8 data-hostile>f</div>",
    "{{ 7*7 }} {% include \"/etc/passwd\" %} ${7*7} #{7*7} <%= 7*7 %>",
    "javascript:window.hostile=9//https://example.com",
    "\"},\"hostile\":{\"__proto__\":{\"hostile\":10}},\"x\":{\"y\":\"",
    "abc\u{202e}gnp.exe\u{2066}\u{200b}\u{feff}",
    "раураl.example null undefined NaN %00 \\0 &#60;b data-hostile&#62; &lt;i&gt;",
    "=HYPERLINK(\"https://evil.example\",\"g\")",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A1",
    "<a href=javascript:window.hostile=11 data-hostile>Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

/// Columns that others than our readers fill in, past every check: what Twilio, ElevenLabs, a server elsewhere, a caller or
/// another browser said.
const COLUMNS: [(&str, &str); 29] = [
    ("operations", "delay_reason"),
    ("operations", "provider_status"),
    ("operations", "reason"),
    ("operations", "note"),
    ("operations", "correlation_id"),
    ("operations", "idempotency_key"),
    ("attempts", "detail"),
    ("attempts", "request_id"),
    ("evidence", "conclusion"),
    ("decisions", "reason"),
    ("provider_events", "status"),
    ("provider_events", "account_sid"),
    ("clips", "reason"),
    ("audio_looks", "content_type"),
    ("audio_looks", "etag"),
    ("audio_looks", "problem"),
    ("gateway_calls", "from_number"),
    ("gateway_calls", "to_number"),
    ("gateway_calls", "account_sid"),
    ("gateway_calls", "greeting"),
    ("gateway_calls", "provider_status"),
    ("sessions", "user_agent"),
    ("audit_lines", "correlation_id"),
    ("audit_lines", "from_state"),
    ("vault_entries", "hint"),
    ("vault_entries", "created_by"),
    ("vault_entries", "verify_result"),
    ("api_tokens", "name"),
    ("users", "name"),
];

/// Whether anything came of a text.
const LOOK: &str = "
    const found = [];
    if (window.hostile !== undefined) found.push(`a script ran: ${window.hostile}`);
    if (Object.prototype.hostile !== undefined) found.push('the prototype is polluted');
    const made = '[data-hostile], iframe, object, embed, base, [srcdoc], [hx-on\\\\:load], [onerror], [onload], [onfocus]';
    for (const element of document.querySelectorAll(made)) found.push(`an element: ${element.outerHTML.slice(0, 200)}`);
    for (const element of document.querySelectorAll('[href], [src], [action], [formaction]')) {
        for (const name of ['href', 'src', 'action', 'formaction']) {
            const value = element.getAttribute(name);
            const isOurs = value === null || new URL(value, location.href).origin === location.origin;
            // What Twilio says of its own errors, by number.
            if (!isOurs && !/^https:\\/\\/www\\.twilio\\.com\\/docs\\/api\\/errors\\/\\d+$/.test(value)) found.push(`a link: ${value}`);
        }
    }
    return found;";

/// All that a reader sees or could copy, without differences in white space.
const READ: &str = "
    const values = [...document.querySelectorAll('input, textarea')].map(field => field.value);
    const titles = [...document.querySelectorAll('[title]')].map(element => element.title);
    return [document.body.textContent, ...values, ...titles].join(' ');";

fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn faults(window: &Window<'_>, place: &str) -> Vec<String> {
    let found = window.run(LOOK, &[]).await;
    let found = found.as_array().expect("a list").iter().map(|fault| fault.as_str().unwrap_or_default().to_owned());
    found.chain(window.complaints().await).map(|fault| format!("{place}: {fault}")).collect()
}

async fn reads(window: &Window<'_>) -> String {
    plain(window.run(READ, &[]).await.as_str().unwrap_or_default())
}

/// Somebody who puts each of the texts wherever a text may be put.
struct Mallory<'a> {
    service: &'a Service,
    token: String,
}

impl<'a> Mallory<'a> {
    async fn new(service: &'a Service) -> Self {
        let token = service.token(MALLORY, Role::Admin).await;
        Self { service, token }
    }

    async fn ask(&self, number: usize, hostile: &str) -> Value {
        let to = format!("+1415555{:04}", 2_000 + number);
        let body = json!({ "to": to, "message": hostile, "note": hostile });
        let request = self.service.request(Method::POST, "/api/twilio/send-sms", &self.token).json(&body);
        let asked = self.service.send(request.header("x-correlation-id", "<b>x</b>")).await;
        assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
        asked.json()
    }

    async fn act(&self, asked: &Value, act: &str, body: Value) {
        let path = format!("/api/operations/{}/{act}", text(&asked["operationId"]));
        let acted = self.service.post(&path, &self.token, &body).await;
        assert_eq!(acted.status, StatusCode::OK, "{}", acted.text);
    }

    async fn hold(&self, reason: Option<&str>) {
        let method = if reason.is_some() { Method::PUT } else { Method::DELETE };
        let request = self.service.request(method, "/api/hold", &self.token);
        let request = if let Some(reason) = reason { request.json(&json!({ "reason": reason })) } else { request };
        let answer = self.service.send(request).await;
        assert!(answer.status.is_success(), "{}", answer.text);
    }

    /// Everything; answers the operations, each with its text.
    async fn write_everywhere(&self) -> Vec<(String, &'static str)> {
        self.hold(None).await;
        let mut written = Vec::new();
        for (number, hostile) in TEXTS.into_iter().enumerate() {
            let asked = self.ask(number, hostile).await;
            match number % 4 {
                0 => self.act(&asked, "approve", json!({ "digest": asked["digest"], "comment": hostile })).await,
                1 => self.act(&asked, "reject", json!({ "reason": hostile })).await,
                2 => self.act(&asked, "cancel", json!({ "reason": hostile })).await,
                _ => {}
            }
            written.push((text(&asked["operationId"]), hostile));
            self.become_somebody(number, hostile).await;
        }
        self.hold(Some(TEXTS[2])).await;
        written
    }

    /// A person of this name, with a token of this name, who signs in with a browser of this name.
    async fn become_somebody(&self, number: usize, hostile: &str) {
        let app = self.service.app();
        let email: mission_control::auth::EmailAddress = format!("m{number}@example.com").parse().expect("an address");
        let password = NewPassword::choose(PASSWORD.into(), &email).expect("a good password");
        let (name, role) = (hostile.to_owned(), Role::Viewer);
        let new = NewUser { name, email: email.clone(), role, password, must_change_password: false };
        users::add(&app.db, &app.clock, &app.passwords, &Actor::command_line(), new).await.expect("a person");
        let new = NewToken { owner: email, name: hostile.to_owned(), scopes: vec![Scope::OperationsRead], days: None };
        tokens::create(&app.db, &app.clock, &Actor::command_line(), new).await.expect("a token");
        let form = [("email", format!("m{number}@example.com")), ("password", PASSWORD.to_owned())];
        let request = self.service.client().post(self.service.url("/login")).form(&form);
        let request = match reqwest::header::HeaderValue::from_str(hostile) {
            Ok(browser) => request.header("user-agent", browser),
            Err(_) => request,
        };
        assert_eq!(self.service.send(request).await.status, StatusCode::SEE_OTHER);
    }
}

/// Puts texts into rows as if they had come from outside, whatever the table's triggers say.
async fn write_into_rows(db: &mut PgConnection) {
    sqlx::raw_sql("set session_replication_role = replica").execute(&mut *db).await.expect("a superuser");
    let list = TEXTS.map(|hostile| format!("'{}'", hostile.replace('\'', "''"))).join(", ");
    for (number, (table, column)) in COLUMNS.into_iter().enumerate() {
        // Each row another text, and each column another one of the same row.
        let statement = format!(
            "update {table} t set {column} = left((array[{list}])[1 + (n.n + {number}) % {}], 255)
             from (select ctid, row_number() over () as n from {table}) n where n.ctid = t.ctid and t.{column} is not null",
            TEXTS.len()
        );
        let statement = if (table, column) == ("operations", "idempotency_key") {
            format!("{statement} and n.n < {}", TEXTS.len())
        } else {
            statement
        };
        let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *db).await;
        done.unwrap_or_else(|error| panic!("{table}.{column}: {error}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_texts_are_text_to_whoever_reads_them_on_every_page() {
    let _stopwatch = Stopwatch::start("hostile texts");
    let furnished = Furnished::new().await;
    let service = &furnished.service;
    let mallory = Mallory::new(service).await;
    let written = mallory.write_everywhere().await;
    let mut found = Vec::new();
    let mut windows = Vec::new();
    for reader in Reader::ALL {
        let window = Window::open(service).await;
        if let Some(email) = reader.email() {
            window.go("/login").await;
            window.sign_in(email, PASSWORD).await;
            if reader == Reader::Guarded {
                window.fill("code", &furnished.recovery_code()).await;
                window.press("Sign in").await;
            }
            window.at("/dashboard/operations").await;
        }
        windows.push((reader, window));
    }
    // As Mallory wrote them: they stand there, letter by letter.
    let (_, admin) = windows.iter().find(|(reader, _)| *reader == Reader::Admin).expect("an admin");
    for (id, hostile) in &written {
        let place = format!("/dashboard/operations/{id}");
        admin.go(&place).await;
        found.extend(faults(admin, &place).await);
        let read = reads(admin).await;
        if !read.contains(&plain(hostile)) {
            found.push(format!("{place}: {hostile} does not stand there"));
        }
    }
    // As if they had come from everywhere else: nothing comes of them.
    write_into_rows(&mut service.direct().await).await;
    for (reader, window) in &mut windows {
        for page in pages::all(|name| furnished.id(name)).iter().filter(|page| page.reader == *reader) {
            page.open(window).await;
            window.run("document.querySelectorAll('details').forEach(folded => { folded.open = true })", &[]).await;
            found.extend(faults(window, &page.name()).await);
        }
        if reader.email().is_some() {
            for (id, _) in &written {
                let place = format!("/dashboard/operations/{id}");
                window.go(&place).await;
                found.extend(faults(window, &place).await);
            }
        }
    }
    for (_, window) in windows {
        found.extend(faults(&window, "at the end").await);
        window.close().await;
    }
    furnished.service.stop().await;
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_texts_are_text_where_a_page_changes_while_it_is_open() {
    let _stopwatch = Stopwatch::start("hostile texts in a live page");
    let service = Service::start().await;
    let mallory = Mallory::new(&service).await;
    let list = Window::of(&service, ADMIN, Role::Admin).await;
    let mut found = Vec::new();
    // An empty list is loaded anew; one with something in it is not.
    mallory.ask(TEXTS.len(), "Hello").await;
    for (number, hostile) in TEXTS.into_iter().enumerate().filter(|(number, _)| number % 3 == 0) {
        // It is offered, and the list is swapped.
        list.go("/dashboard/operations").await;
        list.until_seen("[data-live][data-state=live]").await;
        list.mark().await;
        let asked = mallory.ask(number, hostile).await;
        let id = text(&asked["operationId"]);
        list.click("#new-pill").await;
        list.until_seen(&format!("#op-{id}")).await;
        found.extend(faults(&list, "the list").await);
        // It is opened beside the list, and changes there.
        list.click(&format!("#op-{id} .strip-to")).await;
        list.until_seen(&format!("#detail[data-operation='{id}']")).await;
        mallory.act(&asked, "reject", json!({ "reason": hostile })).await;
        list.until(&format!("the reason {hostile}"), async || {
            let read = reads(&list).await;
            let times = read.matches(&plain(hostile)).count();
            if read.contains("Rejected") && times >= 2 { Ok(()) } else { Err(format!("{times} times")) }
        })
        .await;
        list.has_stayed().await;
        found.extend(faults(&list, "the operation beside the list").await);
    }
    // What was typed stands there again, and is looked over while it is typed.
    for hostile in TEXTS {
        list.go("/dashboard/operations/new-sms").await;
        list.run("document.getElementById('to').value = arguments[0]", &[json!(hostile)]).await;
        list.run("document.getElementById('message').value = arguments[0]", &[json!(hostile)]).await;
        list.run("document.getElementById('message').dispatchEvent(new Event('input', { bubbles: true }))", &[]).await;
        found.extend(faults(&list, "typed").await);
        for query in ["operations?q", "audit?q", "audit?actor", "audit?action", "audit?object", "operations?to"] {
            let query: String = url::form_urlencoded::byte_serialize(hostile.as_bytes())
                .fold(format!("/dashboard/{query}="), |all, part| all + part);
            list.go(&query).await;
            found.extend(faults(&list, &query).await);
        }
    }
    list.close().await;
    service.stop().await;
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_becomes_elements_but_by_the_policy_of_the_page() {
    let service = Service::start().await;
    let window = Window::of(&service, ADMIN, Role::Admin).await;
    window.is_clean().await;
    // Answers of ours pass, and what none of ours holds does not.
    let passes = async |text: &str| {
        let script = "try { fragments.parse(arguments[0]); return true } catch (error) { return error instanceof TypeError ? false : String(error) }";
        window.run(script, &[json!(text)]).await
    };
    for text in [
        "<p id=a class=b>Hello</p>",
        "<html><head><script src=/static/0/app.js></script><meta charset=utf-8></head><body><ul><li>a</ul></body></html>",
        "<form method=post action=/logout><button>a</button></form><a href=/dashboard/help hx-get=/dashboard/help>b</a>",
        "<svg><use href='/static/0/icons.svg#help'/></svg><audio src=/api/public/call-audio/a controls></audio>",
        "<a href='https://www.twilio.com/docs/api/errors/21211'>a</a>",
    ] {
        assert_eq!(passes(text).await, json!(true), "{text}");
    }
    for text in [
        "<script>1</script>",
        "<p><script src=/static/0/app.js></script>",
        "<svg><script>1</script></svg>",
        "<img src=x onerror=1>",
        "<body onload=1>",
        "<p hx-on:click=1>",
        "<p hx-on::load=1>",
        "<a href=javascript:1>a</a>",
        "<a href=' JaVaScRiPt:1'>a</a>",
        "<svg><a xlink:href=javascript:1>a</a></svg>",
        "<form action=javascript:1></form>",
        "<button formaction=data:text/html,1>a</button>",
        "<iframe src=/dashboard></iframe>",
        "<iframe srcdoc=a></iframe>",
        "<object data=/dashboard></object>",
        "<embed src=/dashboard>",
        "<p><base href=/x>",
        "<p><link rel=stylesheet href=/x>",
        "<p><style>a</style>",
        "<p style=color:red>a",
        "<p><meta http-equiv=refresh content=0>",
    ] {
        assert_eq!(passes(text).await, json!(false), "{text}");
    }
    // Past the policy there is no way: neither for a slip in our own script nor for anybody else's.
    for script in [
        "document.body.innerHTML = arguments[0]",
        "document.body.insertAdjacentHTML('beforeend', arguments[0])",
        "document.createRange().createContextualFragment(arguments[0])",
        "new DOMParser().parseFromString(arguments[0], 'text/html')",
        "document.createElement('script').text = '1'",
        "document.createElement('script').src = '/static/0/app.js'",
        "document.createElement('iframe').srcdoc = arguments[0]",
        "trustedTypes.createPolicy('mission-control', { createHTML: text => text })",
        "trustedTypes.createPolicy('default', { createHTML: text => text })",
        "trustedTypes.createPolicy('another', { createHTML: text => text })",
    ] {
        let tried = format!("try {{ {script}; return 'done' }} catch (error) {{ return error.constructor.name }}");
        assert_eq!(window.run(&tried, &[json!("<b>a</b>")]).await, json!("TypeError"), "{script}");
    }
    assert!(!window.complaints().await.is_empty(), "each is a breach of the page's policy");
    window.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_of_voices_are_text() {
    let studio = Studio::named(&TEXTS.join(" ")).await;
    let setup = Setup::new().await.with("MISSION_CONTROL_ELEVENLABS_BASE_URL", &studio.url);
    let service = setup.with("ELEVENLABS_API_KEY", studio::KEY).start().await;
    let window = Window::of(&service, ADMIN, Role::Admin).await;
    let mut found = Vec::new();
    for page in ["/dashboard/settings/voice", "/dashboard/operations/new-call", "/dashboard/integrations"] {
        window.go(page).await;
        found.extend(faults(&window, page).await);
    }
    window.go("/dashboard/settings/voice").await;
    let read = reads(&window).await;
    assert!(read.contains(&plain(TEXTS[0])), "{read}");
    window.close().await;
    service.stop().await;
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_texts_are_text_in_what_is_exported() {
    let service = Service::start().await;
    let mallory = Mallory::new(&service).await;
    for (number, hostile) in TEXTS.into_iter().enumerate() {
        let asked = mallory.ask(number, hostile).await;
        mallory.act(&asked, "reject", json!({ "reason": hostile })).await;
    }
    let form = [("email", MALLORY), ("password", PASSWORD)];
    let signed_in = service.send(service.client().post(service.url("/login")).form(&form)).await;
    let cookie = signed_in.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie");
    for (path, kind) in [("/dashboard/audit.csv", "text/csv"), ("/dashboard/audit.json", "application/json")] {
        let answer = service.send(service.client().get(service.url(path)).header("cookie", cookie)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert!(answer.header("content-type").is_some_and(|found| found.starts_with(kind)), "{:?}", answer.headers);
        assert!(answer.header("content-disposition").is_some_and(|found| found.starts_with("attachment")), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        if kind == "text/csv" {
            let body = answer.text.trim_start_matches('\u{feff}');
            let mut rows = csv::ReaderBuilder::new().from_reader(body.as_bytes());
            for row in rows.records() {
                for cell in &row.expect("a row") {
                    assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "a formula: {cell}");
                }
            }
        } else {
            let lines: Value = serde_json::from_str(&answer.text).expect("JSON");
            for hostile in TEXTS {
                assert!(lines.to_string().contains(&json!(hostile).to_string()), "{hostile}");
            }
        }
    }
    service.stop().await;
}
