//! Recipes: everything that decides what a training makes, as one TOML file that is kept beside the weights.

use super::detect::AssignSpec;
use crate::arch::{Architecture, Takes};
use crate::card::{
    Atlas, Baseline, BaselineMethod, Card, DataSpec, Fits, InputSpec, Intensity, Label, PostSpec, Task, one_line,
};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What to train, on what, how, and what the card is to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Id of the model.
    pub id: String,
    /// A few words for a list.
    pub name: String,
    /// What it does.
    #[serde(default)]
    pub summary: String,
    /// Kind of answer.
    pub task: Task,
    /// Licence of the weights.
    pub licence: String,
    /// What the card says about its limits.
    #[serde(default)]
    pub limits: Vec<String>,
    /// The plain method to compare with.
    pub baseline: BaselineMethod,
    /// The network.
    pub architecture: Architecture,
    /// The way to the network's input.
    pub input: InputSpec,
    /// One per output; the threshold of a single mask is chosen anew on the validation persons.
    #[serde(default)]
    pub labels: Vec<Label>,
    /// What it is for, and what not.
    #[serde(default)]
    pub purpose: String,
    /// Figures that it is meant to reach, by name; the card says where it does not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub goals: BTreeMap<String, f64>,
    /// The way to masks.
    #[serde(default)]
    pub post: PostSpec,
    /// Which images the card allows.
    #[serde(default)]
    pub fits: Fits,
    /// What to train on.
    pub data: DataSpec,
    /// How to train.
    pub training: Training,
    /// Which prediction of a detector answers for which object.
    #[serde(default, skip_serializing_if = "is_published")]
    pub detect: AssignSpec,
    /// Of a generator of noise: what it learns against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adversary: Option<Adversary>,
    /// Of an R-CNN, whose heads are solved for instead of trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regions: Option<RegionSpec>,
    /// How to vary the images.
    #[serde(default)]
    pub augment: Augment,
}

/// What the heads of an R-CNN are solved from ([`crate::rcnn`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionSpec {
    /// The classifier whose features describe regions, by id or folder; the architecture names its network.
    pub backbone: String,
    /// Most proposals of an image that are learnt from, spread over all.
    pub per_image: usize,
    /// Copies of each true box that are a little off.
    pub copies: usize,
    /// Weight of an error of the SVM; 0.001 in the paper.
    pub cost: f64,
    /// Penalty of the box regression; 1000 in the paper.
    pub penalty: f64,
}

/// What a generator learns against: DCGAN's discriminator without norms, its matrices divided by their largest singular
/// value (Miyato et al. 2018), by the hinge loss (Lim and Ye 2017).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adversary {
    /// Channels of its finest layer.
    pub features: usize,
    /// Its highest learning rate.
    pub learning_rate: f64,
    /// Decay of the running means of both networks' gradients; 0.5 in DCGAN.
    #[serde(default = "half")]
    pub beta_1: f64,
    /// The classifier by whose features images are compared, by id or folder.
    pub judge: String,
}

fn half() -> f64 {
    0.5
}

fn is_published(spec: &AssignSpec) -> bool {
    *spec == AssignSpec::default()
}

/// The numbers of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Seed of initialisation, order and variation.
    pub seed: u64,
    /// Updates in all.
    pub steps: usize,
    /// Images an update.
    pub batch: usize,
    /// Highest learning rate of AdamW.
    pub learning_rate: f64,
    /// Updates over which it rises from 0; afterwards it falls to 0 along a cosine.
    pub warmup_steps: usize,
    /// Decoupled weight decay (not on biases).
    pub weight_decay: f64,
    /// Longer gradients (L2 norm over all tensors) are shortened to this.
    pub clip_norm: f64,
    /// Decay of the running mean of the weights, which is what is kept; 0 keeps the last weights.
    pub average_decay: f64,
    /// Updates between checkpoints.
    pub checkpoint_every: usize,
    /// Updates between validations.
    pub validate_every: usize,
    /// What is made small; by the kind of answer where it is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// What makes it small.
    #[serde(default)]
    pub optimiser: Method,
    /// Validations without a better one after which the training ends; the best weights are kept then. 0 never ends
    /// early and keeps the last running mean, which no result has chosen.
    #[serde(default)]
    pub patience: usize,
    /// Whether matrices and kernels are stored as f16.
    #[serde(default)]
    pub half: bool,
    /// Bound of the memory for images and truth, MiB; what does not fit is read again each time.
    #[serde(default = "memory")]
    pub memory_mib: usize,
}

fn memory() -> usize {
    512
}

