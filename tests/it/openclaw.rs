//! The configuration of Path B: real files load, and whatever would be otherwise than somebody thinks is said, all of it
//! at once, and without a secret.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use mission_control::auth::Role;
use mission_control::config::Environment;
use mission_control::gateway::openclaw::{Findings, InboundPolicy, Loaded, Severity, load};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use crate::support::program;
use crate::support::service::Service;

const SID: &str = "AC0123456789abcdef0123456789abcdef";
const TOKEN: &str = "fedcba9876543210fedcba9876543210";
const CONFIG: &str = "plugins.entries.voice-call.config";

/// The runbook's first step, as it stands there.
const RUNBOOK: &str = r#"{
  "plugins": {
    "entries": {
      "voice-call": {
        "enabled": true,
        "config": {
          "provider": "twilio",
          "twilio": {
            "accountSid": "${TWILIO_ACCOUNT_SID}",
            "authToken": "${TWILIO_AUTH_TOKEN}"
          },
          "fromNumber": "${TWILIO_PHONE_NUMBER}",
          "serve": { "path": "/voice/webhook" }
        }
      }
    }
  }
}
"#;

fn environment() -> Environment {
    Environment::of([
        ("TWILIO_ACCOUNT_SID", SID),
        ("TWILIO_AUTH_TOKEN", TOKEN),
        ("TWILIO_PHONE_NUMBER", "+14155550100"),
        ("TWILIO_FROM_NUMBER", "+14155550100"),
    ])
}

/// A folder with an openclaw.json in it.
struct Installation {
    folder: TempDir,
}

impl Installation {
    fn with(text: &str) -> Self {
        let installation = Self { folder: tempfile::tempdir().expect("a folder") };
        installation.write("openclaw.json", text);
        installation
    }

    /// A configuration that can be served, with these lines more in `config`.
    fn around(lines: &str) -> Self {
        Self::with(&entry(&format!("{BASE}, {lines}")))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that only its owner reads.
    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("permissions");
    }

    fn load(&self) -> Result<Loaded, Findings> {
        load(&self.path("openclaw.json"), &environment())
    }

    fn loaded(&self) -> Loaded {
        self.load().unwrap_or_else(|findings| panic!("{findings}"))
    }

    /// The paths of the errors.
    fn refused(&self) -> Vec<String> {
        let findings = self.findings();
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
        errors.map(|finding| finding.path.clone()).collect()
    }

    fn findings(&self) -> Findings {
        self.load().expect_err("something stands in the way")
    }

    /// The paths of the warnings of what can be served.
    fn warned(&self) -> Vec<String> {
        self.loaded().warnings.into_iter().map(|finding| finding.path).collect()
    }
}

const BASE: &str = "enabled: true, provider: 'twilio', publicUrl: 'https://voice.acme.io/voice/webhook'";

fn entry(config: &str) -> String {
    format!("{{ plugins: {{ entries: {{ 'voice-call': {{ enabled: true, config: {{ {config} }} }} }} }} }}")
}

fn token(loaded: &Loaded) -> &str {
    #[expect(clippy::disallowed_methods, reason = "the test compares what was read")]
    loaded.voice_call.auth_token.expose_secret()
}

#[test]
fn the_runbooks_six_lines_stop_with_the_two_lines_to_add() {
    let installation = Installation::with(RUNBOOK);
    let findings = installation.findings();
    assert_eq!(installation.refused(), [format!("{CONFIG}.enabled"), format!("{CONFIG}.publicUrl")], "{findings}");
    let lines: Vec<String> = findings.iter().filter_map(|finding| finding.line.clone()).collect();
    assert_eq!(lines, ["\"enabled\": true,", "\"publicUrl\": \"https://voice.example.com/voice/webhook\","]);
    let said = findings.to_string();
    let (_, paste) = said.split_once("\nAdd to plugins.entries.voice-call.config:\n\n").expect("lines to paste");

    // Pasted as they stand, they are all that was missing.
    let pasted = RUNBOOK.replacen("\"config\": {\n", &format!("\"config\": {{\n{paste}"), 1);
    installation.write("openclaw.json", &pasted);
    let loaded = installation.loaded();
    assert_eq!(loaded.voice_call.account_sid, SID);
    assert_eq!(token(&loaded), TOKEN);
    assert_eq!(loaded.voice_call.from_number.as_str(), "+14155550100");
    assert!(serde_json::from_str::<serde_json::Value>(&pasted).is_ok(), "still JSON: {pasted}");
}

