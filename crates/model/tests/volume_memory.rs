//! Networks on volumes hold input and answer, and beyond these no more for more slices.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed, and says where")]

use lightbox_core::{Frame, PatientPos, Rescale, Samples, Vec3, Volume, VolumeGeometry};
use lightbox_model::{Card, Model, RunCx};
use peak_alloc::PeakAlloc;
use std::sync::Arc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The values as f32, labels as u16 on the network's grid and on the volume's, and the masks' bits.
const INPUT_AND_ANSWER_BYTES_PER_VOXEL: f64 = 4.0 + 2.0 + 2.0 + 1.0;
const SIDE: usize = 32;

fn volume(slices: usize) -> Volume {
    let origin = PatientPos(Vec3::new(0.0, 0.0, 0.0));
    let step = Vec3::new(0.0, 0.0, 1.0);
    let geometry =
        VolumeGeometry::from_dicom([SIDE, SIDE, slices], origin, Vec3::X, Vec3::Y, [1.0, 1.0], step).unwrap();
    let mut volume = Volume::empty(geometry);
    for z in 0..slices {
        let values: Vec<u16> = (0..SIDE * SIDE).map(|i| ((i * 31 + z * 17) % 400) as u16).collect();
        let frame = Frame::new(SIDE, SIDE, Samples::U16(values), Rescale::default()).unwrap();
        volume.set_slice(z, Arc::new(frame)).unwrap();
    }
    volume
}

/// Bytes at the worst moment of a run, beyond what was there before it.
fn peak(model: &Model, slices: usize) -> usize {
    let volume = volume(slices);
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let answer = model.segment_volume(&volume, &RunCx::silent()).unwrap();
    assert!(!answer.masks.is_empty());
    MEMORY.peak_usage() - before
}

fn card(architecture: &str, slices: usize, window: &str) -> Card {
    let text = format!(
        "id = \"tiny\"\nname = \"Tiny\"\ntask = \"segmentation\"\nlicence = \"CC0-1.0\"\nlabels = [\"background\", \"it\"]\n\
         [architecture]\n{architecture}\n\
         [input]\nrows = {SIDE}\ncolumns = {SIDE}\nslices = {slices}\nresize = \"keep\"\nspacing_mm = [1.0, 1.0, 1.0]\n\
         orientation = \"SPL\"\n{window}\n\
         intensity = {{ kind = \"range\", low = 0.0, high = 400.0, to_low = 0.0, to_high = 1.0 }}\n\
         [post]\nactivation = \"softmax\"\n"
    );
    toml::from_str(&text).unwrap()
}

// One test: others beside it would be counted with it.
#[test]
fn memory_does_not_grow_with_the_slices_beyond_input_and_answer() {
    let (few, many) = (40, 200);
    let grows = |name: &str, model: [Model; 2]| {
        peak(&model[0], few);
        let [a, b] = [peak(&model[0], few), peak(&model[1], many)];
        let per_voxel = (b as f64 - a as f64) / ((many - few) * SIDE * SIDE) as f64;
        println!("{name}: {a} bytes for {few} slices, {b} for {many}: {per_voxel:.1} a voxel more");
        assert!(per_voxel < 1.1 * INPUT_AND_ANSWER_BYTES_PER_VOXEL, "{name}: {per_voxel} bytes a voxel more");
    };
    // Whole layers of these 12 channels would be 48 bytes a voxel and more.
    let mesh = "name = \"meshnet\"\noutputs = 2\nchannels = 12\ndilations = [1, 2, 4, 1]\nactivation = \"relu\"";
    grows("MeshNet, plane by plane", [few, many].map(|n| Model::untrained(card(mesh, n, ""), 1).unwrap()));
    let unet = "name = \"monai-unet\"\ndims = 3\ninputs = 1\noutputs = 2\nchannels = [8, 12]\nstrides = [2]\nres_units = 1\nnorm = \"batch\"";
    let windows = || Model::untrained(card(unet, 32, "window_overlap = 0.25"), 1).unwrap();
    grows("U-Net, by windows", [windows(), windows()]);
}
