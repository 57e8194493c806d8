// Colour jitter on bytes, step by step as torchvision's ColorJitter does on Pillow images.
#pragma once

#include "cpu/image/plan.h"
#include "cpu/image/resampler.h"

namespace perfmodel::cpu::image {

// Changes planes of red, green and blue, or one of grey (brightness and contrast only), in place, in the
// order that the plan gives.
void apply_jitter(const SamplePlan& plan, const Planes& planes);

}  // namespace perfmodel::cpu::image
