//! Recommended Display CIELab Value (0062,000D): sRGB to CIELab under D50 and back (PS3.3 C.10.7.1.1).

use lightbox_core::Rgb;

type Matrix = [[f64; 3]; 3];

/// Linear sRGB (D65) to XYZ under D50, adapted by Bradford's matrix (Lindbloom's figures).
const XYZ_FROM_RGB: Matrix = [
    [0.436_074_7, 0.385_064_9, 0.143_080_4],
    [0.222_504_5, 0.716_878_6, 0.060_616_9],
    [0.013_932_2, 0.097_104_5, 0.714_173_3],
];
const RGB_FROM_XYZ: Matrix = [
    [3.133_856_1, -1.616_866_7, -0.490_614_6],
    [-0.978_768_4, 1.916_141_5, 0.033_454_0],
    [0.071_945_3, -0.228_991_4, 1.405_242_7],
];
/// White of D50.
const WHITE: [f64; 3] = [0.964_22, 1.0, 0.825_21];
/// CIE's (6/29)³ and its slope.
const EPSILON: f64 = 216.0 / 24_389.0;
const KAPPA: f64 = 24_389.0 / 27.0;

fn times(m: &Matrix, v: [f64; 3]) -> [f64; 3] {
    [0, 1, 2].map(|i| m[i][0] * v[0] + m[i][1] * v[1] + m[i][2] * v[2])
}

/// L* 0 to 100 as 0 to 65535, a* and b* -128 to 127 likewise.
pub(super) fn cielab_from_rgb(Rgb(rgb): Rgb) -> [u16; 3] {
    let linear = rgb.map(|v| {
        let v = f64::from(v) / 255.0;
        if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    });
    let xyz = times(&XYZ_FROM_RGB, linear);
    let f = [0, 1, 2].map(|i| {
        let t = xyz[i] / WHITE[i];
        if t > EPSILON { t.cbrt() } else { (KAPPA * t + 16.0) / 116.0 }
    });
    let (l, a, b) = (116.0 * f[1] - 16.0, 500.0 * (f[0] - f[1]), 200.0 * (f[1] - f[2]));
    let word = |share: f64| (share * 65_535.0).round().clamp(0.0, 65_535.0) as u16;
    [word(l / 100.0), word((a + 128.0) / 255.0), word((b + 128.0) / 255.0)]
}

/// The nearest sRGB colour.
pub(super) fn rgb_from_cielab(lab: [u16; 3]) -> Rgb {
    let [l, a, b] = lab.map(|v| f64::from(v) / 65_535.0);
    let (l, a, b) = (l * 100.0, a * 255.0 - 128.0, b * 255.0 - 128.0);
    let fy = (l + 16.0) / 116.0;
    let back = |f: f64| if f * f * f > EPSILON { f * f * f } else { (116.0 * f - 16.0) / KAPPA };
    let xyz = [back(fy + a / 500.0) * WHITE[0], back(fy) * WHITE[1], back(fy - b / 200.0) * WHITE[2]];
    Rgb(times(&RGB_FROM_XYZ, xyz).map(|v| {
        let v = if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
        (v * 255.0).round().clamp(0.0, 255.0) as u8
    }))
}

#[cfg(test)]
mod tests {
    use lightbox_core::label::MASK_COLOURS;

    use super::*;

    #[test]
    fn every_colour_comes_back() {
        for c in MASK_COLOURS {
            assert_eq!(rgb_from_cielab(cielab_from_rgb(c)), c);
        }
        for i in 0..16_u32.pow(3) {
            let c = Rgb([i % 16, i / 16 % 16, i / 256].map(|v| (v * 17) as u8));
            assert_eq!(rgb_from_cielab(cielab_from_rgb(c)), c);
        }
    }

    #[test]
    fn white_black_and_red_are_those_of_the_books() {
        assert_eq!(cielab_from_rgb(Rgb([0, 0, 0])), [0, 32_896, 32_896]);
        let [l, a, b] = cielab_from_rgb(Rgb([255, 255, 255]));
        assert!(l >= 65_530 && a.abs_diff(32_896) < 8 && b.abs_diff(32_896) < 8, "{l} {a} {b}");
        // sRGB red under D50: L* 54.29, a* 80.81, b* 69.89.
        let red = cielab_from_rgb(Rgb([255, 0, 0]));
        let lab = [f64::from(red[0]) / 655.35, f64::from(red[1]) / 257.0 - 128.0, f64::from(red[2]) / 257.0 - 128.0];
        assert!((lab[0] - 54.29).abs() < 0.02 && (lab[1] - 80.81).abs() < 0.05 && (lab[2] - 69.89).abs() < 0.05);
    }
}
