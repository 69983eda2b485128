// Loops over rows, on raw memory: no torch, so that they compile in a moment, once for each width of vectors.
#pragma once
#include <stdint.h>

typedef uint16_t bf16;

// T is float or bf16. `begin` and `end` are rows; every pointer is to row 0.
template <class T>
struct RowKernels {
  // s = x + delta (s and delta may be null: s is then x), y = s * rstd * w; rstd is of the row.
  void (*rms_norm)(const T* x, const T* delta, const T* w, T* s, T* y, float* rstd, int64_t begin, int64_t end, int64_t dim,
                   float eps);
  // dx of the norm, plus `add` where it is not null; dw is summed over the rows into dw (fp32) where that is not null.
  void (*rms_norm_backward)(const T* dy, const T* x, const T* w, const float* rstd, const T* add, T* dx, float* dw,
                            int64_t begin, int64_t end, int64_t dim);
  // Rows are [heads, dim], `stride` apart; cos and sin are [positions, dim / 2]; row r has the position r % positions.
  void (*rope)(const T* x, int64_t stride, const float* cos, const float* sin, T* y, int64_t begin, int64_t end, int64_t heads,
               int64_t dim, int64_t positions, float direction);
  // y = act(g) * u over elements; act 0 is silu, 1 gelu by tanh.
  void (*gated)(const T* g, const T* u, T* y, int64_t begin, int64_t end, int act);
  void (*gated_backward)(const T* dy, const T* g, const T* u, T* dg, T* du, int64_t begin, int64_t end, int act);
  // Rows of logits to losses; logits become the loss's gradient where `gradient`.
  void (*cross_entropy)(T* logits, const int64_t* targets, float* losses, int64_t begin, int64_t end, int64_t classes,
                        float softcap, bool gradient);
  // Two 4-bit codes a byte, low first, in groups of `group` values: y = table[code] * scale[group].
  void (*unpack4)(const uint8_t* codes, const float* scales, const float* table, T* y, int64_t begin, int64_t end,
                  int64_t group);
};

struct Kernels {
  RowKernels<float> f32;
  RowKernels<bf16> b16;
};

// The widest that this CPU has.
const Kernels& kernels();
