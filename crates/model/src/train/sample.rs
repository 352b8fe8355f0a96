//! From a case to what a network is shown of it and what it is to say, varied anew each time.

use super::augment;
use super::detect::{SMALLEST_PX, Target};
use super::recipe::Recipe;
use crate::answer::is_background;
use crate::arch::Architecture;
use crate::card::Task;
use crate::click;
use crate::data::case::{Case, Pixels, Truth};
use crate::degrade::Degrade;
use crate::detection::parts::{PART_OF_IMAGE, parts};
use crate::evaluate::{slab_planes, unit};
use crate::volume::Grid;
use crate::{Card, Error, Result};
use rand::Rng;
use rand::rngs::StdRng;

/// A network input and its target.
pub(crate) struct Sample {
    /// Channels times pixels (or voxels), in the network's range.
    pub(crate) image: Vec<f32>,
    /// What is to come out.
    pub(crate) target: Vec<f32>,
    /// What a detector is to find, in pixels of the input.
    pub(crate) objects: Target,
}

impl Sample {
    fn new(image: Vec<f32>, target: Vec<f32>) -> Self {
        Self { image, target, objects: Target::default() }
    }
}

/// Shapes of a batch's input and target.
pub(crate) fn shapes(recipe: &Recipe, batch: usize) -> (Vec<usize>, Vec<usize>) {
    let i = &recipe.input;
    let inputs = recipe.architecture.inputs();
    let labels = recipe.labels.len();
    if matches!(recipe.architecture.takes(), crate::arch::Takes::Volume(_)) {
        return (vec![batch, inputs, i.slices, i.rows, i.columns], vec![batch, labels, i.slices, i.rows, i.columns]);
    }
    // A generator is shown noise; what is made of a case is what its images are compared with.
    let inputs = if matches!(recipe.architecture.takes(), crate::arch::Takes::Latent(_)) { 1 } else { inputs };
    let input = vec![batch, inputs, i.rows, i.columns];
    let target = match recipe.task {
        Task::Classification => vec![batch, labels],
        Task::Reconstruction => vec![batch, 1, i.rows, i.columns],
        Task::Segmentation => vec![batch, labels, i.rows, i.columns],
        Task::Detection | Task::Language => vec![batch, 0],
    };
    (input, target)
}

/// Makes a sample of a case.
pub(crate) fn make(recipe: &Recipe, card: &Card, case: &Case, random: &mut StdRng) -> Result<Sample> {
    let wrong = |what: &str| Error::Data { set: recipe.data.set.clone(), reason: format!("{what}: {}", case.name) };
    if let Pixels::F32(v) = &case.pixels
        && v.iter().any(|v| !v.is_finite())
    {
        return Err(wrong("it holds values that are not finite"));
    }
    match recipe.task {
        Task::Language => Err(wrong("a model of text does not learn from images")),
        Task::Segmentation if matches!(recipe.architecture.takes(), crate::arch::Takes::Volume(_)) => {
            volume(recipe, card, case, random)
        }
        Task::Segmentation => {
            let (marks, scale, window) = match &case.truth {
                Truth::Labels(v) => (v, 1.0, augment::Window::whole(case)),
                Truth::Share { marks, readers } => {
                    let window = if recipe.input.click {
                        window_at_click(recipe, case, random).ok_or_else(|| wrong("nothing is marked on it"))?
                    } else {
                        augment::Window::whole(case)
                    };
                    (marks, 1.0 / f32::from(*readers), window)
                }
                _ => return Err(wrong("it has no mask")),
            };
            let (image, target, _) =
                augment::vary(case, Some((marks, scale)), window, (&recipe.augment, &recipe.input), random);
            let mut sample = Sample::new(image, target);
            if recipe.input.click {
                sample.image.extend(click::spot(recipe.input.rows, recipe.input.columns));
            }
            Ok(sample)
        }
        Task::Classification => {
            let Truth::Class(class) = case.truth else { return Err(wrong("no class is told")) };
            let (image, ..) =
                augment::vary(case, None, augment::Window::whole(case), (&recipe.augment, &recipe.input), random);
            let target = (0..recipe.labels.len()).map(|l| f32::from(u8::from(l == class))).collect();
            Ok(Sample::new(image, target))
        }
        Task::Detection if matches!(case.truth, Truth::Labels(_)) => outlined(recipe, case, random),
        Task::Detection => {
            let Truth::Boxes(boxes) = &case.truth else { return Err(wrong("no boxes are told")) };
            let (image, _, place) =
                augment::vary(case, None, augment::Window::whole(case), (&recipe.augment, &recipe.input), random);
            let first = usize::from(recipe.labels.first().is_some_and(|l| is_background(&l.name)));
            let (w, h) = (recipe.input.columns as f32, recipe.input.rows as f32);
            let (boxes, labels) = boxes
                .iter()
                .map(|(b, label)| (place.box_in_target(b, w, h), label + first))
                .filter(|(b, _)| b[2] - b[0] >= SMALLEST_PX && b[3] - b[1] >= SMALLEST_PX)
                .unzip();
            let proposals = match &recipe.architecture {
                Architecture::FastRcnn(c) => c.proposals.find(&image, recipe.input.columns, recipe.input.rows, c.most),
                _ => Vec::new(),
            };
            let objects = Target { boxes, labels, masks: Vec::new(), proposals };
            Ok(Sample { image, target: Vec::new(), objects })
        }
        Task::Reconstruction => restoration(recipe, case, random),
    }
}

