// AdamW in one pass, and what a device's memory holds.
#include <c10/core/CachingDeviceAllocator.h>

#include <ATen/Context.h>

#include "common.h"

extern "C" {
// All tensors fp32 and flat; `scale` divides the gradients, `skip` (one value) above 0 leaves everything as it is.
char* tl_adamw(tensor value, tensor grad, tensor mean, tensor square, tensor step, double rate, double beta1, double beta2,
               double decay, double epsilon, tensor scale, tensor skip) {
  return guarded([&] {
    at::NoGradGuard guard;
    at::_fused_adamw_({*value}, {*grad}, {*mean}, {*square}, {}, {*step}, rate, beta1, beta2, decay, epsilon, false, false,
                      *scale, *skip);
  });
}
// Makes `grad` the gradient that backward adds to.
char* tl_set_grad(tensor value, tensor grad) {
  return guarded([&] { value->mutable_grad() = *grad; });
}
// Whether operations that may differ between two runs are refused.
char* tl_deterministic(bool on) {
  return guarded([&] { at::globalContext().setDeterministicAlgorithms(on, false); });
}
// Bytes of a GPU's allocator: now, and at most since the last reset.
char* tl_gpu_memory(int64_t device, int64_t* now, int64_t* peak, bool reset) {
  return guarded([&] {
    auto* allocator = c10::getDeviceAllocator(at::kCUDA);
    auto stats = allocator->getDeviceStats((c10::DeviceIndex)device);
    const auto all = 0;
    *now = stats.allocated_bytes[all].current;
    *peak = stats.allocated_bytes[all].peak;
    if (reset) allocator->resetPeakStats((c10::DeviceIndex)device);
  });
}
}
