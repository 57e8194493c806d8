// Time of matrix products on a tiled machine, for many products at once. The same formula as
// perfmodel/roofline/products.py, which is its reference; it stands in products_formula.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/buffer.h"

namespace perfmodel::cpu {

// Fitted numbers of the formula, named as in perfmodel/roofline/coefficients.py.
struct ProductCoefficients {
    double k_prologue = 0.0;
    double occupancy_half = 0.0;
    double tile_8192 = 0.0;
    double tile_4096 = 0.0;
    double tile_small = 0.0;
    double wave_fill = 0.0;
    double unaligned_old = 0.0;
    double miss_aligned = 0.0;
    double miss_unaligned_old = 0.0;
    double miss = 0.0;
    double raster_old = 0.0;
    double raster = 0.0;
    double l2_reach = 0.0;
    double write_extra = 0.0;
};

// The inputs of a product, in the order in which they are passed; flags hold 0 or 1.
enum ProductColumn : std::size_t {
    kB,
    kM,
    kN,
    kK,
    kItemsize,
    kTraffic,  // least DRAM bytes
    kFlops,    // sustained FLOP/s
    kLeastRows,
    kSm,
    kBandwidth,  // B/s
    kL2Bytes,
    kTensor,  // from here on flags
    kPlain,
    kOld,
    kProductColumns,
};

constexpr bool is_flag(std::size_t column) {
    return column >= kTensor;
}

// Seconds of each product. `columns` are float64, flags boolean; they broadcast by NumPy's rules to the
// shape of `out`, a contiguous float64 buffer that overlaps none of them. Works on at most `threads` threads
// (at least 1), fewer where there is little to do. Throws PreconditionError where shapes or types do not fit,
// BufferUseError where `out` is read-only.
void product_time(const BufferView& out, const std::array<BufferView, kProductColumns>& columns,
                  const ProductCoefficients& coefficients, std::size_t threads);

// The shape that the columns broadcast to; throws PreconditionError where there is none.
std::vector<std::int64_t> product_shape(const std::array<BufferView, kProductColumns>& columns);

}  // namespace perfmodel::cpu
