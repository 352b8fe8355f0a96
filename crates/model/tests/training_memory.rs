//! The memory of a training does not grow with its data set.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed, and says where")]

mod common;

use common::{chest, recipe};
use image::imageops::{FilterType, resize};
use lightbox_model::RunCx;
use lightbox_model::train::{TrainOptions, train};
use std::fmt::Write;
use std::path::Path;

/// Side of an image: 100 KiB, and as much for its mask.
const SIDE: u32 = 320;

/// The largest resident set since the last reset, MiB.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap() / 1024.0
}

fn root(dir: &Path, persons: u32) {
    let mut csv = String::from("image,mask,split,class,v7_darwin_id,pair_score\n");
    for n in 0..persons {
        let name = format!("train/PNEUMONIA/person{n}_virus_{n}");
        let (image, mask) = chest(n);
        for (set, picture) in [("kermany224", image), ("lungmasks224", mask)] {
            let path = dir.join("cxr").join(set).join(format!("{name}.png"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            resize(&picture, SIDE, SIDE, FilterType::Nearest).save(path).unwrap();
        }
        writeln!(csv, "{name}.png,{name}.png,train,PNEUMONIA,{n},0.9").unwrap();
    }
    std::fs::write(dir.join("cxr/lungmask_pairs.csv"), csv).unwrap();
}

#[test]
fn four_times_the_cases_take_no_more_memory() {
    let mut recipe = recipe(6);
    recipe.training.memory_mib = 16;
    let mut peaks = Vec::new();
    // The first run fills what allocators and thread pools keep.
    for persons in [320, 320, 1280] {
        let dir = tempfile::tempdir().unwrap();
        root(dir.path(), persons);
        // 5 sets the peak back to what is resident now (proc(5)).
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let out = dir.path().join("out");
        train(&recipe, dir.path(), &out, &TrainOptions::default(), &RunCx::silent()).unwrap();
        peaks.push(peak_mib());
    }
    // Three quarters of 1280 images and masks, about 190 MiB, would have to show.
    assert!(peaks[2] < peaks[1] + 24.0, "peaks in MiB for 320, 320 and 1280 cases: {peaks:?}");
    #[allow(clippy::print_stdout, reason = "the figure that the README tells")]
    {
        println!("peaks in MiB for 320, 320 and 1280 cases: {peaks:?}");
    }
}
