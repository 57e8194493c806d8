// The filters of Pillow's resize: weight by distance in output pixels, zero beyond the support.
#pragma once

#include "cpu/image/plan.h"

namespace perfmodel::cpu::image {

// Half the filter's width in output pixels; 0 for nearest, which is no filter.
double filter_support(Filter filter);

double filter_weight(Filter filter, double distance);

}  // namespace perfmodel::cpu::image
