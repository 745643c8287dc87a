//! `TwiML`, as far as the sandbox follows it: what is played, and when it hangs up.

use quick_xml::{
    Reader,
    escape::resolve_predefined_entity,
    events::{BytesRef, Event},
};

/// What a script asks for. All other verbs take no time and do nothing here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// The address of an audio file.
    Play(String),
    Hangup,
}

/// The verbs of a script in their order, those inside of other verbs too.
pub(super) fn parse(twiml: &str) -> Result<Vec<Verb>, String> {
    let mut reader = Reader::from_str(twiml);
    reader.config_mut().expand_empty_elements = true;
    let mut verbs = Vec::new();
    let mut open = Vec::new();
    let mut text = String::new();
    let mut is_over = false;
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(tag) => {
                let name = tag.name().as_ref().to_owned();
                if open.is_empty() && (is_over || name != "Response") {
                    return Err(format!("<{name}> stands where only one <Response> may"));
                }
                open.push(name);
                text.clear();
            }
            Event::End(_) => {
                let url = std::mem::take(&mut text).trim().to_owned();
                match open.pop().as_deref() {
                    Some("Play") if !url.is_empty() => verbs.push(Verb::Play(url)),
                    Some("Hangup") => verbs.push(Verb::Hangup),
                    _ => {}
                }
                is_over = open.is_empty();
            }
            Event::Text(part) => text.push_str(&part),
            Event::CData(part) => text.push_str(&part),
            Event::GeneralRef(reference) => text.push_str(&resolved(&reference)?),
            Event::Eof if is_over => return Ok(verbs),
            Event::Eof => return Err("it ends before </Response>".to_owned()),
            _ => {}
        }
        if open.is_empty() && !text.trim().is_empty() {
            return Err("there is text outside of <Response>".to_owned());
        }
    }
}

fn resolved(reference: &BytesRef<'_>) -> Result<String, String> {
    if let Some(character) = reference.resolve_char_ref().map_err(|error| error.to_string())? {
        return Ok(character.to_string());
    }
    let known = resolve_predefined_entity(reference);
    known.map(str::to_owned).ok_or_else(|| format!("&{}; is not known", &**reference))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(url: &str) -> Verb {
        Verb::Play(url.to_owned())
    }

    #[test]
    fn what_is_played_is_found() {
        for (twiml, verbs) in [
            ("<Response/>", vec![]),
            (
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response>\n<Play> http://a/1 </Play></Response>\n",
                vec![play("http://a/1")],
            ),
            ("<Response><Play loop='2'>http://a/1?b=1&amp;c=&#50;</Play></Response>", vec![play("http://a/1?b=1&c=2")]),
            ("<Response><Play><![CDATA[http://a/1?b&c]]></Play></Response>", vec![play("http://a/1?b&c")]),
            ("<Response><Gather><Say>One</Say><Play>http://a/1</Play></Gather></Response>", vec![play("http://a/1")]),
            ("<Response><Say>Hello</Say><Pause length=\"2\"/><Play digits=\"1\"/></Response>", vec![]),
            (
                "<Response><Hangup/><!-- late --><Play>http://a/1</Play></Response>",
                vec![Verb::Hangup, play("http://a/1")],
            ),
        ] {
            assert_eq!(parse(twiml), Ok(verbs), "{twiml}");
        }
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for twiml in [
            "",
            "Hello",
            "<Response>",
            "<Response><Play>http://a/1</Response>",
            "<Response><Play>http://a/1</Play>",
            "<Play>http://a/1</Play>",
            "<Response/><Response/>",
            "<Response/>Hello",
            "<Response><Say>you & me</Say></Response>",
            "<Response><Say>&nbsp;</Say></Response>",
        ] {
            assert!(parse(twiml).is_err(), "{twiml}");
        }
    }
}