#[test]
fn the_file_of_a_whole_installation_loads() {
    let installation = Installation::with(
        r#"// written by hand
        {
          agents: { list: [{ id: "main" }, { id: "front-desk" }], defaults: { model: "${NOT_SET_AND_NOT_OURS}" } },
          channels: { telegram: { botToken: { source: "exec", provider: "pass", id: "telegram" } } },
          $schema: "whatever",
          messages: { tts: { provider: "elevenlabs", elevenlabs: { apiKey: "${ELEVENLABS_API_KEY}" } } },
          gateway: { port: 18789, },
          plugins: {
            allow: ["telegram", "voice-call"],
            entries: {
              telegram: { enabled: true, config: { anything: ["goes"] } },
              "voice-call": {
                enabled: true,
                hooks: { allowPromptInjection: false },
                config: {
                  enabled: true,
                  provider: "twilio",
                  agentId: "front-desk",
                  sessionScope: "per-phone",
                  fromNumber: "+15550001234",
                  toNumber: "+15550005678",
                  twilio: { accountSid: "${TWILIO_ACCOUNT_SID}", authToken: "${TWILIO_AUTH_TOKEN}", region: "ie1" },
                  inboundPolicy: "allowlist",
                  allowFrom: ["+15550005678"],
                  inboundGreeting: "Hello! How can I help?",
                  numbers: {
                    "+15550009999": {
                      inboundGreeting: "Silver Fox Cards, how can I help?",
                      responseSystemPrompt: "You are a concise baseball card specialist.",
                      tts: { providers: { openai: { speakerVoice: "alloy" } } },
                    },
                  },
                  serve: { port: 3334, path: "/voice/webhook" },
                  publicUrl: "https://voice.acme.io/voice/webhook",
                  webhookSecurity: { allowedHosts: ["voice.acme.io"], trustedProxyIPs: ["100.64.0.1"] },
                  tunnel: { provider: "none" },
                  tailscale: { mode: "off" },
                  outbound: { defaultMode: "notify", notifyHangupDelaySec: 3 },
                  streaming: { enabled: false, streamPath: "/voice/stream", maxConnections: 128 },
                  realtime: { enabled: false, provider: "google", providers: { google: { model: "gemini" } } },
                  tts: { providers: { elevenlabs: { apiKey: "${ELEVENLABS_API_KEY}", modelId: "eleven_v3" } } },
                  maxDurationSeconds: 3e2,
                  responseTimeoutMs: 30000,
                  store: "~/calls",
                },
              },
            },
          },
        }"#,
    );
    let ignored = ["agentId", "responseTimeoutMs", "sessionScope", "store", "tts"].map(|key| format!("{CONFIG}.{key}"));
    let nested =
        ["numbers.+1••••••9999.responseSystemPrompt", "numbers.+1••••••9999.tts", "outbound.notifyHangupDelaySec"];
    let mut expected = ignored.to_vec();
    expected.extend(nested.map(|key| format!("{CONFIG}.{key}")));
    assert_eq!(installation.warned(), expected);
}

#[test]
fn an_unknown_key_is_refused_with_its_path_and_the_nearest_name() {
    for (lines, path, nearest) in [
        ("publicURL: 'x'", "publicURL", "publicUrl?"),
        ("twilio: { acountSid: 'x' }", "twilio.acountSid", "accountSid?"),
        ("serve: { prot: 1 }", "serve.prot", "port?"),
        ("authToken: 'x'", "authToken", "twilio.authToken?"),
        ("numbers: { '+14155550132': { greeting: 'x' } }", "numbers.+1••••••0132.greeting", "Take it out"),
        (
            "numbers: { '+14155550132': { inboundGreting: 'x' } }",
            "numbers.+1••••••0132.inboundGreting",
            "inboundGreeting?",
        ),
        ("outbound: { mode: 'notify' }", "outbound.mode", "Take it out"),
        ("webhookSecurity: { trustedProxyIps: [] }", "webhookSecurity.trustedProxyIps", "trustedProxyIPs?"),
        ("streaming: { enable: false }", "streaming.enable", "enabled?"),
        ("tunnel: { providr: 'none' }", "tunnel.providr", "provider?"),
    ] {
        let installation = Installation::around(lines);
        assert_eq!(installation.refused(), [format!("{CONFIG}.{path}")], "{lines}");
        let said = installation.findings().to_string();
        assert!(said.contains(nearest), "{lines}: {said}");
    }
}

