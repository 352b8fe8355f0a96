//! A made-up data set: bright squares with two dark ellipses, one or two images a person.
#![allow(dead_code, reason = "each test binary uses its own part")]

use image::GrayImage;
use lightbox_model::train::Recipe;
use std::path::Path;

/// Side of the made-up images.
pub(crate) const SIDE: u32 = 40;

/// A made-up chest and its lungs; `n` moves and shades it.
pub(crate) fn chest(n: u32) -> (GrayImage, GrayImage) {
    let shift = (n % 5) as f32 - 2.0;
    let inside = |x: u32, y: u32| {
        let part = |centre: f32| ((x as f32 - centre - shift) / 6.0).powi(2) + ((y as f32 - 20.0) / 12.0).powi(2) < 1.0;
        part(11.0) || part(28.0)
    };
    let grey = |x: u32, y: u32| {
        let texture = (x * 7 + y * 13 + n * 3) % 11;
        if inside(x, y) { 50 + texture } else { 170 + texture + n % 20 }
    };
    let image = GrayImage::from_fn(SIDE, SIDE, |x, y| image::Luma([grey(x, y) as u8]));
    let mask = GrayImage::from_fn(SIDE, SIDE, |x, y| image::Luma([if inside(x, y) { 255 } else { 0 }]));
    (image, mask)
}

/// Writes a data root in folders with `persons` persons, each with a bacteria and a virus image.
pub(crate) fn data_root(dir: &Path, persons: u32) {
    let mut csv = String::from("image,mask,split,class,v7_darwin_id,pair_score\n");
    for n in 0..persons {
        for kind in ["bacteria", "virus"] {
            let part = if n % 2 == 0 { "train" } else { "test" };
            let name = format!("{part}/PNEUMONIA/person{n}_{kind}_{}", n * 2);
            let (image, mask) = chest(n * 2 + u32::from(kind == "virus"));
            for (set, picture) in [("kermany224", image), ("lungmasks224", mask)] {
                let path = dir.join("cxr").join(set).join(format!("{name}.png"));
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                picture.save(path).unwrap();
            }
            csv += &format!("{name}.png,{name}.png,{part},PNEUMONIA,{n},0.9\n");
        }
    }
    std::fs::write(dir.join("cxr/lungmask_pairs.csv"), csv).unwrap();
}

/// A recipe that trains in seconds.
pub(crate) fn recipe(steps: usize) -> Recipe {
    let text = include_str!("tiny.toml").replace("steps = 60", &format!("steps = {steps}"));
    Recipe::parse(&text).unwrap()
}
