// What every function of the shim needs: tensors over the C boundary, errors as text, loops over rows.
#pragma once
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstring>
#include <optional>

#include "kernels.h"

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// As tch passes it; null is "no tensor".
typedef Tensor* tensor;

inline Tensor read(tensor t) { return t ? *t : Tensor(); }
inline std::optional<Tensor> maybe(tensor t) { return t ? std::optional<Tensor>(*t) : std::nullopt; }

// Runs a body; gives null, or the error's text, which the caller frees with tl_free.
template <class F>
char* guarded(F&& body) {
  try {
    body();
    return nullptr;
  } catch (const std::exception& error) {
    return strdup(error.what());
  } catch (...) {
    return strdup("an unknown C++ exception");
  }
}

// Whether the row kernels know the tensor; elsewhere (CUDA, fp16, fp64) the same is done with ATen's operations.
inline bool on_rows(const Tensor& t) {
  return t.device().is_cpu() && (t.scalar_type() == at::kFloat || t.scalar_type() == at::kBFloat16);
}

template <class T>
const RowKernels<T>& rows_of();
template <>
inline const RowKernels<float>& rows_of() {
  return kernels().f32;
}
template <>
inline const RowKernels<bf16>& rows_of() {
  return kernels().b16;
}

template <class T>
T* ptr(const Tensor& t) {
  return t.defined() ? static_cast<T*>(t.data_ptr()) : nullptr;
}

// Calls `body` with a value of the row kernels' type: `by_kind(t, [&](auto zero) { using T = decltype(zero); ... })`.
template <class F>
void by_kind(const Tensor& t, F&& body) {
  if (t.scalar_type() == at::kFloat)
    body(float(0));
  else
    body(bf16(0));
}

// Rows at a time, such that a chunk is some 16 thousand values.
inline int64_t grain(int64_t dim) { return std::max<int64_t>(1, 16384 / std::max<int64_t>(1, dim)); }
