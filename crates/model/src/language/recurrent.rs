//! LSTM (Hochreiter and Schmidhuber 1997) and GRU (Cho et al. 2014) with the tensors and gates of `torch.nn`, any number
//! of layers, one direction or both; and a language model on them.

use super::gpt2::fault;
use super::layers::{Dropout, Embedding, Linear, drop};
use super::net::within;
use crate::Result;
use crate::arch::Params;
use candle_core::{DType, Device, Tensor};
use candle_nn::ops::sigmoid;
use serde::{Deserialize, Serialize};

/// Which cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// Gates input, forget, cell, output.
    Lstm,
    /// Gates reset, update, new.
    Gru,
}

impl Cell {
    fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }
}

/// The arguments of `torch.nn.LSTM` and `torch.nn.GRU`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecurrentConfig {
    /// Which cell.
    pub cell: Cell,
    /// Numbers a step.
    pub input_size: usize,
    /// Numbers of the state.
    pub hidden_size: usize,
    /// Layers.
    #[serde(default = "one")]
    pub num_layers: usize,
    /// Whether each layer also reads backwards.
    #[serde(default)]
    pub bidirectional: bool,
    /// Whether there are biases.
    #[serde(default = "yes")]
    pub bias: bool,
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

impl RecurrentConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        within("input_size", self.input_size, 1, 1 << 14)?;
        within("hidden_size", self.hidden_size, 1, 1 << 14)?;
        within("num_layers", self.num_layers, 1, 64)
    }

    fn directions(&self) -> usize {
        1 + usize::from(self.bidirectional)
    }
}

/// One direction of one layer.
#[derive(Debug, Clone)]
struct Direction {
    cell: Cell,
    hidden: usize,
    /// Of the input, with its bias.
    input: Linear,
    /// `[hidden, gates * hidden]`.
    state: Tensor,
    /// `[gates * hidden]`.
    state_bias: Option<Tensor>,
}

/// State of all layers and directions: hidden and, for an LSTM, cell, `[batch, hidden]` each; a copy shares them.
#[derive(Debug, Clone, Default)]
pub struct State(Vec<(Tensor, Option<Tensor>)>);

impl Direction {
    fn new(p: &Params<'_>, config: &RecurrentConfig, layer: usize, suffix: &str) -> Result<Self> {
        let inputs = if layer == 0 { config.input_size } else { config.hidden_size * config.directions() };
        let gates = config.cell.gates() * config.hidden_size;
        let name = |what: &str| format!("{what}_l{layer}{suffix}");
        let weight = p.get(&name("weight_ih"), &[gates, inputs])?;
        let mut state = p.get(&name("weight_hh"), &[gates, config.hidden_size])?;
        if !p.is_listing() {
            state = state.t()?.contiguous()?;
        }
        let (input, state_bias) = if config.bias {
            let bias = p.get(&name("bias_ih"), &[gates])?;
            (Linear::with(weight, bias), Some(p.get(&name("bias_hh"), &[gates])?))
        } else {
            (Linear::of(weight)?, None)
        };
        Ok(Self { cell: config.cell, hidden: config.hidden_size, input, state, state_bias })
    }

    /// All steps: `x` `[batch, length, inputs]` to `[batch, length, hidden]`.
    fn run(
        &self,
        x: &Tensor,
        start: Option<&(Tensor, Option<Tensor>)>,
        backwards: bool,
    ) -> Result<(Tensor, (Tensor, Option<Tensor>))> {
        let (batch, length, _) = x.dims3()?;
        // The input's part of all steps in one product.
        let input = self.input.forward(x)?.transpose(0, 1)?.contiguous()?;
        let zero = || Tensor::zeros((batch, self.hidden), DType::F32, &Device::Cpu);
        let (mut h, mut c) = match start {
            Some((h, c)) => (h.clone(), c.clone()),
            None => (zero()?, if self.cell == Cell::Lstm { Some(zero()?) } else { None }),
        };
        let mut outputs = Vec::with_capacity(length);
        for step in 0..length {
            let at = if backwards { length - 1 - step } else { step };
            let x = input.get(at)?;
            let mut y = h.matmul(&self.state)?;
            if let Some(bias) = &self.state_bias {
                y = y.broadcast_add(bias)?;
            }
            match &c {
                Some(cell) => {
                    let g = (x + y)?.chunk(4, 1)?;
                    let new = ((sigmoid(&g[1])? * cell)? + (sigmoid(&g[0])? * g[2].tanh()?)?)?;
                    h = (sigmoid(&g[3])? * new.tanh()?)?;
                    c = Some(new);
                }
                None => {
                    let (x, y) = (x.chunk(3, 1)?, y.chunk(3, 1)?);
                    let reset = sigmoid(&(&x[0] + &y[0])?)?;
                    let update = sigmoid(&(&x[1] + &y[1])?)?;
                    let new = (&x[2] + (reset * &y[2])?)?.tanh()?;
                    h = (&new + (update * (&h - &new)?)?)?;
                }
            }
            outputs.push(h.clone());
        }
        if backwards {
            outputs.reverse();
        }
        Ok((Tensor::stack(&outputs, 1)?, (h, c)))
    }
}

