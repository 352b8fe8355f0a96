//! Numbers of any width as f32.

/// How numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U8,
}

impl Kind {
    /// Bytes of a number.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 | Self::U8 => 1,
        }
    }

    /// Little-endian numbers.
    pub(crate) fn floats(self, data: &[u8]) -> Vec<f32> {
        let two = |b: &[u8]| [b[0], b[1]];
        let four = |b: &[u8]| [b[0], b[1], b[2], b[3]];
        let eight = |b: &[u8]| [b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]];
        let each = data.chunks_exact(self.bytes());
        match self {
            Self::F64 => each.map(|b| f64::from_le_bytes(eight(b)) as f32).collect(),
            Self::F32 => each.map(|b| f32::from_le_bytes(four(b))).collect(),
            Self::F16 => each.map(|b| half(u16::from_le_bytes(two(b)))).collect(),
            Self::Bf16 => each.map(|b| f32::from_bits(u32::from(u16::from_le_bytes(two(b))) << 16)).collect(),
            Self::I64 => each.map(|b| i64::from_le_bytes(eight(b)) as f32).collect(),
            Self::I32 => each.map(|b| i32::from_le_bytes(four(b)) as f32).collect(),
            Self::I16 => each.map(|b| f32::from(i16::from_le_bytes(two(b)))).collect(),
            Self::I8 => each.map(|b| f32::from(i8::from_le_bytes([b[0]]))).collect(),
            Self::U8 => each.map(|b| f32::from(b[0])).collect(),
        }
    }
}

/// IEEE 754 half precision.
fn half(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let (exponent, fraction) = (u32::from(bits >> 10 & 0x1f), u32::from(bits & 0x3ff));
    match (exponent, fraction) {
        (0, 0) => f32::from_bits(sign),
        // Subnormal: fraction * 2^-24.
        (0, f) => (f as f32 / 16_777_216.0).copysign(f32::from_bits(sign | 0x3f80_0000)),
        (0x1f, f) => f32::from_bits(sign | 0x7f80_0000 | f << 13),
        (e, f) => f32::from_bits(sign | (e + 112) << 23 | f << 13),
    }
}

/// Row-major numbers of a strided view into a storage.
///
/// # Errors
/// The middle of a sentence, where the view reaches beyond the storage.
pub(crate) fn gather(storage: &[f32], offset: usize, size: &[usize], stride: &[usize]) -> Result<Vec<f32>, String> {
    let beyond = || "a tensor reaches beyond its storage".to_owned();
    let count = size.iter().try_fold(1usize, |n, s| n.checked_mul(*s)).ok_or_else(beyond)?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let last = size.iter().zip(stride).try_fold(offset, |at, (s, d)| at.checked_add((s - 1).checked_mul(*d)?));
    // An expanded view (stride 0) would name more numbers than are there.
    if last.ok_or_else(beyond)? >= storage.len() || count > storage.len() {
        return Err(beyond());
    }
    let mut plain = Vec::with_capacity(size.len());
    let mut step = 1;
    for s in size.iter().rev() {
        plain.push(step);
        step *= s;
    }
    plain.reverse();
    if size.iter().zip(stride).zip(&plain).all(|((s, d), p)| d == p || *s == 1) {
        return Ok(storage[offset..offset + count].to_vec());
    }
    let mut out = Vec::with_capacity(count);
    let mut index = vec![0usize; size.len()];
    for _ in 0..count {
        out.push(storage[offset + index.iter().zip(stride).map(|(i, d)| i * d).sum::<usize>()]);
        for axis in (0..size.len()).rev() {
            index[axis] += 1;
            if index[axis] < size[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_each_width() {
        // IEEE 754-2019 binary16: 1, -2, largest, smallest subnormal, infinity.
        let half: Vec<u8> = [0x3c00u16, 0xc000, 0x7bff, 0x0001, 0x7c00].iter().flat_map(|h| h.to_le_bytes()).collect();
        assert_eq!(Kind::F16.floats(&half), [1.0, -2.0, 65504.0, 2f32.powi(-24), f32::INFINITY]);
        assert_eq!(Kind::Bf16.floats(&0x3f80u16.to_le_bytes()), [1.0]);
        assert_eq!(Kind::F64.floats(&0.5f64.to_le_bytes()), [0.5]);
        assert_eq!(Kind::I64.floats(&(-3i64).to_le_bytes()), [-3.0]);
    }

    #[test]
    fn views() {
        let storage: Vec<f32> = (0..12).map(|v| v as f32).collect();
        assert_eq!(gather(&storage, 1, &[2, 3], &[3, 1]).unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(gather(&storage, 0, &[3, 2], &[1, 3]).unwrap(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(gather(&storage, 5, &[], &[]).unwrap(), [5.0]);
        assert!(gather(&storage, 0, &[13], &[1]).is_err());
        assert!(gather(&storage, 0, &[usize::MAX, 2], &[1, 1]).is_err());
        assert!(gather(&storage, 0, &[1 << 40], &[0]).is_err());
        assert!(gather(&storage, usize::MAX, &[2], &[1]).is_err());
    }
}
