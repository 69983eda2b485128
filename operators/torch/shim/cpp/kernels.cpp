// Compiled once for each width (TL_WIDTH). Nothing of the standard library is used here: an inline function of it,
// compiled for a wide CPU, could be the one that the linker keeps for all.
#include "kernels.h"

#define TL_CAT2(a, b) a##b
#define TL_CAT(a, b) TL_CAT2(a, b)

namespace {

inline float bits_float(uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}
inline uint32_t float_bits(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, 4);
  return bits;
}
inline float load(const float* p, int64_t i) { return p[i]; }
inline float load(const bf16* p, int64_t i) { return bits_float((uint32_t)p[i] << 16); }
inline void store(float* p, int64_t i, float v) { p[i] = v; }
inline void store(bf16* p, int64_t i, float v) {
  uint32_t bits = float_bits(v);
  p[i] = (bf16)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);  // to nearest, ties to even
}

// Cephes' expf: within 2 ulp.
inline float exp_fast(float x) {
  x = x < -87.3f ? -87.3f : (x > 88.3f ? 88.3f : x);
  float n = (x * 1.44269504f + 12582912.f) - 12582912.f;
  float r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  float y = 1.9875691500e-4f;
  y = y * r + 1.3981999507e-3f;
  y = y * r + 8.3334519073e-3f;
  y = y * r + 4.1665795894e-2f;
  y = y * r + 1.6666665459e-1f;
  y = y * r + 5.0000001201e-1f;
  y = y * r * r + r + 1.f;
  return y * bits_float((uint32_t)((int32_t)n + 127) << 23);
}
inline float tanh_fast(float x) { return 1.f - 2.f / (exp_fast(2.f * x) + 1.f); }
inline float sigmoid(float x) { return 1.f / (1.f + exp_fast(-x)); }

const float GELU = 0.7978845608f, CUBE = 0.044715f;

template <class T>
void rms_norm(const T* x, const T* delta, const T* w, T* s, T* y, float* rstd, int64_t begin, int64_t end, int64_t dim,
              float eps) {
  for (int64_t row = begin; row < end; ++row) {
    const T* in = x + row * dim;
    if (delta) {
      const T* d = delta + row * dim;
      T* sum = s + row * dim;
#pragma omp simd
      for (int64_t i = 0; i < dim; ++i) store(sum, i, load(in, i) + load(d, i));
      in = sum;
    }
    float squares = 0.f;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < dim; ++i) squares += load(in, i) * load(in, i);
    float r = 1.f / __builtin_sqrtf(squares / (float)dim + eps);
    rstd[row] = r;
    T* out = y + row * dim;
#pragma omp simd
    for (int64_t i = 0; i < dim; ++i) store(out, i, load(in, i) * r * load(w, i));
  }
}

template <class T>
void rms_norm_backward(const T* dy, const T* x, const T* w, const float* rstd, const T* add, T* dx, float* dw, int64_t begin,
                       int64_t end, int64_t dim) {
  for (int64_t row = begin; row < end; ++row) {
    const T *g = dy + row * dim, *in = x + row * dim;
    float r = rstd[row], dot = 0.f;
#pragma omp simd reduction(+ : dot)
    for (int64_t i = 0; i < dim; ++i) dot += load(g, i) * load(w, i) * load(in, i);
    float c = dot * r * r * r / (float)dim;
    T* out = dx + row * dim;
    if (add) {
      const T* a = add + row * dim;
#pragma omp simd
      for (int64_t i = 0; i < dim; ++i) store(out, i, load(g, i) * load(w, i) * r - load(in, i) * c + load(a, i));
    } else {
#pragma omp simd
      for (int64_t i = 0; i < dim; ++i) store(out, i, load(g, i) * load(w, i) * r - load(in, i) * c);
    }
    if (dw) {
#pragma omp simd
      for (int64_t i = 0; i < dim; ++i) dw[i] += load(g, i) * load(in, i) * r;
    }
  }
}

