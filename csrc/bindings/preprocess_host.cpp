// The GPU's preprocessing, step by step on the host: for tests where there is no GPU, and to compare with.
#include <cstddef>
#include <cstring>
#include <memory>

#include "bindings/gil.h"
#include "bindings/image_arguments.h"
#include "bindings/preprocess.h"
#include "bindings/preprocess_arguments.h"
#include "common/error.h"
#include "cpu/image/batch.h"
#include "preprocess/reference.h"

namespace py = pybind11;

namespace perfmodel::bindings {

namespace {

struct alignas(64) Line {
    std::byte bytes[64];
};

std::shared_ptr<void> allocate(std::size_t bytes) {
    return {new Line[bytes / sizeof(Line) + 1], [](Line* lines) { delete[] lines; }};
}

struct HostOptions {
    preprocess::BatchOptions batch;
    std::size_t alignment;
    bool pad_rows;
    std::size_t skew;
};

// A batch in host memory.
struct HostBatch {
    Lent lent;
};

HostBatch run(const py::sequence& images, const py::buffer& plan, const OutputArguments& arguments,
              const HostOptions& options) {
    PERFMODEL_EXPECTS(options.alignment >= 1 && options.alignment <= 4096, "alignment must be 1 to 4096");
    const HostImages lent = read_host_images(images);
    const std::size_t count = lent.sizes.size();
    const cpu::image::Target target = read_output(arguments);
    const py::buffer_info plans = read_image_plan(plan, count);
    const auto* records = static_cast<const cpu::image::SamplePlan*>(plans.ptr);
    cpu::image::check_plans(records, count, target);
    HostBatch result;
    {
        const WithoutGil outside;
        const preprocess::Packing packing =
            preprocess::pack_images(lent.sizes, options.alignment, options.pad_rows, options.skew);
        preprocess::BatchMaker maker;
        const preprocess::Batch batch = maker.make(packing.images, records, target, options.batch);
        const std::shared_ptr<void> pixels = allocate(packing.bytes);
        auto* bytes = static_cast<std::uint8_t*>(pixels.get());
        for (std::size_t i = 0; i < count; ++i)
            preprocess::copy_image(static_cast<const std::uint8_t*>(lent.buffers[i]->view().data),
                                   packing.images[i], bytes);
        result.lent.owner = allocate(batch.out_bytes);
        result.lent.data = result.lent.owner.get();
        preprocess::run_on_host(batch, bytes, packing.bytes, static_cast<std::byte*>(result.lent.data));
    }
    result.lent.type = target.type;
    result.lent.shape = output_shape(target, count);
    return result;
}

}  // namespace

void register_preprocess_on_host(py::module_& module) {
    py::class_<HostBatch>(module, "HostBatch", "A batch of images in host memory, lent by DLPack.")
        .def_property_readonly("shape", [](const HostBatch& batch) { return shape_tuple(batch.lent.shape); })
        .def(
            "copy_to",
            [](const HostBatch& batch, py::handle out) {
                const std::shared_ptr<Borrowed> target = borrow(out, true);
                expect_room(target->view(), batch.lent);
                std::memcpy(target->view().data, batch.lent.data, target->view().nbytes());
            },
            py::arg("out"), "Copy into a buffer of the same shape and element size.")
        .def_property_readonly("dtype", [](const HostBatch& batch) { return element_name(batch.lent.type); })
        .def(
            "__dlpack__",
            [](const HostBatch& batch, const py::object&, const py::object& max_version,
               const py::object& dl_device, const py::object& copy) {
                expect_plain_loan(batch.lent, dl_device, copy);
                return lend_by_dlpack(batch.lent, max_version);
            },
            py::kw_only(), py::arg("stream") = py::none(), py::arg("max_version") = py::none(),
            py::arg("dl_device") = py::none(), py::arg("copy") = py::none())
        .def("__dlpack_device__", [](const HostBatch& batch) { return device_tuple(batch.lent.device); });
    module.def(
        "preprocess_on_host",
        [](const py::sequence& images, const py::buffer& plan, const py::tuple& size, int channels,
           std::string dtype, std::string layout, py::sequence mean, py::sequence std, int filter,
           float cut_fill, int columns, int resident, std::size_t shared_bytes, std::size_t alignment,
           bool pad_rows, std::size_t skew) {
            return run(images, plan,
                       {size, channels, std::move(dtype), std::move(layout), std::move(mean), std::move(std),
                        filter, cut_fill},
                       {{columns, resident, shared_bytes}, alignment, pad_rows, skew});
        },
        py::arg("images"), py::arg("plan"), py::arg("size"), py::kw_only(), py::arg("channels") = 3,
        py::arg("dtype") = "float32", py::arg("layout") = "nchw",
        py::arg("mean") = py::make_tuple(0.0, 0.0, 0.0), py::arg("std") = py::make_tuple(1.0, 1.0, 1.0),
        py::arg("filter") = 2, py::arg("cut_fill") = 0.0F, py::arg("columns") = 0, py::arg("resident") = 528,
        py::arg("shared_bytes") = std::size_t{48} << 10, py::arg("alignment") = preprocess::kPixelAlign,
        py::arg("pad_rows") = true, py::arg("skew") = std::size_t{0},
        "Transform decoded images as the GPU does, step by step on one core: for tests and comparisons.");
}

}  // namespace perfmodel::bindings
