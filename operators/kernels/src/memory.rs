//! Aligned memory for weights, on huge pages where the system gives them: a token reads all weights once, in order, and
//! small pages would break every prefetch after 4 KiB.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    ptr::NonNull,
};

use crate::KernelError;

const LINE: usize = 64;
const HUGE: usize = 2 << 20;

/// Zeroed bytes, aligned to a cache line at least.
pub struct Bytes {
    start: NonNull<u8>,
    layout: Layout,
    length: usize,
}

// SAFETY: plain memory that is owned alone; shared access is reading only.
unsafe impl Send for Bytes {}
// SAFETY: as above.
unsafe impl Sync for Bytes {}

impl Bytes {
    pub fn zeroed(length: usize) -> Result<Self, KernelError> {
        let failed = || KernelError::Memory { bytes: length };
        let align = if length >= HUGE { HUGE } else { LINE };
        // Never empty; and a vector load at the end may not leave the allocation.
        let size = length.max(1).checked_next_multiple_of(align).ok_or_else(failed)?;
        let layout = Layout::from_size_align(size, align).map_err(|_| failed())?;
        // SAFETY: the layout's size is above zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(failed)?;
        #[cfg(target_os = "linux")]
        if align == HUGE {
            // SAFETY: an advice on memory that is ours; refusing it changes nothing.
            let _ = unsafe { libc::madvise(start.as_ptr().cast(), size, libc::MADV_HUGEPAGE) };
        }
        Ok(Self {
            start,
            layout,
            length,
        })
    }

    pub fn as_ptr(&self) -> *const u8 {
        self.start.as_ptr()
    }

    pub fn len(&self) -> usize {
        self.length
    }

    /// The bytes as numbers.
    pub fn slice_mut<T: Number>(&mut self) -> &mut [T] {
        // SAFETY: aligned beyond any number, inside the allocation, and every pattern of bits is a number.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.length / size_of::<T>()) }
    }

    /// The bytes as numbers.
    pub fn slice<T: Number>(&self) -> &[T] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.length / size_of::<T>()) }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

/// Plain numbers, of which every pattern of bits is one.
pub trait Number: Copy {}
impl Number for u8 {}
impl Number for i8 {}
impl Number for u16 {}
impl Number for f32 {}

/// Asks for values to be brought into the cache.
#[inline(always)]
pub fn ask<T: Number>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks(LINE / size_of::<T>()) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: asking never faults, and every processor of this kind can.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

/// Bytes a second that these cores read from memory together: the limit of a step that reads all weights.
///
/// # Errors
/// [`KernelError::Memory`].
pub fn read_bandwidth(cores: &crate::Cores) -> Result<f64, KernelError> {
    const SIZE: usize = 256 << 20;
    const PART: usize = 1 << 20;
    let mut bytes = Bytes::zeroed(SIZE)?;
    bytes.slice_mut::<u8>().fill(1);
    let (values, sum) = (bytes.slice::<f32>(), std::sync::atomic::AtomicU32::new(0));
    let mut best = f64::INFINITY;
    for _ in 0..4 {
        let start = std::time::Instant::now();
        cores.run(SIZE / PART, &|part| {
            let step = PART / size_of::<f32>();
            let mut total = 0.0;
            if let Some(values) = values.get(part * step..(part + 1) * step) {
                crate::math::sum(cores.level(), values, &mut total);
            }
            sum.fetch_add(total.to_bits(), std::sync::atomic::Ordering::Relaxed);
        });
        best = best.min(start.elapsed().as_secs_f64());
    }
    std::hint::black_box(sum);
    Ok(SIZE as f64 / best)
}
