//! Elements by themselves: names, value representations (PS3.5 6.2), values from bytes.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_core::value::PrimitiveValue;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

use crate::text::Charset;

/// Whether two bytes are a VR of PS3.5 table 6.2-1.
pub(crate) fn is_vr(vr: [u8; 2]) -> bool {
    VR::from_binary(vr).is_some()
}

/// `(gggg,eeee)` with the attribute's keyword where it has one.
pub(crate) fn name(tag: Tag) -> String {
    match StandardDataDictionary.by_tag(tag) {
        Some(entry) if !entry.alias().is_empty() => entry.alias().to_string(),
        _ => format!("({:04X},{:04X})", tag.0, tag.1),
    }
}

pub(crate) fn is_long(vr: VR) -> bool {
    matches!(
        vr,
        VR::OB
            | VR::OD
            | VR::OF
            | VR::OL
            | VR::OV
            | VR::OW
            | VR::SQ
            | VR::SV
            | VR::UC
            | VR::UN
            | VR::UR
            | VR::UT
            | VR::UV
    )
}

/// The VR of an attribute in implicit VR (PS3.5 A.1, PS3.6).
pub(crate) fn dictionary_vr(tag: Tag, signed: bool) -> VR {
    if tag.1 == 0 {
        return VR::UL;
    }
    if tag.0 % 2 == 1 {
        return if (0x0010..=0x00FF).contains(&tag.1) { VR::LO } else { VR::UN };
    }
    match StandardDataDictionary.by_tag(tag).map(DataDictionaryEntry::vr) {
        Some(VirtualVr::Exact(vr)) => vr,
        Some(VirtualVr::Xs) => {
            if signed {
                VR::SS
            } else {
                VR::US
            }
        }
        Some(other) => other.relaxed(),
        None => VR::UN,
    }
}

/// A value from its bytes. The second part is false when the length does not suit.
pub(crate) fn decode(vr: VR, bytes: &[u8], big: bool, charset: &Charset) -> (PrimitiveValue, bool) {
    macro_rules! numbers {
        ($t:ty, $variant:ident) => {{
            const N: usize = std::mem::size_of::<$t>();
            let values = bytes
                .chunks_exact(N)
                .map(|c| {
                    let mut a = [0; N];
                    a.copy_from_slice(c);
                    if big { <$t>::from_be_bytes(a) } else { <$t>::from_le_bytes(a) }
                })
                .collect();
            (PrimitiveValue::$variant(values), bytes.len() % N == 0)
        }};
    }
    if bytes.is_empty() {
        return (PrimitiveValue::Empty, true);
    }
    match vr {
        VR::US | VR::OW => numbers!(u16, U16),
        VR::SS => numbers!(i16, I16),
        VR::UL | VR::OL => numbers!(u32, U32),
        VR::SL => numbers!(i32, I32),
        VR::UV | VR::OV => numbers!(u64, U64),
        VR::SV => numbers!(i64, I64),
        VR::FL | VR::OF => numbers!(f32, F32),
        VR::FD | VR::OD => numbers!(f64, F64),
        VR::AT => {
            let word = |c: &[u8]| {
                if big { u16::from_be_bytes([c[0], c[1]]) } else { u16::from_le_bytes([c[0], c[1]]) }
            };
            let values = bytes.chunks_exact(4).map(|c| Tag(word(c), word(&c[2..]))).collect();
            (PrimitiveValue::Tags(values), bytes.len().is_multiple_of(4))
        }
        VR::OB | VR::UN | VR::SQ => (PrimitiveValue::U8(bytes.into()), true),
        VR::LT | VR::ST | VR::UT => {
            let text = charset.decode(bytes);
            (PrimitiveValue::Str(text.trim_end_matches([' ', '\0']).to_string()), true)
        }
        VR::UR => (PrimitiveValue::Str(String::from_utf8_lossy(bytes).trim_end_matches([' ', '\0']).to_string()), true),
        VR::LO | VR::PN | VR::SH | VR::UC => (split(&charset.decode(bytes)), true),
        _ => (split(&String::from_utf8_lossy(bytes)), true),
    }
}

fn split(text: &str) -> PrimitiveValue {
    PrimitiveValue::Strs(
        text.split('\\').map(|v| v.trim_end_matches([' ', '\0']).trim_start_matches(' ').to_string()).collect(),
    )
}
