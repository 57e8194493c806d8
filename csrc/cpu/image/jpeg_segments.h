// The marker segments of a JPEG file up to its first scan.
#pragma once

#include "cpu/image/decoder.h"

namespace perfmodel::cpu::image {

struct JpegSegment {
    int marker = 0;  // second byte
    Encoded data;    // without marker and length
};

class JpegSegments {
  public:
    explicit JpegSegments(Encoded file) : file_(file) {}

    // The next segment; false at the first scan, at the end and where the file is damaged.
    bool next(JpegSegment& segment);

    // Whether the file ended within a segment: more of it might help.
    bool truncated() const { return truncated_; }

  private:
    Encoded file_;
    std::size_t at_ = 2;  // behind the start of image
    bool truncated_ = false;
};

bool is_jpeg(Encoded encoded);

}  // namespace perfmodel::cpu::image
