#include "cpu/isa.h"

#include <cstdlib>

#include "common/error.h"
#include "cpu/kernels.h"

namespace perfmodel::cpu {

namespace {

std::string names() {
    std::string text;
    for (const Kernels* kernels : implementations()) {
        if (!text.empty()) text += ", ";
        text += kernels->name;
        if (!kernels->supported()) text += " (not on this processor)";
    }
    return text;
}

const Kernels& choose() {
    const char* forced = std::getenv("PERFMODEL_ISA");
    if (forced != nullptr && *forced != '\0') return require(forced);
    for (const Kernels* kernels : implementations())
        if (kernels->supported()) return *kernels;
    return scalar_kernels();
}

}  // namespace

const std::vector<const Kernels*>& implementations() {
    static const std::vector<const Kernels*> list = {
#if defined(PERFMODEL_X86)
        &avx512_kernels(),
        &avx2_kernels(),
#endif
#if defined(PERFMODEL_NEON)
        &neon_kernels(),
#endif
        &scalar_kernels(),
    };
    return list;
}

const Kernels& active() {
    static const Kernels& chosen = choose();
    return chosen;
}

const Kernels& require(const std::string& name) {
    for (const Kernels* kernels : implementations()) {
        if (name != kernels->name) continue;
        PERFMODEL_EXPECTS(kernels->supported(),
                          "PERFMODEL_ISA: this processor does not support '" + name + "'; known: " + names());
        return *kernels;
    }
    throw PreconditionError("PERFMODEL_ISA: no instruction set '" + name + "'; known: " + names());
}

}  // namespace perfmodel::cpu
