//! Keeps segments few and free of dead rows, so that a search reads little else than what counts.

use super::{
    layout::{Folder, Index, SegmentEntry},
    segment::Segment,
    writer::SegmentWriter,
};
use crate::vectors::VectorError;

/// More segments than this are merged.
const MOST_SEGMENTS: usize = 8;

/// A segment in which this share of rows is dead is written anew: one in four.
const DEAD_SHARE: u64 = 4;

/// Merges where there is need. Small segments go into one; a large one is only rewritten for its own dead rows or when
/// what joins it is a quarter of it, so that a row is rewritten a logarithmic number of times.
pub(super) fn merge(folder: &Folder, index: &mut Index) -> Result<(), VectorError> {
    let wasteful = |s: &SegmentEntry| (s.rows - s.live()) * DEAD_SHARE >= s.rows;
    let crowded = index.segments.len() > MOST_SEGMENTS;
    if !crowded && !index.segments.iter().any(wasteful) {
        return Ok(());
    }
    let mut by_size: Vec<usize> = (0..index.segments.len()).collect();
    by_size.sort_by_key(|n| index.segments.get(*n).map(SegmentEntry::live));
    let (mut chosen, mut sum) = (Vec::new(), 0_u64);
    for n in by_size {
        let Some(segment) = index.segments.get(n) else {
            continue;
        };
        if wasteful(segment) || (crowded && (chosen.len() < 2 || segment.live() <= sum.saturating_mul(4))) {
            sum += segment.live();
            chosen.push(n);
        }
    }
    chosen.sort_unstable();
    let name = format!("s{:012}", index.generation + 1);
    let mut writer = SegmentWriter::new(folder, name)?;
    for entry in chosen.iter().filter_map(|n| index.segments.get(*n)) {
        copy(
            &Segment::open(folder, entry, index.dimension)?,
            index.dimension,
            &mut writer,
        )?;
    }
    let merged = writer.finish()?;
    // The merged segment has a name of the next generation, so this commit takes both.
    index.generation += 1;
    let mut place = 0;
    index.segments.retain(|_| {
        place += 1;
        chosen.binary_search(&(place - 1)).is_err()
    });
    if merged.rows > 0 {
        index.segments.push(merged);
    }
    Ok(())
}

fn copy(segment: &Segment, dimension: usize, writer: &mut SegmentWriter) -> Result<(), VectorError> {
    // A flipped bit must not be given a fresh, valid hash.
    segment.verify()?;
    let rows = segment
        .vectors()
        .chunks_exact(dimension * 4)
        .zip(segment.keys())
        .enumerate();
    for (_, (vector, key)) in rows.filter(|(row, _)| !segment.dead.get(*row)) {
        writer.add_bytes(key, vector, segment.record_bytes(&key)?)?;
    }
    Ok(())
}