#[test]
fn an_old_key_is_refused_with_its_new_name() {
    for (lines, path, new) in [
        ("twilio: { from: '+14155550132' }", "twilio.from", "Move its value to fromNumber;"),
        ("streaming: { sttProvider: 'openai' }", "streaming.sttProvider", "to streaming.provider;"),
        ("streaming: { sttModel: 'x' }", "streaming.sttModel", "to streaming.providers.openai.model;"),
        (
            "realtime: { agentContext: { includeSystemPrompt: true } }",
            "realtime.agentContext.includeSystemPrompt",
            "doctor",
        ),
    ] {
        let installation = Installation::around(lines);
        assert_eq!(installation.refused(), [format!("{CONFIG}.{path}")], "{lines}");
        assert!(installation.findings().to_string().contains(new), "{lines}");
    }
}

#[test]
fn what_openclaw_would_do_otherwise_is_refused() {
    for (lines, path) in [
        ("streaming: { enabled: true }", "streaming.enabled"),
        ("realtime: { enabled: true }", "realtime.enabled"),
        ("tunnel: { provider: 'ngrok' }", "tunnel.provider"),
        ("tailscale: { mode: 'funnel' }", "tailscale.mode"),
        ("provider: 'telnyx'", "provider"),
        ("provider: ''", "provider"),
        ("skipSignatureVerification: true", "skipSignatureVerification"),
        ("enabled: false", "enabled"),
    ] {
        let installation = Installation::around(lines);
        assert_eq!(installation.refused(), [format!("{CONFIG}.{path}")], "{lines}");
    }
    for lines in ["skipSignatureVerification: false", "streaming: { enabled: false }", "tunnel: { provider: 'none' }"] {
        assert!(Installation::around(lines).warned().is_empty(), "{lines}");
    }
}

#[test]
fn a_plugin_that_openclaw_would_not_load_is_refused() {
    let off = entry(BASE).replace("'voice-call': { enabled: true", "'voice-call': { enabled: false");
    assert_eq!(Installation::with(&off).refused(), ["plugins.entries.voice-call.enabled"]);
    let unsaid = entry(BASE).replace("'voice-call': { enabled: true,", "'voice-call': {");
    assert_eq!(Installation::with(&unsaid).warned(), ["plugins.entries.voice-call.enabled"]);
    for (setting, path) in [
        ("enabled: false", "plugins.enabled"),
        ("allow: ['telegram']", "plugins.allow"),
        ("deny: ['voice-call']", "plugins.deny"),
    ] {
        let text = entry(BASE).replacen("plugins: {", &format!("plugins: {{ {setting},"), 1);
        assert_eq!(Installation::with(&text).refused(), [path]);
    }
    assert_eq!(Installation::with("{ plugins: { entries: {} } }").refused(), ["plugins.entries.voice-call"]);
    let no_config = "{ plugins: { entries: { 'voice-call': { enabled: true, provider: 'twilio' } } } }";
    let refused = Installation::with(no_config).refused();
    assert!(refused.contains(&"plugins.entries.voice-call.provider".to_owned()), "{refused:?}");
    assert!(refused.contains(&CONFIG.to_owned()), "{refused:?}");
}

#[test]
fn everything_is_said_at_once() {
    let installation = Installation::with(&entry(
        "provider: 'plivo', publicURL: 'x', twilio: { accountSid: 'AC1', authToken: 7, region: 'mars' }, \
         fromNumber: '555', allowFrom: ['+1 415 555 0132', 'x'], inboundPolicy: 'everybody', serve: { port: 70000, \
         bind: 'here', path: 'voice' }, maxDurationSeconds: 0, maxConcurrentCalls: 1.5, staleCallReaperSeconds: '2', \
         outbound: [], webhookSecurity: { trustedProxyIPs: ['10.0.0.0/8'], allowedHosts: ['https://a'] }, \
         streaming: { enabled: 'no' }",
    ));
    let expected = [
        "serve.port",
        "serve.bind",
        "serve.path",
        "enabled",
        "publicURL",
        "streaming.enabled",
        "provider",
        "twilio.accountSid",
        "twilio.authToken",
        "twilio.region",
        "fromNumber",
        "inboundPolicy",
        "allowFrom[0]",
        "allowFrom[1]",
        "outbound",
        "maxDurationSeconds",
        "staleCallReaperSeconds",
        "maxConcurrentCalls",
        "webhookSecurity.allowedHosts[0]",
        "webhookSecurity.trustedProxyIPs[0]",
        "publicUrl",
    ];
    assert_eq!(installation.refused(), expected.map(|path| format!("{CONFIG}.{path}")));
}

