// The orientation that a file's EXIF data states.
#pragma once

#include "cpu/image/decoder.h"

namespace perfmodel::cpu::image {

// The orientation tag (1 to 8) of a TIFF block, such as PNG's eXIf chunk; 1 where there is none or it is
// damaged.
int tiff_orientation(Encoded block);

// The same of a JPEG file: of its EXIF segment or, without one, of its XMP segment.
int jpeg_orientation(Encoded file);

}  // namespace perfmodel::cpu::image
