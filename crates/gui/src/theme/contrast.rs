//! The contrast of every pair of tokens that carries text or a mark, and the distance of the mask colours.

use super::{Theme, Tokens, darker};
use egui::Color32;

/// WCAG 2 relative luminance.
fn luminance(c: Color32) -> f64 {
    let linear = |v: u8| {
        let v = f64::from(v) / 255.0;
        if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(c.r()) + 0.7152 * linear(c.g()) + 0.0722 * linear(c.b())
}

fn ratio(a: Color32, b: Color32) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn pairs(t: &Tokens) -> Vec<(&'static str, Color32, Color32, f64)> {
    let mut pairs = Vec::new();
    for (name, text) in [
        ("t1", t.t1),
        ("t2", t.t2),
        ("t3", t.t3),
        ("acc", t.acc),
        ("acc2", t.acc2),
        ("warn", t.warn),
        ("err", t.err),
        ("ok", t.ok),
    ] {
        pairs.extend([t.bg0, t.bg1, t.bg2, t.bg3, t.accbg].map(|ground| (name, text, ground, 4.5)));
    }
    pairs.extend([("t1", t.t1, t.bg4, 4.5), ("t2", t.t2, t.bg4, 4.5)]);
    pairs.extend([("accon", t.accon, t.acc, 4.5), ("bg0 on warn", t.bg0, t.warn, 4.5)]);
    for (name, mark, ground) in [("warn", t.warn, t.warnbg), ("err", t.err, t.errbg), ("ok", t.ok, t.okbg)] {
        pairs.extend([(name, mark, ground, 4.5), ("t1 on it", t.t1, ground, 4.5)]);
    }
    pairs.extend([("t2", t.t2, t.warnbg, 4.5), ("t2", t.t2, t.errbg, 4.5)]);
    pairs.extend([t.bg0, t.bg1, t.bg2, t.bg3].map(|ground| ("line2", t.line2, ground, 3.0)));
    pairs.extend([t.bg0, t.bg1, t.bg2].map(|ground| ("focus", t.focus, ground, 3.0)));
    for (name, mark) in [("ov", t.ov), ("ov2", t.ov2), ("ovacc", t.ovacc), ("synthetic", t.synthetic)] {
        pairs.push((name, mark, t.halo, 4.5));
    }
    pairs.extend(t.masks.map(|mask| ("mask", mask, t.void, 3.0)));
    pairs
}

#[test]
fn every_pair_is_read() {
    for theme in [Theme::Dark, Theme::Light] {
        for (name, mark, ground, least) in pairs(theme.tokens()) {
            let ratio = ratio(mark, ground);
            assert!(ratio >= least, "{theme:?}: {name} {mark:?} on {ground:?} is {ratio:.2}, below {least}");
        }
    }
}

#[test]
fn the_measure_agrees_with_a_known_pair() {
    // Grey 767676 on white is the darkest that W3C's own examples give as 4.54.
    let grey = super::hex("#767676").unwrap();
    assert!((ratio(grey, super::hex("#FFFFFF").unwrap()) - 4.54).abs() < 0.01);
}

#[test]
fn no_two_masks_share_a_colour() {
    for theme in [Theme::Dark, Theme::Light] {
        let t = theme.tokens();
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..t.masks.len() {
            assert!(seen.insert(t.mask(index).to_array()));
            assert!(seen.insert(t.mask_right(index).to_array()), "right of {index}");
            assert_eq!(t.mask(index), t.mask(index + t.masks.len()));
        }
    }
}

#[test]
fn a_step_of_nothing_changes_nothing() {
    for mask in Theme::Dark.tokens().masks {
        assert_eq!(darker(mask, 0.0), mask);
    }
}

#[test]
fn a_colour_that_is_none_is_refused() {
    assert!(super::hex("#12345").is_err());
    assert!(ron::from_str::<Tokens>("(bg0: \"blue\")").is_err());
}
