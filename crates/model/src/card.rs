//! Model cards: what a model is, what it was made from, what it can do and where it may be used.
//!
//! A model is a folder with `model.safetensors` and one `card.toml`; there is no other manifest. Unknown fields are
//! refused, so that a misspelt one is found at once; free notes belong in `[notes]`.

use crate::arch::{Answer, Architecture};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

pub use crate::atlas::{Atlas, Calibration, Cost, Gate, OperatingPoint};
pub use crate::input::{Channels, InputSpec, Intensity, Resize};

/// Name of the card inside a model's folder.
pub const CARD_FILE: &str = "card.toml";
/// Name of the weights inside a model's folder.
pub const WEIGHTS_FILE: &str = "model.safetensors";

/// Everything that is known about a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Lower-case letters, digits, `-`, `_` and `.`; the name of its folder.
    pub id: String,
    /// A few words for a list.
    pub name: String,
    /// One or two sentences: what it does.
    #[serde(default)]
    pub summary: String,
    /// What kind of answer it gives.
    pub task: Task,
    /// Licence of the weights.
    pub licence: String,
    /// SHA-256 of the weights, 64 hex digits; all zeros where they are not there yet.
    #[serde(default = "no_hash")]
    pub sha256: String,
    /// What it must not be used for and where it is known to fail, one sentence each.
    #[serde(default)]
    pub limits: Vec<String>,
    /// The network.
    pub architecture: Architecture,
    /// The way from an image to the network's input; absent where it reads text.
    #[serde(default = "InputSpec::absent", skip_serializing_if = "InputSpec::is_absent")]
    pub input: InputSpec,
    /// One per output channel, in order. A name alone is a label with the threshold 0.5.
    #[serde(default, with = "labels")]
    pub labels: Vec<Label>,
    /// The way from the network's output to an answer.
    #[serde(default)]
    pub post: PostSpec,
    /// The file that the weights were imported from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// On which images it may be used.
    #[serde(default)]
    pub fits: Fits,
    /// What it was trained on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataSpec>,
    /// Held-back results by name (`dice`, `dice_lungs`, ...).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, Interval>,
    /// The plain method that it has to beat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// Calibration, operating points and more, where it was trained here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atlas: Option<Atlas>,
    /// Of a generator: the classifier by whose features its images are compared with real ones, by id or folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<String>,
    /// Free text by topic.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, String>,
}

/// Kind of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Task {
    /// A mask per label.
    Segmentation,
    /// A probability per label.
    Classification,
    /// Boxes with a label each, with or without outlines.
    Detection,
    /// An image made of an image, or of noise.
    Reconstruction,
    /// Words, or numbers about words.
    Language,
}

impl Task {
    /// As in a card.
    pub fn name(self) -> &'static str {
        match self {
            Self::Segmentation => "segmentation",
            Self::Classification => "classification",
            Self::Detection => "detection",
            Self::Reconstruction => "reconstruction",
            Self::Language => "language",
        }
    }
}

/// The file that weights were imported from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name, without the folder.
    pub file: String,
    /// Its kind.
    pub kind: String,
    /// Its SHA-256, 64 hex digits.
    pub sha256: String,
}

/// One output channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// As shown to the reader.
    pub name: String,
    /// Probability from which a pixel belongs to it.
    pub threshold: f32,
    /// Where the mask is split by the side of the patient: the names of the right and the left part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sides: Option<Sides>,
}

/// Labels as names or as tables.
mod labels {
    use super::Label;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize, Serialize)]
    #[serde(untagged)]
    enum Either<L> {
        Name(String),
        Label(L),
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Label>, D::Error> {
        let all = Vec::<Either<Label>>::deserialize(d)?;
        Ok(all
            .into_iter()
            .map(|one| match one {
                Either::Name(name) => Label { name, threshold: 0.5, sides: None },
                Either::Label(label) => label,
            })
            .collect())
    }

    /// All as names where that says everything.
    pub(super) fn serialize<S: Serializer>(labels: &[Label], s: S) -> Result<S::Ok, S::Error> {
        if !labels.is_empty() && labels.iter().all(|l| l.threshold == 0.5 && l.sides.is_none()) {
            return labels.iter().map(|l| l.name.as_str()).collect::<Vec<_>>().serialize(s);
        }
        labels.serialize(s)
    }
}

/// Names of the two parts of a paired organ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sides {
    /// The part on the patient's right.
    pub right: String,
    /// The part on the patient's left.
    pub left: String,
}