/// The layers.
#[derive(Debug, Clone)]
pub struct Recurrent {
    layers: Vec<Vec<Direction>>,
}

impl Recurrent {
    pub(crate) fn new(p: &Params<'_>, config: &RecurrentConfig) -> Result<Self> {
        let layer = |layer: usize| -> Result<Vec<Direction>> {
            ["", "_reverse"][..config.directions()].iter().map(|s| Direction::new(p, config, layer, s)).collect()
        };
        Ok(Self { layers: (0..config.num_layers).map(layer).collect::<Result<_>>()? })
    }

    /// `x` `[batch, length, input_size]` (as torch with `batch_first`) to `[batch, length, hidden_size * directions]`.
    /// The state is that behind the last step, and where the next call begins.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] for an input of a wrong shape.
    pub fn forward(&self, x: &Tensor, state: &mut State) -> Result<Tensor> {
        self.run(x, state, &mut None)
    }

    fn run(&self, x: &Tensor, state: &mut State, dropout: &mut Option<&mut Dropout>) -> Result<Tensor> {
        let mut x = x.clone();
        let mut new = Vec::new();
        for (number, layer) in self.layers.iter().enumerate() {
            if number > 0 {
                x = drop(x, dropout)?;
            }
            let mut parts = Vec::with_capacity(layer.len());
            for (side, direction) in layer.iter().enumerate() {
                let (y, last) = direction.run(&x, state.0.get(new.len()), side == 1)?;
                parts.push(y);
                new.push(last);
            }
            x = if parts.len() == 1 { parts.swap_remove(0) } else { Tensor::cat(&parts, 2)? };
        }
        state.0 = new;
        Ok(x)
    }
}

impl State {
    /// Hidden state `[layers * directions, batch, hidden]`, in torch's order.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] before the first step.
    pub fn hidden(&self) -> Result<Tensor> {
        Ok(Tensor::stack(&self.0.iter().map(|(h, _)| h).collect::<Vec<_>>(), 0)?)
    }

    /// Cell state of an LSTM in the same form; `None` for a GRU.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`].
    pub fn cell(&self) -> Result<Option<Tensor>> {
        let cells: Vec<&Tensor> = self.0.iter().filter_map(|(_, c)| c.as_ref()).collect();
        if cells.is_empty() { Ok(None) } else { Ok(Some(Tensor::stack(&cells, 0)?)) }
    }
}

/// A language model: tokens as rows of a table, the recurrent layers, a projection back to the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecurrentLmConfig {
    /// Tokens.
    pub vocab_size: usize,
    /// Which cell.
    pub cell: Cell,
    /// Width of the table.
    pub embedding_size: usize,
    /// Numbers of the state.
    pub hidden_size: usize,
    /// Layers.
    #[serde(default = "one")]
    pub num_layers: usize,
}

impl RecurrentLmConfig {
    fn layers(&self) -> RecurrentConfig {
        RecurrentConfig {
            cell: self.cell,
            input_size: self.embedding_size,
            hidden_size: self.hidden_size,
            num_layers: self.num_layers,
            bidirectional: false,
            bias: true,
        }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        within("vocab_size", self.vocab_size, 2, 1 << 20)?;
        self.layers().check()
    }
}

/// The language model.
#[derive(Debug, Clone)]
pub struct RecurrentLm {
    table: Embedding,
    layers: Recurrent,
    project: Linear,
    head: Linear,
}

impl RecurrentLm {
    pub(crate) fn new(p: &Params<'_>, config: &RecurrentLmConfig) -> Result<Self> {
        config.check().map_err(fault)?;
        let table = Embedding::new(&p.at("embedding"), config.vocab_size, config.embedding_size)?;
        let layers = Recurrent::new(&p.at("rnn"), &config.layers())?;
        let project = Linear::new(&p.at("project"), config.hidden_size, config.embedding_size, true)?;
        let head = Linear::with(table.table.clone(), p.get("head.bias", &[config.vocab_size])?);
        Ok(Self { table, layers, project, head })
    }

    /// Logits `[batch, length, vocab_size]` of `ids` `[batch, length]`, after the text that the state holds.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] for a token beyond the vocabulary.
    pub fn forward(&self, ids: &Tensor, state: &mut State) -> Result<Tensor> {
        self.run(ids, state, &mut None)
    }

    pub(crate) fn forward_train(&self, ids: &Tensor, dropout: &mut Dropout) -> Result<Tensor> {
        self.run(ids, &mut State::default(), &mut Some(dropout))
    }

    fn run(&self, ids: &Tensor, state: &mut State, dropout: &mut Option<&mut Dropout>) -> Result<Tensor> {
        let x = drop(self.table.forward(ids)?, dropout)?;
        let x = drop(self.layers.run(&x, state, dropout)?, dropout)?;
        self.head.forward(&self.project.forward(&x)?)
    }
}
