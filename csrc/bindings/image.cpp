#include "bindings/image.h"

#include <pybind11/numpy.h>

#include "bindings/gil.h"
#include "bindings/image_arguments.h"
#include "common/error.h"
#include "cpu/image/batch.h"
#include "cpu/image/limit.h"
#include "cpu/image/pool.h"

namespace py = pybind11;

namespace perfmodel::bindings {

namespace {

namespace image = cpu::image;

py::array_t<std::int32_t> to_array(const std::vector<std::int32_t>& values, std::vector<py::ssize_t> shape) {
    py::array_t<std::int32_t> result(std::move(shape));
    std::copy(values.begin(), values.end(), result.mutable_data());
    return result;
}

struct LoadOptions {
    py::sequence mean;
    py::sequence std;
    int filter;
    std::string layout;
    float cut_fill;
    std::uint64_t max_pixels;
};

image::Target make_target(const Borrowed& out, std::size_t count, const LoadOptions& options) {
    image::Target target = read_image_target(out, count, options.layout);
    read_normalisation(options.mean, options.std, target);
    PERFMODEL_EXPECTS(options.filter >= 0 && options.filter < image::kFilters,
                      "filter must be 0 to 4, not " + std::to_string(options.filter));
    target.filter = static_cast<image::Filter>(options.filter);
    target.cut_fill = options.cut_fill;
    target.max_pixels = options.max_pixels;
    return target;
}

py::tuple load(image::Pool& pool, const py::sequence& sources, const py::buffer& plan, py::handle out,
               const LoadOptions& options) {
    const ImageSources lent = read_image_sources(sources);
    const std::size_t count = lent.list.size();
    const py::buffer_info plans = read_image_plan(plan, count);
    const std::shared_ptr<Borrowed> target_buffer = borrow(out, true);
    const image::Target target = make_target(*target_buffer, count, options);
    const auto* records = static_cast<const image::SamplePlan*>(plans.ptr);
    image::check_plans(records, count, target);
    const std::shared_ptr<image::Crew> crew = pool.crew();
    image::BatchResult result;
    bool finished = false;
    {
        WithoutGil outside;
        finished = image::load_batch(
            *crew, lent.list, records, target, [&outside] { return outside.signalled(); }, result);
    }
    if (!finished) throw py::error_already_set();
    py::list messages;
    for (const std::string& message : result.messages)
        messages.append(py::reinterpret_steal<py::str>(
            PyUnicode_DecodeFSDefaultAndSize(message.data(), static_cast<Py_ssize_t>(message.size()))));
    return py::make_tuple(to_array(result.status, {static_cast<py::ssize_t>(count)}), messages);
}

py::array_t<std::int32_t> sizes(image::Pool& pool, const py::sequence& sources) {
    const ImageSources lent = read_image_sources(sources);
    const std::shared_ptr<image::Crew> crew = pool.crew();
    std::vector<std::int32_t> found;
    bool finished = false;
    {
        WithoutGil outside;
        finished = image::read_sizes(*crew, lent.list, [&outside] { return outside.signalled(); }, found);
    }
    if (!finished) throw py::error_already_set();
    return to_array(found, {static_cast<py::ssize_t>(lent.list.size()), 3});
}

py::dict stages(const image::Pool& pool) {
    const image::StageTotals totals = pool.totals();
    py::dict result;
    for (int stage = 0; stage < image::kStages; ++stage)
        result[image::stage_name(static_cast<image::Stage>(stage))] = totals.nanoseconds[stage];
    result["wait"] = pool.waited_nanoseconds();
    result["images"] = totals.images;
    result["bytes"] = totals.bytes;
    result["failed"] = totals.failed;
    return result;
}

void close(image::Pool& pool) {
    std::shared_ptr<image::Crew> crew = pool.close();
    const WithoutGil outside;
    if (crew != nullptr) crew->stop();
    crew.reset();
}

py::dict formats() {
    py::dict result;
    result["jpeg"] = image::reads_jpeg();
    result["png"] = image::reads_png();
    return result;
}

double decode_seconds(py::handle encoded) {
    const std::shared_ptr<Borrowed> lent = borrow(encoded, false);
    const BufferView& view = lent->view();
    PERFMODEL_EXPECTS(view.contiguous(), "the encoded image must be contiguous");
    double seconds = 0.0;
    image::Outcome outcome;
    {
        const WithoutGil outside;
        outcome = image::time_decoding({static_cast<const std::uint8_t*>(view.data), view.nbytes()}, seconds);
    }
    PERFMODEL_EXPECTS(outcome.ok(), outcome.reason);
    return seconds;
}

}  // namespace

void register_image(py::module_& module) {
    py::class_<image::Pool>(module, "ImagePool", "Threads that load batches of images.")
        .def(py::init<int>(), py::arg("threads"))
        .def_property_readonly("threads", &image::Pool::threads)
        .def(
            "load",
            [](image::Pool& pool, const py::sequence& sources, const py::buffer& plan, py::handle out,
               py::sequence mean, py::sequence std, int filter, std::string layout, float cut_fill,
               std::uint64_t max_pixels) {
                return load(
                    pool, sources, plan, out,
                    {std::move(mean), std::move(std), filter, std::move(layout), cut_fill, max_pixels});
            },
            py::arg("sources"), py::arg("plan"), py::arg("out"), py::kw_only(),
            py::arg("mean") = py::make_tuple(0.0, 0.0, 0.0), py::arg("std") = py::make_tuple(1.0, 1.0, 1.0),
            py::arg("filter") = 2, py::arg("layout") = "nchw", py::arg("cut_fill") = 0.0F,
            py::arg("max_pixels") = std::uint64_t{178956970},
            "Load and transform a batch into `out`: (status of each sample, messages of those that failed).")
        .def("sizes", &sizes, py::arg("sources"),
             "Height, width and channels of each source, from its header.")
        .def("stages", &stages, "Nanoseconds that threads spent in each stage, images, bytes.")
        .def("close", &close, "End the threads; the pool loads nothing more.");
    module.def("image_formats", &formats, "Formats that this build reads.");
    module.def("decode_seconds", &decode_seconds, py::arg("encoded"),
               "CPU time of decoding an image and nothing else, on this thread.");
    module.def("plan_dtype", &image_plan_dtype, "NumPy type of one sample's plan.");
}

}  // namespace perfmodel::bindings