#[test]
fn numbers_are_taken_as_e164_writes_them_and_not_otherwise() {
    for text in
        ["4155550132", "+1 415 555 0132", "+1(415)5550132", "tel:+14155550132", "+０１４１５", "+1415555", "0132", "*"]
    {
        let installation = Installation::around(&format!("inboundPolicy: 'allowlist', allowFrom: ['{text}']"));
        assert_eq!(installation.refused(), [format!("{CONFIG}.allowFrom[0]")], "{text}");
    }
    let pairing = Installation::around("inboundPolicy: 'pairing', allowFrom: ['+14155550132']");
    assert_eq!(pairing.loaded().voice_call.inbound_policy, InboundPolicy::Allowlist);
    assert_eq!(pairing.warned(), [format!("{CONFIG}.inboundPolicy")]);
}

#[test]
fn what_works_and_surprises_is_a_warning() {
    for (lines, path) in [
        ("inboundPolicy: 'allowlist'", "inboundPolicy"),
        ("inboundPolicy: 'open'", "inboundPolicy"),
        ("serve: { bind: '0.0.0.0' }", "serve.bind"),
        ("serve: { path: '/other' }", "publicUrl"),
        ("publicUrl: 'http://voice.acme.io/voice/webhook'", "publicUrl"),
        ("outbound: { defaultMode: 'conversation' }", "outbound.defaultMode"),
        ("webhookSecurity: { trustForwardingHeaders: true }", "webhookSecurity.trustForwardingHeaders"),
        ("webhookSecurity: { allowedHosts: ['voice.acme.io'] }", "webhookSecurity.allowedHosts"),
        ("webhookSecurity: { trustedProxyIPs: ['127.0.0.1'] }", "webhookSecurity.trustedProxyIPs"),
    ] {
        // A key that is there twice is a warning, too.
        let warned: Vec<String> = Installation::around(lines).warned();
        assert!(warned.contains(&format!("{CONFIG}.{path}")), "{lines}: {warned:?}");
    }
    for address in
        ["https://127.0.0.1/voice/webhook", "https://10.1.2.3/", "https://u:p@voice.acme.io/", "voice.acme.io"]
    {
        let installation = Installation::around(&format!("publicUrl: '{address}'"));
        assert!(installation.refused().contains(&format!("{CONFIG}.publicUrl")), "{address}");
    }
}

#[test]
fn the_sender_is_not_taken_from_a_variable_that_openclaw_does_not_read() {
    let installation = Installation::around("toNumber: '+14155550132'");
    let mut environment = environment();
    environment.set("TWILIO_FROM_NUMBER", "");
    let findings = load(&installation.path("openclaw.json"), &environment).expect_err("no sender");
    assert!(
        findings.to_string().contains("TWILIO_PHONE_NUMBER is set, but OpenClaw reads TWILIO_FROM_NUMBER"),
        "{findings}"
    );
    environment.set("TWILIO_PHONE_NUMBER", "");
    let findings = load(&installation.path("openclaw.json"), &environment).expect_err("no sender");
    assert!(!findings.to_string().contains("TWILIO_PHONE_NUMBER"), "{findings}");
}

