//! The finding graph, report text and its checks: no window, no candle.
