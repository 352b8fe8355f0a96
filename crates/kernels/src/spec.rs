//! Sizes of convolutions, checked.

use crate::implicit::{Dims, Taps};
use candle_core::{Result, bail};

/// Stride, border, spacing and groups of a convolution with up to three axes (depth, rows, columns).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvSpec {
    /// Step of the windows.
    pub stride: Dims,
    /// Zeros around the input, on either side.
    pub padding: Dims,
    /// Distance of the taps.
    pub dilation: Dims,
    /// Channels are cut into so many independent parts.
    pub groups: usize,
    /// Rows that a transposed convolution adds at the end, where the stride leaves it open.
    pub out_padding: Dims,
    /// Never by Winograd's transforms, whose rounding is a few times that of a plain sum, and with long sums compensated,
    /// so that little more than the rounding of the result is left. Takes a little longer.
    pub exact: bool,
}

impl ConvSpec {
    /// The same stride and padding along rows and columns.
    pub const fn d2(stride: usize, padding: usize) -> Self {
        Self {
            stride: [1, stride, stride],
            padding: [0, padding, padding],
            dilation: [1; 3],
            groups: 1,
            out_padding: [0; 3],
            exact: false,
        }
    }

    /// The same stride and padding along all three axes.
    pub const fn d3(stride: usize, padding: usize) -> Self {
        Self {
            stride: [stride; 3],
            padding: [padding; 3],
            dilation: [1; 3],
            groups: 1,
            out_padding: [0; 3],
            exact: false,
        }
    }

    /// With a dilation: along rows and columns, and along depth where the layer has one (`axes` = 3).
    #[must_use]
    pub const fn dilated(mut self, dilation: usize, axes: usize) -> Self {
        self.dilation = if axes == 3 { [dilation; 3] } else { [1, dilation, dilation] };
        self
    }

    /// With groups.
    #[must_use]
    pub const fn grouped(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    fn check(&self) -> Result<()> {
        if self.stride.contains(&0) || self.dilation.contains(&0) || self.groups == 0 {
            bail!("stride, dilation and groups of a convolution are at least 1: {self:?}");
        }
        Ok(())
    }

    /// Distance of the first and the last tap.
    fn reach(&self, kernel: Dims, axis: usize) -> Result<usize> {
        let Some(k) = kernel[axis].checked_sub(1) else { bail!("a kernel of {kernel:?} has no taps") };
        match k.checked_mul(self.dilation[axis]) {
            Some(n) if n < isize::MAX as usize / 4 => Ok(n),
            _ => bail!("a kernel of {kernel:?} with dilation {:?} is too large", self.dilation),
        }
    }

    /// Dimensions of the output of a convolution; an error that names both shapes where the kernel does not fit.
    pub fn out(&self, input: Dims, kernel: Dims) -> Result<Dims> {
        self.check()?;
        let mut out = [0; 3];
        for a in 0..3 {
            let reach = self.reach(kernel, a)?;
            let padded = self.padding[a].checked_mul(2).and_then(|p| p.checked_add(input[a]));
            let Some(padded) = padded.filter(|n| *n < isize::MAX as usize / 4) else {
                bail!("padding {:?} of an input {input:?} is too large", self.padding)
            };
            let Some(free) = padded.checked_sub(reach + 1) else {
                bail!("an input of {input:?} with padding {:?} is smaller than the kernel {kernel:?}", self.padding)
            };
            out[a] = free / self.stride[a] + 1;
        }
        Ok(out)
    }

    /// Dimensions of the output of a transposed convolution.
    pub fn out_transposed(&self, input: Dims, kernel: Dims) -> Result<Dims> {
        self.check()?;
        let mut out = [0; 3];
        for a in 0..3 {
            if self.out_padding[a] >= self.stride[a].max(self.dilation[a]) && self.out_padding[a] > 0 {
                bail!("the output padding {:?} must be below the stride {:?}", self.out_padding, self.stride);
            }
            let reach = self.reach(kernel, a)?;
            let full = match input[a].checked_sub(1) {
                None => Some(0),
                Some(n) => n.checked_mul(self.stride[a]).and_then(|n| n.checked_add(reach + 1 + self.out_padding[a])),
            };
            let size = full.filter(|n| *n < isize::MAX as usize / 4).and_then(|n| n.checked_sub(2 * self.padding[a]));
            let Some(size) = size else {
                bail!(
                    "a transposed convolution of {input:?} with kernel {kernel:?} and padding {:?} has no output",
                    self.padding
                )
            };
            out[a] = size;
        }
        Ok(out)
    }

    /// Taps of a kernel in row-major order: their position in the kernel.
    pub(crate) fn taps(kernel: Dims) -> impl Iterator<Item = Dims> {
        let n = kernel.iter().product::<usize>();
        (0..n).map(move |t| [t / (kernel[1] * kernel[2]), t / kernel[2] % kernel[1], t % kernel[2]])
    }

    /// The windows of a convolution.
    pub(crate) fn windows(&self, kernel: Dims) -> Taps {
        let disp = Self::taps(kernel)
            .map(|t| std::array::from_fn(|a| (t[a] * self.dilation[a]) as isize - self.padding[a] as isize))
            .collect();
        Taps { disp, stride: self.stride, out_step: [1; 3], out_start: [0; 3] }
    }

    /// The phases of a transposed convolution: each with the taps that it uses (their numbers in the kernel).
    ///
    /// Output `p + s * o` takes from input `o + (p + pad - k * d) / s` the taps `k` for which that is a whole number.
    pub(crate) fn phases(&self, kernel: Dims) -> Vec<(Taps, Vec<usize>)> {
        let s = self.stride;
        let mut all = Vec::new();
        for p in Self::taps(s) {
            let mut disp = Vec::new();
            let mut used = Vec::new();
            for (i, t) in Self::taps(kernel).enumerate() {
                let at: [isize; 3] = std::array::from_fn(|a| {
                    p[a] as isize + self.padding[a] as isize - (t[a] * self.dilation[a]) as isize
                });
                if (0..3).all(|a| at[a].rem_euclid(s[a] as isize) == 0) {
                    disp.push(std::array::from_fn(|a| at[a].div_euclid(s[a] as isize)));
                    used.push(i);
                }
            }
            all.push((Taps { disp, stride: [1; 3], out_step: s, out_start: p }, used));
        }
        all
    }
}
