//! The sandbox's speech: a tone for each letter and silence for each gap, as MPEG-1 audio, layer III, mono, 44.1 kHz. Each
//! frame stands for itself (no bit reservoir), so that frames can be put one after the other.

const SAMPLE_RATE: u32 = 44_100;

/// Samples of a frame, an eighth of which are bytes for each bit of the rate.
const BYTES_FOR_EACH_BIT_A_SECOND: u32 = 144;

/// Frames for one character: 52 ms, so that 19 characters take a second, as in speech.
const FRAMES_FOR_EACH_CHARACTER: usize = 2;

/// Frames of silence at the end: half a second, so that the shortest text can be heard, too.
const FRAMES_AT_THE_END: usize = 20;

/// How loud a tone is: 210 would be as loud as it gets, each one less is 1.5 dB.
const GAIN: u32 = 202;

/// Bits a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BitRate {
    kilobits: u32,
    /// Its place in the table of bit rates of this layer.
    index: u8,
}

impl BitRate {
    /// One of the bit rates that `ElevenLabs` makes MP3 with.
    pub(super) fn of_kilobits(kilobits: u32) -> Option<Self> {
        let index = match kilobits {
            32 => 1,
            64 => 5,
            96 => 7,
            128 => 9,
            192 => 11,
            _ => return None,
        };
        Some(Self { kilobits, index })
    }
}

/// The text as audio, with a tone on this line of the spectrum.
pub(super) fn speak(text: &str, line: u32, rate: BitRate) -> Vec<u8> {
    let (tone, silence) = (Frames::new(rate, Some(line)), Frames::new(rate, None));
    let letters = text.chars().map(|letter| if letter.is_whitespace() { &silence } else { &tone });
    let frames = letters
        .flat_map(|frames| std::iter::repeat_n(frames, FRAMES_FOR_EACH_CHARACTER))
        .chain(std::iter::repeat_n(&silence, FRAMES_AT_THE_END));
    // A frame is a fraction of a byte too short for its rate: whenever these make a whole one, a frame is padded.
    let (mut audio, mut owed) = (Vec::new(), 0);
    for frames in frames {
        owed += BYTES_FOR_EACH_BIT_A_SECOND * rate.kilobits * 1_000 % SAMPLE_RATE;
        if owed >= SAMPLE_RATE {
            owed -= SAMPLE_RATE;
            audio.extend_from_slice(&frames.padded);
        } else {
            audio.extend_from_slice(&frames.bare);
        }
    }
    audio
}

/// A frame with and without a byte of padding.
struct Frames {
    bare: Vec<u8>,
    padded: Vec<u8>,
}

impl Frames {
    fn new(rate: BitRate, line: Option<u32>) -> Self {
        Self { bare: frame(rate, line, false), padded: frame(rate, line, true) }
    }
}

fn frame(rate: BitRate, line: Option<u32>, is_padded: bool) -> Vec<u8> {
    let mut bits = Bits::default();
    // Synchronisation, MPEG-1, layer III, no checksum; bit rate, 44.1 kHz, padding; one channel.
    bits.put(0b1111_1111_1111_1011, 16);
    bits.put(rate.index.into(), 4);
    bits.put(u32::from(is_padded) << 1, 4);
    bits.put(0b1100_0000, 8);
    // Main data begins right here; nothing private; no scale factors are shared.
    bits.put(0, 9 + 5 + 4);
    for _ in 0..2 {
        granule(&mut bits, line);
    }
    if let Some(line) = line {
        // The transform of a steady tone changes its sign with every granule.
        for sign in [0, 1] {
            tone(&mut bits, line, sign);
        }
    }
    let mut frame = bits.bytes;
    let length = BYTES_FOR_EACH_BIT_A_SECOND * rate.kilobits * 1_000 / SAMPLE_RATE + u32::from(is_padded);
    frame.resize(length as usize, 0);
    frame
}

