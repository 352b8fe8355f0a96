//! Transfer syntaxes (PS3.5 annex A, PS3.6 table A-1).

use dicom_encoding::transfer_syntax::TransferSyntaxIndex;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use crate::parse::Encoding;

pub(crate) const IMPLICIT: &str = "1.2.840.10008.1.2";
pub(crate) const EXPLICIT: &str = "1.2.840.10008.1.2.1";
pub(crate) const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
pub(crate) const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
pub(crate) const RLE: &str = "1.2.840.10008.1.2.5";
pub(crate) const DEFLATED_FRAMES: &str = "1.2.840.10008.1.2.8.1";
/// Encapsulated without compression.
pub(crate) const ENCAPSULATED: &str = "1.2.840.10008.1.2.1.98";

/// How the pixels are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Native,
    EncapsulatedNative,
    Rle,
    Jpeg,
    JpegLs,
    Jpeg2000,
    JpegXl,
    DeflatedFrames,
    /// Video and what else is not read.
    Other,
}

/// How the data set is written, `None` for a syntax that we do not know.
pub(crate) fn encoding(uid: &str) -> Option<Encoding> {
    match uid {
        "" => None,
        IMPLICIT => Some(Encoding { explicit: false, big_endian: false }),
        BIG_ENDIAN => Some(Encoding { explicit: true, big_endian: true }),
        // GE's private one: implicit data set, pixels in big endian.
        "1.2.840.113619.5.2" => Some(Encoding { explicit: false, big_endian: false }),
        _ => Some(Encoding { explicit: true, big_endian: false }),
    }
}

pub(crate) fn packing(uid: &str) -> Packing {
    match uid {
        IMPLICIT | EXPLICIT | DEFLATED | BIG_ENDIAN | "1.2.840.113619.5.2" => Packing::Native,
        ENCAPSULATED => Packing::EncapsulatedNative,
        RLE => Packing::Rle,
        DEFLATED_FRAMES => Packing::DeflatedFrames,
        _ => match uid.strip_prefix("1.2.840.10008.1.2.4.") {
            Some("80" | "81") => Packing::JpegLs,
            Some("90" | "91" | "92" | "93" | "201" | "202" | "203") => Packing::Jpeg2000,
            Some("110" | "111" | "112") => Packing::JpegXl,
            Some(n) if n.parse::<u32>().is_ok_and(|n| (50..=70).contains(&n)) => Packing::Jpeg,
            _ => Packing::Other,
        },
    }
}

/// Whether decoding may differ from one right decoder to the next.
pub(crate) fn is_lossy(uid: &str) -> bool {
    matches!(
        uid.strip_prefix("1.2.840.10008.1.2.4."),
        Some("50" | "51" | "53" | "55" | "81" | "91" | "93" | "203" | "112" | "111")
    )
}

/// The most likely syntax of a data set that does not tell; the codec is found by the bytes of the frame.
pub(crate) fn guess(encoding: Encoding, encapsulated: bool) -> &'static str {
    match (encapsulated, encoding.explicit, encoding.big_endian) {
        (true, ..) => "",
        (_, false, _) => IMPLICIT,
        (_, _, true) => BIG_ENDIAN,
        _ => EXPLICIT,
    }
}

/// Name in the standard.
pub(crate) fn name(uid: &str) -> String {
    if let Some(syntax) = TransferSyntaxRegistry.get(uid) {
        return syntax.name().to_string();
    }
    match uid.strip_prefix("1.2.840.10008.1.2.4.").and_then(|n| n.parse::<u32>().ok()) {
        Some(100..=108) => "video (MPEG)".into(),
        _ => "an unknown transfer syntax".into(),
    }
}
