// Norm, rotation and gate as autograd functions that save their inputs and nothing else.
#include "common.h"

namespace {

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  // Gives the sum and its norm; without a delta the sum is x itself and not given.
  static variable_list forward(AutogradContext* ctx, const Tensor& x_, const std::optional<Tensor>& delta_, const Tensor& w_,
                               double eps) {
    auto x = x_.contiguous(), w = w_.contiguous();
    auto delta = delta_ ? delta_->contiguous() : Tensor();
    int64_t dim = x.size(-1), rows = x.numel() / std::max<int64_t>(1, dim);
    TORCH_CHECK(w.dim() == 1 && w.size(0) == dim && w.scalar_type() == x.scalar_type(), "the norm's weight does not suit");
    TORCH_CHECK(!delta.defined() || (delta.sizes() == x.sizes() && delta.scalar_type() == x.scalar_type()),
                "the two parts of a sum differ");
    Tensor s = delta.defined() ? at::empty_like(x) : x, y, rstd;
    if (on_rows(x)) {
      y = at::empty_like(x);
      rstd = at::empty({rows}, x.options().dtype(at::kFloat));
      by_kind(x, [&](auto zero) {
        using T = decltype(zero);
        at::parallel_for(0, rows, grain(dim), [&](int64_t begin, int64_t end) {
          rows_of<T>().rms_norm(ptr<T>(x), ptr<T>(delta), ptr<T>(w), ptr<T>(s), ptr<T>(y), ptr<float>(rstd), begin, end, dim,
                                (float)eps);
        });
      });
    } else {
      if (delta.defined()) s = x + delta;
      auto wide = s.scalar_type() == at::kDouble ? s : s.to(at::kFloat);
      rstd = (wide * wide).mean(-1, true).add(eps).rsqrt();
      y = (wide * rstd * w).to(x.scalar_type());
      rstd = rstd.reshape({rows});
    }
    ctx->save_for_backward({s, w, rstd});
    ctx->saved_data["delta"] = delta.defined();
    ctx->saved_data["w"] = w_.requires_grad();
    ctx->set_materialize_grads(false);
    if (delta.defined()) return {y, s};
    return {y};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    auto &x = saved[0], &w = saved[1], &rstd = saved[2];
    bool has_delta = ctx->saved_data["delta"].toBool(), wants_w = ctx->saved_data["w"].toBool();
    Tensor add = grads.size() > 1 && grads[1].defined() ? grads[1].contiguous() : Tensor(), dx, dw;
    if (!grads[0].defined()) {
      dx = add;
    } else if (on_rows(x)) {
      auto dy = grads[0].contiguous();
      int64_t dim = x.size(-1), rows = x.numel() / dim;
      dx = at::empty_like(x);
      // Partial sums of fixed runs of rows, so that the number of threads does not change the result.
      const int64_t run = 64, runs = (rows + run - 1) / run;
      auto parts = wants_w ? at::zeros({runs, dim}, x.options().dtype(at::kFloat)) : Tensor();
      by_kind(x, [&](auto zero) {
        using T = decltype(zero);
        at::parallel_for(0, runs, std::max<int64_t>(1, grain(dim) / run), [&](int64_t begin, int64_t end) {
          for (int64_t r = begin; r < end; ++r)
            rows_of<T>().rms_norm_backward(ptr<T>(dy), ptr<T>(x), ptr<T>(w), ptr<float>(rstd), ptr<T>(add), ptr<T>(dx),
                                           wants_w ? ptr<float>(parts) + r * dim : nullptr, r * run,
                                           std::min(rows, (r + 1) * run), dim);
        });
      });
      if (wants_w) dw = parts.sum(0).to(w.scalar_type());
    } else {
      auto kind = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
      std::vector<int64_t> shape(x.dim(), 1);
      for (int64_t i = 0; i + 1 < x.dim(); ++i) shape[i] = x.size(i);
      auto r = rstd.reshape(shape), wide = x.to(kind), dy = grads[0].to(kind), hat = wide * r, g = dy * w;
      auto d = r * (g - hat * (g * hat).mean(-1, true));
      if (add.defined()) d = d + add;
      dx = d.to(x.scalar_type());
      if (wants_w) dw = (dy * hat).reshape({-1, x.size(-1)}).sum(0).to(w.scalar_type());
    }
    return {dx, has_delta ? dx : Tensor(), dw, Tensor()};
  }
};

