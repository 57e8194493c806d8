#include "cpu/image/batch.h"

#include <cmath>
#include <cstring>

#include "common/error.h"

namespace perfmodel::cpu::image {

namespace {

void check_plan(const SamplePlan& plan, const Target& target, const std::string& name) {
    const auto mode = static_cast<Resize>(plan.mode);
    PERFMODEL_EXPECTS(plan.mode <= static_cast<std::uint8_t>(Resize::region), name + ": unknown mode");
    PERFMODEL_EXPECTS(mode != Resize::exact || (plan.height > 0 && plan.width > 0),
                      name + ": resized to nothing");
    PERFMODEL_EXPECTS(mode != Resize::shorter || plan.height > 0, name + ": resized to nothing");
    PERFMODEL_EXPECTS(mode != Resize::region || (plan.area > 0.0F && plan.ratio > 0.0F),
                      name + ": a region needs an area and a ratio above 0");
    PERFMODEL_EXPECTS(plan.filter < kFilters || plan.filter == kDefaultFilter, name + ": unknown filter");
    PERFMODEL_EXPECTS(plan.channels == target.channels, name + " has " + std::to_string(plan.channels) +
                                                            " channels, the output " +
                                                            std::to_string(target.channels));
    unsigned steps = 0;
    for (const std::uint8_t step : plan.order) steps |= step < kJitterSteps ? 1U << step : 0U;
    PERFMODEL_EXPECTS(steps == (1U << kJitterSteps) - 1U, name + ": order is no permutation of 0 to 3");
    for (const float value : {plan.u, plan.v, plan.area, plan.ratio, plan.brightness, plan.contrast,
                              plan.saturation, plan.hue, plan.cut_y, plan.cut_x, plan.cut_h, plan.cut_w})
        PERFMODEL_EXPECTS(std::isfinite(value), name + " has a number that is not finite");
    PERFMODEL_EXPECTS(std::fabs(plan.hue) <= 0.5F, name + ": hue must be within -0.5 and 0.5");
}

}  // namespace

void check_plans(const SamplePlan* plans, std::size_t count, const Target& target) {
    for (std::size_t i = 0; i < count; ++i) {
        SamplePlan plan;
        std::memcpy(&plan, plans + i, sizeof plan);
        check_plan(plan, target, "plan " + std::to_string(i));
    }
}

bool load_batch(Crew& crew, const std::vector<Source>& sources, const SamplePlan* plans, const Target& target,
                const Interrupted& interrupted, BatchResult& result) {
    const Writer writer(crew.kernels(), target);
    std::vector<Outcome> outcomes(sources.size());
    Job job;
    job.count = sources.size();
    job.run = [&](SampleLoader& loader, std::size_t i, StageCounters& counters) {
        StageClock clock;
        outcomes[i] = loader.load(sources[i], plans[i], target, writer, i, job.cancelled, clock);
        counters.add(clock.totals);
    };
    if (!crew.run(job, interrupted)) return false;
    result = BatchResult();
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        result.status.push_back(static_cast<std::int32_t>(outcomes[i].status));
        if (!outcomes[i].ok()) result.messages.push_back(source_name(sources[i]) + ": " + outcomes[i].reason);
    }
    return true;
}

bool read_sizes(Crew& crew, const std::vector<Source>& sources, const Interrupted& interrupted,
                std::vector<std::int32_t>& sizes) {
    sizes.assign(3 * sources.size(), 0);
    Job job;
    job.count = sources.size();
    job.run = [&](SampleLoader& loader, std::size_t i, StageCounters&) {
        ImageHeader header;
        if (!loader.header(sources[i], header).ok()) return;
        sizes[3 * i] = header.height;
        sizes[3 * i + 1] = header.width;
        sizes[3 * i + 2] = header.channels;
    };
    return crew.run(job, interrupted);
}

}  // namespace perfmodel::cpu::image
