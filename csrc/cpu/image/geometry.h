// Which part of an image a sample shows and at which size: all positions in the orientation in which the file
// stores the image.
#pragma once

#include "cpu/image/plan.h"
#include "cpu/image/status.h"

namespace perfmodel::cpu::image {

// One axis: `box` pixels from `begin` on are resized to `resized`; of these `count` from `first` on are kept,
// in reverse order where `reversed`.
struct Axis {
    int size = 0;
    int begin = 0;
    int box = 0;
    int resized = 0;
    int first = 0;
    int count = 0;
    bool reversed = false;
};

struct Geometry {
    Axis x;
    Axis y;
    bool transposed = false;  // rows of the result are columns of the file
    Filter filter = Filter::bilinear;
};

// Works out the geometry of an image of that size; `orientation` is the EXIF tag (1 to 8), already 1 where it
// is not to be applied. Fails where the crop is larger than the image.
Outcome find_geometry(const SamplePlan& plan, const Target& target, int width, int height, int orientation,
                      Geometry& geometry);

}  // namespace perfmodel::cpu::image
