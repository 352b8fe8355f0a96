//! What a classifier looked at: Grad-CAM, occlusion, integrated gradients. None of them says that the answer is right.

use crate::answer::class_probabilities;
use crate::arch::Pass;
use crate::card::Task;
use crate::image::resize;
use crate::prepare::{Picture, prepare};
use crate::run::RunCx;
use crate::{Error, Model, Result};
use candle_core::{Tensor, Var};

/// How to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Gradients of the class's number on the last map, averaged, times the map (Selvaraju et al. 2017).
    GradCam,
    /// How far the probability falls when a patch is covered with the image's mean (Zeiler and Fergus 2014).
    Occlusion,
    /// Gradients along the way from a grey image, times the way (Sundararajan et al. 2017).
    IntegratedGradients,
}

impl Method {
    /// All, the quickest first.
    pub const ALL: [Self; 3] = [Self::GradCam, Self::Occlusion, Self::IntegratedGradients];

    /// As people write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::GradCam => "Grad-CAM",
            Self::Occlusion => "Occlusion",
            Self::IntegratedGradients => "Integrated gradients",
        }
    }

    /// As on the command line.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "grad-cam" => Some(Self::GradCam),
            "occlusion" => Some(Self::Occlusion),
            "integrated-gradients" => Some(Self::IntegratedGradients),
            _ => None,
        }
    }
}

/// A map of what counted for a class.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    /// Name of the class, the most probable one where none was asked for.
    pub label: String,
    /// `[rows * columns]` of the picture. Grad-CAM: 0 to 1. Occlusion: fall of the probability. Integrated gradients:
    /// shares of the class's number, with sign.
    pub values: Vec<f32>,
    /// Integrated gradients: |sum of the shares - what they are shares of| / the latter; 0 would be exact.
    pub completeness_residual: Option<f64>,
}

/// Steps along the way of integrated gradients.
const STEPS: usize = 32;

