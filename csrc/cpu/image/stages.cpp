#include "cpu/image/stages.h"

#if defined(PERFMODEL_NVTX)
#include <nvtx3/nvToolsExt.h>
#endif

namespace perfmodel::cpu::image {

namespace {

constexpr const char* kNames[kStages] = {"read", "decode", "resample", "colour", "write"};
// Numbers of ranges behind those of the stages.
constexpr int kWait = kStages;
constexpr int kDevice = kWait + 1;

#if defined(PERFMODEL_NVTX)
class Domain {
  public:
    Domain() : handle_(nvtxDomainCreateA("perfmodel")) {
        for (int stage = 0; stage < kStages; ++stage)
            names_[stage] = nvtxDomainRegisterStringA(handle_, kNames[stage]);
        names_[kWait] = nvtxDomainRegisterStringA(handle_, "queue wait");
        names_[kDevice] = nvtxDomainRegisterStringA(handle_, "copy");
        names_[kDevice + 1] = nvtxDomainRegisterStringA(handle_, "kernel");
    }

    void push(int name) const {
        nvtxEventAttributes_t event = {};
        event.version = NVTX_VERSION;
        event.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
        event.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
        event.message.registered = names_[name];
        nvtxDomainRangePushEx(handle_, &event);
    }

    void pop() const { nvtxDomainRangePop(handle_); }

  private:
    nvtxDomainHandle_t handle_;
    nvtxStringHandle_t names_[kDevice + 2] = {};
};

const Domain& domain() {
    static const Domain instance;
    return instance;
}

void push(int name) {
    domain().push(name);
}

void pop() {
    domain().pop();
}
#else
void push(int) {}
void pop() {}
#endif

}  // namespace

const char* stage_name(Stage stage) {
    return kNames[static_cast<int>(stage)];
}

void StageCounters::add(const StageTotals& more) {
    constexpr auto relaxed = std::memory_order_relaxed;
    for (int stage = 0; stage < kStages; ++stage)
        nanoseconds_[stage].fetch_add(more.nanoseconds[stage], relaxed);
    images_.fetch_add(more.images, relaxed);
    bytes_.fetch_add(more.bytes, relaxed);
    failed_.fetch_add(more.failed, relaxed);
}

StageTotals StageCounters::read() const {
    constexpr auto relaxed = std::memory_order_relaxed;
    StageTotals totals;
    for (int stage = 0; stage < kStages; ++stage)
        totals.nanoseconds[stage] = nanoseconds_[stage].load(relaxed);
    totals.images = images_.load(relaxed);
    totals.bytes = bytes_.load(relaxed);
    totals.failed = failed_.load(relaxed);
    return totals;
}

StageRange::StageRange(Stage stage) {
    push(static_cast<int>(stage));
}

StageRange::~StageRange() {
    pop();
}

WaitRange::WaitRange() {
    push(kWait);
}

WaitRange::~WaitRange() {
    pop();
}

DeviceRange::DeviceRange(DeviceWork work) {
    push(kDevice + static_cast<int>(work));
}

DeviceRange::~DeviceRange() {
    pop();
}

}  // namespace perfmodel::cpu::image
