#include "bindings/products.h"

#include <array>
#include <memory>
#include <string>

#include "bindings/borrow.h"
#include "common/error.h"
#include "cpu/products.h"

namespace py = pybind11;

namespace perfmodel::bindings {

namespace {

using cpu::kProductColumns;
using cpu::ProductCoefficients;

constexpr const char* kColumnNames[kProductColumns] = {"b",        "m",      "n",          "k",  "itemsize",
                                                       "traffic",  "flops",  "least_rows", "sm", "bandwidth",
                                                       "l2_bytes", "tensor", "plain",      "old"};

struct Field {
    const char* name;
    double ProductCoefficients::* member;
};

constexpr Field kFields[] = {
    {"k_prologue", &ProductCoefficients::k_prologue},
    {"occupancy_half", &ProductCoefficients::occupancy_half},
    {"tile_8192", &ProductCoefficients::tile_8192},
    {"tile_4096", &ProductCoefficients::tile_4096},
    {"tile_small", &ProductCoefficients::tile_small},
    {"wave_fill", &ProductCoefficients::wave_fill},
    {"unaligned_old", &ProductCoefficients::unaligned_old},
    {"miss_aligned", &ProductCoefficients::miss_aligned},
    {"miss_unaligned_old", &ProductCoefficients::miss_unaligned_old},
    {"miss", &ProductCoefficients::miss},
    {"raster_old", &ProductCoefficients::raster_old},
    {"raster", &ProductCoefficients::raster},
    {"l2_reach", &ProductCoefficients::l2_reach},
    {"write_extra", &ProductCoefficients::write_extra},
};

// Every coefficient of the formula must be there; others, which it does not use, are passed over.
ProductCoefficients make_coefficients(const py::dict& values) {
    ProductCoefficients result;
    for (const Field& field : kFields) {
        if (!values.contains(field.name))
            throw py::key_error(std::string("the coefficients lack ") + field.name);
        result.*field.member = values[field.name].cast<double>();
    }
    return result;
}

void product_time(py::handle out, const py::sequence& columns, const ProductCoefficients& coefficients,
                  std::size_t threads) {
    PERFMODEL_EXPECTS(columns.size() == kProductColumns,
                      "product_time takes " + std::to_string(kProductColumns) + " columns, not " +
                          std::to_string(columns.size()));
    const auto target = borrow(out, true);
    std::array<std::shared_ptr<Borrowed>, kProductColumns> lent;
    std::array<BufferView, kProductColumns> views;
    for (std::size_t c = 0; c < kProductColumns; ++c) {
        lent[c] = borrow(columns[c], false);
        views[c] = lent[c]->view();
    }
    const py::gil_scoped_release release;
    cpu::product_time(target->view(), views, coefficients, threads);
}

}  // namespace

void register_products(py::module_& module) {
    py::class_<ProductCoefficients>(module, "ProductCoefficients",
                                    "Fitted numbers of product_time, from a dictionary of all coefficients.")
        .def(py::init(&make_coefficients), py::arg("values"));
    py::list names;
    for (const char* name : kColumnNames) names.append(name);
    module.attr("PRODUCT_COLUMNS") = py::tuple(names);
    module.def("product_time", &product_time, py::arg("out"), py::arg("columns"), py::arg("coefficients"),
               py::arg("threads") = 1,
               "Seconds of matrix products into `out`; the columns broadcast to its shape.");
}

}  // namespace perfmodel::bindings
