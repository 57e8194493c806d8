// A crew of threads that is there when it is needed: started at first use, again in a forked child, ended by
// close().
#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>

#include "cpu/image/crew.h"

namespace perfmodel::cpu::image {

class Pool {
  public:
    // Throws PreconditionError unless there are 1 to 1024 threads.
    explicit Pool(int threads);
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    int threads() const { return threads_; }

    // The threads. To be called where no other thread can fork at the same time (under Python's lock);
    // working with the crew needs no such care. Throws PreconditionError on a closed pool.
    std::shared_ptr<Crew> crew();

    // The crew's counters; zeros before its first use.
    StageTotals totals() const;
    std::uint64_t waited_nanoseconds() const;

    // Takes the crew out for the caller to stop(); null where there is none. The pool is closed from then on.
    std::shared_ptr<Crew> close();

  private:
    // A forked child has the crew's memory, but none of its threads: the memory is left alone for good.
    void abandon_after_fork() const;

    int threads_;
    mutable std::mutex mutex_;
    mutable std::shared_ptr<Crew> crew_;
    pid_t owner_ = 0;
    bool closed_ = false;
};

}  // namespace perfmodel::cpu::image
