//! Whoever holds connections and asks nothing, asks without end, or does not listen, keeps nobody out.

use std::time::Duration;

use mission_control::auth::Role;
use mission_control::web::server::Limits;
use reqwest::StatusCode;
use sqlx::Connection as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::service::{Service, Setup, eventually};

/// Never, as far as a test goes.
const NEVER: Duration = Duration::from_hours(1);

/// Long enough for whoever does what is expected of them, and not worth a wait.
const SOON: Duration = Duration::from_millis(200);

const PATIENT: Limits = Limits { head: NEVER, body: NEVER, idle: NEVER, write: NEVER, answer: NEVER };

async fn connect(service: &Service) -> TcpStream {
    TcpStream::connect(host(service)).await.expect("a connection")
}

fn host(service: &Service) -> String {
    service.url("").trim_start_matches("http://").to_owned()
}

fn request(service: &Service, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", host(service))
}

/// What comes until the connection ends, however it ends.
async fn rest(mut connection: TcpStream) -> String {
    let mut heard = Vec::new();
    let ending = connection.read_to_end(&mut heard);
    // A bound against hanging, not a measure.
    let _ = tokio::time::timeout(Duration::from_secs(30), ending).await.expect("the connection ends");
    String::from_utf8_lossy(&heard).into_owned()
}