Tensor turn(const Tensor& x_, const Tensor& cos, const Tensor& sin, double direction) {
  int64_t length = x_.size(1), heads = x_.size(2), dim = x_.size(3), rows = x_.size(0) * length;
  if (on_rows(x_)) {
    // A slice of a wider product is read in place where its rows are evenly apart.
    bool even = x_.stride(3) == 1 && x_.stride(2) == dim && (x_.size(0) == 1 || x_.stride(0) == x_.stride(1) * length);
    auto x = even ? x_ : x_.contiguous();
    int64_t stride = length == 1 && x.size(0) > 1 ? x.stride(0) : x.stride(1), positions = cos.size(0);
    auto y = at::empty({x.size(0), length, heads, dim}, x.options());
    by_kind(x, [&](auto zero) {
      using T = decltype(zero);
      at::parallel_for(0, rows, grain(heads * dim), [&](int64_t begin, int64_t end) {
        rows_of<T>().rope(ptr<T>(x), stride, ptr<float>(cos), ptr<float>(sin), ptr<T>(y), begin, end, heads, dim, positions,
                          (float)direction);
      });
    });
    return y;
  }
  auto shaped = [&](const Tensor& t) {
    return t.reshape({t.size(0) == length ? 1 : x_.size(0), length, 1, dim / 2}).to(x_.scalar_type());
  };
  auto c = shaped(cos), s = shaped(sin) * direction, a = x_.narrow(3, 0, dim / 2), b = x_.narrow(3, dim / 2, dim / 2);
  return at::cat({a * c - b * s, b * c + a * s}, 3);
}

struct Rope : torch::autograd::Function<Rope> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& cos_, const Tensor& sin_) {
    auto cos = cos_.to(at::kFloat).contiguous(), sin = sin_.to(at::kFloat).contiguous();
    TORCH_CHECK(x.dim() == 4 && x.size(3) % 2 == 0, "a rotation takes [batch, length, heads, an even dim]");
    TORCH_CHECK(cos.dim() == 2 && cos.sizes() == sin.sizes() && cos.size(1) * 2 == x.size(3) &&
                    (cos.size(0) == x.size(1) || cos.size(0) == x.size(0) * x.size(1)),
                "the rotation's angles do not suit");
    ctx->save_for_backward({cos, sin});
    return turn(x, cos, sin, 1.0);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    return {turn(grads[0], saved[0], saved[1], -1.0), Tensor(), Tensor()};
  }
};

struct Gated : torch::autograd::Function<Gated> {
  static Tensor forward(AutogradContext* ctx, const Tensor& g_, const Tensor& u_, int64_t act) {
    auto g = g_.contiguous(), u = u_.contiguous();
    TORCH_CHECK(g.sizes() == u.sizes() && g.scalar_type() == u.scalar_type(), "gate and value differ");
    ctx->save_for_backward({g, u});
    ctx->saved_data["act"] = act;
    if (!on_rows(g)) return (act == 0 ? at::silu(g) : at::gelu(g, "tanh")) * u;
    auto y = at::empty_like(g);
    by_kind(g, [&](auto zero) {
      using T = decltype(zero);
      at::parallel_for(0, g.numel(), 16384, [&](int64_t begin, int64_t end) {
        rows_of<T>().gated(ptr<T>(g), ptr<T>(u), ptr<T>(y), begin, end, (int)act);
      });
    });
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    auto &g = saved[0], &u = saved[1];
    auto dy = grads[0].contiguous();
    int64_t act = ctx->saved_data["act"].toInt();
    if (!on_rows(g)) {
      auto y = act == 0 ? at::silu(g) : at::gelu(g, "tanh");
      auto d = dy * u;
      auto dg = act == 0 ? at::silu_backward(d, g) : at::gelu_backward(d, g, "tanh");
      return {dg, dy * y, Tensor()};
    }
    auto dg = at::empty_like(g), du = at::empty_like(u);
    by_kind(g, [&](auto zero) {
      using T = decltype(zero);
      at::parallel_for(0, g.numel(), 16384, [&](int64_t begin, int64_t end) {
        rows_of<T>().gated_backward(ptr<T>(dy), ptr<T>(g), ptr<T>(u), ptr<T>(dg), ptr<T>(du), begin, end, (int)act);
      });
    });
    return {dg, du, Tensor()};
  }
};

}  // namespace

extern "C" {
char* tl_rms_norm(tensor* out, tensor x, tensor delta, tensor w, double eps) {
  return guarded([&] {
    auto found = RmsNorm::apply(*x, maybe(delta), *w, eps);
    out[0] = new Tensor(found[0]);
    if (delta) out[1] = new Tensor(found[1]);
  });
}
char* tl_rope(tensor* out, tensor x, tensor cos, tensor sin) {
  return guarded([&] { out[0] = new Tensor(Rope::apply(*x, *cos, *sin)); });
}
char* tl_gated(tensor* out, tensor gate, tensor up, int64_t act) {
  return guarded([&] { out[0] = new Tensor(Gated::apply(*gate, *up, act)); });
}
void tl_free(char* text) { free(text); }
}