/// What is made small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Binary cross-entropy and 1 - soft Dice, for masks; with shares as targets it is trained to the share.
    CrossEntropyAndDice,
    /// Cross-entropy over the labels and 1 - soft Dice of each but the background, for masks of which one holds.
    SoftmaxAndDice,
    /// Cross-entropy over the classes.
    CrossEntropy,
    /// The same with easy cases weighing less (Lin et al. 2017, gamma 2).
    Focal,
    /// Mean squared error.
    Mse,
    /// Mean absolute error.
    L1,
    /// 1 - SSIM and mean absolute error, 0.16 to 0.84 (Zhao et al. 2017).
    SsimAndL1,
}

/// What makes it small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// AdamW (Loshchilov and Hutter 2019).
    #[default]
    Adamw,
    /// Stochastic gradient descent with momentum 0.9.
    Sgd,
}

/// How far an image is varied before each use. Probabilities are 0 to 1, lengths fractions of the image's side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Probability of a mirror image.
    pub flip: f64,
    /// Degrees, up to, either way.
    pub rotation_deg: f64,
    /// The image is shown at `1 / zoom_out` to `zoom_in` times its size.
    pub zoom_in: f64,
    /// See `zoom_in`.
    pub zoom_out: f64,
    /// Width against height, up to this factor either way.
    pub aspect: f64,
    /// Fraction of the side, up to, either way.
    pub shift: f64,
    /// Probability of a border of one value, as a collimator leaves it.
    pub border: f64,
    /// Probability of a curved background beside the body.
    pub background: f64,
    /// Probability of another grey-value curve (gamma, monotone curve).
    pub curve: f64,
    /// Probability of a slow brightness change across the image.
    pub shading: f64,
    /// Probability of blur, up to 1.5 network pixels.
    pub blur: f64,
    /// Probability of noise.
    pub noise: f64,
    /// Probability of bright marks (letters, clips, lines).
    pub marks: f64,
}

impl Default for Augment {
    fn default() -> Self {
        Self {
            flip: 0.5,
            rotation_deg: 12.0,
            zoom_in: 1.3,
            zoom_out: 1.6,
            aspect: 1.25,
            shift: 0.1,
            border: 0.25,
            background: 0.25,
            curve: 0.8,
            shading: 0.4,
            blur: 0.4,
            noise: 0.5,
            marks: 0.2,
        }
    }
}