/// The side information of half a frame: how many bits it has, how many pairs of values, how loud, by which tables.
fn granule(bits: &mut Bits, line: Option<u32>) {
    let (length, pairs, gain, table) = line.map_or((0, 0, 0, 0), |line| (line / 2 + 3, line / 2 + 1, GAIN, 1));
    bits.put(length, 12);
    bits.put(pairs, 9);
    bits.put(gain, 8);
    // No scale factors, one long block.
    bits.put(0, 4 + 1);
    for _ in 0..3 {
        bits.put(table, 5);
    }
    // Where the three regions end is all the same: they have one table.
    bits.put(7, 4);
    bits.put(7, 3);
    bits.put(0, 3);
}

/// One line of the spectrum that is not zero, in the code words of table 1: `1` is a pair of zeros, `01` a one before a
/// zero, followed by its sign. The line is the first of its pair, or the one before.
fn tone(bits: &mut Bits, line: u32, sign: u32) {
    for _ in 0..line / 2 {
        bits.put(1, 1);
    }
    bits.put(0b01, 2);
    bits.put(sign, 1);
}

/// Bits in the order in which they are written.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    length: usize,
}

impl Bits {
    /// Appends the lowest `count` bits of a value, the highest first.
    fn put(&mut self, value: u32, count: u32) {
        for place in (0..count).rev() {
            if self.length.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = u8::from(value >> place & 1 == 1);
            if let Some(last) = self.bytes.last_mut() {
                *last |= bit << (7 - self.length % 8);
            }
            self.length += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of a frame's header and of the side information of one channel.
    const HEADER: usize = 4;
    const SIDE_INFORMATION: usize = 17;

    /// The lengths of the frames, each told by its own header.
    fn walk(audio: &[u8]) -> Vec<usize> {
        let mut lengths = Vec::new();
        let mut rest = audio;
        while !rest.is_empty() {
            assert_eq!(rest[..2], [0xff, 0xfb], "no frame begins at {}", audio.len() - rest.len());
            let kilobits = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192][usize::from(rest[2] >> 4)];
            assert_eq!((rest[2] >> 2 & 3, rest[3] >> 6), (0, 3), "44.1 kHz, mono");
            let length = 144_000 * kilobits / 44_100 + usize::from(rest[2] >> 1 & 1);
            lengths.push(length);
            rest = &rest[length..];
        }
        lengths
    }

    #[test]
    fn frame_follows_frame_to_the_last_byte() {
        for kilobits in [32, 64, 96, 128, 192] {
            let rate = BitRate::of_kilobits(kilobits).expect("a rate");
            let audio = speak("Your driver is 10 minutes away.", 11, rate);
            let lengths = walk(&audio);
            assert_eq!(lengths.len(), 31 * FRAMES_FOR_EACH_CHARACTER + FRAMES_AT_THE_END);
            assert!(lengths.iter().all(|length| *length >= HEADER + SIDE_INFORMATION + 4));
            // As many bytes as its rate says for its time, to within one.
            let exact = lengths.len() * 144_000 * kilobits as usize / 44_100;
            assert!(audio.len().abs_diff(exact) <= 1, "{} instead of {exact}", audio.len());
        }
        assert_eq!(BitRate::of_kilobits(100), None);
    }

    #[test]
    fn the_side_information_is_as_long_as_it_must_be() {
        for line in [None, Some(11)] {
            let mut bits = Bits::default();
            granule(&mut bits, line);
            assert_eq!(bits.length, 59);
        }
        let mut bits = Bits::default();
        tone(&mut bits, 11, 1);
        // As the granule says.
        assert_eq!(bits.length, 11 / 2 + 3);
    }

    #[test]
    fn the_same_text_sounds_the_same_and_another_voice_does_not() {
        let rate = BitRate::of_kilobits(64).expect("a rate");
        assert_eq!(speak("Hello", 11, rate), speak("Hello", 11, rate));
        assert_ne!(speak("Hello", 11, rate), speak("Hello", 16, rate));
        assert!(speak("Hello, and goodbye", 11, rate).len() > speak("Hello", 11, rate).len());
    }
}