#[test]
fn files_are_merged_where_they_are_included() {
    let installation = Installation::with(
        "{ $include: ['./base.json5', 'sub/more.json5'], plugins: { entries: { 'voice-call': { config: { toNumber: '+14155550102' } } } } }",
    );
    installation.write("base.json5", &entry(&format!("{BASE}, allowFrom: ['+14155550101'], toNumber: '+14155550101'")));
    installation.write(
        "sub/more.json5",
        &entry(
            "inboundPolicy: 'allowlist', serve: { $include: './serve.json5', port: 4001 }, allowFrom: ['+14155550103']",
        ),
    );
    installation.write("sub/serve.json5", "{ port: 4000, bind: '::1' }");
    let voice_call = installation.loaded().voice_call;
    assert_eq!(
        voice_call.to_number.map(|number| number.to_string()).as_deref(),
        Some("+14155550102"),
        "the own key wins"
    );
    assert_eq!(voice_call.allow_from.len(), 2, "lists are joined");
    assert_eq!((voice_call.serve.port, voice_call.serve.bind.to_string()), (4001, "::1".to_owned()));
}

#[test]
fn includes_stay_in_the_folder_and_come_to_an_end() {
    let outside = tempfile::tempdir().expect("a folder");
    let secret = outside.path().join("secret.json5");
    fs::write(&secret, "{ enabled: true }").expect("a file");
    let installation = Installation::with("{}");
    let inside = installation.folder.path();
    symlink(&secret, inside.join("link.json5")).expect("a link");
    installation.write("again.json5", "{ $include: './again.json5' }");
    for step in 0..20 {
        installation.write(&format!("step{step}.json5"), &format!("{{ $include: './step{}.json5' }}", step + 1));
    }
    installation.write("step20.json5", "{}");
    let escape = format!("../{}/secret.json5", outside.path().file_name().expect("a name").to_string_lossy());
    for (name, why) in [
        (secret.to_str().expect("a path"), "outside"),
        (&escape, "outside"),
        ("link.json5", "outside"),
        ("missing.json5", "cannot be read"),
        ("again.json5", "includes it again"),
        ("step0.json5", "more than 10 steps"),
        (".", "regular file"),
    ] {
        installation.write("openclaw.json", &entry(&format!("{BASE}, twilio: {{ $include: '{name}' }}")));
        let findings = installation.findings();
        assert_eq!(installation.refused(), [format!("{CONFIG}.twilio")], "{name}: {findings}");
        assert!(findings.to_string().contains(why), "{name}: {findings}");

        // Where it is none of ours, OpenClaw will say it.
        let elsewhere = entry(BASE).replacen('{', &format!("{{ agents: {{ $include: '{name}' }},"), 1);
        installation.write("openclaw.json", &elsewhere);
        assert_eq!(installation.warned(), ["agents"], "{name}");
    }
}

#[test]
fn variables_come_from_the_environment_and_from_the_file_beside() {
    let installation = Installation::around("toNumber: '${CALLEE}', inboundGreeting: 'Pay $${AMOUNT} now'");
    assert_eq!(installation.refused(), [format!("{CONFIG}.toNumber")]);
    assert!(installation.findings().to_string().contains("CALLEE"));
    installation.write(".env", "CALLEE='+14155550102'\nTWILIO_AUTH_TOKEN=not-this-one\n");
    let loaded = installation.loaded();
    assert_eq!(loaded.voice_call.to_number.as_ref().map(ToString::to_string).as_deref(), Some("+14155550102"));
    assert_eq!(loaded.voice_call.inbound_greeting.as_deref(), Some("Pay ${AMOUNT} now"));
    assert_eq!(token(&loaded), TOKEN, "the environment itself counts more");
}

