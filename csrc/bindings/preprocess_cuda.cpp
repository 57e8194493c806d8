// Preprocessing on the GPU for Python.
#include <pybind11/stl.h>

#include <memory>

#include "bindings/gil.h"
#include "bindings/image_arguments.h"
#include "bindings/lend_device.h"
#include "bindings/preprocess.h"
#include "bindings/preprocess_arguments.h"
#include "common/error.h"
#include "cpu/image/pool.h"
#include "cuda/image_loading.h"

namespace py = pybind11;

namespace perfmodel::bindings {

namespace {

using cpu::image::SamplePlan;
using cpu::image::Target;
using cuda::DeviceBatch;

// A preprocessor with the threads that decode for it.
struct Session {
    std::unique_ptr<cuda::Preprocessor> preprocessor;
    std::unique_ptr<cpu::image::Pool> pool;
    std::unique_ptr<cuda::NvjpegDecoder> nvjpeg;
    std::string decoder = "cpu";
    std::string why_not_nvjpeg;

    cuda::Preprocessor& get() const {
        PERFMODEL_EXPECTS(preprocessor != nullptr, "the preprocessor is closed");
        return *preprocessor;
    }
};

std::shared_ptr<Session> open_session(int device, int threads, int slots, const std::string& decoder,
                                      const std::vector<std::string>& libraries) {
    PERFMODEL_EXPECTS(decoder == "auto" || decoder == "cpu" || decoder == "nvjpeg",
                      "decoder must be auto, cpu or nvjpeg, not '" + decoder + "'");
    auto session = std::make_shared<Session>();
    session->pool = std::make_unique<cpu::image::Pool>(threads);
    const WithoutGil outside;
    session->preprocessor = cuda::Preprocessor::make(device, slots);
    session->why_not_nvjpeg = "the decoder is cpu";
    if (decoder == "cpu") return session;
    const cuda::DeviceGuard guard(device);
    session->nvjpeg = cuda::NvjpegDecoder::open(libraries, session->why_not_nvjpeg);
    if (session->nvjpeg != nullptr) {
        session->decoder = "nvjpeg";
        session->why_not_nvjpeg.clear();
    }
    PERFMODEL_EXPECTS(decoder == "auto" || session->nvjpeg != nullptr,
                      "no nvJPEG: " + session->why_not_nvjpeg);
    return session;
}

void close(Session& session) {
    std::shared_ptr<cpu::image::Crew> crew = session.pool->close();
    const std::unique_ptr<cuda::Preprocessor> preprocessor = std::move(session.preprocessor);
    const WithoutGil outside;
    if (crew != nullptr) crew->stop();
    crew.reset();
    session.nvjpeg.reset();
}

const SamplePlan* checked_plans(const py::buffer_info& info, std::size_t count, const Target& target) {
    const auto* plans = static_cast<const SamplePlan*>(info.ptr);
    cpu::image::check_plans(plans, count, target);
    return plans;
}

// Stages images of host memory; the preprocessor's mutex must be held.
preprocess::Packing stage_images(cuda::Preprocessor& preprocessor, const HostImages& images) {
    preprocess::Packing packing = preprocess::pack_images(images.sizes, preprocess::kPixelAlign, true);
    std::uint8_t* pixels = preprocessor.stage(packing.bytes);
    for (std::size_t i = 0; i < images.sizes.size(); ++i)
        preprocess::copy_image(static_cast<const std::uint8_t*>(images.buffers[i]->view().data),
                               packing.images[i], pixels);
    return packing;
}

DeviceBatch run(Session& session, const py::sequence& images, const py::buffer& plan,
                const OutputArguments& arguments, int columns) {
    const HostImages lent = read_host_images(images);
    const Target target = read_output(arguments);
    const py::buffer_info plans = read_image_plan(plan, lent.sizes.size());
    const SamplePlan* records = checked_plans(plans, lent.sizes.size(), target);
    cuda::Preprocessor& preprocessor = session.get();
    const WithoutGil outside;
    const std::lock_guard lock(preprocessor.mutex());
    const preprocess::Packing packing = stage_images(preprocessor, lent);
    return preprocessor.submit({packing.images, packing.bytes, packing.bytes}, records, target, columns);
}

// Images that lie one behind the other in one buffer on the device: offsets in bytes, shapes (height, width,
// channels).
DeviceBatch run_packed(Session& session, const py::object& pixels, const std::vector<std::uint64_t>& offsets,
                       const std::vector<std::array<int, 3>>& shapes, const py::buffer& plan,
                       const OutputArguments& arguments, int columns) {
    const Target target = read_output(arguments);
    const py::buffer_info plans = read_image_plan(plan, offsets.size());
    const SamplePlan* records = checked_plans(plans, offsets.size(), target);
    cuda::Preprocessor& preprocessor = session.get();
    const DevicePixels lent = borrow_device_pixels(pixels, preprocessor.device(), preprocessor.stream());
    PERFMODEL_EXPECTS(offsets.size() == shapes.size(), "there must be a shape for each offset");
    std::vector<preprocess::DecodedImage> images;
    for (std::size_t i = 0; i < offsets.size(); ++i) {
        preprocess::DecodedImage image;
        image.height = shapes[i][0];
        image.width = shapes[i][1];
        image.planes = shapes[i][2];
        PERFMODEL_EXPECTS(image.height >= 1 && image.width >= 1 && (image.planes == 1 || image.planes == 3),
                          "image " + std::to_string(i) + " has no pixels, or not 1 or 3 channels");
        image.pitch = static_cast<std::uint64_t>(image.width) * static_cast<std::uint64_t>(image.planes);
        image.offset = offsets[i];
        const std::uint64_t bytes = image.pitch * static_cast<std::uint64_t>(image.height);
        PERFMODEL_EXPECTS(image.offset <= lent.bytes && bytes <= lent.bytes - image.offset,
                          "image " + std::to_string(i) + " lies outside of the buffer");
        images.push_back(image);
    }
    const WithoutGil outside;
    const std::lock_guard lock(preprocessor.mutex());
    return preprocessor.submit_device({images, lent.bytes, 0}, lent.data, lent.owner, records, target,
                                      columns);
}

py::tuple load(Session& session, const py::sequence& sources, const py::buffer& plan,
               const OutputArguments& arguments, std::uint64_t max_pixels, int columns) {
    const ImageSources lent = read_image_sources(sources);
    Target target = read_output(arguments);
    target.max_pixels = max_pixels;
    const py::buffer_info plans = read_image_plan(plan, lent.list.size());
    const SamplePlan* records = checked_plans(plans, lent.list.size(), target);
    cuda::Preprocessor& preprocessor = session.get();
    const std::shared_ptr<cpu::image::Crew> crew = session.pool->crew();
    cuda::LoadedBatch loaded;
    bool finished = false;
    {
        WithoutGil outside;
        const cpu::image::Interrupted interrupted = [&outside] { return outside.signalled(); };
        const preprocess::DecodeJob job{lent.list, records, target, interrupted};
        const std::lock_guard lock(preprocessor.mutex());
        finished = cuda::load_images(preprocessor, *crew, session.nvjpeg.get(), job, columns, loaded);
    }
    if (!finished) throw py::error_already_set();
    return py::make_tuple(std::move(loaded.batch), loaded.result.status, loaded.result.messages);
}

py::tuple time(Session& session, const py::sequence& images, const py::buffer& plan,
               const OutputArguments& arguments, int columns, int copies, int repeats) {
    const HostImages lent = read_host_images(images);
    const Target target = read_output(arguments);
    const py::buffer_info plans = read_image_plan(plan, lent.sizes.size());
    const SamplePlan* records = checked_plans(plans, lent.sizes.size(), target);
    cuda::Preprocessor& preprocessor = session.get();
    cuda::KernelTimes times;
    {
        const WithoutGil outside;
        const std::lock_guard lock(preprocessor.mutex());
        const preprocess::Packing packing = stage_images(preprocessor, lent);
        times = preprocessor.time({packing.images, packing.bytes, packing.bytes}, records, target, columns,
                                  copies, repeats);
    }
    return py::make_tuple(times.read_bytes, times.write_bytes, times.seconds);
}

// Arguments of the output, as every method takes them.
OutputArguments output(const py::tuple& size, const py::dict& options) {
    const auto get = [&options](const char* name, const py::object& otherwise) -> py::object {
        return options.contains(name) ? py::object(options[name]) : otherwise;
    };
    for (const auto& [key, value] : options) {
        const auto name = key.cast<std::string>();
        bool known = false;
        for (const char* option : {"channels", "dtype", "layout", "mean", "std", "filter", "cut_fill"})
            known = known || name == option;
        if (!known) throw py::type_error("there is no option '" + name + "'");
    }
    OutputArguments arguments;
    arguments.size = size;
    arguments.channels = get("channels", py::int_(3)).cast<int>();
    arguments.type = get("dtype", py::str("float32")).cast<std::string>();
    arguments.layout = get("layout", py::str("nchw")).cast<std::string>();
    arguments.mean = get("mean", py::make_tuple(0.0, 0.0, 0.0)).cast<py::sequence>();
    arguments.std = get("std", py::make_tuple(1.0, 1.0, 1.0)).cast<py::sequence>();
    arguments.filter = get("filter", py::int_(2)).cast<int>();
    arguments.cut_fill = get("cut_fill", py::float_(0.0)).cast<float>();
    return arguments;
}

void register_session(py::module_& module) {
    py::class_<Session, std::shared_ptr<Session>>(module, "ImagePreprocessor",
                                                  "Decoded or encoded images to batches on a GPU.")
        .def(py::init(&open_session), py::arg("device") = 0, py::kw_only(), py::arg("threads") = 1,
             py::arg("slots") = 3, py::arg("decoder") = "auto",
             py::arg("nvjpeg") = std::vector<std::string>())
        .def_property_readonly("device", [](const Session& session) { return session.get().device(); })
        .def_property_readonly(
            "stream",
            [](const Session& session) { return reinterpret_cast<std::uintptr_t>(session.get().stream()); })
        .def_readonly("decoder", &Session::decoder)
        .def_readonly("why_not_nvjpeg", &Session::why_not_nvjpeg)
        .def(
            "run",
            [](Session& session, const py::sequence& images, const py::buffer& plan, const py::tuple& size,
               int columns, const py::kwargs& options) {
                return run(session, images, plan, output(size, options), columns);
            },
            py::arg("images"), py::arg("plan"), py::arg("size"), py::kw_only(), py::arg("columns") = 0,
            "Transform decoded images of host memory.")
        .def(
            "run_packed",
            [](Session& session, const py::object& pixels, const std::vector<std::uint64_t>& offsets,
               const std::vector<std::array<int, 3>>& shapes, const py::buffer& plan, const py::tuple& size,
               int columns, const py::kwargs& options) {
                return run_packed(session, pixels, offsets, shapes, plan, output(size, options), columns);
            },
            py::arg("pixels"), py::arg("offsets"), py::arg("shapes"), py::arg("plan"), py::arg("size"),
            py::kw_only(), py::arg("columns") = 0,
            "Transform decoded images that lie in one buffer on the GPU.")
        .def(
            "load",
            [](Session& session, const py::sequence& sources, const py::buffer& plan, const py::tuple& size,
               std::uint64_t max_pixels, int columns, const py::kwargs& options) {
                return load(session, sources, plan, output(size, options), max_pixels, columns);
            },
            py::arg("sources"), py::arg("plan"), py::arg("size"), py::kw_only(),
            py::arg("max_pixels") = std::uint64_t{178956970}, py::arg("columns") = 0,
            "Read, decode and transform images: (batch, status of each, messages of those that failed).")
        .def(
            "time",
            [](Session& session, const py::sequence& images, const py::buffer& plan, const py::tuple& size,
               int columns, int copies, int repeats, const py::kwargs& options) {
                return time(session, images, plan, output(size, options), columns, copies, repeats);
            },
            py::arg("images"), py::arg("plan"), py::arg("size"), py::kw_only(), py::arg("columns") = 0,
            py::arg("copies") = 1, py::arg("repeats") = 11,
            "Time the kernel alone: (bytes read, bytes written, seconds of each repeat).")
        .def("close", &close, "End the threads and give the memory back; batches that are there stay.");
}

}  // namespace

void register_preprocess(py::module_& module) {
    register_device_batch(module);
    register_session(module);
    module.def("plan_dtype", &image_plan_dtype, "NumPy type of one sample's plan.");
}

}  // namespace perfmodel::bindings
