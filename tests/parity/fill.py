"""Weights and inputs that Python and Rust make alike, so that a fixture holds outputs only.

Number i of a tensor is splitmix64(fnv1a(name) + i), taken to [0, 1) by its upper 24 bits, then scaled by the kind of
tensor: see `fill`. `crates/model/tests/parity.rs` has the same in Rust.
"""
import numpy as np


def fnv1a(text):
    h = 0xCBF29CE484222325
    for b in text.encode():
        h = ((h ^ b) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


def uniform(name, n):
    with np.errstate(over="ignore"):
        z = np.uint64(fnv1a(name)) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)


def fill(name, shape, gain=1.0):
    n = int(np.prod(shape)) if len(shape) else 1
    u = uniform(name, n)
    last = name.rsplit(".", 1)[-1]
    if last in ("running_var", "rolling_variance"):
        v = np.float32(0.5) + u
    elif len(shape) >= 2:
        bound = np.float32(gain * np.sqrt(6.0 / np.prod(shape[1:])))
        v = (u * np.float32(2) - np.float32(1)) * bound
    elif last in ("weight", "scales", "scale_weight"):
        v = np.float32(0.75) + np.float32(0.5) * u
    else:
        v = (u - np.float32(0.5)) * np.float32(0.2)
    return v.reshape(shape).astype(np.float32)


def load(net, gains=()):
    """Fills a network's state dict; `gains` are (part of a name, factor)."""
    import torch
    state = net.state_dict()
    for name, t in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        gain = next((g for part, g in gains if part in name), 1.0)
        state[name] = torch.from_numpy(fill(name, tuple(t.shape), gain).copy())
    net.load_state_dict(state)
    return net.eval()


def shrink(net, by, keep=()):
    """Divides the widths of a network's layers, but not those whose name holds one of `keep` on their outer side."""
    import torch.nn as nn
    def width(n):
        return n // by if n % by == 0 and n > 4 else n
    for name, m in list(net.named_modules()):
        for child, old in list(m.named_children()):
            full = f"{name}.{child}" if name else child
            out = (lambda n: n) if any(k in full for k in keep) else width
            if isinstance(old, nn.ConvTranspose2d):
                new = nn.ConvTranspose2d(width(old.in_channels), out(old.out_channels), old.kernel_size, old.stride, old.padding, old.output_padding, bias=old.bias is not None)
            elif isinstance(old, nn.Conv2d):
                i, o = width(old.in_channels), out(old.out_channels)
                new = nn.Conv2d(i, o, old.kernel_size, old.stride, old.padding, old.dilation, i if old.groups > 1 else 1, old.bias is not None)
            elif isinstance(old, nn.BatchNorm2d):
                new = nn.BatchNorm2d(width(old.num_features), eps=old.eps)
            elif isinstance(old, nn.Linear):
                new = nn.Linear(width(old.in_features), out(old.out_features))
            else:
                continue
            setattr(m, child, new)
    return net