#[test]
fn secrets_are_found_where_they_are_referred_to() {
    let installation = Installation::with("{}");
    installation.write("secrets.json", r#"{ "twilio": { "auth/token": "from-the-file" } }"#);
    installation.write("token", "from-the-single-value\r\n");
    let json = installation.path("secrets.json");
    let single = installation.path("token");
    let providers = format!(
        "secrets: {{ providers: {{ vault: {{ source: 'file', path: '{}' }}, one: {{ source: 'file', mode: 'singleValue', \
         path: '{}' }}, some: {{ source: 'env', allowlist: ['OTHER'] }} }} }}",
        json.display(),
        single.display()
    );
    let with = |reference: &str| {
        let text = entry(&format!("{BASE}, twilio: {{ authToken: {reference} }}"));
        installation.write("openclaw.json", &text.replacen('{', &format!("{{ {providers},"), 1));
    };
    for (reference, expected) in [
        ("{ source: 'env', provider: 'default', id: 'TWILIO_AUTH_TOKEN' }", TOKEN),
        ("{ source: 'env', id: 'TWILIO_AUTH_TOKEN' }", TOKEN),
        ("'$TWILIO_AUTH_TOKEN'", TOKEN),
        ("'PLACEHOLDER'", TOKEN),
        ("{ source: 'file', provider: 'vault', id: '/twilio/auth~1token' }", "from-the-file"),
        ("{ source: 'file', provider: 'one', id: 'value' }", "from-the-single-value"),
    ] {
        with(reference);
        assert_eq!(token(&installation.loaded()), expected, "{reference}");
    }
    for reference in [
        "{ source: 'exec', provider: 'pass', id: 'twilio' }",
        "{ source: 'store', provider: 'default', id: 'twilio' }",
        "{ source: 'env', provider: 'default', id: 'NOT_SET' }",
        "{ source: 'env', provider: 'some', id: 'TWILIO_AUTH_TOKEN' }",
        "{ source: 'env', provider: 'vault', id: 'TWILIO_AUTH_TOKEN' }",
        "{ source: 'file', provider: 'none', id: '/twilio' }",
        "{ source: 'file', provider: 'vault', id: '/twilio' }",
        "{ source: 'file', provider: 'vault', id: '/nothing/here' }",
        "{ source: 'file', provider: 'one', id: '/twilio' }",
        "{ id: 'TWILIO_AUTH_TOKEN' }",
        "'secretref-env:TWILIO_AUTH_TOKEN'",
        "'${NOT_SET}'",
        "['x']",
    ] {
        with(reference);
        assert_eq!(installation.refused(), [format!("{CONFIG}.twilio.authToken")], "{reference}");
    }
    with("{ source: 'file', provider: 'one', id: 'value' }");
    fs::set_permissions(&single, Permissions::from_mode(0o644)).expect("permissions");
    assert!(installation.findings().to_string().contains("chmod 600"), "{}", installation.findings());
}

#[test]
fn an_empty_token_never_becomes_a_key() {
    for token in ["''", "'   '", "'PLACEHOLDER_TOKEN'", "null"] {
        let installation = Installation::around(&format!("twilio: {{ authToken: {token} }}"));
        let mut environment = environment();
        environment.set("TWILIO_AUTH_TOKEN", "");
        let findings = load(&installation.path("openclaw.json"), &environment).expect_err("no token");
        assert!(findings.iter().any(|finding| finding.path.ends_with("twilio.authToken")), "{token}: {findings}");
    }
}

#[test]
fn a_secret_that_is_written_out_is_told_and_never_repeated() {
    let installation = Installation::around(&format!(
        "twilio: {{ authToken: '{TOKEN}' }}, tts: {{ providers: {{ elevenlabs: {{ apiKey: '{TOKEN}' }} }} }}"
    ));
    let written_out = [format!("{CONFIG}.tts.providers.elevenlabs.apiKey"), format!("{CONFIG}.twilio.authToken")];
    let warned = installation.warned();
    assert!(written_out.iter().all(|path| warned.contains(path)), "{warned:?}");
    let file = installation.path("openclaw.json");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("permissions");
    let open = file.canonicalize().expect("a path").display().to_string();
    assert!(installation.warned().contains(&open));

    // Wherever it is pasted by mistake, it is not repeated.
    for lines in [
        format!("twilio: {{ accountSid: '{TOKEN}' }}"),
        format!("twilio: {{ region: '{TOKEN}' }}"),
        format!("provider: '{TOKEN}', fromNumber: '{TOKEN}', allowFrom: ['{TOKEN}'], inboundPolicy: '{TOKEN}'"),
        format!("serve: {{ bind: '{TOKEN}', path: '{TOKEN}', port: '{TOKEN}' }}, publicUrl: 'https://u:{TOKEN}@a.io/'"),
        format!("webhookSecurity: {{ allowedHosts: ['/{TOKEN}'], trustedProxyIPs: ['{TOKEN}'] }}"),
        format!("twilio: '{TOKEN}' '{TOKEN}'"),
        format!("twilio: {TOKEN}"),
    ] {
        let installation = Installation::around(&lines);
        let findings = installation.findings();
        let debugged = format!("{findings:?}{findings}");
        assert!(!debugged.contains(TOKEN), "{debugged}");
    }
    let loaded = Installation::around(&format!("twilio: {{ authToken: '{TOKEN}' }}")).loaded();
    assert!(!format!("{loaded:?}").contains(TOKEN));
}

fn check(file: &Path, variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let output = program::run(&["openclaw", "check", file.to_str().expect("a path")], variables, "");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_command_checks_what_it_printed_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("openclaw.json");
    let variables = [("TWILIO_ACCOUNT_SID", SID), ("TWILIO_AUTH_TOKEN", TOKEN), ("TWILIO_FROM_NUMBER", "+14155550100")];

    // As it stands, it names a host that is nobody's.
    let printed = program::run(&["openclaw", "init"], &[], "");
    assert!(printed.status.success());
    fs::write(&file, &printed.stdout).expect("a file");
    let (code, said, complaints) = check(&file, &variables);
    assert_eq!(code, Some(0), "{said}{complaints}");
    assert!(said.contains("is an example") && said.contains("can be served; 1 warning."), "{said}");

    let arguments = [
        "openclaw",
        "init",
        "--public-url",
        "https://voice.acme.io/hooks/voice/webhook2/",
        "--from-number",
        "+14155550100",
        "--allow",
        "+14155550132",
        "--allow",
        "+14155550133",
    ];
    let printed = program::run(&arguments, &[], "");
    assert!(printed.status.success());
    fs::write(&file, &printed.stdout).expect("a file");
    let (code, said, complaints) = check(&file, &variables[..2]);
    assert_eq!(code, Some(0), "{said}{complaints}");
    assert!(said.contains("can be served; 0 warnings."), "{said}");
    for line in [
        "Listens on 127.0.0.1:3334 and serves POST /hooks/voice/webhook2, nothing else.",
        "May call: 2 numbers.",
        "A call comes in: Webhook, HTTP POST, https://voice.acme.io/hooks/voice/webhook2/\n",
        "Call status changes: HTTP POST, https://voice.acme.io/hooks/voice/webhook2/?type=status\n",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }

    for address in ["https://127.0.0.1/x", "nothing", "https://voice.acme.io/a%20b"] {
        let refused = program::run(&["openclaw", "init", "--public-url", address], &[], "");
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0), "{address}");
    }
}

