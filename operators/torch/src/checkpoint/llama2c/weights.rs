//! The weights of a llama2.c file: fp32, one after the other, in a fixed order.

use std::path::Path;

use tch::{Kind, Tensor};

use crate::ModelError;

const HEADER: usize = 28;

/// The seven numbers at the start.
#[derive(Debug, Clone)]
pub struct Header {
    pub hidden: i64,
    pub intermediate: i64,
    pub layers: i64,
    pub heads: i64,
    pub kv_heads: i64,
    pub vocabulary: i64,
    pub positions: i64,
    /// Whether the output layer is the embedding: the file says so by the sign of the vocabulary's size.
    pub tied: bool,
}

impl Header {
    pub fn head_dim(&self) -> i64 {
        self.hidden / self.heads
    }
}

/// Takes tensors off the file, in order.
pub struct Reader<'a> {
    path: &'a Path,
    header: Header,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn open(path: &'a Path, bytes: &'a [u8]) -> Result<Self, ModelError> {
        let short = || damaged(path, "it is shorter than its header");
        let (head, rest) = bytes.split_at_checked(HEADER).ok_or_else(short)?;
        let numbers: Vec<i64> = head
            .chunks_exact(4)
            .map(|n| i64::from(i32::from_le_bytes([n[0], n[1], n[2], n[3]])))
            .collect();
        let [
            hidden,
            intermediate,
            layers,
            heads,
            kv_heads,
            vocabulary,
            positions,
        ] = numbers[..]
        else {
            return Err(short());
        };
        let tied = vocabulary > 0;
        let header = Header {
            hidden,
            intermediate,
            layers,
            heads,
            kv_heads,
            vocabulary: vocabulary.abs(),
            positions,
            tied,
        };
        let sizes = [
            hidden,
            intermediate,
            layers,
            heads,
            kv_heads,
            header.vocabulary,
            positions,
        ];
        let whole = sizes.iter().all(|size| (1..=1 << 20).contains(size));
        if !whole || hidden % heads != 0 || heads % kv_heads != 0 || (hidden / heads) % 2 != 0 {
            return Err(damaged(
                path,
                &format!("its header holds {sizes:?}, which no llama2.c model has"),
            ));
        }
        Ok(Self { path, header, rest })
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// All tensors by the names that Hugging Face gives them.
    pub fn tensors(&mut self) -> Result<Vec<(String, Tensor)>, ModelError> {
        let Header {
            hidden,
            intermediate,
            layers,
            kv_heads,
            vocabulary,
            positions,
            tied,
            ..
        } = self.header;
        let (head_dim, heads) = (self.header.head_dim(), self.header.heads);
        let narrow = kv_heads * head_dim;
        let mut tensors = vec![(
            "model.embed_tokens.weight".to_owned(),
            self.take(&[vocabulary, hidden])?,
        )];
        let blocks: [(&str, &[i64], i64); 9] = [
            ("input_layernorm", &[hidden], 0),
            ("self_attn.q_proj", &[hidden, hidden], heads),
            ("self_attn.k_proj", &[narrow, hidden], kv_heads),
            ("self_attn.v_proj", &[narrow, hidden], 0),
            ("self_attn.o_proj", &[hidden, hidden], 0),
            ("post_attention_layernorm", &[hidden], 0),
            ("mlp.gate_proj", &[intermediate, hidden], 0),
            ("mlp.down_proj", &[hidden, intermediate], 0),
            ("mlp.up_proj", &[intermediate, hidden], 0),
        ];
        for (name, shape, rotated_heads) in blocks {
            for layer in 0..layers {
                let weight = self.take(shape)?;
                let weight = if rotated_heads > 0 {
                    halves(&weight, rotated_heads)?
                } else {
                    weight
                };
                tensors.push((format!("model.layers.{layer}.{name}.weight"), weight));
            }
        }
        tensors.push(("model.norm.weight".to_owned(), self.take(&[hidden])?));
        // Tables of the rotation, which every reader computes by itself.
        let _ = self.take(&[positions, head_dim])?;
        if !tied {
            tensors.push(("lm_head.weight".to_owned(), self.take(&[vocabulary, hidden])?));
        }
        if !self.rest.is_empty() {
            return Err(damaged(
                self.path,
                &format!("{} bytes are left after its weights", self.rest.len()),
            ));
        }
        Ok(tensors)
    }

    fn take(&mut self, shape: &[i64]) -> Result<Tensor, ModelError> {
        let count = shape.iter().product::<i64>();
        let bytes = usize::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(4))
            .unwrap_or(usize::MAX);
        let (head, rest) = self
            .rest
            .split_at_checked(bytes)
            .ok_or_else(|| damaged(self.path, "it ends before its weights do"))?;
        self.rest = rest;
        Ok(Tensor::f_from_data_size(head, shape, Kind::Float)?)
    }
}

/// llama2.c rotates neighbouring values of a head, Hugging Face the two halves: the rows change places.
fn halves(weight: &Tensor, heads: i64) -> Result<Tensor, ModelError> {
    let (rows, inputs) = weight.size2()?;
    let pairs = weight.f_view([heads, rows / heads / 2, 2, inputs])?;
    Ok(pairs
        .f_transpose(1, 2)?
        .f_reshape([rows, inputs])?
        .f_contiguous()?)
}

fn damaged(path: &Path, why: &str) -> ModelError {
    ModelError::Damaged {
        path: path.to_owned(),
        why: why.to_owned(),
    }
}
