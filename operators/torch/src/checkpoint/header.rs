//! A safetensors file's header, and the file mapped into memory.

use std::{collections::BTreeMap, fs::File, io::Read, path::Path};

use safetensors::{Dtype, tensor::Metadata};
use tch::{Device, Kind, Tensor};

use crate::ModelError;

/// As the format has it.
const LONGEST_HEADER: u64 = 100_000_000;

/// Where a tensor is in its file.
pub struct Entry {
    /// Its type.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<i64>,
    /// First byte in the file.
    pub start: i64,
    /// Byte after the last.
    pub end: i64,
}

/// Maps the file and reads its header. A header that does not fit the file's size is an error.
pub fn read(path: &Path) -> Result<(Tensor, BTreeMap<String, Entry>), ModelError> {
    let io = |source| ModelError::Io {
        path: path.to_owned(),
        source,
    };
    let damaged = |why: String| ModelError::Damaged {
        path: path.to_owned(),
        why,
    };
    let mut file = File::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    let mut length = [0_u8; 8];
    file.read_exact(&mut length)
        .map_err(|_| damaged("it is shorter than a header".to_owned()))?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER || length + 8 > size {
        return Err(damaged(format!(
            "its header is said to have {length} bytes, the file has {size}"
        )));
    }
    let mut header = vec![0_u8; usize::try_from(length).map_err(|error| damaged(error.to_string()))?];
    file.read_exact(&mut header).map_err(io)?;
    let header: Metadata = serde_json::from_slice(&header)
        .map_err(|error| damaged(format!("its header cannot be read: {error}")))?;
    let data = 8 + length;
    if data + header.data_len() as u64 != size {
        let told = data + header.data_len() as u64;
        return Err(damaged(format!(
            "it has {size} bytes where its header tells of {told}: is it complete?"
        )));
    }
    let mut entries = BTreeMap::new();
    for (name, info) in header.tensors() {
        let shape = info
            .shape
            .iter()
            .map(|&n| i64::try_from(n))
            .collect::<Result<Vec<_>, _>>();
        let shape = shape.map_err(|error| damaged(format!("the shape of `{name}`: {error}")))?;
        let at =
            |offset: usize| i64::try_from(data + offset as u64).map_err(|error| damaged(error.to_string()));
        let (start, end) = (at(info.data_offsets.0)?, at(info.data_offsets.1)?);
        entries.insert(
            name,
            Entry {
                dtype: info.dtype,
                shape,
                start,
                end,
            },
        );
    }
    Ok((map(path, size)?, entries))
}

/// The whole file as bytes. Private and copy on write: what is written to a view never reaches the file.
fn map(path: &Path, size: u64) -> Result<Tensor, ModelError> {
    let name = path.to_str().ok_or_else(|| ModelError::Damaged {
        path: path.to_owned(),
        why: "its path is not valid UTF-8".to_owned(),
    })?;
    let size = i64::try_from(size).map_err(|error| ModelError::Damaged {
        path: path.to_owned(),
        why: error.to_string(),
    })?;
    Ok(Tensor::f_from_file(
        name,
        false,
        size,
        (Kind::Uint8, Device::Cpu),
    )?)
}