#[test]
fn the_command_ends_with_what_it_found() {
    let installation = Installation::with(RUNBOOK);
    let file = installation.path("openclaw.json");
    let (code, said, complaints) = check(&file, &[]);
    assert_eq!(code, Some(1), "{said}{complaints}");
    for variable in ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER"] {
        assert!(said.contains(&format!("needs the variable {variable}")), "{said}");
    }
    assert!(complaints.contains("cannot be served: 5 errors, 0 warnings."), "{complaints}");
    let (code, said, complaints) = check(&installation.path("not-there.json"), &[]);
    assert_eq!(code, Some(1), "{said}{complaints}");
    assert!(said.contains("not-there.json cannot be read"), "{said}");
    assert_eq!(program::run(&["openclaw", "check"], &[], "").status.code(), Some(2));
}

#[test]
fn the_example_is_a_file_that_openclaw_reads() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/openclaw.example.json5");
    let loaded = load(&example, &environment()).unwrap_or_else(|findings| panic!("{findings}"));
    assert_eq!(loaded.voice_call.inbound_policy, InboundPolicy::Disabled, "nobody may call until somebody says who");
    assert!(loaded.voice_call.serve.bind.is_loopback());
}

#[test]
fn the_commands_of_path_b_run_as_they_stand() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/path-b.md")).expect("the page");
    let blocks = page.split("```sh\n").skip(1).map(|rest| rest.split_once("```").expect("an end").0);
    let script: String = blocks.collect();
    let folder = tempfile::tempdir().expect("a folder");
    symlink(env!("CARGO_BIN_EXE_mission-control"), folder.path().join("mission-control")).expect("a link");
    let mut bash = Command::new("bash");
    bash.args(["-c", &format!("set -euo pipefail\nPATH=\"$PWD:$PATH\"\n{script}")]).current_dir(folder.path());
    bash.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let run = bash.env("TWILIO_ACCOUNT_SID", SID).env("TWILIO_AUTH_TOKEN", TOKEN).output().expect("bash");
    let (said, complaints) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}\n{complaints}");
    assert!(said.contains("openclaw.json can be served; 0 warnings."), "{said}\n{complaints}");
}