template <class T>
void rope(const T* x, int64_t stride, const float* cos, const float* sin, T* y, int64_t begin, int64_t end, int64_t heads,
          int64_t dim, int64_t positions, float direction) {
  int64_t half = dim / 2;
  for (int64_t row = begin; row < end; ++row) {
    const float *c = cos + (row % positions) * half, *s = sin + (row % positions) * half;
    for (int64_t head = 0; head < heads; ++head) {
      const T* in = x + row * stride + head * dim;
      T* out = y + (row * heads + head) * dim;
#pragma omp simd
      for (int64_t i = 0; i < half; ++i) {
        float a = load(in, i), b = load(in, i + half), sine = s[i] * direction;
        store(out, i, a * c[i] - b * sine);
        store(out, i + half, b * c[i] + a * sine);
      }
    }
  }
}

template <class T>
void gated(const T* g, const T* u, T* y, int64_t begin, int64_t end, int act) {
  if (act == 0) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) store(y, i, load(g, i) * sigmoid(load(g, i)) * load(u, i));
  } else {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) {
      float a = load(g, i);
      store(y, i, 0.5f * a * (1.f + tanh_fast(GELU * (a + CUBE * a * a * a))) * load(u, i));
    }
  }
}

template <class T>
void gated_backward(const T* dy, const T* g, const T* u, T* dg, T* du, int64_t begin, int64_t end, int act) {
  if (act == 0) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) {
      float a = load(g, i), d = load(dy, i), p = sigmoid(a);
      store(dg, i, d * load(u, i) * p * (1.f + a * (1.f - p)));
      store(du, i, d * a * p);
    }
  } else {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) {
      float a = load(g, i), d = load(dy, i), t = tanh_fast(GELU * (a + CUBE * a * a * a));
      float slope = 0.5f * (1.f + t) + 0.5f * a * (1.f - t * t) * GELU * (1.f + 3.f * CUBE * a * a);
      store(dg, i, d * load(u, i) * slope);
      store(du, i, d * 0.5f * a * (1.f + t));
    }
  }
}

template <class T>
void cross_entropy(T* logits, const int64_t* targets, float* losses, int64_t begin, int64_t end, int64_t classes,
                   float softcap, bool gradient) {
  for (int64_t row = begin; row < end; ++row) {
    T* l = logits + row * classes;
    if (softcap > 0.f) {
      float inverse = 1.f / softcap;
#pragma omp simd
      for (int64_t i = 0; i < classes; ++i) store(l, i, softcap * tanh_fast(load(l, i) * inverse));
    }
    float top = -__builtin_inff();
#pragma omp simd reduction(max : top)
    for (int64_t i = 0; i < classes; ++i) top = load(l, i) > top ? load(l, i) : top;
    float sum = 0.f;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < classes; ++i) sum += exp_fast(load(l, i) - top);
    float target = load(l, targets[row]);
    losses[row] = __builtin_logf(sum) + top - target;
    if (!gradient) continue;
    float share = 1.f / sum;
    float own = exp_fast(target - top) * share - 1.f;
    if (softcap > 0.f) {
      float inverse = 1.f / softcap;
      own *= 1.f - target * target * inverse * inverse;
#pragma omp simd
      for (int64_t i = 0; i < classes; ++i) {
        float v = load(l, i) * inverse;
        store(l, i, exp_fast(load(l, i) - top) * share * (1.f - v * v));
      }
    } else {
#pragma omp simd
      for (int64_t i = 0; i < classes; ++i) store(l, i, exp_fast(load(l, i) - top) * share);
    }
    store(l, targets[row], own);
  }
}

template <class T>
void unpack4(const uint8_t* codes, const float* scales, const float* table, T* y, int64_t begin, int64_t end, int64_t group) {
  float low[16];
  for (int64_t g = begin; g < end; ++g) {
    for (int i = 0; i < 16; ++i) low[i] = table[i] * scales[g];
    const uint8_t* in = codes + g * group / 2;
    T* out = y + g * group;
    for (int64_t i = 0; i < group / 2; ++i) {
      store(out, 2 * i, low[in[i] & 15]);
      store(out, 2 * i + 1, low[in[i] >> 4]);
    }
  }
}

template <class T>
constexpr RowKernels<T> table() {
  return {rms_norm<T>, rms_norm_backward<T>, rope<T>, gated<T>, gated_backward<T>, cross_entropy<T>, unpack4<T>};
}

}  // namespace

extern const Kernels TL_CAT(kernels_, TL_WIDTH);
const Kernels TL_CAT(kernels_, TL_WIDTH) = {table<float>(), table<bf16>()};