/// The way from the network's output to an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostSpec {
    /// From the network's numbers to probabilities.
    #[serde(default, skip_serializing_if = "is_default")]
    pub activation: Activation,
    /// Logits are divided by it before the activation, so that probabilities can be taken at their word.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub temperature: f32,
    /// Whether a class's threshold is the network's operating point, which is shown as 0.5 (TorchXRayVision's
    /// `op_norm`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub operating_points: bool,
    /// Only the largest N connected parts are kept; 0 keeps all.
    #[serde(default)]
    pub largest_components: usize,
    /// Parts smaller than this fraction of the image are dropped.
    #[serde(default)]
    pub minimum_area_fraction: f64,
    /// Whether holes inside a part are filled.
    #[serde(default)]
    pub fill_holes: bool,
}

/// From the network's numbers to probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Activation {
    /// Each label for itself.
    #[default]
    Sigmoid,
    /// One of the labels.
    Softmax,
    /// They are probabilities (or intensities) as they are.
    None,
}

impl Default for PostSpec {
    fn default() -> Self {
        Self {
            activation: Activation::default(),
            temperature: 1.0,
            operating_points: false,
            largest_components: 0,
            minimum_area_fraction: 0.0,
            fill_holes: false,
        }
    }
}

fn one() -> f32 {
    1.0
}

fn is_one(value: &f32) -> bool {
    *value == 1.0
}

fn no_hash() -> String {
    "0".repeat(64)
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// On which images a model may be used. An empty list or an absent range says nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Fits {
    /// DICOM modalities (`CR`, `DX`, ...).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modality: Vec<String>,
    /// DICOM body parts, upper case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub body_part: Vec<String>,
    /// Views (`PA`, `AP`, `LL`, ...).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub view: Vec<String>,
    /// Years, from and to, both included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_years: Option<[f64; 2]>,
}

/// What is known of an image that a model is about to be run on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Candidate<'a> {
    /// DICOM modality.
    pub modality: Option<&'a str>,
    /// DICOM body part.
    pub body_part: Option<&'a str>,
    /// DICOM view position.
    pub view: Option<&'a str>,
    /// Age of the patient in years.
    pub age_years: Option<f64>,
}

impl Fits {
    /// Why an image is outside the card, one sentence each; empty where nothing speaks against it.
    ///
    /// What is not known of the image is not held against it.
    pub fn objections(&self, image: &Candidate<'_>) -> Vec<String> {
        let mut said = Vec::new();
        let lists = [
            ("modality", &self.modality, image.modality),
            ("body part", &self.body_part, image.body_part),
            ("view", &self.view, image.view),
        ];
        for (what, allowed, found) in lists {
            let Some(found) = found.map(str::trim).filter(|f| !f.is_empty()) else { continue };
            if !allowed.is_empty() && !allowed.iter().any(|a| a.eq_ignore_ascii_case(found)) {
                said.push(format!("Trained on {what} {}; this image has {found}.", allowed.join(", ")));
            }
        }
        if let (Some([from, to]), Some(age)) = (self.age_years, image.age_years)
            && !(from..to + 1.0).contains(&age)
        {
            said.push(format!("Trained on ages {from} to {to}; this patient is {}.", age.floor()));
        }
        said
    }
}

/// What a model was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// Name of the reader (`cxr-lungs`).
    pub set: String,
    /// What the data are.
    pub description: String,
    /// Licence of the data.
    pub licence: String,
    /// Whom to name.
    pub credit: String,
    /// The split by person.
    pub split: crate::data::split::SplitSpec,
    /// Pairs of image and mask scored below this were not used for training or validation; testing uses all.
    #[serde(default)]
    pub minimum_pair_score: f64,
    /// Only cases of the class of this number were trained on (an autoencoder of the normal).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_class: Option<usize>,
    /// How the network's input is made worse than the image, which is the truth then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degrade: Option<crate::degrade::Degrade>,
    /// Name of another set, from elsewhere, all of which is measured as well: its figures begin with `outside_`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<String>,
    /// Cases and persons used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
}

/// Cases and persons of each part of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Images trained on.
    pub train_cases: usize,
    /// Persons trained on.
    pub train_persons: usize,
    /// Images for choosing.
    pub validation_cases: usize,
    /// Persons for choosing.
    pub validation_persons: usize,
    /// Images held back.
    pub test_cases: usize,
    /// Persons held back.
    pub test_persons: usize,
}

/// A figure with its bootstrap 95 % interval over persons.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// The figure.
    pub value: f64,
    /// 2.5th percentile.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
}

/// The plain method that a model has to beat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Which one.
    pub method: BaselineMethod,
    /// Its results on the same cases.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, Interval>,
}

