#include "cuda/image_loading.h"

#include <cstring>

#include "cpu/image/geometry.h"
#include "cpu/image/jpeg_segments.h"

namespace perfmodel::cuda {

namespace {

namespace image = cpu::image;
using preprocess::DecodedImage;
using preprocess::DecodeJob;
using preprocess::ImageSize;

constexpr std::size_t kMostFileBytes = std::size_t{1} << 31;

// Encoded bytes of images for nvJPEG.
struct File {
    image::Buffer<std::uint8_t> buffer;
    image::Encoded encoded;
};

// Work of one batch, step by step.
class Loading {
  public:
    Loading(Preprocessor& preprocessor, image::Crew& crew, NvjpegDecoder* nvjpeg, const DecodeJob& job)
        : preprocessor_(preprocessor),
          crew_(crew),
          nvjpeg_(nvjpeg),
          job_(job),
          files_(job.sources.size()),
          outcomes_(job.sources.size()) {}
    Loading(const Loading&) = delete;
    Loading& operator=(const Loading&) = delete;
    // What nvJPEG and copies still read must stay, however this ends.
    ~Loading() {
        if (!on_gpu_.empty()) static_cast<void>(cudaStreamSynchronize(preprocessor_.stream()));
    }

    bool run(int columns, LoadedBatch& loaded) {
        if (!preprocess::read_image_sizes(crew_, job_, sizes_)) return false;
        if (nvjpeg_ != nullptr && !read_files()) return false;
        place();
        std::uint8_t* staged = preprocessor_.stage(bytes_);
        std::uint8_t* on_device = preprocessor_.device_pixels(bytes_);
        if (!preprocess::decode_images(crew_, job_, on_host_, images_, staged, outcomes_)) return false;
        loaded.by_nvjpeg = on_gpu_.size();
        if (!decode_on_gpu(staged, on_device)) return false;
        loaded.by_nvjpeg -= fallen_back_;
        const Pixels pixels{images_, bytes_, staged_bytes_};
        loaded.batch = preprocessor_.submit(pixels, job_.plans, job_.target, columns);
        report(loaded.result);
        return true;
    }

  private:
    image::SamplePlan plan(std::size_t index) const {
        image::SamplePlan found;
        std::memcpy(&found, job_.plans + index, sizeof found);
        return found;
    }

    // Reads the files of images that nvJPEG may decode.
    bool read_files() {
        image::Job work;
        work.count = job_.sources.size();
        work.run = [&](image::SampleLoader&, std::size_t i, image::StageCounters&) {
            if (sizes_[i].planes == 0 || plan(i).orient != 0) return;
            try {
                bool whole = false;
                File& file = files_[i];
                const image::Outcome outcome =
                    image::read_source(job_.sources[i], kMostFileBytes, file.buffer, file.encoded, whole);
                if (!outcome.ok() || !whole || !image::is_jpeg(file.encoded)) file.encoded = image::Encoded();
            } catch (const std::bad_alloc&) {
                files_[i].encoded = image::Encoded();
            }
        };
        return crew_.run(work, job_.interrupted);
    }

    // Whether nvJPEG shall decode the image: it agrees with the header, and the crop fits.
    bool suits_gpu(std::size_t index) {
        ImageSize size;
        if (files_[index].encoded.size == 0 || !nvjpeg_->inspect(files_[index].encoded, size)) return false;
        const ImageSize& known = sizes_[index];
        image::Geometry geometry;
        return size.height == known.height && size.width == known.width &&
               image::find_geometry(plan(index), job_.target, known.width, known.height, 1, geometry).ok();
    }

    // Images of the host come first: their bytes are one copy.
    void place() {
        for (std::size_t i = 0; i < sizes_.size(); ++i)
            (nvjpeg_ != nullptr && suits_gpu(i) ? on_gpu_ : on_host_).push_back(i);
        std::vector<std::size_t> order = on_host_;
        order.insert(order.end(), on_gpu_.begin(), on_gpu_.end());
        std::vector<ImageSize> sizes;
        for (const std::size_t index : order) sizes.push_back(sizes_[index]);
        const preprocess::Packing packing = preprocess::pack_images(sizes, preprocess::kPixelAlign, false);
        images_.resize(order.size());
        for (std::size_t i = 0; i < order.size(); ++i) images_[order[i]] = packing.images[i];
        bytes_ = packing.bytes;
        staged_bytes_ = on_gpu_.empty() ? bytes_ : static_cast<std::size_t>(images_[on_gpu_.front()].offset);
    }

    // What nvJPEG refuses falls back to the host, which has the better messages.
    bool decode_on_gpu(std::uint8_t* staged, std::uint8_t* on_device) {
        if (on_gpu_.empty()) return true;
        const DeviceGuard guard(preprocessor_.device());
        std::vector<std::size_t> refused;
        for (const std::size_t index : on_gpu_)
            if (!nvjpeg_->decode(files_[index].encoded, images_[index], on_device, preprocessor_.stream()))
                refused.push_back(index);
        fallen_back_ = refused.size();
        if (!preprocess::decode_images(crew_, job_, refused, images_, staged, outcomes_)) return false;
        for (const std::size_t index : refused) {
            const DecodedImage& image = images_[index];
            PERFMODEL_CUDA_CALL(cudaMemcpyAsync(on_device + image.offset, staged + image.offset,
                                                image.pitch * static_cast<std::size_t>(image.height),
                                                cudaMemcpyHostToDevice, preprocessor_.stream()));
        }
        return true;
    }

    void report(image::BatchResult& result) const {
        for (std::size_t i = 0; i < outcomes_.size(); ++i) {
            result.status.push_back(static_cast<std::int32_t>(outcomes_[i].status));
            if (!outcomes_[i].ok())
                result.messages.push_back(image::source_name(job_.sources[i]) + ": " + outcomes_[i].reason);
        }
    }

    Preprocessor& preprocessor_;
    image::Crew& crew_;
    NvjpegDecoder* nvjpeg_;
    const DecodeJob& job_;
    std::vector<File> files_;
    std::vector<image::Outcome> outcomes_;
    std::vector<ImageSize> sizes_;
    std::vector<std::size_t> on_host_;
    std::vector<std::size_t> on_gpu_;
    std::vector<DecodedImage> images_;
    std::size_t bytes_ = 0;
    std::size_t staged_bytes_ = 0;
    std::size_t fallen_back_ = 0;
};

}  // namespace

bool load_images(Preprocessor& preprocessor, image::Crew& crew, NvjpegDecoder* nvjpeg, const DecodeJob& job,
                 int columns, LoadedBatch& loaded) {
    return Loading(preprocessor, crew, nvjpeg, job).run(columns, loaded);
}

}  // namespace perfmodel::cuda
