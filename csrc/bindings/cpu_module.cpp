// perfmodel._cpu: checks, borrows, releases the GIL, calls.
#include <pybind11/pybind11.h>

#include "bindings/borrow.h"
#include "bindings/errors.h"
#include "bindings/gil.h"
#include "bindings/image.h"
#include "bindings/preprocess.h"
#include "bindings/products.h"
#include "cpu/isa.h"
#include "cpu/microbench.h"

namespace py = pybind11;

namespace {

using perfmodel::bindings::borrow;

py::list list_isas() {
    py::list result;
    for (const perfmodel::cpu::Kernels* kernels : perfmodel::cpu::implementations())
        result.append(py::make_tuple(kernels->name, kernels->description, kernels->supported()));
    return result;
}

double sum(py::handle values) {
    const auto lent = borrow(values, false);
    const py::gil_scoped_release release;
    return perfmodel::cpu::sum(lent->view());
}

void triad(py::handle out, py::handle a, py::handle b, float scale) {
    const auto target = borrow(out, true);
    const auto first = borrow(a, false);
    const auto second = borrow(b, false);
    const py::gil_scoped_release release;
    perfmodel::cpu::triad(target->view(), first->view(), second->view(), scale);
}

void copy(py::handle out, py::handle source) {
    const auto target = borrow(out, true);
    const auto lent = borrow(source, false);
    const py::gil_scoped_release release;
    perfmodel::cpu::copy(target->view(), lent->view());
}

py::tuple fma_rate(double seconds) {
    perfmodel::cpu::FmaRate rate{};
    {
        const py::gil_scoped_release release;
        rate = perfmodel::cpu::fma_rate(seconds);
    }
    return py::make_tuple(rate.flops, rate.seconds);
}

}  // namespace

PYBIND11_MODULE(_cpu, module) {
    module.doc() = "Native CPU kernels: instruction-set dispatch, borrowed buffers, microbenchmarks.";
    module.attr("__version__") = PERFMODEL_VERSION;
    perfmodel::bindings::register_errors();
    perfmodel::bindings::register_gil();
    perfmodel::bindings::register_borrow(module);
    perfmodel::bindings::register_products(module);
    perfmodel::bindings::register_image(module);
    perfmodel::bindings::register_preprocess_on_host(module);
    module.def("isas", &list_isas,
               "All instruction sets of this build, best first: (name, needs, supported here).");
    module.def("isa", [] { return perfmodel::cpu::active().name; }, "Name of the instruction set in use.");
    module.def("sum", &sum, py::arg("values"), "Sum of float32 or float64 elements, in double precision.");
    module.def("triad", &triad, py::arg("out"), py::arg("a"), py::arg("b"), py::arg("scale"),
               "out = a + scale * b for contiguous float32 buffers.");
    module.def("copy", &copy, py::arg("out"), py::arg("source"), "Copy a contiguous buffer into another.");
    module.def("fma_rate", &fma_rate, py::arg("seconds"),
               "Fused multiply-adds on one core for about that long: (operations, seconds).");
}
