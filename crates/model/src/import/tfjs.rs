//! TensorFlow.js layers models: `model.json` with its weights beside it.
//!
//! Kernels are stored with channels last, `[d, h, w, in, out]`; they are turned to PyTorch's order. The layers are
//! named `layers.N` in the order of the topology, each with `weight` and `bias`.

use super::{Container, Found, LARGEST_BYTES};
use serde::Deserialize;
use serde_json::Value;
use std::io::Read;
use std::path::Path;

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "weightsManifest", default)]
    manifest: Vec<Group>,
    #[serde(rename = "modelTopology", default)]
    topology: Value,
}

#[derive(Deserialize)]
struct Group {
    paths: Vec<String>,
    weights: Vec<Weight>,
}

#[derive(Deserialize)]
struct Weight {
    name: String,
    shape: Vec<usize>,
    dtype: String,
    #[serde(default)]
    quantization: Option<Value>,
}

/// A model in memory.
pub(crate) struct Layers {
    found: Vec<Found>,
    /// Original shape and first byte.
    places: Vec<(Vec<usize>, usize)>,
    data: Vec<u8>,
}

impl Layers {
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let mut text = Vec::new();
        let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
        file.take(64 << 20).read_to_end(&mut text).map_err(|e| e.to_string())?;
        let model: Model = serde_json::from_slice(&text).map_err(|e| format!("its JSON is damaged: {e}"))?;
        if model.manifest.is_empty() {
            return Err("it is JSON, but no TensorFlow.js model: it has no weightsManifest".into());
        }
        let order = layers(&model.topology);
        let (mut found, mut places, mut data) = (Vec::new(), Vec::new(), Vec::new());
        for group in model.manifest {
            for name in &group.paths {
                // A name beside the model, not a way out of its folder.
                if name.contains(['/', '\\']) || name.contains("..") {
                    return Err("it names weights outside its folder".into());
                }
                let file = std::fs::File::open(path.with_file_name(name))
                    .map_err(|e| format!("its weights {name} cannot be read: {e}"))?;
                let room = LARGEST_BYTES.saturating_sub(data.len() as u64);
                file.take(room).read_to_end(&mut data).map_err(|e| e.to_string())?;
            }
            // Weights lie one after the other across the group's files.
            let mut at = places.last().map_or(0, |(shape, at): &(Vec<usize>, usize)| at + 4 * count(shape));
            for w in group.weights {
                if w.dtype != "float32" || w.quantization.is_some() {
                    return Err(format!("its weights {} are quantised or no float32, which is not read", w.name));
                }
                let n = w.shape.iter().try_fold(4usize, |n, s| n.checked_mul(*s)).and_then(|n| n.checked_add(at));
                let end = n.filter(|end| *end <= data.len()).ok_or("its weights are cut short")?;
                let (name, shape) = turned(&w.name, &w.shape, &order);
                found.push(Found { name, shape });
                places.push((w.shape, at));
                at = end;
            }
        }
        Ok(Self { found, places, data })
    }
}

fn count(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// Names of the layers that have weights, in the order of the topology.
fn layers(topology: &Value) -> Vec<String> {
    let config = topology.get("model_config").unwrap_or(topology);
    let list = config.pointer("/config/layers").or_else(|| config.get("config")).and_then(Value::as_array);
    let name = |l: &Value| Some(l.pointer("/config/name")?.as_str()?.to_owned());
    let has_weights = |l: &&Value| {
        let class = l.get("class_name").and_then(Value::as_str).unwrap_or_default();
        !["InputLayer", "Activation", "Dropout", "SpatialDropout3D"].contains(&class)
    };
    list.map(|l| l.iter().filter(has_weights).filter_map(name).collect()).unwrap_or_default()
}

/// PyTorch's name and shape of a tensor.
fn turned(name: &str, shape: &[usize], order: &[String]) -> (String, Vec<usize>) {
    let (layer, what) = name.rsplit_once('/').unwrap_or(("", name));
    let layer = order.iter().position(|l| l == layer).map_or(layer.to_owned(), |i| format!("layers.{i}"));
    match (what, shape) {
        ("kernel", [space @ .., input, output]) => {
            let mut turned = vec![*output, *input];
            turned.extend(space);
            (format!("{layer}.weight"), turned)
        }
        (other, shape) => (format!("{layer}.{other}"), shape.to_vec()),
    }
}

impl Container for Layers {
    fn found(&self) -> &[Found] {
        &self.found
    }

    fn read(&mut self, index: usize) -> Result<Vec<f32>, String> {
        let (shape, at) = &self.places[index];
        let n = count(shape);
        let values = super::floats::Kind::F32.floats(&self.data[*at..*at + 4 * n]);
        if !self.found[index].name.ends_with(".weight") {
            return Ok(values);
        }
        let [.., input, output] = shape.as_slice() else { return Ok(values) };
        let (input, output) = (*input, *output);
        let space = n / (input * output).max(1);
        let mut out = Vec::with_capacity(n);
        for o in 0..output {
            for i in 0..input {
                out.extend((0..space).map(|s| values[(s * input + i) * output + o]));
            }
        }
        Ok(out)
    }

    fn kind(&self) -> &'static str {
        "TensorFlow.js"
    }
}