/// Objects that are told as masks, each part of a label a thing of its own.
fn outlined(recipe: &Recipe, case: &Case, random: &mut StdRng) -> Result<Sample> {
    let Truth::Labels(labels) = &case.truth else {
        return Err(Error::Data { set: recipe.data.set.clone(), reason: format!("it has no mask: {}", case.name) });
    };
    let first = usize::from(recipe.labels.first().is_some_and(|l| is_background(&l.name)));
    let columns = recipe.input.columns;
    let (image, plane, _) = augment::vary(
        case,
        Some((labels, 1.0)),
        augment::Window::whole(case),
        (&recipe.augment, &recipe.input),
        random,
    );
    let mask: Vec<bool> = plane.iter().map(|v| *v >= 0.5).collect();
    let mut objects = Target::default();
    for (rect, mask) in parts(&mask, columns, PART_OF_IMAGE) {
        if rect[2] - rect[0] >= SMALLEST_PX && rect[3] - rect[1] >= SMALLEST_PX {
            objects.boxes.push(rect);
            objects.labels.push(first);
            objects.masks.push(mask);
        }
    }
    Ok(Sample { image, target: Vec::new(), objects })
}

/// The window round a click somewhere in what two readers marked, mostly near its middle.
fn window_at_click(recipe: &Recipe, case: &Case, random: &mut StdRng) -> Option<augment::Window> {
    let columns = case.size[2];
    let mask = case.mask(1);
    let middle = crate::evaluate::click_of(&mask, columns)?;
    let inside: Vec<usize> = (0..mask.len()).filter(|i| mask[*i]).collect();
    let any = inside[random.random_range(0..inside.len())];
    let click = if random.random_bool(0.5) { middle } else { [any % columns, any / columns] };
    let size = [recipe.input.columns as f64, recipe.input.rows as f64];
    // The click's pixel lies at index n / 2 of the window, half a pixel right of the middle.
    let centre = [0, 1].map(|a| click[a] as f64 - 0.5);
    Some(augment::Window { centre, size })
}

fn restoration(recipe: &Recipe, case: &Case, random: &mut StdRng) -> Result<Sample> {
    let (rows, columns) = (recipe.input.rows, recipe.input.columns);
    let degrade = recipe.data.degrade.unwrap_or(Degrade::None);
    if degrade == Degrade::None {
        let (image, ..) =
            augment::vary(case, None, augment::Window::whole(case), (&recipe.augment, &recipe.input), random);
        let target = image.clone();
        return Ok(Sample::new(image, target));
    }
    let [slices, own_rows, own_columns] = case.size;
    if matches!(degrade, Degrade::HalfAndNoise { .. }) {
        return Ok(halved_patch(recipe, degrade, case, random));
    }
    let values = unit(case);
    let (planes, truth) = if let Degrade::Slab { slices: count, noise } = degrade {
        let z = random.random_range(0..slices);
        slab_planes(case, &values, z, count, noise, random)
    } else {
        (vec![crate::evaluate::worse(&degrade, case, &values, own_columns, random)], values)
    };
    // A patch at a random place, turned over at random; the border repeated where the image is smaller.
    let place = |own: usize, wanted: usize, random: &mut StdRng| -> i64 {
        if own > wanted { random.random_range(0..=(own - wanted)) as i64 } else { own as i64 / 2 - wanted as i64 / 2 }
    };
    let (top, left) = (place(own_rows, rows, random), place(own_columns, columns, random));
    let (flip_x, flip_y) = (random.random_bool(0.5), random.random_bool(0.5));
    let cut = |plane: &[f32]| -> Vec<f32> {
        let mut out = Vec::with_capacity(rows * columns);
        for y in 0..rows {
            let y = if flip_y { rows - 1 - y } else { y };
            let y = (top + y as i64).clamp(0, own_rows as i64 - 1) as usize;
            for x in 0..columns {
                let x = if flip_x { columns - 1 - x } else { x };
                let x = (left + x as i64).clamp(0, own_columns as i64 - 1) as usize;
                out.push(plane[y * own_columns + x]);
            }
        }
        out
    };
    Ok(Sample::new(planes.iter().flat_map(|p| cut(p)).collect(), cut(&truth)))
}

