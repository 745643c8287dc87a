//! Whether bytes can be an MP3 file, by how they begin.

/// Whether they begin with a tag, or with the header of a frame of MPEG audio, layer III.
pub(super) fn begins(bytes: &[u8]) -> bool {
    match bytes {
        [b'I', b'D', b'3', ..] => true,
        [0xff, second, third, ..] => {
            let is_synchronised = second & 0xe0 == 0xe0;
            let is_known_version = second & 0x18 != 0x08;
            let is_layer_three = second & 0x06 == 0x02;
            let has_bit_rate = !matches!(third >> 4, 0x0 | 0xf);
            let has_sample_rate = third & 0x0c != 0x0c;
            is_synchronised && is_known_version && is_layer_three && has_bit_rate && has_sample_rate
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::begins;

    #[test]
    fn only_a_tag_or_a_frame_of_layer_three_begins_an_mp3() {
        for (bytes, expected) in [
            (&b"ID3\x04\0\0"[..], true),
            (b"\xff\xfb\x90\x64", true),
            (b"\xff\xf3\x40\xc0", true),
            (b"\xff\xe3\x40\xc0", true),
            (b"\xff\xeb\x90\x64", false),
            (b"\xff\xfd\x90\x64", false),
            (b"\xff\xfb\xf0\x64", false),
            (b"\xff\xfb\x00\x64", false),
            (b"\xff\xfb\x9c\x64", false),
            (b"\xff\xfb", false),
            (b"<!doctype html>", false),
            (b"string", false),
            (b"", false),
        ] {
            assert_eq!(begins(bytes), expected, "{bytes:?}");
        }
    }
}