impl Recipe {
    /// Reads and checks a recipe.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Recipe`].
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::read(path))?;
        Self::parse(&text)
    }

    /// Parses and checks a recipe.
    ///
    /// # Errors
    /// [`Error::Recipe`].
    pub fn parse(text: &str) -> Result<Self> {
        let recipe: Self = toml::from_str(text).map_err(|e| Error::Recipe { reason: one_line(&e, text) })?;
        recipe.check()?;
        Ok(recipe)
    }

    fn check(&self) -> Result<()> {
        let fail = |reason: &str| Err(Error::Recipe { reason: reason.into() });
        // The card's rules are the recipe's too.
        self.card(&"0".repeat(64)).check().map_err(|e| Error::Recipe { reason: e.to_string() })?;
        self.check_task()?;
        let t = &self.training;
        if t.steps == 0 || t.batch == 0 || t.checkpoint_every == 0 || t.validate_every == 0 {
            return fail("steps, batch, checkpoint_every and validate_every are at least 1");
        }
        if !(16..=65_536).contains(&t.memory_mib) {
            return fail("memory_mib is between 16 and 65536");
        }
        if t.batch > 1024 {
            return fail("batch is at most 1024");
        }
        let positive = |v: f64| v > 0.0 && v.is_finite();
        if !positive(t.learning_rate) || !positive(t.clip_norm) {
            return fail("learning_rate and clip_norm are above 0");
        }
        if !(0.0..1.0).contains(&t.average_decay) || !(0.0..1.0).contains(&t.weight_decay) {
            return fail("average_decay and weight_decay are at least 0 and below 1");
        }
        let sound = |a: &Adversary| {
            positive(a.learning_rate) && (0.0..1.0).contains(&a.beta_1) && (1..=256).contains(&a.features)
        };
        if self.adversary.as_ref().is_some_and(|a| !sound(a)) {
            return fail("of [adversary], learning_rate is above 0, beta_1 below 1 and features between 1 and 256");
        }
        let a = &self.augment;
        let chances = [a.flip, a.border, a.background, a.curve, a.shading, a.blur, a.noise, a.marks];
        if chances.iter().any(|c| !(0.0..=1.0).contains(c)) {
            return fail("a probability of [augment] is not between 0 and 1");
        }
        if [a.zoom_in, a.zoom_out, a.aspect].iter().any(|f| !(1.0..=4.0).contains(f)) {
            return fail("zoom_in, zoom_out and aspect of [augment] are between 1 and 4");
        }
        if !(0.0..=90.0).contains(&a.rotation_deg) || !(0.0..=0.5).contains(&a.shift) {
            return fail("rotation_deg of [augment] is at most 90, shift at most 0.5");
        }
        Ok(())
    }

    /// Whether loss, network and data go together.
    fn check_task(&self) -> Result<()> {
        let fail = |reason: String| Err(Error::Recipe { reason });
        let loss = self.loss();
        let fits = match self.task {
            Task::Segmentation => matches!(loss, Loss::CrossEntropyAndDice | Loss::SoftmaxAndDice),
            Task::Classification => matches!(loss, Loss::CrossEntropy | Loss::Focal),
            Task::Reconstruction => matches!(loss, Loss::Mse | Loss::L1 | Loss::SsimAndL1),
            Task::Detection => true,
            Task::Language => return fail("a model of text has another kind of recipe".into()),
        };
        if !fits {
            return fail(format!("the loss is not one for {}", self.task.name()));
        }
        match (&self.architecture, &self.adversary) {
            (Architecture::DcganGenerator(c), Some(_)) => {
                if [self.input.rows, self.input.columns] != [c.side(); 2] || c.channels != 1 {
                    let side = c.side();
                    return fail(format!("the generator makes {side} x {side} pixels; rows and columns say otherwise"));
                }
                let range = Intensity::Window { to_low: -1.0, to_high: 1.0 };
                if self.input.intensity != range || self.baseline != BaselineMethod::ComponentSampling {
                    let needs = "a window from -1 to 1 and the baseline 'component-sampling'";
                    return fail(format!("what a generator learns from needs {needs}"));
                }
            }
            (_, Some(_)) => return fail("[adversary] is for a dcgan-generator".into()),
            (a, None) if matches!(a.takes(), Takes::Latent(_)) => {
                return fail("a network that makes images of noise is trained with an [adversary]".into());
            }
            _ => {}
        }
        match (&self.architecture, &self.regions) {
            (Architecture::Rcnn(_), Some(r)) => {
                let good = |v: f64| v.is_finite() && v > 0.0;
                if r.per_image == 0 || r.copies > 200 || !good(r.cost) || !good(r.penalty) {
                    let needs = "per_image, cost and penalty above 0 and at most 200 copies";
                    return fail(format!("[regions] needs {needs}"));
                }
            }
            (Architecture::Rcnn(_), None) => return fail("an R-CNN is made from [regions]".into()),
            (_, Some(_)) => return fail("[regions] is for an R-CNN".into()),
            _ => {}
        }
        self.detect.check().or_else(fail)?;
        if let Some(degrade) = &self.data.degrade {
            degrade.check().or_else(fail)?;
        }
        if self.input.click && (self.architecture.inputs() != 2 || self.task != Task::Segmentation) {
            return fail("a network with a click takes two channels and outlines something".into());
        }
        Ok(())
    }

    /// What is made small.
    pub fn loss(&self) -> Loss {
        self.training.loss.unwrap_or(match self.task {
            Task::Segmentation if self.labels.len() > 1 => Loss::SoftmaxAndDice,
            Task::Segmentation => Loss::CrossEntropyAndDice,
            Task::Reconstruction => Loss::L1,
            Task::Classification | Task::Detection | Task::Language => Loss::CrossEntropy,
        })
    }

    /// The card of what the recipe makes, without results.
    pub fn card(&self, sha256: &str) -> Card {
        Card {
            id: self.id.clone(),
            name: self.name.clone(),
            summary: self.summary.clone(),
            task: self.task,
            licence: self.licence.clone(),
            sha256: sha256.into(),
            limits: self.limits.clone(),
            architecture: self.architecture.clone(),
            input: self.input.clone(),
            labels: self.labels.clone(),
            source: None,
            post: self.post.clone(),
            fits: self.fits.clone(),
            data: Some(self.data.clone()),
            metrics: BTreeMap::new(),
            baseline: Some(Baseline { method: self.baseline, metrics: BTreeMap::new() }),
            atlas: Some(Atlas { purpose: self.purpose.clone(), ..Atlas::default() }),
            judge: self.adversary.as_ref().map(|a| a.judge.clone()),
            notes: BTreeMap::new(),
        }
    }
}