/// A patch made worse by itself, with a margin that is cut off again: the whole image would cost twenty times as much.
fn halved_patch(recipe: &Recipe, degrade: Degrade, case: &Case, random: &mut StdRng) -> Sample {
    const MARGIN: usize = 8;
    let (rows, columns) = (recipe.input.rows, recipe.input.columns);
    let [_, own_rows, own_columns] = case.size;
    let (h, w) = (rows + 2 * MARGIN, columns + 2 * MARGIN);
    let mut place = |own: usize, wanted: usize| -> i64 {
        // Even, so that pixels are halved in the pairs in which a whole image's are.
        if own > wanted { (random.random_range(0..=(own - wanted) / 2) * 2) as i64 } else { 0 }
    };
    let (top, left) = (place(own_rows, rows) - MARGIN as i64, place(own_columns, columns) - MARGIN as i64);
    let (flip_x, flip_y) = (random.random_bool(0.5), random.random_bool(0.5));
    let scale = if matches!(case.pixels, Pixels::U8(_)) { 1.0 / 255.0 } else { 1.0 };
    let mut clean = Vec::with_capacity(h * w);
    for y in 0..h {
        let y = if flip_y { h - 1 - y } else { y };
        let y = (top + y as i64).clamp(0, own_rows as i64 - 1) as usize;
        for x in 0..w {
            let x = if flip_x { w - 1 - x } else { x };
            let x = (left + x as i64).clamp(0, own_columns as i64 - 1) as usize;
            clean.push(case.pixels.at(y * own_columns + x) * scale);
        }
    }
    let worse = degrade.apply(&clean, w, random);
    let inner = |plane: &[f32]| -> Vec<f32> {
        (0..rows).flat_map(|y| plane[(y + MARGIN) * w + MARGIN..][..columns].iter().copied()).collect()
    };
    Sample::new(inner(&worse), inner(&clean))
}

/// A volume on the network's grid, turned, stretched and shifted, with one plane of targets per label.
fn volume(recipe: &Recipe, card: &Card, case: &Case, random: &mut StdRng) -> Result<Sample> {
    let Truth::Labels(labels) = &case.truth else {
        return Err(Error::Data { set: recipe.data.set.clone(), reason: format!("it has no labels: {}", case.name) });
    };
    let volume = crate::evaluate::volume(case)?;
    let grid = Grid::of(card, &volume)?;
    let dims = [recipe.input.slices, recipe.input.rows, recipe.input.columns];
    let a = &recipe.augment;
    let mut range = |r: f64| if r > 0.0 { random.random_range(-r..r) } else { 0.0 };
    let angles = [0; 3].map(|_| range(a.rotation_deg).to_radians());
    let scale = [0; 3].map(|_| range(a.aspect.ln()).exp());
    let shift = [0, 1, 2].map(|k| range(a.shift) * dims[k] as f64);
    let gain = range(a.shading);
    let gamma = range(a.curve * 0.3).exp() as f32;
    // Where the network's input lies in a grid that is larger than it.
    let start = [0, 1, 2].map(|k| (grid.dims[k] / 2) as f64 - (dims[k] / 2) as f64);
    let matrix = turns(angles);
    let own = volume.geometry().dims();
    let n: usize = dims.iter().product();
    let mut image = vec![0f32; n];
    let k = recipe.labels.len();
    let mut target = vec![0f32; k * n];
    for i in 0..n {
        let at = [i / (dims[1] * dims[2]), i / dims[2] % dims[1], i % dims[2]];
        let from_centre = [0, 1, 2].map(|d| (at[d] as f64 - (dims[d] / 2) as f64) * scale[d]);
        let moved = [0, 1, 2].map(|d| {
            let turned: f64 = (0..3).map(|e| matrix[d][e] * from_centre[e]).sum();
            turned + (dims[d] / 2) as f64 + shift[d] + start[d]
        });
        let v = grid.voxel(moved);
        let inside = (0..3).all(|d| v[d] > -0.5 && v[d] < own[d] as f64 - 0.5);
        let mut label = 0;
        if inside {
            image[i] = volume.trilinear(lightbox_core::VoxelPos::new(v[0], v[1], v[2]));
            let near = [0, 1, 2].map(|d| (v[d].round().max(0.0) as usize).min(own[d] - 1));
            label = usize::from(labels[(near[2] * own[1] + near[1]) * own[0] + near[0]]);
        }
        if label < k {
            target[label * n + i] = 1.0;
        }
    }
    crate::prepare::intensity(&mut image, &card.input, None, None)?;
    let noise = random.random_range(0.0..=(0.15 * a.noise).max(1e-6)) as f32;
    for v in image.iter_mut().filter(|v| **v != 0.0) {
        // A curve that keeps 0, and noise.
        *v = v.signum() * v.abs().powf(gamma) * (1.0 + gain as f32) + noise * augment::normal(random);
    }
    Ok(Sample::new(image, target))
}

/// A rotation by three angles.
fn turns([a, b, c]: [f64; 3]) -> [[f64; 3]; 3] {
    let ((sa, ca), (sb, cb), (sc, cc)) = (a.sin_cos(), b.sin_cos(), c.sin_cos());
    [
        [cb * cc, sa * sb * cc - ca * sc, ca * sb * cc + sa * sc],
        [cb * sc, sa * sb * sc + ca * cc, ca * sb * sc - sa * cc],
        [-sb, sa * cb, ca * cb],
    ]
}
