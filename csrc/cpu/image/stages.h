// Time that workers spend in each stage: cheap counters, and NVTX ranges of the same names for tracing tools
// where the header is there at build time.
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>

namespace perfmodel::cpu::image {

enum class Stage : int { read, decode, resample, colour, write, count };

constexpr int kStages = static_cast<int>(Stage::count);

const char* stage_name(Stage stage);

struct StageTotals {
    std::uint64_t nanoseconds[kStages] = {};
    std::uint64_t images = 0;
    std::uint64_t bytes = 0;
    std::uint64_t failed = 0;
};

// Totals of one worker: written by it alone, read by anybody.
class StageCounters {
  public:
    void add(const StageTotals& more);
    StageTotals read() const;

  private:
    std::atomic<std::uint64_t> nanoseconds_[kStages] = {};
    std::atomic<std::uint64_t> images_{0};
    std::atomic<std::uint64_t> bytes_{0};
    std::atomic<std::uint64_t> failed_{0};
};

// Splits a worker's time on an image among stages: what passes between two marks belongs to the stage of the
// second.
class StageClock {
  public:
    void start() { last_ = now(); }
    void mark(Stage stage) {
        const std::uint64_t time = now();
        totals.nanoseconds[static_cast<int>(stage)] += time - last_;
        last_ = time;
    }

    StageTotals totals;

  private:
    static std::uint64_t now() {
        timespec time = {};
        clock_gettime(CLOCK_MONOTONIC, &time);
        return static_cast<std::uint64_t>(time.tv_sec) * 1000000000U +
               static_cast<std::uint64_t>(time.tv_nsec);
    }

    std::uint64_t last_ = 0;
};

// A range of that name in a tracing tool's time line, from construction to destruction.
class StageRange {
  public:
    explicit StageRange(Stage stage);
    ~StageRange();
    StageRange(const StageRange&) = delete;
    StageRange& operator=(const StageRange&) = delete;
};

// As StageRange, for a caller that waits for its batch.
class WaitRange {
  public:
    WaitRange();
    ~WaitRange();
    WaitRange(const WaitRange&) = delete;
    WaitRange& operator=(const WaitRange&) = delete;
};

// Work that is queued on a GPU.
enum class DeviceWork : int { copy, kernel };

// As StageRange, around the queueing of it: tools tie what the GPU does to the range of the host.
class DeviceRange {
  public:
    explicit DeviceRange(DeviceWork work);
    ~DeviceRange();
    DeviceRange(const DeviceRange&) = delete;
    DeviceRange& operator=(const DeviceRange&) = delete;
};

}  // namespace perfmodel::cpu::image
