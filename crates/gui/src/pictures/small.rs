//! Pictures as small files. The noise of an image is most of its file, so levels that are hardly told apart become one;
//! where that is not enough, a palette of colours that is chosen by halving the box that errs most (median cut).

use std::io;
use std::path::Path;

use image::RgbaImage;

/// Bits of a channel by which colours are told apart.
const BITS: u32 = 6;
/// Levels of a channel that become one, then colours of a palette: the first that makes a file of [`MOST_BYTES`] or less.
const STEPS: [u16; 4] = [1, 4, 6, 8];
/// See [`STEPS`].
const COLOURS: [usize; 4] = [256, 176, 112, 64];
/// What a page should carry for one picture.
const MOST_BYTES: usize = 300_000;

/// A colour in [`BITS`] a channel, and how many pixels have it.
type Counted = ([u8; 3], u64);

/// Writes a picture, which has to be opaque, as a PNG with a palette.
///
/// # Errors
/// The system's.
pub(super) fn write(path: &Path, picture: &RgbaImage) -> io::Result<()> {
    let mut bytes = Vec::new();
    for step in STEPS {
        bytes = stepped(picture, step)?;
        if bytes.len() <= MOST_BYTES {
            return std::fs::write(path, bytes);
        }
    }
    for colours in COLOURS {
        bytes = encode(picture, colours)?;
        if bytes.len() <= MOST_BYTES {
            break;
        }
    }
    std::fs::write(path, bytes)
}

/// The picture with so many levels made one; black stays black and white white.
fn stepped(picture: &RgbaImage, step: u16) -> io::Result<Vec<u8>> {
    let level = |v: u8| ((u16::from(v) + step / 2) / step * step).min(255) as u8;
    let rgb: Vec<u8> = picture.pixels().flat_map(|p| [p.0[0], p.0[1], p.0[2]].map(level)).collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width(), picture.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::Adaptive);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&rgb)?;
    writer.finish()?;
    Ok(bytes)
}

fn encode(picture: &RgbaImage, colours: usize) -> io::Result<Vec<u8>> {
    let (palette, indices) = indexed(picture, colours);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width(), picture.height());
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette.concat());
    encoder.set_compression(png::Compression::High);
    // Neighbours in a palette are no neighbours in colour: a filter would only add noise.
    encoder.set_filter(png::Filter::NoFilter);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&indices)?;
    writer.finish()?;
    Ok(bytes)
}

fn key([r, g, b, _]: [u8; 4]) -> [u8; 3] {
    [r, g, b].map(|v| v >> (8 - BITS))
}

fn number(key: [u8; 3]) -> usize {
    key.iter().fold(0, |n, v| n << BITS | usize::from(*v))
}

/// The palette, and for each pixel its place in it.
fn indexed(picture: &RgbaImage, most: usize) -> (Vec<[u8; 3]>, Vec<u8>) {
    let mut counts = vec![0u64; 1 << (3 * BITS)];
    picture.pixels().for_each(|p| counts[number(key(p.0))] += 1);
    let mask = (1 << BITS) - 1;
    let colour = |n: usize| [n >> (2 * BITS) & mask, n >> BITS & mask, n & mask].map(|v| v as u8);
    let all: Vec<Counted> = counts.iter().enumerate().filter(|(_, n)| **n > 0).map(|(i, n)| (colour(i), *n)).collect();
    let mut boxes = vec![all];
    while boxes.len() < most {
        let worst = (0..boxes.len()).max_by_key(|i| error(&boxes[*i]));
        let Some(worst) = worst.filter(|i| boxes[*i].len() > 1) else { break };
        let half = split(&mut boxes[worst]);
        boxes.push(half);
    }
    let mut places = vec![0u8; counts.len()];
    let mut palette = Vec::with_capacity(boxes.len());
    for (place, colours) in boxes.iter().enumerate() {
        colours.iter().for_each(|(c, _)| places[number(*c)] = place as u8);
        palette.push(mean(colours));
    }
    (palette, picture.pixels().map(|p| places[number(key(p.0))]).collect())
}

