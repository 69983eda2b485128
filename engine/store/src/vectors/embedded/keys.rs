//! The fixed-size half of a row: hashes to find and filter it by, and where its record is.

use crate::vectors::{Filter, VectorRecord};

/// Bytes of a row in `.keys`.
pub(super) const KEY_BYTES: usize = 80;

/// 128 bits of blake3: two texts with the same one do not occur.
pub(super) type Hash = u128;

/// A row of `.keys`: four hashes, then where the record is in `.rows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub id: Hash,
    pub entity: Hash,
    /// 0 where the payload has none.
    pub category: Hash,
    pub author: Hash,
    pub offset: u64,
    pub length: u64,
}

impl Key {
    /// The key of a record that is put at `offset`.
    pub fn of(record: &VectorRecord, offset: u64, length: u64) -> Self {
        let field = |name: &str| {
            record
                .payload
                .get(name)
                .and_then(|value| value.as_str())
                .map_or(0, hash)
        };
        let (id, entity) = (hash(&record.id), hash(&record.entity));
        Self {
            id,
            entity,
            category: field("category"),
            author: field("author"),
            offset,
            length,
        }
    }

    pub fn to_bytes(self) -> [u8; KEY_BYTES] {
        let mut bytes = [0; KEY_BYTES];
        let hashes = [self.id, self.entity, self.category, self.author].map(Hash::to_le_bytes);
        let places = [self.offset, self.length].map(u64::to_le_bytes);
        let all = hashes.iter().flatten().chain(places.iter().flatten());
        bytes.iter_mut().zip(all).for_each(|(to, from)| *to = *from);
        bytes
    }

    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        let (words, _) = bytes.as_chunks::<8>();
        let word = |n: usize| words.get(n).map_or(0, |word| u64::from_le_bytes(*word));
        let wide = |n: usize| Hash::from(word(n)) | (Hash::from(word(n + 1)) << 64);
        Self {
            id: wide(0),
            entity: wide(2),
            category: wide(4),
            author: wide(6),
            offset: word(8),
            length: word(9),
        }
    }
}

/// A filter by hashes.
#[derive(Debug, Clone, Default)]
pub(super) struct KeyFilter {
    category: Vec<Hash>,
    author: Vec<Hash>,
    entity: Vec<Hash>,
}

impl KeyFilter {
    /// `None` where every record passes.
    pub fn new(filter: &Filter) -> Option<Self> {
        let hashes = |texts: &[String]| -> Vec<Hash> {
            let mut hashes: Vec<Hash> = texts.iter().map(|text| hash(text)).collect();
            hashes.sort_unstable();
            hashes
        };
        let made = Self {
            category: hashes(&filter.category),
            author: hashes(&filter.author),
            entity: hashes(&filter.document),
        };
        let empty = made.category.is_empty() && made.author.is_empty() && made.entity.is_empty();
        (!empty).then_some(made)
    }

    pub fn passes(&self, key: &Key) -> bool {
        let holds = |wanted: &[Hash], value: Hash| wanted.is_empty() || wanted.binary_search(&value).is_ok();
        holds(&self.category, key.category)
            && holds(&self.author, key.author)
            && holds(&self.entity, key.entity)
    }
}

/// The hash that stands for a text.
pub(super) fn hash(text: &str) -> Hash {
    let bytes = blake3::hash(text.as_bytes());
    let (halves, _) = bytes.as_bytes().as_chunks::<16>();
    halves.first().map_or(0, |half| Hash::from_le_bytes(*half))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_bytes() {
        let payload = serde_json::json!({"category": "post", "author": "Ada"});
        let record = VectorRecord {
            id: "a#0".into(),
            entity: "a".into(),
            vector: vec![1.0],
            payload,
        };
        let key = Key::of(&record, 1 << 40, 77);
        assert_eq!(Key::from_bytes(&key.to_bytes()), key);
        assert_eq!(key.author, hash("Ada"));
        assert_ne!(key.id, key.entity);
    }
}
