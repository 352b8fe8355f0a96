//! Colour spaces (PS3.3 C.7.6.3.1.2).

/// YBR_FULL to RGB, 8 bit, interleaved.
pub(crate) fn full_to_rgb(mut v: Vec<u8>) -> Vec<u8> {
    for p in v.chunks_exact_mut(3) {
        let (y, b, r) = (f32::from(p[0]), f32::from(p[1]) - 128.0, f32::from(p[2]) - 128.0);
        // The inverse of the matrix in C.7.6.3.1.2; `as` saturates.
        p[0] = (y + 1.402 * r + 0.5).floor() as u8;
        p[1] = (y - (0.114 * 1.772 / 0.587) * b - (0.299 * 1.402 / 0.587) * r + 0.5).floor() as u8;
        p[2] = (y + 1.772 * b + 0.5).floor() as u8;
    }
    v
}

/// YBR_FULL to RGB with `bits` per sample.
pub(crate) fn full_to_rgb_16(mut v: Vec<u16>, bits: u32) -> Vec<u16> {
    let half = f32::from(1_u16 << (bits.clamp(1, 16) - 1));
    let top = 2.0 * half - 1.0;
    for p in v.chunks_exact_mut(3) {
        let (y, b, r) = (f32::from(p[0]), f32::from(p[1]) - half, f32::from(p[2]) - half);
        let out = |x: f32| (x + 0.5).floor().clamp(0.0, top) as u16;
        p[0] = out(y + 1.402 * r);
        p[1] = out(y - (0.114 * 1.772 / 0.587) * b - (0.299 * 1.402 / 0.587) * r);
        p[2] = out(y + 1.772 * b);
    }
    v
}

/// YBR_PARTIAL (16 to 235, chroma 16 to 240) to RGB, 8 bit, interleaved.
pub(crate) fn partial_to_rgb(mut v: Vec<u8>) -> Vec<u8> {
    for p in v.chunks_exact_mut(3) {
        let y = (f32::from(p[0]) - 16.0) * (255.0 / 219.0);
        let (b, r) = ((f32::from(p[1]) - 128.0) * (255.0 / 224.0), (f32::from(p[2]) - 128.0) * (255.0 / 224.0));
        p[0] = (y + 1.402 * r + 0.5).floor() as u8;
        p[1] = (y - (0.114 * 1.772 / 0.587) * b - (0.299 * 1.402 / 0.587) * r + 0.5).floor() as u8;
        p[2] = (y + 1.772 * b + 0.5).floor() as u8;
    }
    v
}

/// Y1 Y2 Cb Cr to Y1 Cb Cr Y2 Cb Cr (native YBR_FULL_422).
pub(crate) fn expand_422(data: &[u8], pixels: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(pixels * 3);
    for quad in data.chunks_exact(4) {
        out.extend_from_slice(&[quad[0], quad[2], quad[3], quad[1], quad[2], quad[3]]);
    }
    out.resize(pixels * 3, 0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_stays_grey_and_primaries_come_back() {
        assert_eq!(full_to_rgb(vec![77, 128, 128]), [77, 77, 77]);
        // RGB (255, 0, 0) is Y 76.245, Cb 84.97, Cr 255.5.
        let red = full_to_rgb(vec![76, 85, 255]);
        assert!(red[0] >= 253 && red[1] <= 1 && red[2] <= 1, "{red:?}");
        assert_eq!(partial_to_rgb(vec![16, 128, 128, 235, 128, 128]), [0, 0, 0, 255, 255, 255]);
        assert_eq!(expand_422(&[1, 2, 3, 4], 2), [1, 3, 4, 2, 3, 4]);
    }
}