/// `openclaw call` with these arguments more, and what it said.
async fn call(file: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let file = file.to_str().expect("a path").to_owned();
    let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let arguments = [own(&["openclaw", "call", "--config", &file]), own(arguments)].concat();
    let variables: Vec<(String, String)> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let run = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        program::run(&arguments, &variables, "")
    });
    let output = run.await.expect("the program ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_the_plugin_goes_the_way_of_every_other_call() {
    let service = Service::start().await;
    let bearer = service.token("ada@example.com", Role::Admin).await;
    let installation = Installation::around("fromNumber: '+15005550006', toNumber: '+14155550132'");
    let file = installation.path("openclaw.json");
    let url = service.url("");
    let variables = [
        ("MISSION_CONTROL_PUBLIC_URL", url.as_str()),
        ("MISSION_CONTROL_TOKEN", bearer.as_str()),
        ("TWILIO_ACCOUNT_SID", SID),
        ("TWILIO_AUTH_TOKEN", TOKEN),
    ];
    let arguments = ["--message", "The backup has failed.", "--key", "backup-42"];
    let (code, said, complaints) = call(&file, &arguments, &variables).await;
    assert_eq!(code, Some(0), "{said}{complaints}");
    assert!(said.starts_with("A call to +1••••••0132 is "), "{said}");
    let approval = said.lines().find_map(|line| line.strip_prefix("Approve and follow it: ")).expect("an address");
    let (_, id) = approval.rsplit_once('/').expect("an id");
    assert_eq!(approval, service.url(&format!("/dashboard/operations/{id}")));

    let (code, again, complaints) = call(&file, &arguments, &variables).await;
    assert_eq!(code, Some(0), "{again}{complaints}");
    assert!(again.contains("nothing is sent twice") && again.contains(id), "{again}");

    let waiting = service.until(&bearer, id, "pending_approval").await;
    assert_eq!((&waiting["from"], &waiting["to"]), (&"+15005550006".into(), &"+14155550132".into()));
    let source: String = sqlx::query_scalar("select source from operations where id = $1::uuid")
        .bind(id)
        .fetch_one(&mut service.direct().await)
        .await
        .expect("its row");
    assert_eq!(source, "gateway");
    assert_eq!(service.ledger().await["calls"].as_array().map(Vec::len), Some(0), "nothing goes out unapproved");
    service.approve(&bearer, &waiting).await;
    service.until(&bearer, id, "delivered").await;
    let calls = service.ledger().await["calls"].clone();
    assert_eq!(calls.as_array().map(Vec::len), Some(1));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_cannot_be_asked_for_says_why() {
    let installation = Installation::around("fromNumber: '+15005550006'");
    let file = installation.path("openclaw.json");
    // Port 9 of loopback, where nobody is.
    let nobody = ("MISSION_CONTROL_PUBLIC_URL", "http://127.0.0.1:9");
    let credentials = [nobody, ("TWILIO_ACCOUNT_SID", SID), ("TWILIO_AUTH_TOKEN", TOKEN)];
    let with_token = [&credentials[..], &[("MISSION_CONTROL_TOKEN", "mc_x")]].concat();
    let message = ["--message", "Hello."];
    let to_somebody = ["--message", "Hello.", "--to", "+14155550132"];
    for (arguments, variables, why) in [
        (&message[..], &with_token[..], "Give --to, or set toNumber"),
        (&to_somebody[..], &credentials[..], "MISSION_CONTROL_TOKEN is not set"),
        (&to_somebody[..], &with_token[..], "nobody answers at http://127.0.0.1:9"),
    ] {
        let (code, said, complaints) = call(&file, arguments, variables).await;
        assert_eq!((code, said.as_str()), (Some(1), ""), "{complaints}");
        assert!(complaints.contains(why), "{complaints}");
    }
    let conversation = Installation::around("fromNumber: '+15005550006', outbound: { defaultMode: 'conversation' }");
    let (code, _, complaints) = call(&conversation.path("openclaw.json"), &to_somebody, &with_token).await;
    assert_eq!(code, Some(1));
    assert!(complaints.contains("outbound.defaultMode is conversation"), "{complaints}");
}
