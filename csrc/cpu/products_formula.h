// The formula of product times, in plain C++ that compilers turn into vector code: the loops over lanes have
// no branches that depend on a lane. Included by products_kernel.cpp alone.
//
//   t = min over (tile, split) (Tc^4 + Tm^4)^(1/4)
//
// Tc counts the waves of tiles that the SMs work through, Tm the bytes that reach DRAM behind the L2 cache.
// Why the terms are what they are is said in perfmodel/roofline/products.py; a change there is made here too.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>

#include "cpu/products_kernel.h"

#define PERFMODEL_INLINE inline __attribute__((always_inline))

namespace perfmodel::cpu::formula {

struct TileSize {
    double rows, cols;
};

constexpr TileSize kTiles[] = {{256, 128}, {128, 128}, {128, 64}, {64, 128},
                               {128, 32},  {32, 128},  {64, 64},  {32, 32}};
constexpr double kSplits[] = {1.0, 4.0, 16.0, 64.0};
constexpr double kLargest = 16384.0;  // area of the largest tile without tensor cores
constexpr double kBarred = std::numeric_limits<double>::infinity();  // added where a tile is not to be had

// A tile with a split of K, and what follows from them alone.
struct Choice {
    double rows, cols, split;
    double area;
    double resident;  // tiles of this size an SM holds
    double rate;      // relative to the largest tile
    double partial;   // bytes a result element costs for being summed over the splits
};

// What a product needs for every choice.
struct Shared {
    double elements[kProductLanes];        // of the result
    double unaligned[kProductLanes];       // factor on arithmetic
    double missing[kProductLanes];         // share of tile traffic that reaches DRAM
    double floor[kProductLanes];           // bytes that reach DRAM in any case
    double without_tensor[kProductLanes];  // kBarred where the engine is no tensor core, else 0
};

constexpr Choice make_choice(TileSize tile, double split, const ProductCoefficients& c) {
    const double area = tile.rows * tile.cols;
    const double small = area >= 4096.0 ? c.tile_4096 : c.tile_small;
    const double rate = area >= 16384.0 ? 1.0 : area >= 8192.0 ? c.tile_8192 : small;
    const double resident = 32768.0 / area < 8.0 ? 32768.0 / area : 8.0;
    return {tile.rows, tile.cols, split, area, resident, rate, split > 1.0 ? 2.0 * 4.0 * split : 0.0};
}

PERFMODEL_INLINE double smaller(double a, double b) {
    return b < a ? b : a;
}
PERFMODEL_INLINE double larger(double a, double b) {
    return a < b ? b : a;
}

// 1 for multiples of four, else 0.
PERFMODEL_INLINE double by_four(double value) {
    const double quarter = value * 0.25;
    return std::floor(quarter) == quarter ? 1.0 : 0.0;
}

PERFMODEL_INLINE void share(const ProductBlock& p, const ProductCoefficients& c, Shared& s) {
    for (std::size_t i = 0; i < kProductLanes; ++i) {
        const double b = p.column[kB][i], m = p.column[kM][i], n = p.column[kN][i], k = p.column[kK][i];
        const double itemsize = p.column[kItemsize][i], l2 = p.column[kL2Bytes][i];
        const double old = p.column[kOld][i], plain = p.column[kPlain][i];
        const double aligned = by_four(k) * by_four(n);
        const double operands = itemsize * (m * k + k * n);
        const double miss_old = plain != 0.0 ? c.miss_unaligned_old : 0.1;
        const double miss_unaligned = old != 0.0 ? miss_old : c.miss;
        const double miss = aligned != 0.0 ? c.miss_aligned : miss_unaligned;
        const double slower = old != 0.0 ? c.unaligned_old : 1.0;
        s.elements[i] = b * m * n;
        s.unaligned[i] = aligned != 0.0 ? 1.0 : slower;
        s.missing[i] = miss * operands / (operands + c.l2_reach * l2);
        s.floor[i] = p.column[kTraffic][i] + c.write_extra * itemsize * b * m * n;
        s.without_tensor[i] = p.column[kTensor][i] != 0.0 ? 0.0 : kBarred;
    }
}

// Tc.
PERFMODEL_INLINE double compute_time(const Choice& tile, double tiles, double k, double flops, double sm,
                                     const ProductCoefficients& c) {
    const double load = tiles / sm;
    const double whole = std::ceil(load);
    const double resident = smaller(tile.resident, larger(whole, 1.0)) * tile.area / kLargest;
    const double occupancy =
        smaller(resident / (resident + c.occupancy_half) * (1.0 + c.occupancy_half / 2.0), 1.0);
    const double waves = load + (whole - load) * c.wave_fill;
    const double steps = std::ceil(k / tile.split / 8.0) * 8.0 + c.k_prologue;
    return waves * 2.0 * tile.area * steps * sm / (flops * tile.rate * occupancy);
}

// Operand bytes of whole waves laid along the output columns.
PERFMODEL_INLINE double raster_traffic(const Choice& tile, double b, double grid_m, double grid_n, double k,
                                       double itemsize, double sm) {
    const double wave = sm * tile.resident;
    const double columns = larger(grid_n, 1.0);
    const double wide = smaller(columns, wave);
    const double high = smaller(larger(wave / columns, 1.0), larger(grid_m, 1.0));
    const double waves = b * grid_m * grid_n / smaller(wide * high, larger(grid_m * grid_n, 1.0));
    const double weight = wide * tile.cols / 3000.0;
    return weight * waves * (high * tile.rows + wide * tile.cols) * k * itemsize;
}

// Lowers `best` to the fourth power of the time with this choice. `raster`: some lane is a plain product.
template <bool raster>
PERFMODEL_INLINE void lower(const ProductBlock& p, const Shared& s, const Choice& tile,
                            const ProductCoefficients& c, double* best) {
    const double tensor_only = tile.area > kLargest ? 1.0 : 0.0;
    for (std::size_t i = 0; i < kProductLanes; ++i) {
        const double b = p.column[kB][i], k = p.column[kK][i], itemsize = p.column[kItemsize][i];
        const double sm = p.column[kSm][i];
        const double grid_m = std::ceil(p.column[kM][i] / tile.rows);
        const double grid_n = std::ceil(p.column[kN][i] / tile.cols);
        const double tiles = b * grid_m * grid_n * tile.split;
        const double compute = compute_time(tile, tiles, k, p.column[kFlops][i], sm, c) * s.unaligned[i];
        const double tile_traffic = tiles * (tile.rows + tile.cols) * (k / tile.split) * itemsize;
        double dram = s.floor[i] + s.missing[i] * tile_traffic + tile.partial * s.elements[i];
        if constexpr (raster) {
            const double weight = p.column[kOld][i] != 0.0 ? c.raster_old : c.raster;
            const double streamed = raster_traffic(tile, b, grid_m, grid_n, k, itemsize, sm) * weight;
            dram += p.column[kPlain][i] != 0.0 ? streamed : 0.0;
        }
        const double memory = dram / p.column[kBandwidth][i];
        const double compute2 = compute * compute, memory2 = memory * memory;
        const double bar_rows = p.column[kLeastRows][i] > tile.rows ? kBarred : 0.0;
        const double bar_tensor = tensor_only != 0.0 ? s.without_tensor[i] : 0.0;
        best[i] = smaller(best[i], compute2 * compute2 + memory2 * memory2 + bar_rows + bar_tensor);
    }
}

PERFMODEL_INLINE void product_block(const ProductBlock& p, const ProductCoefficients& c, double* seconds) {
    Shared s;
    share(p, c, s);
    double best[kProductLanes];
    for (double& value : best) value = std::numeric_limits<double>::infinity();
    for (const TileSize& size : kTiles) {
        if (size.rows * size.cols > kLargest && !p.any_tensor) continue;
        for (const double split : kSplits) {
            const Choice tile = make_choice(size, split, c);
            if (p.any_plain)
                lower<true>(p, s, tile, c, best);
            else
                lower<false>(p, s, tile, c, best);
        }
    }
    // Square roots are monotone, so they are taken once. A comparison passes a NaN over; the sum of inputs
    // keeps it.
    for (std::size_t i = 0; i < kProductLanes; ++i) {
        double inputs = 0.0;
        for (std::size_t column = 0; column < kProductColumns; ++column) inputs += p.column[column][i];
        const double time = std::sqrt(std::sqrt(best[i]));
        seconds[i] = inputs != inputs ? inputs : time;
    }
}

}  // namespace perfmodel::cpu::formula
