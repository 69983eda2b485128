// Cross-entropy of an output layer, some rows at a time: the logits of all positions never exist at once. The gradient is
// taken while a chunk's logits are at hand, so backward multiplies only.
#include "common.h"

namespace {

struct Parts {
  Tensor losses, dx, dw;
};

// `wants_x`, `wants_w`: which gradients of the summed loss to take.
Parts chunked(const Tensor& x, const Tensor& w, const Tensor& targets, double softcap, int64_t chunk, bool wants_x,
              bool wants_w) {
  int64_t rows = x.size(0), classes = w.size(0);
  Parts parts;
  parts.losses = at::empty({rows}, x.options().dtype(at::kFloat));
  if (wants_x) parts.dx = at::empty_like(x);
  if (wants_w) parts.dw = at::zeros(w.sizes(), w.options().dtype(at::kFloat));
  bool gradient = wants_x || wants_w;
  for (int64_t start = 0; start < rows; start += chunk) {
    int64_t count = std::min(chunk, rows - start);
    auto own = x.narrow(0, start, count), to = targets.narrow(0, start, count), losses = parts.losses.narrow(0, start, count);
    auto logits = at::linear(own, w);
    if (on_rows(logits)) {
      by_kind(logits, [&](auto zero) {
        using T = decltype(zero);
        at::parallel_for(0, count, grain(classes), [&](int64_t begin, int64_t end) {
          rows_of<T>().cross_entropy(ptr<T>(logits), ptr<int64_t>(to), ptr<float>(losses), begin, end, classes, (float)softcap,
                                     gradient);
        });
      });
    } else {
      auto wide = logits.to(logits.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
      Tensor bent;
      if (softcap > 0) {
        bent = (wide / softcap).tanh();
        wide = bent * softcap;
      }
      auto all = wide.logsumexp(-1, true), place = to.unsqueeze(1);
      losses.copy_((all - wide.gather(1, place)).squeeze(1));
      if (gradient) {
        auto d = (wide - all).exp_();
        d.scatter_add_(1, place, at::full_like(place, -1.0, d.options()));
        if (softcap > 0) d.mul_(1 - bent * bent);
        logits = d.to(x.scalar_type());
      }
    }
    if (wants_x) {
      auto dx = parts.dx.narrow(0, start, count);
      at::mm_out(dx, logits, w);
    }
    if (wants_w) {
      if (logits.scalar_type() == at::kFloat)
        parts.dw.addmm_(logits.t(), own);
      else
        parts.dw.add_(at::mm(logits.t(), own));
    }
  }
  return parts;
}

// Summed loss, and the losses of the rows without a gradient.
struct Summed : torch::autograd::Function<Summed> {
  static variable_list forward(AutogradContext* ctx, const Tensor& x, const Tensor& w, const Tensor& targets, double softcap,
                               int64_t chunk, bool learns) {
    auto parts = chunked(x.contiguous(), w, targets, softcap, chunk, learns && x.requires_grad(), learns && w.requires_grad());
    ctx->save_for_backward({parts.dx, parts.dw});
    ctx->saved_data["kind"] = (int64_t)w.scalar_type();
    ctx->mark_non_differentiable({parts.losses});
    return {parts.losses.sum(), parts.losses};
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    auto &dx = saved[0], &dw = saved[1];
    auto& g = grads[0];
    // The usual gradient is one: nothing is left to do then. Reading it on a GPU would wait for the GPU.
    bool one = g.device().is_cpu() && g.item<double>() == 1.0;
    auto times = [&](const Tensor& t) { return !t.defined() || one ? t : t * g.to(t.scalar_type()); };
    auto kind = (at::ScalarType)ctx->saved_data["kind"].toInt();
    return {times(dx), dw.defined() ? times(dw).to(kind) : dw, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

// The loss of each row, each with a gradient of its own; the output layer is frozen.
struct Each : torch::autograd::Function<Each> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& w, const Tensor& targets, double softcap,
                        int64_t chunk) {
    auto parts = chunked(x.contiguous(), w, targets, softcap, chunk, x.requires_grad(), false);
    ctx->save_for_backward({parts.dx});
    return parts.losses;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto dx = ctx->get_saved_variables()[0];
    Tensor out = dx.defined() ? dx * grads[0].unsqueeze(1).to(dx.scalar_type()) : dx;
    return {out, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

void check(const Tensor& x, const Tensor& w, const Tensor& targets) {
  TORCH_CHECK(x.dim() == 2 && w.dim() == 2 && x.size(1) == w.size(1) && x.scalar_type() == w.scalar_type(),
              "hidden states and output layer do not suit");
  TORCH_CHECK(targets.dim() == 1 && targets.size(0) == x.size(0) && targets.scalar_type() == at::kLong && targets.is_contiguous(),
              "one target a row, Int64");
  if (targets.device().is_cpu() && targets.numel() > 0) {
    auto [low, high] = at::aminmax(targets);
    TORCH_CHECK(low.item<int64_t>() >= 0 && high.item<int64_t>() < w.size(0), "a target is outside the vocabulary");
  }
}

// Rows whose logits take some 16 MiB: large enough for the product, small enough for the caches.
int64_t rows_at_once(const Tensor& x, const Tensor& w) {
  int64_t bytes = w.size(0) * (int64_t)x.element_size(), budget = x.device().is_cpu() ? (16 << 20) : (256 << 20);
  return std::max<int64_t>(64, budget / std::max<int64_t>(1, bytes));
}

}  // namespace

extern "C" {
char* tl_loss_sum(tensor* out, tensor x, tensor w, tensor targets, double softcap) {
  return guarded([&] {
    check(*x, *w, *targets);
    // Inside of a function's forward it is always off.
    bool learns = at::GradMode::is_enabled();
    auto found = Summed::apply(*x, *w, *targets, softcap, rows_at_once(*x, *w), learns);
    out[0] = new Tensor(found[0]);
    out[1] = new Tensor(found[1]);
  });
}
char* tl_loss_each(tensor* out, tensor x, tensor w, tensor targets, double softcap) {
  return guarded([&] {
    check(*x, *w, *targets);
    TORCH_CHECK(!w->requires_grad() || !at::GradMode::is_enabled(), "losses by row are for a frozen output layer");
    out[0] = new Tensor(Each::apply(*x, *w, *targets, softcap, rows_at_once(*x, *w)));
  });
}
}
