// The weight tables that a worker used last: images of a data set tend to have few sizes.
#pragma once

#include <cstdint>
#include <list>

#include "cpu/image/geometry.h"
#include "cpu/image/taps.h"

namespace perfmodel::cpu::image {

// How the samples of a plane lie along one axis of the image.
struct Sampling {
    int samples = 0;
    int expand = 1;
    bool triangle = false;
};

class TapCache {
  public:
    // Entries for the kept outputs of an axis. Valid until `kTables` other tables were asked for.
    TapView view(const Axis& axis, const Sampling& sampling, Filter filter, int max_shift);

    // Forgets all tables.
    void clear();

  private:
    static constexpr std::size_t kTables = 32;
    static constexpr std::size_t kMostEntries = 1U << 20;  // weights of a table that is worth keeping

    struct Kept {
        TapSpec spec;
        TapTable table;
    };

    const TapTable& find(const TapSpec& spec);

    std::list<Kept> tables_;  // the one used last in front
};

}  // namespace perfmodel::cpu::image
