#include "kernels.h"

extern const Kernels kernels_base;
#ifdef TL_X86
extern const Kernels kernels_avx2, kernels_avx512;
#endif

const Kernels& kernels() {
#ifdef TL_X86
  static const Kernels& chosen = [&]() -> const Kernels& {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq"))
      return kernels_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return kernels_avx2;
    return kernels_base;
  }();
  return chosen;
#else
  return kernels_base;
#endif
}