/// Plain methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum BaselineMethod {
    /// Otsu's threshold, dark side, parts that touch the border dropped, the two largest kept and filled.
    OtsuDark,
    /// The mean mask of the training cases, stored with the weights as `baseline.mean_mask`, the same for each image.
    MeanMask,
    /// Multinomial logistic regression on intensity and texture features ([`crate::plain::features`]).
    LogisticTexture,
    /// Otsu's threshold inside the crop, the bright part at the click, holes filled.
    OtsuClick,
    /// The mean of the training labels on the network's grid.
    AtlasMean,
    /// The better of bicubic enlargement and non-local means before it.
    BicubicOrNonLocalMeans,
    /// The noisy image as reconstructed by filtered back-projection, or its non-local means, whichever is better.
    FilteredBackProjection,
    /// The mean of the slices.
    SlabMean,
    /// The residual of a reconstruction from principal components of normal images.
    PrincipalComponents,
    /// Images made of principal components, each with a normal draw as wide as the training images spread along it.
    ComponentSampling,
    /// The brightest blob inside the head.
    BrightestBlob,
    /// Words in a row counted in the same text, smoothed after Kneser and Ney.
    Ngram,
    /// How frequent each word is, whatever comes before it.
    WordFrequency,
    /// BM25 over the same passages.
    Bm25,
}

impl Card {
    /// Reads and checks `DIR/card.toml`.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::CardSyntax`] or [`Error::Card`].
    pub fn read(dir: &Path) -> Result<Self> {
        Self::read_file(&dir.join(CARD_FILE))
    }

    /// Reads and checks a card of any name.
    ///
    /// # Errors
    /// As [`Card::read`].
    pub fn read_file(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::read(path))?;
        let card: Self = toml::from_str(&text)
            .map_err(|e| Error::CardSyntax { reason: one_line(&e, &text), path: path.to_owned() })?;
        card.check()?;
        Ok(card)
    }

    /// The card as TOML.
    ///
    /// # Errors
    /// [`Error::Card`] where a value has no TOML form.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string_pretty(self).map_err(|e| Error::Card { id: self.id.clone(), reason: e.to_string() })
    }

    /// Checks what the type system cannot.
    ///
    /// # Errors
    /// [`Error::Card`] with the first contradiction.
    pub fn check(&self) -> Result<()> {
        let fail = |reason: String| Err(Error::Card { id: self.id.clone(), reason });
        check_id(&self.id)?;
        if self.sha256.len() != 64 || !self.sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
            return fail("sha256 is not 64 hex digits".into());
        }
        if self.licence.trim().is_empty() {
            return fail("licence is empty".into());
        }
        self.input.check(self.architecture.takes()).or_else(fail)?;
        if let Err(reason) = self.architecture.check(self.input.rows, self.input.columns) {
            return fail(reason);
        }
        let wanted = match self.architecture.answers() {
            Answer::Classes => Task::Classification,
            Answer::Masks => Task::Segmentation,
            Answer::Boxes => Task::Detection,
            Answer::Image => Task::Reconstruction,
            Answer::Text => Task::Language,
        };
        if self.task != wanted {
            return fail(format!(
                "its task is {}, but the architecture {} is for {}",
                self.task.name(),
                self.architecture.name(),
                wanted.name()
            ));
        }
        if self.labels.len() != self.architecture.outputs() {
            return fail(format!("{} labels for {} outputs", self.labels.len(), self.architecture.outputs()));
        }
        let mut names = std::collections::HashSet::new();
        for (i, label) in self.labels.iter().enumerate() {
            if label.name.trim().is_empty() || !names.insert(label.name.as_str()) {
                return fail(format!("label {} is empty or a repetition", i + 1));
            }
            if !(label.threshold > 0.0 && label.threshold < 1.0) {
                return fail(format!("threshold {} of '{}' is not between 0 and 1", label.threshold, label.name));
            }
        }
        if !(0.0..1.0).contains(&self.post.minimum_area_fraction) {
            return fail("minimum_area_fraction is not a fraction".into());
        }
        if let Some([from, to]) = self.fits.age_years
            && !(0.0 <= from && from <= to)
        {
            return fail("age_years is not an ascending range".into());
        }
        if let Some(data) = &self.data {
            data.split.check().or_else(fail)?;
        }
        for (name, m) in &self.metrics {
            if !(m.low <= m.value && m.value <= m.high) {
                return fail(format!("the interval of '{name}' does not hold its value"));
            }
        }
        Ok(())
    }
}

/// Ids become folder names, so they are limited to what no file system reads differently.
///
/// # Errors
/// [`Error::Card`] where the id is empty, too long, or has other characters.
pub fn check_id(id: &str) -> Result<()> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
    if id.is_empty() || id.len() > 64 || !id.bytes().all(good) || id.starts_with('.') || id.contains("..") {
        return Err(Error::Card {
            id: id.chars().take(64).collect(),
            reason: "its id is not 1 to 64 lower-case letters, digits, '-', '_' or '.'".into(),
        });
    }
    Ok(())
}

