// Microbenchmark kernels: memory bandwidth and launch time, timed by events on a stream of their own.
#pragma once

#include <cstddef>
#include <vector>

namespace perfmodel::cuda {

enum class Pattern {
    read,   // sum of one array: 1 read
    copy,   // out = a: 1 read, 1 write
    triad,  // out = a + scale * b: 2 reads, 1 write
};

struct BandwidthResult {
    double bytes;                 // moved by one pass, reads and writes
    std::vector<double> seconds;  // of each timed pass
};

// Moves arrays of `bytes_per_array` bytes (a multiple of 16, at least 16) in 16-byte words, `repeats` times
// after two passes that are not timed. Arrays hold varying data, never zeros.
BandwidthResult bandwidth(int device, Pattern pattern, std::size_t bytes_per_array, int repeats);

// Seconds per launch of an empty kernel, as the mean over `launches` queued ones, `repeats` times.
std::vector<double> launch_time(int device, int launches, int repeats);

}  // namespace perfmodel::cuda
