//! The file that the sandbox's state is appended to: one JSON line for each change, with all that is known of what
//! changed.

use std::{
    fs::{File, OpenOptions, Permissions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{accounts::Account, calls::Call, elevenlabs::Synthesis, incoming_numbers::OwnNumber, messages::Message};

/// Owner only: callback URLs carry the reference that makes a callback believed.
const MODE: u32 = 0o600;

/// A change. Messages, by far the most, stand there bare.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Line {
    Account { account: Account },
    Number { number: OwnNumber },
    Call { call: Box<Call> },
    Synthesis { synthesis: Box<Synthesis> },
    Message(Box<Message>),
}

impl From<Account> for Line {
    fn from(account: Account) -> Self {
        Self::Account { account }
    }
}

impl From<OwnNumber> for Line {
    fn from(number: OwnNumber) -> Self {
        Self::Number { number }
    }
}

impl From<Call> for Line {
    fn from(call: Call) -> Self {
        Self::Call { call: Box::new(call) }
    }
}

impl From<Synthesis> for Line {
    fn from(synthesis: Synthesis) -> Self {
        Self::Synthesis { synthesis: Box::new(synthesis) }
    }
}

impl From<Message> for Line {
    fn from(message: Message) -> Self {
        Self::Message(Box::new(message))
    }
}

pub(super) struct Journal {
    file: File,
    /// Where the last whole line ends.
    length: u64,
}

impl Journal {
    /// The journal at `path` and the changes in it, in their order.
    ///
    /// A last line without its end is what a kill in the middle of a write leaves: it is cut off. Any other unreadable
    /// line is an error, because what follows it would be told wrongly.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<Line>)> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(path)?;
        file.set_permissions(Permissions::from_mode(MODE))?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let whole = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines = read(&content[..whole])?;
        let length = whole as u64;
        file.set_len(length)?;
        Ok((Self { file, length }, lines))
    }

    pub(super) fn append(&mut self, line: &Line) -> io::Result<()> {
        let mut line = serde_json::to_vec(line)?;
        line.push(b'\n');
        if let Err(error) = self.file.write_all(&line) {
            // Half a line in the middle would make the file unreadable at the next start.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += line.len() as u64;
        Ok(())
    }

    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.length = 0;
        Ok(())
    }
}

fn read(lines: &[u8]) -> io::Result<Vec<Line>> {
    let lines = lines.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    lines
        .map(|(number, line)| {
            serde_json::from_slice(line)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("line {}: {error}", number + 1)))
        })
        .collect()
}
