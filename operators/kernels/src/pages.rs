//! Keys and values in pages that sequences share.
//!
//! A page holds [`PAGE`] positions of all layers. A full page is known by what it was made from (the tokens up to its end,
//! and the adapter), so that a sequence that starts alike takes it over instead of reading again. Pages that no sequence
//! holds stay until their room is needed; the one unused for longest goes first.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, RandomState},
};

use crate::{
    KernelError,
    math::{LANES, from_bf16, to_bf16},
    memory::{Bytes, Number},
};

/// Positions of a page; a vector of AVX-512.
pub const PAGE: usize = LANES;

/// How keys and values are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// fp32.
    F32,
    /// bf16, in half the memory.
    Bf16,
}

/// A number as it is held.
pub trait Cell: Number {
    fn get(self) -> f32;
    fn put(value: f32) -> Self;
}

impl Cell for f32 {
    #[inline(always)]
    fn get(self) -> f32 {
        self
    }
    #[inline(always)]
    fn put(value: f32) -> Self {
        value
    }
}

impl Cell for u16 {
    #[inline(always)]
    fn get(self) -> f32 {
        from_bf16(self)
    }
    #[inline(always)]
    fn put(value: f32) -> Self {
        to_bf16(value)
    }
}

/// A sequence's pages. Give it back with [`Pages::close`].
#[derive(Debug, Default)]
pub struct Table {
    pub(crate) pages: Vec<u32>,
    /// Positions held.
    length: usize,
    /// What was read since the last full page.
    open: Vec<u32>,
    /// Of the chain up to the last full page.
    hash: u64,
}

impl Table {
    /// Positions held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

#[derive(Default)]
struct Page {
    data: Option<Bytes>,
    holders: u32,
    /// What it was made from, once it is full and known.
    known: Option<Known>,
    /// When it was last let go.
    idle_since: u64,
}

#[derive(Clone, PartialEq)]
struct Known {
    hash: u64,
    before: u64,
    tokens: Vec<u32>,
}

/// All pages of a model.
pub struct Pages {
    kept: Kept,
    heads: usize,
    dim: usize,
    page_bytes: usize,
    most: usize,
    pages: Vec<Page>,
    free: Vec<u32>,
    known: HashMap<u64, u32>,
    /// Known pages that nobody holds, by when they were let go.
    idle: BTreeMap<u64, u32>,
    clock: u64,
    hasher: RandomState,
}

impl Pages {
    /// Room for so many bytes of keys and values; memory is taken page by page.
    #[must_use]
    pub fn new(kept: Kept, layers: usize, heads: usize, dim: usize, bytes: usize) -> Self {
        let width = match kept {
            Kept::F32 => 4,
            Kept::Bf16 => 2,
        };
        // Whole vectors of values.
        let dim = dim.next_multiple_of(LANES);
        let page_bytes = layers * 2 * heads * dim * PAGE * width;
        Self {
            kept,
            heads,
            dim,
            page_bytes,
            most: (bytes / page_bytes.max(1)).clamp(1, u32::MAX as usize),
            pages: Vec::new(),
            free: Vec::new(),
            known: HashMap::new(),
            idle: BTreeMap::new(),
            clock: 0,
            hasher: RandomState::new(),
        }
    }

    /// How they are held.
    #[must_use]
    pub fn kept(&self) -> Kept {
        self.kept
    }

    /// Positions that there is room for in all.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.most.saturating_mul(PAGE)
    }

    /// Pages that a sequence could have now.
    #[must_use]
    pub fn available(&self) -> usize {
        self.most - self.pages.len() + self.free.len() + self.idle.len()
    }