/// A label's name inside a metric's name: lower case, spaces as `_`.
pub fn metric_name(prefix: &str, label: &str) -> String {
    format!("{prefix}_{}", label.to_lowercase().replace(' ', "_"))
}

/// A TOML error without its drawing of the line.
pub(crate) fn one_line(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().replace('\n', " ");
    match error.span() {
        Some(span) => {
            let line = text.as_bytes()[..span.start.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1;
            format!("line {line}: {message}")
        }
        None => message,
    }
}

impl Card {
    /// A card of a model whose own card is not readable: only the id is right.
    pub(crate) fn stand_in(id: &str) -> Self {
        use crate::arch::UNetConfig;
        Self {
            id: id.into(),
            name: id.into(),
            summary: String::new(),
            task: Task::Segmentation,
            licence: String::new(),
            sha256: String::new(),
            limits: Vec::new(),
            architecture: Architecture::Unet2d(UNetConfig {
                inputs: 1,
                outputs: 1,
                channels: vec![1, 1],
                merge_convs: 1,
            }),
            input: InputSpec::default(),
            labels: Vec::new(),
            post: PostSpec::default(),
            source: None,
            fits: Fits::default(),
            data: None,
            metrics: BTreeMap::new(),
            baseline: None,
            atlas: None,
            judge: None,
            notes: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::arch::UNetConfig;
    use crate::data::SplitSpec;

    /// A small card whose weights do not exist.
    pub(crate) fn card() -> Card {
        Card {
            name: "Lungs".into(),
            licence: "CC BY 4.0".into(),
            sha256: "0".repeat(64),
            limits: vec!["Made up.".into()],
            architecture: Architecture::Unet2d(UNetConfig {
                inputs: 1,
                outputs: 1,
                channels: vec![4, 8],
                merge_convs: 1,
            }),
            input: InputSpec { rows: 32, columns: 32, ..InputSpec::default() },
            labels: vec![Label {
                name: "Lungs".into(),
                threshold: 0.5,
                sides: Some(Sides { right: "Right lung".into(), left: "Left lung".into() }),
            }],
            fits: Fits { modality: vec!["CR".into(), "DX".into()], age_years: Some([1.0, 5.0]), ..Fits::default() },
            data: Some(DataSpec {
                set: "cxr-lungs".into(),
                description: "x".into(),
                licence: "CC BY 4.0".into(),
                credit: "y".into(),
                split: SplitSpec { seed: 1, validation: 0.2, test: 0.3 },
                minimum_pair_score: 0.7,
                only_class: None,
                degrade: None,
                outside: None,
                counts: None,
            }),
            metrics: BTreeMap::from([("dice".into(), Interval { value: 0.9, low: 0.8, high: 0.95 })]),
            baseline: Some(Baseline { method: BaselineMethod::OtsuDark, metrics: BTreeMap::new() }),
            ..Card::stand_in("tiny")
        }
    }

    fn read(text: &str) -> Result<Card> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(CARD_FILE), text).unwrap();
        Card::read(dir.path())
    }

    #[test]
    fn a_card_comes_back_from_toml() {
        assert_eq!(read(&card().to_toml().unwrap()).unwrap(), card());
    }

    #[test]
    fn faults_are_named() {
        let text = card().to_toml().unwrap();
        let message = |text: &str| read(text).unwrap_err().to_string();
        assert!(message(&text.replace("licence =", "license =")).contains("license"));
        assert!(message(&format!("colour = 1\n{text}")).contains("colour"));
        assert!(message(&text.replace("unet2d", "unet9d")).contains("unet9d"));
        assert!(message(&text.replace("threshold = 0.5", "threshold = 1.5")).contains("threshold 1.5"));
        assert!(message(&text.replace("rows = 32", "rows = 33")).contains("halved"));
        assert!(message(&text.replace("id = \"tiny\"", "id = \"../up\"")).contains("lower-case"));
        assert!(message(&text.replace(&"0".repeat(64), "abc")).contains("64 hex"));
        assert!(message("no toml").contains("line 1"));
        assert!(matches!(Card::read(Path::new("/nowhere/at/all")), Err(Error::Read { .. })));
    }

    #[test]
    fn objections_say_what_does_not_fit() {
        let fits = card().fits;
        let adult = Candidate { modality: Some("DX"), age_years: Some(64.3), ..Candidate::default() };
        assert_eq!(fits.objections(&adult), ["Trained on ages 1 to 5; this patient is 64."]);
        let other = Candidate { modality: Some("MR"), ..Candidate::default() };
        assert_eq!(fits.objections(&other), ["Trained on modality CR, DX; this image has MR."]);
        let child = Candidate { modality: Some("cr"), age_years: Some(5.9), ..Candidate::default() };
        assert!(fits.objections(&child).is_empty());
        assert!(fits.objections(&Candidate::default()).is_empty());
    }
}
