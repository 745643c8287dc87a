//! The browser's driver: one process for all tests of this run, which speaks `WebDriver` on loopback.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::LazyLock;

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

const MISSING: &str = "Chromium and its driver are needed for the tests in a browser. Install them with: make setup";

/// What Debian and Homebrew call the browser.
const BROWSERS: [&str; 4] = ["chromium", "google-chrome", "chromium-browser", "google-chrome-stable"];

/// No display and no sandbox of its own (in a container there is neither), nothing fetched by itself, and a window whose
/// width is the page's: scroll bars lie over it, as on a telephone.
const FLAGS: [&str; 13] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-device-scale-factor=1",
    "--hide-scrollbars",
    "--lang=en-US",
    "--window-size=1280,900",
];

/// Runs the driver until the input ends, as it does however this process ends; then ends the whole group, browsers too,
/// and removes what they wrote. The second is for what Chromium still writes on its way out.
const GUARD: &str = "
    HOME=$1 TMPDIR=$1 chromedriver --port=0 &
    cat >/dev/null
    trap '' TERM
    kill -TERM 0
    wait
    sleep 1
    rm -rf \"$1\"
    kill -KILL 0
";

static DRIVER: LazyLock<Result<Driver, String>> = LazyLock::new(Driver::start);

struct Driver {
    url: String,
    /// Its input stays open for as long as this process lives.
    _guard: Child,
    _output: BufReader<ChildStdout>,
}

impl Driver {
    fn start() -> Result<Self, String> {
        on_path("chromedriver").ok_or(MISSING)?;
        let home = tempfile::Builder::new().prefix("mc-browser.").tempdir().map_err(|error| error.to_string())?;
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "guard"]).arg(home.keep()).process_group(0);
        // Its own words would keep whoever reads ours waiting for the end of them.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut guard = command.spawn().map_err(|error| error.to_string())?;
        let mut output = BufReader::new(guard.stdout.take().ok_or("no output")?);
        let started = output.by_ref().lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("was started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        let port = started.ok_or("chromedriver does not start: run it by hand to see why")?;
        Ok(Self { url: format!("http://127.0.0.1:{port}"), _guard: guard, _output: output })
    }
}

/// A browser with a profile of its own, and these preferences.
pub(super) async fn session(preferences: Value) -> Client {
    let driver = DRIVER.as_ref().unwrap_or_else(|why| panic!("{why}"));
    let mut chrome = json!({ "args": FLAGS, "prefs": preferences });
    // On macOS it is an application, which the driver finds by itself.
    match BROWSERS.iter().find_map(|name| on_path(name)) {
        Some(path) => chrome["binary"] = json!(path),
        None if cfg!(target_os = "macos") => {}
        None => panic!("{MISSING}"),
    }
    let capabilities = json!({ "goog:chromeOptions": chrome, "goog:loggingPrefs": { "browser": "ALL" } });
    let capabilities: Capabilities = serde_json::from_value(capabilities).expect("an object");
    let connected = ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&driver.url).await;
    connected.unwrap_or_else(|error| panic!("Chromium does not start: {error}"))
}

fn on_path(program: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "no setting: the search path of the test itself")]
    let path = std::env::var("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| Path::is_file(file));
    found.and_then(|file| file.to_str().map(str::to_owned))
}