/// The widest axis of a box, and how wide it is.
fn widest(colours: &[Counted]) -> (usize, u64) {
    let range = |axis: usize| {
        let values = || colours.iter().map(|(c, _)| u64::from(c[axis]));
        values().max().unwrap_or(0) - values().min().unwrap_or(0)
    };
    (0..3).map(|axis| (axis, range(axis))).max_by_key(|(_, range)| *range).unwrap_or((0, 0))
}

/// How much a box errs: its pixels times the square of its width.
fn error(colours: &[Counted]) -> u64 {
    let pixels: u64 = colours.iter().map(|(_, n)| n).sum();
    pixels * widest(colours).1.pow(2)
}

/// Takes the upper half of a box's pixels out of it, along its widest axis; both keep at least one colour.
fn split(colours: &mut Vec<Counted>) -> Vec<Counted> {
    let axis = widest(colours).0;
    colours.sort_unstable_by_key(|(c, _)| c[axis]);
    let half = colours.iter().map(|(_, n)| n).sum::<u64>() / 2;
    let mut below = 0;
    let at = colours.iter().position(|(_, n)| {
        below += n;
        below > half
    });
    colours.split_off(at.unwrap_or(0).clamp(1, colours.len() - 1))
}

/// The mean of a box in 8 bits; the darkest and the lightest value stay what they are.
fn mean(colours: &[Counted]) -> [u8; 3] {
    let pixels: u64 = colours.iter().map(|(_, n)| n).sum::<u64>().max(1);
    let most = (1u64 << BITS) - 1;
    [0, 1, 2].map(|axis| {
        let sum: u64 = colours.iter().map(|(c, n)| u64::from(c[axis]) * n).sum();
        ((sum * 255 + pixels * most / 2) / (pixels * most)) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_comes_back_nearly_as_it_was_and_smaller() {
        // Greys with noise, and a patch of each of many colours.
        let mut seed = 5u32;
        let picture = RgbaImage::from_fn(200, 160, |x, y| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grey = (x + (seed >> 29)) as u8;
            if y < 120 { image::Rgba([grey, grey, grey, 255]) } else { image::Rgba([x as u8, (y * 3) as u8, 90, 255]) }
        });
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        std::fs::write(&path, encode(&picture, 256).unwrap()).unwrap();
        let back = image::open(&path).unwrap().into_rgba8();
        let off = |(a, b): (&image::Rgba<u8>, &image::Rgba<u8>)| (0..3).map(|c| a.0[c].abs_diff(b.0[c])).max().unwrap();
        let all: Vec<u8> = picture.pixels().zip(back.pixels()).map(off).collect();
        let mean = all.iter().map(|v| u64::from(*v)).sum::<u64>() as f64 / all.len() as f64;
        assert!(mean < 5.0 && all.iter().all(|v| *v < 40), "mean {mean}, worst {:?}", all.iter().max());
        let plain = dir.path().join("b.png");
        picture.save(&plain).unwrap();
        let size = |p: &Path| std::fs::metadata(p).unwrap().len();
        assert!(size(&path) * 2 < size(&plain));
    }

    #[test]
    fn a_picture_that_is_small_already_is_not_changed_and_no_level_moves_far() {
        let picture = RgbaImage::from_fn(64, 64, |x, y| image::Rgba([(x * 4) as u8, (y * 4) as u8, 7, 255]));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        write(&path, &picture).unwrap();
        assert_eq!(image::open(&path).unwrap().into_rgba8(), picture);
        let back = image::load_from_memory(&stepped(&picture, 8).unwrap()).unwrap().into_rgba8();
        assert!(picture.iter().zip(back.iter()).all(|(a, b)| a.abs_diff(*b) <= 4));
    }

    #[test]
    fn black_white_and_few_colours_stay() {
        let colours = [[0, 0, 0, 255], [255, 255, 255, 255], [200, 40, 40, 255]];
        let picture = RgbaImage::from_fn(9, 1, |x, _| image::Rgba(colours[x as usize % 3]));
        let (palette, indices) = indexed(&picture, 256);
        assert_eq!(palette.len(), 3);
        let of = |n: usize| palette[usize::from(indices[n])];
        assert_eq!((of(0), of(1)), ([0; 3], [255; 3]));
        assert!(of(2)[0].abs_diff(200) < 5 && of(2)[1].abs_diff(40) < 5);
    }
}
