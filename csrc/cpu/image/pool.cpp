#include "cpu/image/pool.h"

#include <unistd.h>

#include "common/error.h"

namespace perfmodel::cpu::image {

Pool::Pool(int threads) : threads_(threads) {
    PERFMODEL_EXPECTS(threads >= 1 && threads <= 1024,
                      "threads must be 1 to 1024, not " + std::to_string(threads));
}

Pool::~Pool() {
    if (const std::shared_ptr<Crew> crew = close()) crew->stop();
}

void Pool::abandon_after_fork() const {
    if (crew_ == nullptr || owner_ == ::getpid()) return;
    new std::shared_ptr<Crew>(std::move(crew_));  // never deleted
    crew_ = nullptr;
}

std::shared_ptr<Crew> Pool::crew() {
    const std::lock_guard lock(mutex_);
    PERFMODEL_EXPECTS(!closed_, "the pool is closed");
    abandon_after_fork();
    if (crew_ == nullptr) {
        crew_ = std::make_shared<Crew>(threads_);
        owner_ = ::getpid();
    }
    return crew_;
}

StageTotals Pool::totals() const {
    const std::lock_guard lock(mutex_);
    abandon_after_fork();
    return crew_ == nullptr ? StageTotals() : crew_->totals();
}

std::uint64_t Pool::waited_nanoseconds() const {
    const std::lock_guard lock(mutex_);
    abandon_after_fork();
    return crew_ == nullptr ? 0 : crew_->waited_nanoseconds();
}

std::shared_ptr<Crew> Pool::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    abandon_after_fork();
    return std::move(crew_);
}

}  // namespace perfmodel::cpu::image
