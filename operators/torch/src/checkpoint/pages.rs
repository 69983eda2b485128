//! Memory of a mapped file.

use std::{ffi::c_void, io};

use tch::Tensor;

/// Gives back the whole pages below a mapped tensor that nothing reads any more, and that nothing wrote to: they are read
/// from the file again should they be asked for.
pub fn release(bytes: &Tensor) {
    // SAFETY: it takes a number and gives one.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
    let start = bytes.data_ptr() as usize;
    let first = start.next_multiple_of(page);
    let last = (start + bytes.numel()) / page * page;
    let Some(length) = last.checked_sub(first).filter(|length| *length > 0) else {
        return;
    };
    // SAFETY: the pages lie within the mapping that the tensor keeps, no view of them is read any more (what was made of it,
    // converted or packed, is a copy), and views are not written to while their checkpoint is open: dropping unwritten pages
    // of a file changes nothing that can be read, by another view of them either.
    let done = unsafe { libc::madvise(first as *mut c_void, length, libc::MADV_DONTNEED) };
    if done != 0 {
        tracing::debug!(error = %io::Error::last_os_error(), "pages of a checkpoint stay in memory");
    }
}