impl Model {
    /// A map of what counted for a class (its number in the card; the most probable one where none is given).
    ///
    /// # Errors
    /// [`Error::Image`] where the model is no classifier, offers no map, or does not take the image; [`Error::Cancelled`].
    pub fn explain(&self, picture: &Picture, method: Method, class: Option<usize>, cx: &RunCx<'_>) -> Result<Heat> {
        let card = self.card();
        crate::answer::want(card, Task::Classification)?;
        let told = cx;
        // A method runs the network many times: how far it is, it tells itself.
        let cx = &RunCx { cancelled: told.cancelled, progress: &|_, _| {} };
        let prepared = prepare(picture, card)?;
        let logits: Vec<f32> = self.network().forward(&prepared.x, cx)?.get(0)?.to_vec1()?;
        let class =
            class.unwrap_or_else(|| (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap_or(0));
        let label = card.labels.get(class).map(|l| l.name.clone());
        let label = label.ok_or_else(|| Error::Image { reason: format!("'{}' has no class {class}", card.id) })?;
        let (rows, columns) = (prepared.rows, prepared.columns);
        let mut completeness_residual = None;
        let plane = match method {
            Method::GradCam => {
                let (map, h, w) = self.grad_cam(&prepared.x, class, cx)?;
                resize(&map, w, h, columns, rows)
            }
            Method::Occlusion => self.occlusion(&prepared.x, class, told)?,
            Method::IntegratedGradients => {
                let (map, residual) = self.integrated_gradients(&prepared.x, class, told)?;
                completeness_residual = Some(residual);
                map
            }
        };
        let back = prepared.placed.plane_from_input(&plane, [columns, rows], picture.columns, picture.rows, 0.0);
        Ok(Heat { label, values: back, completeness_residual })
    }

    /// The map in the size of the network's last one, 0 to 1.
    fn grad_cam(&self, x: &Tensor, class: usize, cx: &RunCx<'_>) -> Result<(Vec<f32>, usize, usize)> {
        let none = || Error::Image { reason: format!("'{}' offers no map to explain", self.card().id) };
        let mut pass = Pass::keeping(*cx, &["features"]);
        self.network().run(x, &mut pass)?;
        let map = Var::from_tensor(&pass.kept().get("features").ok_or_else(none)?.detach())?;
        let logits = self.network().head(map.as_tensor()).ok_or_else(none)??;
        let grads = logits.get(0)?.get(class)?.backward()?;
        let grad = grads.get(map.as_tensor()).ok_or_else(none)?;
        let (_, _, h, w) = map.dims4()?;
        let weights = grad.get(0)?.flatten_from(1)?.mean(1)?.to_vec1::<f32>()?;
        Ok((weighed(&map.get(0)?, &weights)?, h, w))
    }

    fn occlusion(&self, x: &Tensor, class: usize, told: &RunCx<'_>) -> Result<Vec<f32>> {
        let cx = &RunCx { cancelled: told.cancelled, progress: &|_, _| {} };
        let (_, channels, h, w) = x.dims4()?;
        let values: Vec<f32> = x.flatten_all()?.to_vec1()?;
        let probability = |values: Vec<f32>| -> Result<f32> {
            let x = Tensor::from_vec(values, x.dims(), x.device())?;
            let logits: Vec<f32> = self.network().forward(&x, cx)?.get(0)?.to_vec1()?;
            Ok(class_probabilities(self.card(), &logits)[class])
        };
        let whole = probability(values.clone())?;
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        // An eighth of the side, half of it a step.
        let (ph, pw) = ((h / 8).max(2), (w / 8).max(2));
        let (mut sum, mut count) = (vec![0f32; h * w], vec![0f32; h * w]);
        let (all, mut done) = (h.div_ceil(ph / 2) * w.div_ceil(pw / 2), 0);
        for top in (0..h).step_by(ph / 2) {
            for left in (0..w).step_by(pw / 2) {
                cx.check()?;
                done += 1;
                (told.progress)(done as f32 / all as f32, &format!("Patch {done} of {all}"));
                let (bottom, right) = ((top + ph).min(h), (left + pw).min(w));
                let mut covered = values.clone();
                for c in 0..channels {
                    for y in top..bottom {
                        covered[(c * h + y) * w + left..(c * h + y) * w + right].fill(mean);
                    }
                }
                let fall = whole - probability(covered)?;
                for y in top..bottom {
                    for x in left..right {
                        sum[y * w + x] += fall;
                        count[y * w + x] += 1.0;
                    }
                }
            }
        }
        Ok(sum.iter().zip(&count).map(|(s, n)| s / n.max(1.0)).collect())
    }

    /// The shares and how far their sum is from what it should be.
    fn integrated_gradients(&self, x: &Tensor, class: usize, told: &RunCx<'_>) -> Result<(Vec<f32>, f64)> {
        let cx = &RunCx { cancelled: told.cancelled, progress: &|_, _| {} };
        // 0 is the mean of a standardised image, the middle grey.
        let start = x.zeros_like()?;
        let way = (x - &start)?;
        let number = |x: &Tensor| -> Result<Tensor> { Ok(self.network().forward(x, cx)?.get(0)?.get(class)?) };
        let mut sum = x.zeros_like()?;
        for k in 0..STEPS {
            cx.check()?;
            (told.progress)((k + 1) as f32 / STEPS as f32, &format!("Step {} of {STEPS}", k + 1));
            // Middles of the steps.
            let at = Var::from_tensor(&(&start + (&way * ((k as f64 + 0.5) / STEPS as f64))?)?)?;
            let grads = number(at.as_tensor())?.backward()?;
            if let Some(grad) = grads.get(at.as_tensor()) {
                sum = (sum + grad)?;
            }
        }
        let shares = ((sum * way)? / STEPS as f64)?;
        let total = f64::from(shares.sum_all()?.to_scalar::<f32>()?);
        let whole = f64::from((number(x)? - number(&start)?)?.to_scalar::<f32>()?);
        // Channels of one pixel together.
        let plane: Vec<f32> = shares.get(0)?.sum(0)?.flatten_all()?.to_vec1()?;
        Ok((plane, (total - whole).abs() / whole.abs().max(1e-6)))
    }
}

/// max(0, sum of the channels by weight), its largest value 1.
///
/// # Shapes
/// `map`: `[channels, rows, columns]`
fn weighed(map: &Tensor, weights: &[f32]) -> Result<Vec<f32>> {
    let (channels, h, w) = map.dims3()?;
    let values: Vec<f32> = map.flatten_all()?.to_vec1()?;
    let mut out = vec![0f32; h * w];
    for (c, weight) in weights.iter().enumerate().take(channels) {
        out.iter_mut().zip(&values[c * h * w..][..h * w]).for_each(|(o, v)| *o += weight * v);
    }
    let top = out.iter().copied().fold(0.0, f32::max);
    out.iter_mut().for_each(|v| *v = if top > 0.0 { v.max(0.0) / top } else { 0.0 });
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Architecture;
    use crate::arch::resnet::ResNetConfig;
    use crate::card::{Card, InputSpec, Intensity, Label, PostSpec, Resize};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    /// A small ResNet with random weights, and its last matrix.
    fn model() -> (Model, Vec<Vec<f32>>) {
        let config = ResNetConfig { inputs: 1, outputs: 3, blocks: [1, 1, 1, 1], bottleneck: false, width: 4 };
        let architecture = Architecture::Resnet(config);
        let mut random = StdRng::seed_from_u64(3);
        let tensors: crate::arch::Tensors = architecture
            .shapes()
            .into_iter()
            .map(|(name, shape)| {
                let n: usize = shape.iter().product();
                let values: Vec<f32> = match name.rsplit('.').next() {
                    Some("running_var") => vec![1.0; n],
                    _ => (0..n).map(|_| random.random_range(-0.5..0.5f32)).collect(),
                };
                (name, Tensor::from_vec(values, shape, &candle_core::Device::Cpu).unwrap())
            })
            .collect();
        let last = tensors["fc.weight"].to_vec2().unwrap();
        let label = |name: &str| Label { name: name.into(), threshold: 0.5, sides: None };
        let card = Card {
            architecture,
            task: Task::Classification,
            licence: "CC0".into(),
            sha256: "0".repeat(64),
            input: InputSpec::of(64, 64, Resize::Squeeze, Intensity::Standardise),
            labels: vec![label("a"), label("b"), label("c")],
            post: PostSpec { activation: crate::card::Activation::Softmax, ..PostSpec::default() },
            ..Card::stand_in("x")
        };
        (Model::from_tensors(card, tensors).unwrap(), last)
    }

    fn picture() -> Picture {
        let plane = (0..80 * 60).map(|i| ((i % 80) as f32 * 0.2).sin() + ((i / 80) as f32 * 0.1).cos()).collect();
        Picture { columns: 80, rows: 60, planes: vec![plane], full_range: None, window: None }
    }

    // Behind a mean and a matrix the gradient is known: the matrix' row, divided by the number of places.
    #[test]
    fn grad_cam_by_gradients_is_the_closed_form() {
        let (model, last) = model();
        let x = prepare(&picture(), model.card()).unwrap().x;
        let mut pass = Pass::keeping(RunCx::silent(), &["features"]);
        model.network().run(&x, &mut pass).unwrap();
        let map = pass.kept()["features"].get(0).unwrap();
        for (class, row) in last.iter().enumerate() {
            let closed = weighed(&map, row).unwrap();
            let (found, h, w) = model.grad_cam(&x, class, &RunCx::silent()).unwrap();
            assert_eq!(found.len(), h * w);
            let worst = closed.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-5, "class {class}: {worst}");
        }
    }

    #[test]
    fn shares_sum_to_the_whole() {
        let (model, _) = model();
        let heat = model.explain(&picture(), Method::IntegratedGradients, Some(1), &RunCx::silent()).unwrap();
        assert_eq!((heat.label.as_str(), heat.values.len()), ("b", 4800));
        let residual = heat.completeness_residual.unwrap();
        assert!(residual < 0.05, "{residual}");
    }

    #[test]
    fn covering_changes_the_answer_where_the_answer_comes_from() {
        let (model, _) = model();
        let heat = model.explain(&picture(), Method::Occlusion, None, &RunCx::silent()).unwrap();
        assert!(heat.values.iter().any(|v| v.abs() > 1e-4));
        assert!(heat.values.iter().all(|v| v.abs() <= 1.0));
        assert!(model.explain(&picture(), Method::GradCam, Some(7), &RunCx::silent()).is_err());
    }
}