    /// Bytes of memory taken.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.pages.iter().filter(|page| page.data.is_some()).count() * self.page_bytes
    }

    /// A table for a sequence that starts with these tokens, with what is known of it already; the last token is never
    /// among that, as its result is wanted. `salt` tells apart what reads the same tokens otherwise: the adapter.
    pub fn open(&mut self, tokens: &[u32], salt: u64) -> Table {
        let mut table = Table {
            hash: self.hasher.hash_one(salt),
            ..Table::default()
        };
        let readable = tokens.get(..tokens.len().saturating_sub(1)).unwrap_or_default();
        for chunk in readable.as_chunks::<PAGE>().0 {
            let known = self.known_as(table.hash, chunk);
            let Some(&page) = self.known.get(&known.hash) else {
                break;
            };
            let Some(held) = self.pages.get_mut(page as usize) else {
                break;
            };
            if held.known.as_ref() != Some(&known) {
                break;
            }
            if held.holders == 0 {
                self.idle.remove(&held.idle_since);
            }
            held.holders += 1;
            table.pages.push(page);
            table.hash = known.hash;
            table.length += PAGE;
        }
        table
    }

    /// Makes room for so many positions in all.
    ///
    /// # Errors
    /// [`KernelError::Full`] or [`KernelError::Memory`]; what the table had, it keeps.
    pub fn reserve(&mut self, table: &mut Table, length: usize) -> Result<(), KernelError> {
        while table.pages.len() * PAGE < length {
            let page = self.take()?;
            table.pages.push(page);
        }
        Ok(())
    }

    /// Notes that these tokens were read into the table.
    pub fn advance(&mut self, table: &mut Table, tokens: &[u32]) {
        for &token in tokens {
            table.open.push(token);
            table.length += 1;
            if table.open.len() < PAGE {
                continue;
            }
            let known = self.known_as(table.hash, &table.open);
            table.hash = known.hash;
            table.open.clear();
            let Some(&page) = table.pages.get(table.length / PAGE - 1) else {
                continue;
            };
            if let (false, Some(held)) = (
                self.known.contains_key(&known.hash),
                self.pages.get_mut(page as usize),
            ) {
                self.known.insert(known.hash, page);
                held.known = Some(known);
            }
        }
    }

    /// Gives a table's pages back; what is known of them stays usable.
    pub fn close(&mut self, table: Table) {
        // The end of a text is of less use than its start: let go of it first.
        for page in table.pages.into_iter().rev() {
            let Some(held) = self.pages.get_mut(page as usize) else {
                continue;
            };
            held.holders = held.holders.saturating_sub(1);
            if held.holders > 0 {
                continue;
            }
            if held.known.is_some() {
                self.clock += 1;
                held.idle_since = self.clock;
                self.idle.insert(self.clock, page);
            } else {
                self.free.push(page);
            }
        }
    }

    /// Where a head's keys or values of a layer start in a page, as numbers.
    #[inline(always)]
    pub(crate) fn part(&self, layer: usize, values: bool, head: usize) -> usize {
        ((layer * 2 + usize::from(values)) * self.heads + head) * self.dim * PAGE
    }

    /// A head's values, made up to whole vectors.
    #[inline(always)]
    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    #[inline(always)]
    pub(crate) fn page<C: Cell>(&self, page: u32) -> &[C] {
        self.pages
            .get(page as usize)
            .and_then(|page| page.data.as_ref())
            .map_or(&[], Bytes::slice)
    }

    /// Writes a head's key and value of a position. Keys lie side by side by position, values by position.
    pub(crate) fn write(
        &mut self,
        table: &Table,
        position: usize,
        (layer, head): (usize, usize),
        key: &[f32],
        value: &[f32],
    ) {
        match self.kept {
            Kept::F32 => self.write_as::<f32>(table, position, (layer, head), key, value),
            Kept::Bf16 => self.write_as::<u16>(table, position, (layer, head), key, value),
        }
    }

    fn write_as<C: Cell>(
        &mut self,
        table: &Table,
        position: usize,
        (layer, head): (usize, usize),
        key: &[f32],
        value: &[f32],
    ) {
        let (keys, values, dim) = (
            self.part(layer, false, head),
            self.part(layer, true, head),
            self.dim,
        );
        let at = position % PAGE;
        let page = table
            .pages
            .get(position / PAGE)
            .and_then(|page| self.pages.get_mut(*page as usize));
        let Some(data) = page.and_then(|page| page.data.as_mut()) else {
            return;
        };
        let data = data.slice_mut::<C>();
        if let Some(keys) = data.get_mut(keys..keys + dim * PAGE) {
            keys.iter_mut()
                .skip(at)
                .step_by(PAGE)
                .zip(key)
                .for_each(|(cell, value)| *cell = C::put(*value));
        }
        if let Some(values) = data.get_mut(values + at * dim..values + (at + 1) * dim) {
            values
                .iter_mut()
                .zip(value)
                .for_each(|(cell, value)| *cell = C::put(*value));
        }
    }

    fn known_as(&self, before: u64, tokens: &[u32]) -> Known {
        Known {
            hash: self.hasher.hash_one((before, tokens)),
            before,
            tokens: tokens.to_vec(),
        }
    }

    fn take(&mut self) -> Result<u32, KernelError> {
        let page = if let Some(page) = self.free.pop() {
            page
        } else if self.pages.len() < self.most {
            self.pages.push(Page::default());
            (self.pages.len() - 1) as u32
        } else {
            let (_, page) = self.idle.pop_first().ok_or(KernelError::Full)?;
            page
        };
        let Some(held) = self.pages.get_mut(page as usize) else {
            return Err(KernelError::Full);
        };
        if let Some(known) = held.known.take() {
            self.known.remove(&known.hash);
        }
        if held.data.is_none() {
            match Bytes::zeroed(self.page_bytes) {
                Ok(data) => held.data = Some(data),
                Err(error) => {
                    self.free.push(page);
                    return Err(error);
                }
            }
        }
        held.holders = 1;
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;

    fn read(pages: &mut Pages, tokens: &[u32], salt: u64) -> (Table, usize) {
        let mut table = pages.open(tokens, salt);
        let known = table.len();
        pages.reserve(&mut table, tokens.len()).unwrap();
        pages.advance(&mut table, &tokens[known..]);
        (table, known)
    }

    #[test]
    fn sequences_that_start_alike_share_pages_and_others_do_not() {
        let mut pages = Pages::new(Kept::Bf16, 1, 1, 16, 1 << 20);
        let text: Vec<u32> = (0..50).collect();
        let (first, known) = read(&mut pages, &text, 0);
        assert_eq!(known, 0);
        let (second, known) = read(&mut pages, &text, 0);
        assert_eq!((known, &first.pages[..3]), (48, &second.pages[..3]));
        assert_ne!(
            first.pages[3], second.pages[3],
            "a page that is not full is nobody else's"
        );
        assert_eq!(read(&mut pages, &text, 1).1, 0, "another adapter reads otherwise");
        assert_eq!(
            read(&mut pages, &text[..48], 0).1,
            32,
            "the last token has to be read"
        );
        let mut other = text.clone();
        other[20] = 99;
        assert_eq!(read(&mut pages, &other, 0).1, 16);
    }

    #[test]
    fn room_is_bounded_and_what_is_idle_for_longest_goes_first() {
        let mut pages = Pages::new(Kept::F32, 1, 1, 16, 4 * 2 * 16 * 16 * 4);
        assert_eq!((pages.capacity(), pages.available()), (64, 4));
        let (a, b): (Vec<u32>, Vec<u32>) = ((0..32).collect(), (100..132).collect());
        let (table, _) = read(&mut pages, &a, 0);
        pages.close(table);
        let (table, _) = read(&mut pages, &b, 0);
        let mut more = pages.open(&[7], 0);
        assert!(matches!(pages.reserve(&mut more, 48), Err(KernelError::Full)));
        pages.close(more);
        assert_eq!(pages.available(), 2);
        let mut longer = b.clone();
        longer.push(5);
        assert_eq!(
            read(&mut pages, &longer, 0).1,
            32,
            "what is held is not taken away"
        );
        assert_eq!(pages.open(&a, 0).len(), 0, "what was idle was");
        pages.close(table);
    }
}
