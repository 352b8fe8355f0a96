//! Attributes of a data set by value, with mercy for the ways in which files get them wrong.

use dicom_core::Tag;
use dicom_core::value::PrimitiveValue;
use dicom_object::InMemDicomObject;

/// Reads one attribute in the form that is needed; `None` when it is missing or says nothing.
pub(crate) trait Attributes {
    fn value(&self, tag: Tag) -> Option<&PrimitiveValue>;
    fn items(&self, tag: Tag) -> &[InMemDicomObject];

    /// All values as text.
    fn texts(&self, tag: Tag) -> Vec<String> {
        match self.value(tag) {
            Some(PrimitiveValue::Strs(v)) => v.iter().map(|s| s.trim().to_string()).collect(),
            Some(PrimitiveValue::Empty) | None => Vec::new(),
            Some(other) => other.to_str().split('\\').map(|s| s.trim_matches([' ', '\0']).to_string()).collect(),
        }
    }

    /// The first value as text, empty when missing.
    fn text(&self, tag: Tag) -> String {
        self.texts(tag).into_iter().next().unwrap_or_default()
    }

    /// All values as numbers; one that is no number is `None`. A decimal comma counts as a point.
    fn numbers(&self, tag: Tag) -> Vec<Option<f64>> {
        match self.value(tag) {
            None | Some(PrimitiveValue::Empty) => Vec::new(),
            Some(PrimitiveValue::Strs(v)) => v.iter().map(|s| number(s)).collect(),
            Some(PrimitiveValue::Str(s)) => s.split('\\').map(number).collect(),
            Some(PrimitiveValue::F32(v)) => v.iter().map(|&x| Some(f64::from(x)).filter(|x| x.is_finite())).collect(),
            Some(PrimitiveValue::F64(v)) => v.iter().map(|&x| Some(x).filter(|x| x.is_finite())).collect(),
            Some(PrimitiveValue::U8(v)) => v.iter().map(|&x| Some(f64::from(x))).collect(),
            Some(PrimitiveValue::U16(v)) => v.iter().map(|&x| Some(f64::from(x))).collect(),
            Some(PrimitiveValue::I16(v)) => v.iter().map(|&x| Some(f64::from(x))).collect(),
            Some(PrimitiveValue::U32(v)) => v.iter().map(|&x| Some(f64::from(x))).collect(),
            Some(PrimitiveValue::I32(v)) => v.iter().map(|&x| Some(f64::from(x))).collect(),
            Some(PrimitiveValue::U64(v)) => v.iter().map(|&x| Some(x as f64)).collect(),
            Some(PrimitiveValue::I64(v)) => v.iter().map(|&x| Some(x as f64)).collect(),
            Some(_) => Vec::new(),
        }
    }

    /// The first value as a finite number.
    fn number(&self, tag: Tag) -> Option<f64> {
        self.numbers(tag).into_iter().next().flatten()
    }

    /// The first value as a whole number.
    fn int(&self, tag: Tag) -> Option<i64> {
        // `1.0` occurs where an integer string is due; beyond 2^53 it is no number of anything.
        self.number(tag).filter(|v| v.abs() < 9e15).map(|v| v.round() as i64)
    }

    /// Exactly `N` finite numbers (more are ignored, as several values where one is due are).
    fn array<const N: usize>(&self, tag: Tag) -> Option<[f64; N]> {
        let values = self.numbers(tag);
        let mut out = [0.0; N];
        for (i, o) in out.iter_mut().enumerate() {
            *o = (*values.get(i)?)?;
        }
        Some(out)
    }

    /// The first item of a sequence.
    fn first(&self, tag: Tag) -> Option<&InMemDicomObject> {
        self.items(tag).first()
    }

    /// A value as bytes in little endian.
    fn bytes(&self, tag: Tag) -> Option<Vec<u8>> {
        match self.value(tag)? {
            PrimitiveValue::Empty => None,
            v => Some(v.to_bytes().into_owned()),
        }
    }
}

impl Attributes for InMemDicomObject {
    fn value(&self, tag: Tag) -> Option<&PrimitiveValue> {
        self.get(tag)?.value().primitive()
    }

    fn items(&self, tag: Tag) -> &[InMemDicomObject] {
        self.get(tag).and_then(|e| e.value().items()).unwrap_or(&[])
    }
}

fn number(text: &str) -> Option<f64> {
    let t = text.trim_matches([' ', '\0']);
    let parsed = match t.parse::<f64>() {
        Ok(v) => v,
        Err(_) => t.replace(',', ".").parse::<f64>().ok()?,
    };
    parsed.is_finite().then_some(parsed)
}

#[cfg(test)]
mod tests {
    use dicom_core::{DataElement, VR};

    use super::*;

    #[test]
    fn numbers_are_read_as_they_come() {
        let mut o = InMemDicomObject::new_empty();
        let tag = Tag(0x0028, 0x0030);
        o.put(DataElement::new(tag, VR::DS, PrimitiveValue::Strs(["0,5".into(), " 0.25 ".into()].into())));
        assert_eq!(o.array::<2>(tag), Some([0.5, 0.25]));
        o.put(DataElement::new(tag, VR::DS, PrimitiveValue::Strs(["nan".into(), "1e999".into()].into())));
        assert_eq!(o.array::<2>(tag), None);
        o.put(DataElement::new(tag, VR::IS, PrimitiveValue::from("1.0")));
        assert_eq!(o.int(tag), Some(1));
    }
}
