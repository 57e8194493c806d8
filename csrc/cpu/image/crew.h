// The worker threads of a pool and the queue of their jobs.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "cpu/image/kernels.h"
#include "cpu/image/sample.h"
#include "cpu/image/stages.h"

namespace perfmodel::cpu::image {

// Called now and then by a waiting caller; true where it should give up.
using Interrupted = std::function<bool()>;

// `count` pieces of work; threads take the next piece until none is left. `run` may not throw.
struct Job {
    std::size_t count = 0;
    std::function<void(SampleLoader&, std::size_t, StageCounters&)> run;
    std::atomic<std::size_t> next{0};
    std::atomic<bool> cancelled{false};
    int running = 0;  // threads at work on it; the crew's alone
};

class Crew {
  public:
    explicit Crew(int threads);
    ~Crew();
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;

    const Kernels& kernels() const { return kernels_; }

    // Runs a job to its end, beside those of other callers. Returns false, with pieces left out, where
    // `interrupted` said so; throws PreconditionError on a crew that was stopped.
    bool run(Job& job, const Interrupted& interrupted);

    // Ends the threads after the jobs that they have; safe to call twice.
    void stop();

    StageTotals totals() const;
    std::uint64_t waited_nanoseconds() const { return waited_.load(); }

  private:
    bool finished(const Job& job) const { return job.running == 0 && job.next.load() >= job.count; }
    void remove(const Job& job);
    void work(StageCounters& counters) noexcept;
    std::unique_ptr<SampleLoader> make_loader() const noexcept;

    const Kernels& kernels_;
    std::vector<StageCounters> counters_;  // of each thread
    std::atomic<std::uint64_t> waited_{0};
    std::mutex mutex_;  // guards what follows
    std::condition_variable wake_;
    std::condition_variable done_;
    std::deque<Job*> jobs_;
    bool stopped_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace perfmodel::cpu::image
