//! scan, decode, header, volume, render.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lightbox_core::plane::PlaneStack;
use lightbox_core::{Plane, Volume, Window, raster};
use lightbox_dicom::{FrameSelection, Opener, Source, Stack, Stage};
use serde_json::json;

use super::{index, masks, nothing_found, one_stack, refusal};
use crate::args;
use crate::output;

pub(super) fn scan(paths: &[PathBuf], json: bool) -> Result<(), String> {
    let index = index(paths)?;
    if json {
        output::json(&lightbox_dicom::index_json(&index))?;
    }
    if index.studies.is_empty() {
        return Err(nothing_found(&index));
    }
    if json {
        return Ok(());
    }
    for study in &index.studies {
        output::line(format!("{} {} {}", study.date, study.description, study.uid).trim());
        for series in &study.series {
            let size = series.stacks.first().map_or(String::new(), |s| {
                let spacing = s.geometry.as_ref().filter(|_| s.is_volume).map_or(String::new(), |g| {
                    let [r, c, k] = g.spacing_mm();
                    format!(", {r:.3} x {c:.3} x {k:.3} mm")
                });
                format!("{} x {} x {}{spacing}", s.columns, s.rows, s.frames.len())
            });
            let number = series.number.map_or_else(|| "-".to_owned(), |n| n.to_string());
            output::line(&format!("  {number:>4} {:4} {:30} {size}", series.modality, series.description));
            for object in &series.objects {
                output::line(&format!("       {}", object.summary));
            }
            for warning in &series.warnings {
                output::line(&format!("       ! {}", warning.text));
            }
        }
    }
    for skipped in &index.skipped {
        output::note(&format!("left out: {}: {}", skipped.reason.trim_end_matches('.'), skipped.path));
    }
    Ok(())
}

pub(super) fn decode(args: &args::Decode) -> Result<(), String> {
    let frames = args.frame.map_or(FrameSelection::All, FrameSelection::One);
    let stage = match args.stage {
        args::StageArg::Stored => Stage::Stored,
        args::StageArg::Modality => Stage::Modality,
        args::StageArg::Display => Stage::Display,
    };
    let pixels =
        lightbox_dicom::decode::at_stage(&Source::file(&args.file), frames, stage).map_err(|e| e.to_string())?;
    write(&args.out, &pixels.bytes)?;
    for note in &pixels.notes {
        output::note(note);
    }
    let name = match args.stage {
        args::StageArg::Stored => "stored",
        args::StageArg::Modality => "modality",
        args::StageArg::Display => "display",
    };
    output::json(&json!({
        "rows": pixels.rows,
        "columns": pixels.columns,
        "frames": pixels.frames,
        "samples": pixels.samples,
        "dtype": pixels.dtype,
        "photometric": pixels.photometric,
        "planar": 0,
        "stage": name,
    }))
}

pub(super) fn header(file: &Path, json: bool) -> Result<(), String> {
    let source = Source::file(file);
    if json {
        let value = lightbox_dicom::header::to_json(&source).map_err(|e| e.to_string())?;
        return output::json(&value);
    }
    output::line(lightbox_dicom::header::to_text(&source).map_err(|e| e.to_string())?.trim_end());
    Ok(())
}

/// Loads a stack: as a volume where it has a place in the patient, else its frames as they lie in the file.
pub(super) fn load(stack: &Stack) -> Result<(Volume, Vec<String>), String> {
    let progress = |done: usize, total: usize| output::progress(done as f32 / total.max(1) as f32, "decoding");
    if stack.geometry.is_some() {
        let (volume, warnings) =
            lightbox_dicom::volume::load(stack, &progress, &|| false).map_err(|e| e.to_string())?;
        output::progress_end();
        return Ok((volume, warnings.into_iter().map(|w| w.text).collect()));
    }
    let info = lightbox_session::OpenStack::new(
        lightbox_session::StackId(0),
        "",
        Arc::new(lightbox_dicom::Series::default()),
        stack.clone(),
    );
    let mut volume = info.volume;
    let opener = Opener::default();
    for (n, frame) in stack.frames.iter().enumerate() {
        let decoded = opener.decode(frame).map_err(|e| e.to_string())?;
        volume.set_slice(n, Arc::new(decoded.frame)).map_err(|e| e.to_string())?;
    }
    Ok((volume, Vec::new()))
}

