//! What happens while a call is answered: its script is found, read and followed.

use super::{
    super::{callback::Webhook, destination::read, life::Change, living::Living, state::Shared},
    Call,
    audio::Audio,
    life::Status,
    script::{self, Verb},
};

/// Twilio's own limit for a script that it fetches, in bytes.
const LARGEST_TWIML: usize = 64 * 1024;

/// The content types that Twilio reads as a script.
const TWIML_TYPES: [&str; 3] = ["text/xml", "application/xml", "text/html"];

/// What a script has come to.
#[derive(Default)]
struct Performance {
    /// The script, if it was fetched.
    twiml: Option<String>,
    audio: Vec<Audio>,
    error_code: Option<u32>,
}

/// Follows the script of an answered call and writes down what became of it; nothing of it if the sandbox stops.
pub(super) async fn perform(shared: &Shared, call: &Call) {
    let performance = tokio::select! {
        () = shared.stop.cancelled() => return,
        performance = Performance::of(shared, call) => performance,
    };
    shared.change(&call.vitals.sid, |current: &mut Call| {
        // Another script may have come in between, and is to be followed now.
        if current.performed || current.script != call.script {
            return Change::Nothing;
        }
        current.performed = true;
        current.script.twiml = performance.twiml.or(current.script.twiml.take());
        current.audio.extend(performance.audio);
        if current.vitals.status == Status::InProgress {
            current.vitals.error_code = performance.error_code;
        }
        Change::Made
    });
}

impl Performance {
    async fn of(shared: &Shared, call: &Call) -> Self {
        let mut performance = Self::default();
        let twiml = match (&call.script.url, &call.script.twiml) {
            (Some(url), _) => fetch(shared, call, url).await,
            (None, twiml) => Ok(twiml.clone().unwrap_or_default()),
        };
        let result = match twiml {
            Ok(twiml) => {
                let result = performance.follow(shared, &twiml).await;
                performance.twiml = call.script.url.as_ref().map(|_| twiml);
                result
            }
            Err(problem) => Err(problem),
        };
        if let Err((code, reason)) = result {
            tracing::warn!(
                event = "sandbox.call.script_failed",
                sid = call.vitals.sid,
                code,
                reason,
                "the script of {} was not followed: {reason}",
                call.vitals.sid
            );
            performance.error_code = code;
        }
        performance
    }

    async fn follow(&mut self, shared: &Shared, twiml: &str) -> Result<(), Problem> {
        for verb in script::parse(twiml).map_err(|error| (Some(12100), error))? {
            let Verb::Play(url) = verb else {
                break;
            };
            let (audio, code) = Audio::fetch(shared, &url).await;
            self.audio.push(audio);
            if code.is_some() {
                return Err((code, "an audio file cannot be played".to_owned()));
            }
        }
        Ok(())
    }
}

/// Twilio's code for what went wrong, if Twilio would say so, and the reason in words.
type Problem = (Option<u32>, String);

/// Asks `url` for the script, as Twilio does when a call is answered.
async fn fetch(shared: &Shared, call: &Call, url: &str) -> Result<String, Problem> {
    let request = Webhook::of(shared, url, call.identity(), Call::SIGNS_HTTPS_PORT).await;
    let request = request.map_err(|reason| (None, format!("nothing leaves this machine: {reason}")))?;
    let unreachable = |error: reqwest::Error| (Some(11200), format!("it cannot be reached: {}", error.without_url()));
    let answer = request.post(&shared.client).await.map_err(unreachable)?;
    let status = answer.status();
    if !status.is_success() {
        return Err((Some(11200), format!("the answer was HTTP {}", status.as_u16())));
    }
    let (content_type, body, bytes) = read(answer, LARGEST_TWIML).await.map_err(unreachable)?;
    if !TWIML_TYPES.contains(&content_type.as_str()) {
        return Err((Some(12300), format!("the content type {content_type:?} is not TwiML")));
    }
    if bytes > LARGEST_TWIML {
        return Err((Some(11750), format!("it has {bytes} bytes")));
    }
    String::from_utf8(body).map_err(|error| (Some(12100), error.to_string()))
}
