// A frozen matrix, dense or of 4 bits, with or without low-rank factors: the gradient of the matrix is never computed, and
// nothing dense stays of a packed one.
#include "common.h"

namespace {

// Either `dense`, or codes with their table and scales. Scales are fp32 a group, or (double quantisation) int8 a group
// with an fp32 scale a block of 256 groups and one offset.
struct Frozen {
  Tensor dense, codes, table, scales, block_scales, offset;
  int64_t outputs = 0, inputs = 0;

  Tensor in_kind(at::ScalarType kind) const {
    if (dense.defined()) return dense.to(kind);
    Tensor s = scales;
    int64_t groups = s.numel();
    if (block_scales.defined()) {
      auto of_group = block_scales.repeat_interleave(256).narrow(0, 0, groups);
      s = s.to(at::kFloat) * of_group + offset;
    }
    int64_t group = outputs * inputs / groups;
    if (codes.device().is_cpu() && (kind == at::kFloat || kind == at::kBFloat16)) {
      auto y = at::empty({outputs, inputs}, codes.options().dtype(kind));
      s = s.contiguous();
      by_kind(y, [&](auto zero) {
        using T = decltype(zero);
        at::parallel_for(0, groups, std::max<int64_t>(1, 16384 / group), [&](int64_t begin, int64_t end) {
          rows_of<T>().unpack4(ptr<uint8_t>(codes), ptr<float>(s), ptr<float>(table), ptr<T>(y), begin, end, group);
        });
      });
      return y;
    }
    auto pairs = at::stack({codes.bitwise_and(15), codes.bitwise_right_shift(4)}, -1).reshape({-1}).to(at::kInt);
    return (table.index_select(0, pairs).reshape({groups, group}) * s.reshape({groups, 1}))
        .reshape({outputs, inputs})
        .to(kind);
  }
};

struct FrozenLinear : torch::autograd::Function<FrozenLinear> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Frozen& w, const std::optional<Tensor>& bias,
                        const std::optional<Tensor>& a_, const std::optional<Tensor>& b_, double scale) {
    auto kind = x.scalar_type();
    auto x2 = x.reshape({-1, w.inputs});
    auto y = at::linear(x2, w.in_kind(kind), bias ? std::optional<Tensor>(bias->to(kind)) : std::nullopt);
    Tensor a, b, z;
    if (a_) {
      a = a_->to(kind);
      b = (*b_ * scale).to(kind);
      z = at::linear(x2, a);
      y.addmm_(z, b.t());
    }
    // x is needed for A's gradient alone.
    ctx->save_for_backward({a_ && a_->requires_grad() ? x2 : Tensor(), z, a, b});
    ctx->saved_data["w"] = std::vector<Tensor>{w.dense, w.codes, w.table, w.scales, w.block_scales, w.offset};
    ctx->saved_data["shape"] = x.sizes().vec();
    ctx->saved_data["out"] = w.outputs;
    ctx->saved_data["scale"] = scale;
    ctx->saved_data["wants"] = std::vector<bool>{x.requires_grad(), a_ && a_->requires_grad(), b_ && b_->requires_grad()};
    ctx->saved_data["kinds"] = std::vector<int64_t>{a_ ? (int64_t)a_->scalar_type() : 0, b_ ? (int64_t)b_->scalar_type() : 0};
    auto shape = x.sizes().vec();
    shape.back() = w.outputs;
    return y.reshape(shape);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    auto &x = saved[0], &z = saved[1], &a = saved[2], &b = saved[3];
    auto held = ctx->saved_data["w"].toTensorVector();
    auto shape = ctx->saved_data["shape"].toIntVector();
    auto wants = ctx->saved_data["wants"].toBoolList();
    auto kinds = ctx->saved_data["kinds"].toIntVector();
    double scale = ctx->saved_data["scale"].toDouble();
    Frozen w{held[0], held[1], held[2], held[3], held[4], held[5], ctx->saved_data["out"].toInt(), shape.back()};
    auto dy = grads[0].reshape({-1, w.outputs});
    Tensor dx, da, db, dz;
    if (a.defined() && (wants.get(0) || wants.get(1))) dz = at::mm(dy, b);
    if (wants.get(0)) {
      dx = at::mm(dy, w.in_kind(dy.scalar_type()));
      if (dz.defined()) dx.addmm_(dz, a);
      dx = dx.reshape(shape);
    }
    if (wants.get(1)) da = at::mm(dz.t(), x).to((at::ScalarType)kinds[0]);
    if (wants.get(2)) db = at::mm(dy.t(), z).to((at::ScalarType)kinds[1]).mul_(scale);
    variable_list out{dx, Tensor(), Tensor()};  // x, w, bias
    out.push_back(da);
    out.push_back(db);
    out.push_back(Tensor());
    return out;
  }
};

}  // namespace

extern "C" {
// `dense`, or the five parts of a packed matrix.
char* tl_frozen_linear(tensor* out, tensor x, tensor dense, tensor codes, tensor table, tensor scales, tensor block_scales,
                       tensor offset, int64_t outputs, int64_t inputs, tensor bias, tensor a, tensor b, double scale) {
  return guarded([&] {
    Frozen w{read(dense), read(codes), read(table), read(scales), read(block_scales), read(offset), outputs, inputs};
    TORCH_CHECK(x->size(-1) == inputs, "the layer takes ", inputs, " values, not ", x->size(-1));
    TORCH_CHECK(!a == !b, "both low-rank factors, or none");
    out[0] = new Tensor(FrozenLinear::apply(*x, w, maybe(bias), maybe(a), maybe(b), scale));
  });
}
char* tl_unpack(tensor* out, tensor codes, tensor table, tensor scales, tensor block_scales, tensor offset, int64_t outputs,
                int64_t inputs, int64_t bf16_kind) {
  return guarded([&] {
    Frozen w{Tensor(), *codes, *table, *scales, read(block_scales), read(offset), outputs, inputs};
    out[0] = new Tensor(w.in_kind(bf16_kind ? at::kBFloat16 : at::kFloat));
  });
}
}
