//! Whole published nets for `lightbox bench nets`, as the program runs them: from the card, through [`Model`].
//!
//! Weights are random, which changes no time: a detector's head judges as many proposals. The peers run the published
//! implementation (torchvision) with its own random weights.

use crate::arch::{Output, Pass, Takes};
use crate::published::template;
use crate::{Error, Model, Result, RunCx};
use candle_core::{Device, Tensor};
use lightbox_kernels::bench::{Case, Run};
use std::hint::black_box;

impl Model {
    /// Runs the network on a random input of this shape and drops what it gives; a network that can tell a volume's
    /// labels in little memory does that.
    fn once(&self, x: &Tensor) -> Result<()> {
        let mut pass = Pass::new(RunCx::silent());
        if let (Takes::Volume(_), Some(labels)) =
            (self.card().architecture.takes(), self.network().labels(x, &mut pass))
        {
            black_box(labels?);
            return Ok(());
        }
        match self.network().run(x, &mut pass)? {
            Output::Logits(t) | Output::Masks(t) | Output::Image(t) => drop(black_box(t)),
            Output::Boxes(all) => drop(black_box(all)),
        }
        Ok(())
    }
}

fn case(name: &'static str, shape: &[usize], python: &str) -> Case {
    let size: Vec<String> = shape[2..].iter().map(usize::to_string).collect();
    let given = shape.to_vec();
    let fault = |e: Error| candle_core::Error::Msg(e.to_string());
    Case {
        name: format!("{name} {}", size.join("x")),
        ours: Box::new(move || {
            let card = template(name).ok_or_else(|| candle_core::Error::Msg(format!("no template {name}")))?;
            let model = Model::untrained(card, 1).map_err(fault)?;
            let x = Tensor::randn(0f32, 1.0, given, &Device::Cpu)?;
            let run: Run = Box::new(move || model.once(&x).map_err(fault));
            Ok(run)
        }),
        candle: None,
        python: Some((python.to_owned(), shape.to_vec())),
        check: None,
    }
}

/// The cases.
#[must_use]
pub fn nets() -> Vec<Case> {
    let vision = |what: &str| format!("__import__('torchvision').models.{what}");
    // A chest X-ray of 2500 x 3056 pixels as torchvision's detectors see it: 800 x 978, filled up to 32.
    let xray = [1, 3, 992, 800];
    vec![
        case("resnet50", &[1, 3, 224, 224], &vision("resnet50()")),
        case("inception_v3", &[1, 3, 299, 299], &vision("inception_v3(init_weights=False)")),
        case("vgg16", &[1, 3, 224, 224], &vision("vgg16()")),
        case("densenet121", &[1, 3, 224, 224], &vision("densenet121()")),
        case("fcn_resnet50", &[1, 3, 520, 520], &vision("segmentation.fcn_resnet50(weights_backbone=None)")),
        case("unet_plane", &[1, 1, 512, 512], "UNet(2, 32, 4, 1, 1)"),
        case(
            "fasterrcnn_resnet50_fpn",
            &xray,
            &vision("detection.fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None)"),
        ),
        case("ssd300_vgg16", &[1, 3, 300, 300], &vision("detection.ssd300_vgg16(weights=None, weights_backbone=None)")),
        case("model5_gw_ae", &[1, 1, 256, 256, 256], "MeshNet()"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_has_a_card_whose_network_takes_its_shape() {
        for case in nets() {
            let name = case.name.split(' ').next().unwrap();
            let card = template(name).unwrap();
            let (_, shape) = case.python.unwrap();
            let fits = match card.architecture.takes() {
                Takes::Plane(n) => shape.len() == 4 && shape[1] == n,
                Takes::Volume(n) => shape.len() == 5 && shape[1] == n,
                Takes::Latent(_) | Takes::Text => false,
            };
            assert!(fits, "{}", case.name);
        }
    }
}
