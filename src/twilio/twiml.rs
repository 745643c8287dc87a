//! `TwiML`: what Twilio does with a call, as XML in the request that places it.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

/// Most characters of inline `TwiML` that Twilio takes (Calls resource, parameter `Twiml`).
pub const LIMIT: usize = 4000;

/// Plays a recording, once, and hangs up. `None`: longer than Twilio takes.
pub fn play(url: &str) -> Option<String> {
    let mut writer = Writer::new(Vec::new());
    let written = writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None))).and_then(|()| {
        writer.create_element("Response").write_inner_content(|response| {
            response.create_element("Play").write_text_content(BytesText::new(url))?;
            Ok(())
        })?;
        Ok(())
    });
    // Writing into memory does not fail.
    written.ok()?;
    let text = String::from_utf8(writer.into_inner()).ok()?;
    (text.chars().count() <= LIMIT).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_cannot_end_its_element_or_change_its_meaning() {
        let written = play("https://example.com/a.mp3?sig=1&exp=2</Play><Say>x</Say>").expect("short");
        assert_eq!(
            written,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>\
             <Play>https://example.com/a.mp3?sig=1&amp;exp=2&lt;/Play&gt;&lt;Say&gt;x&lt;/Say&gt;</Play></Response>"
        );
    }

    #[test]
    fn the_limit_counts_what_is_written() {
        let around = play("").expect("short").len();
        assert!(play(&"a".repeat(LIMIT - around)).is_some());
        assert!(play(&"a".repeat(LIMIT - around + 1)).is_none());
        assert!(play(&"&".repeat(LIMIT / 4)).is_none(), "an ampersand takes five characters");
    }
}
