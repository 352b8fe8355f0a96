//! Progressive JPEG of 12 bits (ISO 10918-1 annex G; the retired processes 6, 8, 10, 12): coefficients from
//! libjpeg-turbo-rs, whose own 12-bit path knows sequential scans only, and the inverse transform here.

use libjpeg_turbo_rs::read_coefficients;

use super::module::ImageModule;

/// Natural position of each coefficient in zigzag order (ISO 10918-1 figure A.6).
const NATURAL: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// Decodes an image of one component.
pub(super) fn decode_12(data: &[u8], m: &ImageModule) -> Result<Vec<u16>, String> {
    let coded = read_coefficients(data).map_err(|e| e.to_string())?;
    let [component] = coded.components.as_slice() else { return Err("colour of 12 bits is not read".into()) };
    let table =
        coded.quant_tables.get(usize::from(component.quant_table_index)).ok_or("a quantisation table is missing")?;
    if component.blocks_x * 8 < m.columns || component.blocks_y * 8 < m.rows {
        return Err("it has fewer blocks than the image".into());
    }
    let mut out = vec![0; m.pixels()];
    for (n, block) in component.blocks.iter().enumerate() {
        let (x, y) = (n % component.blocks_x * 8, n / component.blocks_x * 8);
        if x >= m.columns || y >= m.rows {
            continue;
        }
        let mut coefficients = [0_i64; 64];
        for (&c, natural) in block.iter().zip(NATURAL) {
            coefficients[natural] = i64::from(c) * i64::from(table[natural]);
        }
        let samples = inverse(&coefficients);
        let width = (m.columns - x).min(8);
        for (row, line) in samples.chunks_exact(8).enumerate().take(m.rows - y) {
            let to = (y + row) * m.columns + x;
            for (o, &v) in out[to..to + width].iter_mut().zip(line) {
                // Level shift and range of 12 bits (ISO 10918-1 A.3.1).
                *o = (v + 2048).clamp(0, 4095) as u16;
            }
        }
    }
    Ok(out)
}

const CONST_BITS: u32 = 13;
/// As libjpeg has it for 12-bit samples.
const PASS1_BITS: u32 = 1;

/// The accurate integer transform of libjpeg (Loeffler, Ligtenberg, Moschytz 1989), so that samples equal those of
/// decoders built on it.
fn inverse(coefficients: &[i64; 64]) -> [i64; 64] {
    let mut work = [0; 64];
    for x in 0..8 {
        let line = transform([0, 1, 2, 3, 4, 5, 6, 7].map(|y| coefficients[8 * y + x]));
        for (y, v) in line.into_iter().enumerate() {
            work[8 * y + x] = descale(v, CONST_BITS - PASS1_BITS);
        }
    }
    let mut out = [0; 64];
    for y in 0..8 {
        let line = transform([0, 1, 2, 3, 4, 5, 6, 7].map(|x| work[8 * y + x]));
        for (x, v) in line.into_iter().enumerate() {
            out[8 * y + x] = descale(v, CONST_BITS + PASS1_BITS + 3);
        }
    }
    out
}

fn descale(v: i64, bits: u32) -> i64 {
    (v + (1 << (bits - 1))) >> bits
}

/// One dimension; results are scaled up by 2^13.
fn transform(v: [i64; 8]) -> [i64; 8] {
    let z1 = (v[2] + v[6]) * 4433;
    let (a2, a3) = (z1 - v[6] * 15_137, z1 + v[2] * 6270);
    let (a0, a1) = ((v[0] + v[4]) << CONST_BITS, (v[0] - v[4]) << CONST_BITS);
    let (e0, e3, e1, e2) = (a0 + a3, a0 - a3, a1 + a2, a1 - a2);
    let (z1, z2, z3, z4) = (v[7] + v[1], v[5] + v[3], v[7] + v[3], v[5] + v[1]);
    let z5 = (z3 + z4) * 9633;
    let (z1, z2) = (z1 * -7373, z2 * -20_995);
    let (z3, z4) = (z3 * -16_069 + z5, z4 * -3196 + z5);
    let o0 = v[7] * 2446 + z1 + z3;
    let o1 = v[5] * 16_819 + z2 + z4;
    let o2 = v[3] * 25_172 + z2 + z3;
    let o3 = v[1] * 12_299 + z1 + z4;
    [e0 + o3, e1 + o2, e2 + o1, e3 + o0, e3 - o0, e2 - o1, e1 - o2, e0 - o3]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transform_is_the_cosine_sum() {
        let mut state = 1_u32;
        for _ in 0..200 {
            let mut c = [0_i64; 64];
            for v in &mut c {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *v = if state >> 30 == 0 { i64::from(state >> 16 & 0x3FF) - 512 } else { 0 };
            }
            let found = inverse(&c);
            for y in 0..8 {
                for x in 0..8 {
                    let mut sum = 0.0;
                    for v in 0..8 {
                        for u in 0..8 {
                            let scale = |k: usize| if k == 0 { std::f64::consts::FRAC_1_SQRT_2 } else { 1.0 };
                            let wave = |k: usize, i: usize| {
                                ((2 * i + 1) as f64 * k as f64 * std::f64::consts::PI / 16.0).cos() * scale(k)
                            };
                            sum += 0.25 * c[8 * v + u] as f64 * wave(u, x) * wave(v, y);
                        }
                    }
                    assert!((sum - found[8 * y + x] as f64).abs() < 0.75, "{sum} is not {}", found[8 * y + x]);
                }
            }
        }
    }
}
