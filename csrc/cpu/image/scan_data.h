// The data of a JPEG scan, stretch by stretch between its markers, without the zero bytes that are stuffed
// in.
#pragma once

#include "cpu/image/bit_reader.h"
#include "cpu/image/decoder.h"
#include "cpu/image/memory.h"

namespace perfmodel::cpu::image {

class ScanData {
  public:
    // Starts behind the scan's header. Throws std::bad_alloc.
    void begin(Encoded encoded);

    // The stretch up to the next marker; `marker` is that marker's second byte, 0 where the data ends before.
    // What an earlier reader reads is lost.
    BitReader next(int& marker);

    // What lies behind the stretch and its marker.
    Encoded rest() const { return rest_; }

    void trim(std::size_t most) {
        if (bytes_.bytes() > most) bytes_.release();
    }

  private:
    Encoded rest_;
    Buffer<std::uint8_t> bytes_;
};

}  // namespace perfmodel::cpu::image