pub(super) fn volume(args: &args::Volume) -> Result<(), String> {
    check_volume_name(&args.out)?;
    let super::Found { series, stack, volumes } = one_stack(&args.path, args.series.as_deref(), args.volume)?;
    if stack.geometry.is_none() {
        return Err("the series is no volume: its images have no position in the patient".into());
    }
    let (mut volume, mut notes) = load(&stack)?;
    if args.resample {
        let (regular, more) = lightbox_dicom::volume::resample(&volume, &stack).map_err(|e| e.to_string())?;
        volume = regular;
        notes.extend(more.into_iter().map(|w| w.text));
    }
    write_volume(&args.out, &volume)?;
    let (mut min, mut max) = (f32::INFINITY, f32::NEG_INFINITY);
    for frame in volume.slices().iter().flatten() {
        for v in frame.values() {
            min = min.min(v);
            max = max.max(v);
        }
    }
    for note in &notes {
        output::note(note);
    }
    let g = volume.geometry();
    output::json(&json!({
        "dims": g.dims(),
        "spacing_mm": g.spacing_mm(),
        "affine_lps": g.affine_lps(),
        "volumes": volumes,
        "min": min,
        "max": max,
        "warnings": series.warnings,
    }))
}

/// The format that a file's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VolumeFormat {
    Nifti,
    Nrrd,
}

/// The format that the name says, asked before minutes of work end in a name that says none.
pub(super) fn check_volume_name(path: &Path) -> Result<VolumeFormat, String> {
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    if name.ends_with(".nii") || name.ends_with(".nii.gz") {
        Ok(VolumeFormat::Nifti)
    } else if name.ends_with(".nrrd") {
        Ok(VolumeFormat::Nrrd)
    } else {
        Err(format!("the name must end in .nii, .nii.gz or .nrrd: {}", path.display()))
    }
}

/// Writes a volume in the format that the name says.
pub(super) fn write_volume(path: &Path, volume: &Volume) -> Result<(), String> {
    match check_volume_name(path)? {
        VolumeFormat::Nifti => lightbox_dicom::nifti::write(path, volume).map_err(|e| e.to_string()),
        VolumeFormat::Nrrd => lightbox_dicom::nrrd::write(path, volume).map_err(|e| e.to_string()),
    }
}

pub(super) fn render(args: &args::Render) -> Result<(), String> {
    let stack = one_stack(&args.path, args.series.as_deref(), 0)?.stack;
    let plane = match args.plane {
        args::PlaneArg::Axial => Plane::Axial,
        args::PlaneArg::Coronal => Plane::Coronal,
        args::PlaneArg::Sagittal => Plane::Sagittal,
        args::PlaneArg::Native => Plane::Native,
    };
    if plane != Plane::Native && !stack.is_volume {
        return Err(format!(
            "the series is no volume, so it has no {} plane; use --plane native",
            plane.name().to_lowercase()
        ));
    }
    let (volume, _) = load(&stack)?;
    let planes = PlaneStack::new(volume.geometry(), plane);
    let index = args.slice.unwrap_or(planes.count() / 2);
    if index >= planes.count() {
        return Err(format!("there are {} slices, counted from 0", planes.count()));
    }
    let pixels = planes.pixels(&volume, index).ok_or("this slice could not be read")?;
    let window = match args.window {
        Some([width, center]) => Window::new(width, center),
        None => stack.windows.first().map(|w| w.1).or_else(|| auto_window(&volume)).unwrap_or(Window::new(400.0, 40.0)),
    };
    let mut rgba = raster::rgba(&pixels, &window, stack.inverted);
    for path in &args.overlay {
        for segment in masks::read(path, &stack)? {
            if let Some(mask) = planes.mask(volume.geometry(), &segment.mask, index) {
                raster::overlay(&mut rgba, &mask, segment.colour, 0.4);
            }
        }
    }
    let grid = planes.grid(index);
    write_png(&args.out, grid.width, grid.height, &rgba, image::ColorType::Rgba8)?;
    output::line(&args.out.display().to_string());
    Ok(())
}

fn auto_window(volume: &Volume) -> Option<Window> {
    let frame = volume.slices().get(volume.slices().len() / 2)?.as_ref()?;
    let p = frame.percentiles(&[0.001, 0.999])?;
    Some(Window::from_range(f64::from(p[0]), f64::from(p[1])))
}

/// Writes an 8-bit picture.
pub(super) fn write_png(
    path: &Path,
    width: usize,
    height: usize,
    bytes: &[u8],
    colour: image::ColorType,
) -> Result<(), String> {
    image::save_buffer_with_format(path, bytes, width as u32, height as u32, colour, image::ImageFormat::Png).map_err(
        |e| {
            let why = match e {
                image::ImageError::IoError(e) => refusal(&e),
                other => other.to_string(),
            };
            format!("the picture cannot be written ({why}): {}", path.display())
        },
    )
}

/// Writes bytes to a file.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(path, bytes).map_err(|e| format!("the file cannot be written ({}): {}", refusal(&e), path.display()))
}
