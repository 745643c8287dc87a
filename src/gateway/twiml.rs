//! What a caller hears, as XML for Twilio.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

/// What Twilio does with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing: a replay, or a report.
    Nothing,
    /// The call is not picked up.
    Reject,
    /// The line is busy.
    Busy,
    /// The call ends.
    HangUp,
    /// A voice of Twilio's says it, then the call ends.
    Say(String),
    /// Twilio plays the recording at this address, then the call ends.
    Play(String),
}

impl Answer {
    /// The document.
    pub(super) fn document(&self) -> String {
        let mut writer = Writer::new(Vec::new());
        let written = writer
            .write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))
            .and_then(|()| self.write(&mut writer));
        // Writing text into memory does not fail.
        written.map_or_else(|_| String::new(), |()| String::from_utf8(writer.into_inner()).unwrap_or_default())
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let response = writer.create_element("Response");
        match self {
            Self::Nothing => response.write_empty()?,
            Self::Reject => response.write_inner_content(|inside| element(inside, "Reject"))?,
            Self::Busy => response.write_inner_content(|inside| {
                inside.create_element("Reject").with_attribute(("reason", "busy")).write_empty().map(|_| ())
            })?,
            Self::HangUp => response.write_inner_content(|inside| element(inside, "Hangup"))?,
            Self::Say(text) => response.write_inner_content(|inside| {
                inside.create_element("Say").write_text_content(BytesText::new(&sayable(text)))?;
                element(inside, "Hangup")
            })?,
            Self::Play(address) => response.write_inner_content(|inside| {
                inside.create_element("Play").write_text_content(BytesText::new(address))?;
                element(inside, "Hangup")
            })?,
        };
        Ok(())
    }
}

fn element(writer: &mut Writer<Vec<u8>>, name: &str) -> io::Result<()> {
    writer.create_element(name).write_empty().map(|_| ())
}

/// XML has no way to write most control characters, not even escaped; nobody would hear them either.
fn sayable(text: &str) -> String {
    let is_written = |character: char| !matches!(character, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}');
    text.chars().map(|character| if is_written(character) { character } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

    #[test]
    fn each_answer_is_what_twilio_reads() {
        for (answer, expected) in [
            (Answer::Nothing, "<Response/>"),
            (Answer::Reject, "<Response><Reject/></Response>"),
            (Answer::Busy, "<Response><Reject reason=\"busy\"/></Response>"),
            (Answer::HangUp, "<Response><Hangup/></Response>"),
            (Answer::Say("Hello".to_owned()), "<Response><Say>Hello</Say><Hangup/></Response>"),
            (
                Answer::Play("https://a.example/x?call=1&b".to_owned()),
                "<Response><Play>https://a.example/x?call=1&amp;b</Play><Hangup/></Response>",
            ),
        ] {
            assert_eq!(answer.document(), format!("{START}{expected}"));
        }
    }

    #[test]
    fn a_greeting_cannot_end_its_element_or_break_the_document() {
        let answer = Answer::Say("A</Say><Dial>+1</Dial>&\0\u{1}\u{ffff}\"'\t\n".to_owned());
        assert_eq!(
            answer.document(),
            format!(
                "{START}<Response><Say>A&lt;/Say&gt;&lt;Dial&gt;+1&lt;/Dial&gt;&amp;   &quot;&apos;\t\n</Say><Hangup/></Response>"
            )
        );
    }
}
