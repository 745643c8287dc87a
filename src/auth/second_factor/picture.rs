//! The picture that an authenticator app scans, drawn by the server: it is in the page itself, and in no script's hands.

use std::fmt::Write as _;

use anyhow::Context as _;
use qrcode::{Color, EcLevel, QrCode};
use secrecy::{ExposeSecret as _, SecretString};

/// Light modules around it, without which a camera does not find it.
const MARGIN: usize = 4;

/// A QR code as one path of squares.
pub(crate) struct Picture {
    /// Modules of a side, with the margin.
    pub(crate) side: usize,
    /// The dark ones, as the path of an SVG.
    pub(crate) dark: String,
}

impl Picture {
    /// The picture of this text.
    pub(super) fn of(text: &SecretString) -> anyhow::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "the picture is the secret, for the app of its owner")]
        let code = QrCode::with_error_correction_level(text.expose_secret(), EcLevel::M).context("a QR code")?;
        let width = code.width();
        let mut dark = String::new();
        for (y, row) in code.to_colors().chunks(width).enumerate() {
            let mut x = 0;
            for run in row.chunk_by(|one, next| one == next) {
                if run.first() == Some(&Color::Dark) {
                    let (left, top, length) = (x + MARGIN, y + MARGIN, run.len());
                    write!(dark, "M{left} {top}h{length}v1h-{length}z").context("a path")?;
                }
                x += run.len();
            }
        }
        Ok(Self { side: width + 2 * MARGIN, dark })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finder_patterns_stand_in_three_corners() {
        let picture = Picture::of(&"otpauth://totp/x".into()).expect("a picture");
        let right = picture.side - MARGIN - 7;
        for corner in [format!("M{MARGIN} {MARGIN}h7v1h-7z"), format!("M{right} {MARGIN}h7v1h-7z")] {
            assert!(picture.dark.contains(&corner), "{corner}");
        }
        assert!(picture.dark.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -".contains(&byte)));
    }
}