/// Whether it is there as far as anybody can tell who holds it.
fn is_open(connection: &TcpStream) -> bool {
    matches!(connection.try_read(&mut [0; 64]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_dribbling_connections_do_not_keep_a_request_out() {
    const PLACES: usize = 16;
    // No time-out helps here: only that they make room.
    let setup = Setup::new().await.with("MISSION_CONTROL_CONNECTIONS", &PLACES.to_string()).limits(PATIENT);
    let service = setup.start().await;
    let mut dribbling = Vec::new();
    for round in 0..4 {
        for _ in 0..100 {
            let mut connection = connect(&service).await;
            let _ = connection.write_all(b"GET /readyz HTTP/1.1\r\nx-slow: ").await;
            dribbling.push(connection);
        }
        for connection in &mut dribbling {
            // Those that made room are gone.
            let _ = connection.write_all(b"a").await;
        }
        let own = reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().expect("a client");
        for path in ["/readyz", "/login", "/readyz"] {
            let answer = service.send(own.get(service.url(path))).await;
            assert_eq!(answer.status, StatusCode::OK, "round {round}: {path}");
        }
        // No more of them are held than there are places.
        eventually("those that made room to be gone", || {
            let open = dribbling.iter().filter(|connection| is_open(connection)).count();
            std::future::ready(if open <= PLACES { Ok(()) } else { Err(format!("{open} are open")) })
        })
        .await;
    }
    drop(dribbling);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_end_ends_the_connection() {
    let limits = Limits { head: SOON, ..PATIENT };
    let service = Setup::new().await.limits(limits).start().await;
    for start in ["", "GET", "GET /readyz HTTP/1.1\r\nhost: x\r\n"] {
        let mut connection = connect(&service).await;
        connection.write_all(start.as_bytes()).await.expect("written");
        assert_eq!(rest(connection).await, "", "{start:?}");
    }
    // Also that of a second request, and however busily it dribbles.
    let mut connection = connect(&service).await;
    connection.write_all(request(&service, "/healthz").as_bytes()).await.expect("written");
    connection.write_all(b"GET /readyz HTTP/1.1\r\nx-slow: ").await.expect("written");
    while connection.write_all(b"a").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    service.stop().await;
}

/// What is answered to a body that dribbles and does not end.
async fn dribbled(service: &Service, length: &str) -> String {
    let head = request(service, "/login").replace("GET", "POST");
    let head = head.replace("\r\n\r\n", &format!("\r\n{length}\r\nconnection: close\r\n\r\n"));
    let (mut reading, mut writing) = connect(service).await.into_split();
    writing.write_all((head + "6\r\nemail=\r\n").as_bytes()).await.expect("written");
    let mut heard = Vec::new();
    let dribbling = async {
        loop {
            let _ = writing.write_all(b"1\r\na\r\n").await;
            tokio::time::sleep(SOON / 4).await;
        }
    };
    tokio::select! {
        // A bound against hanging, not a measure.
        read = tokio::time::timeout(Duration::from_secs(30), reading.read_to_end(&mut heard)) => {
            let _ = read.expect("an answer");
        }
        () = dribbling => {}
    }
    String::from_utf8_lossy(&heard).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let service = Setup::new().await.limits(Limits { body: SOON, ..PATIENT }).start().await;
    let (with, without) =
        tokio::join!(dribbled(&service, "content-length: 500"), dribbled(&service, "transfer-encoding: chunked"));
    for heard in [with, without] {
        assert!(heard.starts_with("HTTP/1.1 408 ") && heard.contains("timed_out"), "{heard}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_asks_nothing_more_is_closed() {
    let service = Setup::new().await.limits(Limits { idle: SOON, ..PATIENT }).start().await;
    let mut connection = connect(&service).await;
    connection.write_all(request(&service, "/healthz").as_bytes()).await.expect("written");
    let heard = rest(connection).await;
    assert!(heard.starts_with("HTTP/1.1 200") && heard.ends_with(r#"{"status":"alive"}"#), "{heard}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_read_the_answer_is_cut_off() {
    const ASKED: usize = 2_000;
    let service = Setup::new().await.limits(Limits { write: SOON, ..PATIENT }).start().await;
    let answers = |heard: &str| heard.matches("HTTP/1.1 200").count();
    let path = "/static/0/app.css";
    let last = request(&service, path).replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    let all = request(&service, path).repeat(ASKED - 1) + &last;

    // Reading while it asks, one gets everything, although it is far more than a connection holds.
    let (mut reading, mut writing) = connect(&service).await.into_split();
    let mut heard = Vec::new();
    let (written, read) = tokio::join!(writing.write_all(all.as_bytes()), reading.read_to_end(&mut heard));
    written.and(read.map(drop)).expect("asked and answered");
    assert_eq!(answers(&String::from_utf8_lossy(&heard)), ASKED);

    // Not reading, one is cut off in the middle, and the service goes on.
    let mut connection = connect(&service).await;
    eventually("the end of the connection", || {
        let written = connection.try_write(all.as_bytes());
        std::future::ready(match written {
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => Ok(()),
            other => Err(format!("{other:?}")),
        })
    })
    .await;
    let mut heard = Vec::new();
    let _ = connection.read_to_end(&mut heard).await;
    assert!(answers(&String::from_utf8_lossy(&heard)) < ASKED);
    assert_eq!(service.send(service.client().get(service.url("/healthz"))).await.status, StatusCode::OK);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_takes_too_long_is_not_waited_for_and_may_be_asked_again() {
    let service = Setup::new().await.limits(Limits { answer: SOON, ..PATIENT }).start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let asked = service.ask(&token, "+14155550132", "Hello").await;
    let mut direct = service.direct().await;
    let mut held_up = direct.begin().await.expect("a transaction");
    // Who only reads is not held up: the time is up in the middle of the approval.
    sqlx::query("lock table operations in share mode").execute(&mut *held_up).await.expect("locked");
    let late = service.approve(&token, &asked).await;
    assert_eq!((late.status, &*late.code()), (StatusCode::SERVICE_UNAVAILABLE, "timed_out"), "{}", late.text);
    assert_eq!(late.header("retry-after"), Some("1"));
    held_up.rollback().await.expect("unlocked");
    // Whoever repeats it, as the answer says, has decided once.
    for _ in 0..2 {
        eventually("an answer in time", || async {
            let answer = service.approve(&token, &asked).await;
            if answer.status == StatusCode::OK { Ok(()) } else { Err(answer.text) }
        })
        .await;
    }
    eventually("the message", || async {
        let sent = service.accepted().await.len();
        if sent == 1 { Ok(()) } else { Err(format!("{sent} were sent")) }
    })
    .await;
    let decided = sqlx::query_scalar("select count(*) from decisions").fetch_one(&mut direct).await;
    assert_eq!(decided.ok(), Some(1_i64));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_in_the_shape_of_every_refusal() {
    let service = Service::start().await;
    let own = host(&service);
    let headers = (0..101).map(|number| format!("x-{number}: a\r\n")).collect::<Vec<_>>().concat();
    for (sent, status, code) in [
        (
            format!("GET / HTTP/1.1\r\nhost: {own}\r\nx-large: {}\r\n\r\n", "a".repeat(17 * 1024)),
            431,
            "headers_too_large",
        ),
        (format!("GET / HTTP/1.1\r\nhost: {own}\r\nx-large: {}", "a".repeat(1024 * 1024)), 431, "headers_too_large"),
        (format!("GET / HTTP/1.1\r\nhost: {own}\r\n{headers}\r\n"), 431, "headers_too_large"),
        (
            format!("GET /{} HTTP/1.1\r\nhost: {own}\r\nconnection: close\r\n\r\n", "a".repeat(9 * 1024)),
            414,
            "address_too_long",
        ),
        (
            format!("GET /?{} HTTP/1.1\r\nhost: {own}\r\nconnection: close\r\n\r\n", "a".repeat(9 * 1024)),
            414,
            "address_too_long",
        ),
        ("HELO mission.example\r\n\r\n".to_owned(), 400, "not_http"),
        ("GET / HTTP/1.1\r\nhost : x\r\n\r\n".to_owned(), 400, "not_http"),
        ("\u{16}\u{3}\u{1}\0\0\r\n\r\n".to_owned(), 400, "not_http"),
    ] {
        // The second request of a connection is refused like the first.
        for before in ["", &request(&service, "/healthz")] {
            let (mut reading, mut writing) = connect(&service).await.into_split();
            let mut heard = Vec::new();
            let whole = format!("{before}{sent}");
            // What is refused is not read to its end.
            let _ = tokio::join!(writing.write_all(whole.as_bytes()), reading.read_to_end(&mut heard));
            let heard = String::from_utf8_lossy(&heard).into_owned();
            let at = heard.rfind("HTTP/1.1 ").unwrap_or_else(|| panic!("no answer to {:?}: {heard}", &sent[..20]));
            let answer = &heard[at..];
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
            for header in ["content-security-policy: ", "x-content-type-options: ", "x-correlation-id: "] {
                assert!(answer.contains(header), "{header} in {answer}");
            }
        }
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_pages_leave_connections_to_those_who_act() {
    let service = Setup::new().await.with("MISSION_CONTROL_CONNECTIONS", "8").limits(PATIENT).start().await;
    let token = service.token("ada@example.com", Role::Viewer).await;
    let mut pages = Vec::new();
    for _ in 0..6 {
        let page = service.request(reqwest::Method::GET, "/dashboard/live", &token).send().await.expect("a stream");
        assert_eq!(page.status(), StatusCode::OK);
        pages.push(page);
    }
    let one_more = service.get("/dashboard/live", &token).await;
    assert_eq!((one_more.status, one_more.code()), (StatusCode::SERVICE_UNAVAILABLE, "too_many_pages".to_owned()));
    assert_eq!(one_more.header("retry-after"), Some("5"));
    for _ in 0..20 {
        assert_eq!(service.get("/api/operations", &token).await.status, StatusCode::OK);
    }
    drop(pages);
    eventually("room for a page", || async {
        let answer = service.request(reqwest::Method::GET, "/dashboard/live", &token).send().await.expect("an answer");
        if answer.status() == StatusCode::OK { Ok(()) } else { Err(answer.status().to_string()) }
    })
    .await;
    service.stop().await;
}
