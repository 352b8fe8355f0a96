//! Which instruction set the kernels use: the best that the machine has, or the one that is asked for.
//!
//! `LIGHTBOX_ISA` (`avx512`, `avx2`, `neon`, `portable`) lowers the choice for a process; [`with`] for one call on one
//! thread, which is how the tests go through all of them. A set that the machine lacks is never chosen.

use std::cell::Cell;
use std::fmt;
use std::sync::OnceLock;

/// An instruction set; on one machine later ones are better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Isa {
    /// Plain Rust for whatever the build targets; the compiler vectorises it.
    Portable,
    /// ARM's 128-bit vectors. Never built or run on the developers' machines; see the README.
    Neon,
    /// AVX2 and FMA: most desktops.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        })
    }
}

/// The sets of this machine, the best last.
pub fn available() -> &'static [Isa] {
    static ALL: OnceLock<Vec<Isa>> = OnceLock::new();
    ALL.get_or_init(|| {
        #[allow(unused_mut, reason = "other processors have one set only")]
        let mut all = vec![Isa::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            use std::is_x86_feature_detected as has;
            if has!("avx2") && has!("fma") {
                all.push(Isa::Avx2);
                if has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl") {
                    all.push(Isa::Avx512);
                }
            }
        }
        // NEON is part of every 64-bit ARM that Rust targets.
        #[cfg(target_arch = "aarch64")]
        all.push(Isa::Neon);
        all
    })
}

/// Whether the processor multiplies bytes (VNNI) under the chosen set.
pub fn has_vnni(isa: Isa) -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        isa == Isa::Avx512 && std::is_x86_feature_detected!("avx512vnni")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = isa;
        false
    }
}

/// The best set of this machine that is not above what `LIGHTBOX_ISA` names.
fn process_choice() -> Isa {
    static CHOICE: OnceLock<Isa> = OnceLock::new();
    *CHOICE.get_or_init(|| {
        let all = available();
        let best = all.last().copied().unwrap_or(Isa::Portable);
        let asked = match std::env::var("LIGHTBOX_ISA").as_deref() {
            Ok("portable") => Isa::Portable,
            Ok("neon") => Isa::Neon,
            Ok("avx2") => Isa::Avx2,
            _ => best,
        };
        all.iter().copied().rfind(|i| *i <= asked).unwrap_or(Isa::Portable)
    })
}

thread_local! {
    static FORCED: Cell<Option<Isa>> = const { Cell::new(None) };
}

/// The set that calls of this thread use.
pub fn current() -> Isa {
    FORCED.get().unwrap_or_else(process_choice)
}

/// Runs `f` with a set that the machine has; one that it lacks changes nothing.
pub fn with<R>(isa: Isa, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<Isa>);
    impl Drop for Restore {
        fn drop(&mut self) {
            FORCED.set(self.0);
        }
    }
    let _restore = Restore(FORCED.get());
    if available().contains(&isa) {
        FORCED.set(Some(isa));
    }
    f()
}

/// Compiles a generic function for each instruction set and picks one at run time.
///
/// `by_isa!(fn NAME(ARGS) = GENERIC)` makes `unsafe fn NAME(isa: Isa, ARGS)`, which calls `GENERIC::<S>(ARGS)` inside a
/// function that has the set's features, so that everything marked `inline(always)` in it is compiled with them.
macro_rules! by_isa {
    ($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),* $(,)?) = $generic:path) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// What the generic function asks for; `isa` must be one that the machine has.
        pub(crate) unsafe fn $name(isa: $crate::isa::Isa, $($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            unsafe fn avx512($($arg: $ty),*) {
                use $generic as generic;
                // SAFETY: the caller's promise.
                unsafe { generic::<$crate::simd::Avx512>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2($($arg: $ty),*) {
                use $generic as generic;
                // SAFETY: the caller's promise.
                unsafe { generic::<$crate::simd::Avx2>($($arg),*) }
            }
            use $generic as generic;
            // SAFETY: the caller's promise; `isa` comes from `isa::current`, which names what the machine has.
            unsafe {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    $crate::isa::Isa::Avx512 => avx512($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::isa::Isa::Avx2 => avx2($($arg),*),
                    #[cfg(target_arch = "aarch64")]
                    $crate::isa::Isa::Neon => generic::<$crate::simd::Neon>($($arg),*),
                    _ => generic::<$crate::simd::Portable>($($arg),*),
                }
            }
        }
    };
}
pub(crate) use by_isa;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forcing_lasts_for_one_call_and_never_names_what_is_missing() {
        let before = current();
        with(Isa::Portable, || assert_eq!(current(), Isa::Portable));
        assert_eq!(current(), before);
        let missing = if cfg!(target_arch = "x86_64") { Isa::Neon } else { Isa::Avx512 };
        with(missing, || assert!(available().contains(&current())));
    }
}
