// What decoding alone costs: the bound that loading is measured against.
#pragma once

#include "cpu/image/decoder.h"

namespace perfmodel::cpu::image {

// Decodes an image once, on this thread, and does nothing else with it: JPEG to RGB by libjpeg-turbo with its
// default settings, PNG by libdeflate and the fastest undoing of row filters here. `seconds` is the thread's
// CPU time.
Outcome time_decoding(Encoded encoded, double& seconds);

}  // namespace perfmodel::cpu::image
