#include "cpu/image/crew.h"

#include <algorithm>
#include <chrono>
#include <new>

#include "common/error.h"

namespace perfmodel::cpu::image {

namespace {

constexpr auto kPatience = std::chrono::milliseconds(50);  // between questions whether to give up

}  // namespace

Crew::Crew(int threads) : kernels_(image_kernels()), counters_(static_cast<std::size_t>(threads)) {
    try {
        for (StageCounters& counters : counters_)
            threads_.emplace_back([this, &counters] { work(counters); });
    } catch (...) {
        stop();
        throw;
    }
}

Crew::~Crew() {
    stop();
}

bool Crew::run(Job& job, const Interrupted& interrupted) {
    const WaitRange range;
    const auto start = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    PERFMODEL_EXPECTS(!stopped_, "the pool is closed");
    jobs_.push_back(&job);
    wake_.notify_all();
    while (!done_.wait_for(lock, kPatience, [this, &job] { return finished(job); })) {
        lock.unlock();
        if (interrupted && !job.cancelled && interrupted()) {
            job.cancelled = true;
            job.next = job.count;
        }
        lock.lock();
    }
    remove(job);
    const auto spent = std::chrono::steady_clock::now() - start;
    waited_ +=
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(spent).count());
    return !job.cancelled;
}

void Crew::stop() {
    std::vector<std::thread> ending;
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
        ending.swap(threads_);
    }
    wake_.notify_all();
    for (std::thread& thread : ending) thread.join();
}

StageTotals Crew::totals() const {
    StageTotals sum;
    for (const StageCounters& counters : counters_) {
        const StageTotals one = counters.read();
        for (int stage = 0; stage < kStages; ++stage) sum.nanoseconds[stage] += one.nanoseconds[stage];
        sum.images += one.images;
        sum.bytes += one.bytes;
        sum.failed += one.failed;
    }
    return sum;
}

void Crew::remove(const Job& job) {
    const auto found = std::find(jobs_.begin(), jobs_.end(), &job);
    if (found != jobs_.end()) jobs_.erase(found);
}

void Crew::work(StageCounters& counters) noexcept {
    const std::unique_ptr<SampleLoader> loader = make_loader();
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait(lock, [this] { return stopped_ || !jobs_.empty(); });
        if (jobs_.empty()) return;
        Job& job = *jobs_.front();
        ++job.running;
        lock.unlock();
        for (std::size_t i = job.next.fetch_add(1); i < job.count; i = job.next.fetch_add(1))
            job.run(*loader, i, counters);
        lock.lock();
        remove(job);  // nothing of it is left to take
        if (--job.running == 0) done_.notify_all();
    }
}

// Waits for memory rather than end the program.
std::unique_ptr<SampleLoader> Crew::make_loader() const noexcept {
    while (true) {
        try {
            return std::make_unique<SampleLoader>(kernels_);
        } catch (const std::bad_alloc&) {
            std::this_thread::sleep_for(kPatience);
        }
    }
}

}  // namespace perfmodel::cpu::image
