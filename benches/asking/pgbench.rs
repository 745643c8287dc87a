//! The measure: PostgreSQL's own load generator runs the statement that our product runs, on the same database.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;
use tokio::process::Command;

use crate::product::Product;

/// What stands in the statement that creates, and in no other.
const MARKER: &str = "insert into operations (";

/// Numbers an operation, over all clients and runs.
const NUMBERING: &str = "\\set i :i + 1\n\\set n (:run * 1000 + :client_id) * 10000000 + :i\n";

/// What takes the place of the statement's parameters, in their order: a variable, or made of the operation's number.
const VALUES: [&str; 28] = [
    "'0'",
    ":owner",
    "'sandbox'",
    "'twilio.send-sms'",
    "'pgbench-' || :n",
    "'+14155550132'",
    "sha256(('match ' || :n)::bytea)",
    "sha256(('request ' || :n)::bytea)",
    "lpad(to_hex(:n::bigint), 32, '0')",
    "'30'",
    "'sms'",
    "'false'",
    "'+15005550006'",
    "'Your driver ' || :n || ' is 10 minutes away.'",
    "sha256(('content ' || :n)::bytea)",
    "'1'",
    "'GSM-7'",
    ":token",
    "'api'",
    "null",
    "'pgbench-' || :n",
    "'held'",
    "'1 day'",
    "'1 hour'",
    "'admin@localhost'",
    "'127.0.0.1'",
    "encode(sha256(('content ' || :n)::bytea), 'hex')",
    "null",
];

/// pgbench, with our statement.
pub(crate) struct Pgbench {
    program: PathBuf,
    script: PathBuf,
    owner: String,
    token: String,
    runs: u16,
}

impl Pgbench {
    /// For whoever the one token of the product belongs to.
    pub(crate) async fn prepare(product: &Product) -> anyhow::Result<Self> {
        let script = product.folder.path().join("create.sql");
        fs::write(&script, format!("{NUMBERING}{};\n", statement()?))?;
        let (owner, token) =
            sqlx::query_as("select user_id::text, id::text from api_tokens").fetch_one(&product.db).await?;
        Ok(Self { program: program().await?, script, owner, token, runs: 0 })
    }

    /// Creations a second, each checked to have created.
    pub(crate) async fn create(&mut self, product: &Product, clients: u16, seconds: u16) -> anyhow::Result<f64> {
        self.runs += 1;
        let before = product.operations().await?;
        let database = product.postgres.connect_options();
        let output = Command::new(&self.program)
            .args(["--no-vacuum", "--protocol", "prepared", "--jobs", "2"])
            .args(["--client", &clients.to_string(), "--time", &seconds.to_string()])
            .args(["--define", "i=0", "--define", &format!("run={}", self.runs)])
            .args(["--define", &format!("owner={}", self.owner), "--define", &format!("token={}", self.token)])
            .arg("--file")
            .arg(&self.script)
            .arg("--host")
            .arg(database.get_socket().context("a socket")?)
            .args(["--port", "5432", "--username", database.get_username()])
            .arg(database.get_database().context("a database")?)
            .env("LC_ALL", "C")
            .output()
            .await?;
        let text = String::from_utf8(output.stdout)?;
        anyhow::ensure!(output.status.success(), "pgbench failed: {}", String::from_utf8_lossy(&output.stderr));
        let figure = |name: &str| {
            let rest = text.lines().find_map(|line| line.strip_prefix(name));
            rest.and_then(|rest| rest.split_whitespace().next()).with_context(|| format!("no {name:?} in: {text}"))
        };
        let ran: i64 = figure("number of transactions actually processed: ")?.parse()?;
        let made = product.operations().await? - before;
        anyhow::ensure!(made == ran, "{ran} statements of pgbench created {made} operations");
        Ok(figure("tps = ")?.parse()?)
    }
}

/// Our statement with pgbench's variables, from where sqlx's macros keep it.
fn statement() -> anyhow::Result<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).context(".sqlx")? {
        let query: Value = serde_json::from_slice(&fs::read(entry?.path())?)?;
        if query["query"].as_str().is_some_and(|text| text.contains(MARKER)) {
            found.push(query);
        }
    }
    let [query] = &found[..] else { anyhow::bail!("{} statements hold {MARKER:?}, not one", found.len()) };
    let types: Vec<_> = query["describe"]["parameters"]["Left"].as_array().into_iter().flatten().collect();
    anyhow::ensure!(
        types.len() == VALUES.len(),
        "the statement has {} parameters: VALUES fits it no more",
        types.len()
    );
    let mut parts = query["query"].as_str().unwrap_or_default().split('$');
    let mut statement = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let index = part[..digits].parse::<usize>()? - 1;
        let of_type = types[index].as_str().context("a type")?;
        write!(statement, "({})::{of_type}{}", VALUES[index], &part[digits..])?;
    }
    Ok(statement)
}

/// Beside PostgreSQL's other programs.
async fn program() -> anyhow::Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/postgres-bin.sh");
    let found = Command::new(script).output().await?;
    let program = Path::new(String::from_utf8(found.stdout)?.trim()).join("pgbench");
    anyhow::ensure!(program.is_file(), "pgbench is not beside PostgreSQL: {}", program.display());
    Ok(program)
}
