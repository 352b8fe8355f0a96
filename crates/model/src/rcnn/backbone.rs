//! What describes regions: a classifier at hand, or filters that nobody trained.

use crate::arch::resnet::ResNetConfig;
use crate::arch::{Answer, Architecture, Tensors};
use crate::card::{Card, InputSpec, Intensity, Resize, WEIGHTS_FILE};
use crate::store::Entry;
use crate::{Error, Result, weights};
use candle_core::Device;
use std::path::Path;

/// A classifier whose features are used.
#[derive(Debug, Clone)]
pub struct Backbone {
    pub(super) architecture: Architecture,
    pub(super) input: InputSpec,
    pub(super) tensors: Tensors,
    pub(super) name: String,
    pub(super) defaults: Defaults,
}

/// Sizes that suit a backbone.
#[derive(Debug, Clone)]
pub(super) struct Defaults {
    pub(super) side_px: usize,
    pub(super) context_px: usize,
    pub(super) tap: String,
    pub(super) cells: usize,
}

impl Backbone {
    /// A classifier among the models.
    ///
    /// # Errors
    /// As [`crate::Model::load`]; [`Error::Recipe`] where the model is no classifier of plane images.
    pub fn of(entry: &Entry) -> Result<Self> {
        if let Some(problem) = &entry.problem {
            return Err(Error::Card { id: entry.id.clone(), reason: problem.clone() });
        }
        Self::read(entry.card.clone(), &entry.dir.join(WEIGHTS_FILE))
    }

    /// A classifier in a folder of its own.
    ///
    /// # Errors
    /// As [`Backbone::of`].
    pub fn in_folder(dir: &Path) -> Result<Self> {
        Self::read(Card::read(dir)?, &dir.join(WEIGHTS_FILE))
    }

    fn read(card: Card, path: &Path) -> Result<Self> {
        card.check()?;
        if card.architecture.answers() != Answer::Classes || card.architecture.tap_channels("features").is_none() {
            let reason = format!("'{}' is no classifier whose features can be used", card.id);
            return Err(Error::Recipe { reason });
        }
        let bytes = weights::read_checked(&card.id, path, &card.sha256)?;
        let tensors = weights::parse(&card.id, &bytes, path, &Device::Cpu)?;
        let shapes = card.architecture.shapes();
        weights::check(&card.id, &tensors, &shapes)?;
        // The network alone: what its plain method and its gate keep beside it belongs to another model.
        let own: std::collections::BTreeSet<&str> = shapes.iter().map(|(name, _)| name.as_str()).collect();
        let tensors = tensors.into_iter().filter(|(n, _)| own.contains(n.as_str())).collect();
        // Half of the size that it was trained at, with a coarse place of each feature: quick, and good enough to tell
        // what a region shows.
        let side_px = (card.input.rows.min(card.input.columns) / 2).clamp(64, 128);
        let defaults = Defaults { side_px, context_px: side_px * 16 / 227, tap: "features".into(), cells: 2 };
        Ok(Self { architecture: card.architecture, input: card.input, tensors, name: card.id, defaults })
    }

    /// Its network.
    pub(crate) fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Its tensors as an R-CNN names them.
    pub(crate) fn named(&self) -> Tensors {
        self.tensors.iter().map(|(n, t)| (format!("backbone.{n}"), t.clone())).collect()
    }

    /// The way from an image to its input, of which the size is not used.
    #[must_use]
    pub fn input(&self) -> &InputSpec {
        &self.input
    }

    /// A small ResNet whose filters are drawn at random: edges and blobs of all kinds with their place, which is enough
    /// for objects that differ in shape or texture. For where there is no trained classifier.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn random(seed: u64) -> Result<Self> {
        let config = ResNetConfig { inputs: 1, outputs: 1, blocks: [1; 4], bottleneck: false, width: 16 };
        let architecture = Architecture::Resnet(config);
        let tensors = crate::untrained::tensors(&architecture, seed)?;
        let input = InputSpec {
            clip_low: 0.01,
            clip_high: 0.99,
            mean: vec![0.5],
            std: vec![0.25],
            ..InputSpec::of(64, 64, Resize::Keep, Intensity::Percentile)
        };
        let defaults = Defaults { side_px: 64, context_px: 6, tap: "layer3".into(), cells: 4 };
        Ok(Self { architecture, input, tensors, name: format!("random filters, seed {seed}"), defaults })
    }
}
