#include "cpu/image/jpeg_segments.h"

#include "cpu/image/jpeg.h"

namespace perfmodel::cpu::image {

namespace {

bool stands_alone(int marker) {
    return marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8);
}

// Start of frame, of whatever process.
bool is_frame(int marker) {
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

}  // namespace

bool is_jpeg(Encoded encoded) {
    return encoded.size >= 3 && encoded.data[0] == 0xFF && encoded.data[1] == 0xD8 && encoded.data[2] == 0xFF;
}

bool JpegSegments::next(JpegSegment& segment) {
    truncated_ = true;
    while (file_.size - at_ >= 2) {
        if (file_.data[at_] != 0xFF) {
            ++at_;  // stray bytes, as libjpeg passes over them
            continue;
        }
        const int marker = file_.data[at_ + 1];
        if (marker == 0xFF || marker == 0 || stands_alone(marker)) {
            at_ += marker == 0xFF ? 1 : 2;
            continue;
        }
        if (marker == 0xDA || marker == 0xD9) {
            truncated_ = false;
            return false;
        }
        if (file_.size - at_ < 4) return false;
        const std::size_t length = static_cast<std::size_t>(file_.data[at_ + 2]) << 8 | file_.data[at_ + 3];
        if (length < 2) {
            truncated_ = false;
            return false;
        }
        if (file_.size - at_ - 2 < length) return false;
        segment = {marker, {file_.data + at_ + 4, length - 2}};
        at_ += 2 + length;
        truncated_ = false;
        return true;
    }
    return false;
}

Outcome read_jpeg_header(Encoded encoded, ImageHeader& header) {
    JpegSegments segments(encoded);
    for (JpegSegment segment; segments.next(segment);) {
        if (!is_frame(segment.marker)) continue;
        if (segment.data.size < 6) break;
        const std::uint8_t* at = segment.data.data;
        header.height = at[1] << 8 | at[2];
        header.width = at[3] << 8 | at[4];
        header.channels = at[5];
        if (header.width == 0 || header.height == 0) break;
        return {};
    }
    if (segments.truncated()) return failure(Status::corrupt, "the file is truncated");
    return failure(Status::corrupt, "the JPEG header gives no size");
}

}  // namespace perfmodel::cpu::image
