//! Models on candle: weights, cards, inference, training, evaluation; the only crate that knows a tensor.
