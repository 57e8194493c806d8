// Loading a batch with a crew.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cpu/image/crew.h"
#include "cpu/image/plan.h"
#include "cpu/image/source.h"

namespace perfmodel::cpu::image {

// A status for each sample and, for those that failed, why, with the source's name.
struct BatchResult {
    std::vector<std::int32_t> status;
    std::vector<std::string> messages;
};

// Throws PreconditionError where a plan makes no sense or does not fit the target.
void check_plans(const SamplePlan* plans, std::size_t count, const Target& target);

// Loads sample i from sources[i] by plans[i], which were checked. Samples are taken by whichever thread is
// free; what becomes of them does not depend on that. Returns false, with the batch unfinished, where
// `interrupted` said so.
bool load_batch(Crew& crew, const std::vector<Source>& sources, const SamplePlan* plans, const Target& target,
                const Interrupted& interrupted, BatchResult& result);

// Reads headers only: height, width and channels of each source, zeros where it cannot be read.
bool read_sizes(Crew& crew, const std::vector<Source>& sources, const Interrupted& interrupted,
                std::vector<std::int32_t>& sizes);

}  // namespace perfmodel::cpu::image
