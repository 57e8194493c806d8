#include "cuda/nvjpeg_decoder.h"

#if defined(PERFMODEL_NVJPEG)
#include <dlfcn.h>
#include <nvjpeg.h>
#endif

namespace perfmodel::cuda {

#if defined(PERFMODEL_NVJPEG)

namespace {

// The functions of the library that are used.
struct Functions {
    decltype(&nvjpegCreateEx) create;
    decltype(&nvjpegDestroy) destroy;
    decltype(&nvjpegJpegStateCreate) create_state;
    decltype(&nvjpegJpegStateDestroy) destroy_state;
    decltype(&nvjpegGetImageInfo) info;
    decltype(&nvjpegDecode) decode;
};

template <typename Function>
bool find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(::dlsym(library, name));
    return function != nullptr;
}

bool find_all(void* library, Functions& f) {
    return find(library, "nvjpegCreateEx", f.create) && find(library, "nvjpegDestroy", f.destroy) &&
           find(library, "nvjpegJpegStateCreate", f.create_state) &&
           find(library, "nvjpegJpegStateDestroy", f.destroy_state) &&
           find(library, "nvjpegGetImageInfo", f.info) && find(library, "nvjpegDecode", f.decode);
}

// Chroma is made full size by interpolation, as libjpeg does it, where the library knows how.
unsigned upsampling_flag() {
#if defined(NVJPEG_FLAGS_UPSAMPLING_WITH_INTERPOLATION)
    return NVJPEG_FLAGS_UPSAMPLING_WITH_INTERPOLATION;
#else
    return 0;
#endif
}

class Opened final : public NvjpegDecoder {
  public:
    explicit Opened(const Functions& functions) : call_(functions) {}
    ~Opened() override {
        if (state_ != nullptr) static_cast<void>(call_.destroy_state(state_));
        if (handle_ != nullptr) static_cast<void>(call_.destroy(handle_));
    }
    Opened(const Opened&) = delete;
    Opened& operator=(const Opened&) = delete;

    bool start() {
        return call_.create(NVJPEG_BACKEND_DEFAULT, nullptr, nullptr, upsampling_flag(), &handle_) ==
                   NVJPEG_STATUS_SUCCESS &&
               call_.create_state(handle_, &state_) == NVJPEG_STATUS_SUCCESS;
    }

    bool inspect(cpu::image::Encoded encoded, preprocess::ImageSize& size) override {
        int components = 0;
        int widths[NVJPEG_MAX_COMPONENT] = {};
        int heights[NVJPEG_MAX_COMPONENT] = {};
        nvjpegChromaSubsampling_t subsampling = NVJPEG_CSS_UNKNOWN;
        if (call_.info(handle_, encoded.data, encoded.size, &components, &subsampling, widths, heights) !=
            NVJPEG_STATUS_SUCCESS)
            return false;
        size = {heights[0], widths[0], components == 1 ? 1 : 3};
        return (components == 1 || components == 3) && subsampling != NVJPEG_CSS_UNKNOWN && widths[0] > 0 &&
               heights[0] > 0;
    }

    bool decode(cpu::image::Encoded encoded, const preprocess::DecodedImage& image, std::uint8_t* pixels,
                cudaStream_t stream) override {
        nvjpegImage_t target = {};
        target.channel[0] = pixels + image.offset;
        target.pitch[0] = static_cast<std::size_t>(image.pitch);
        const nvjpegOutputFormat_t format = image.planes == 1 ? NVJPEG_OUTPUT_Y : NVJPEG_OUTPUT_RGBI;
        return call_.decode(handle_, state_, encoded.data, encoded.size, format, &target, stream) ==
               NVJPEG_STATUS_SUCCESS;
    }

  private:
    Functions call_;
    nvjpegHandle_t handle_ = nullptr;
    nvjpegJpegState_t state_ = nullptr;
};

}  // namespace

std::unique_ptr<NvjpegDecoder> NvjpegDecoder::open(const std::vector<std::string>& libraries,
                                                   std::string& why) {
    why = "no library was named";
    for (const std::string& name : libraries) {
        void* library =
            ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);  // never closed: it is used until the end
        if (library == nullptr) {
            const char* reason = ::dlerror();
            why = reason == nullptr ? name + " cannot be opened" : reason;
            continue;
        }
        Functions functions = {};
        if (!find_all(library, functions)) {
            why = name + " lacks a function that is needed";
            continue;
        }
        auto opened = std::make_unique<Opened>(functions);
        if (opened->start()) return opened;
        why = name + " does not work with this GPU and driver";
    }
    return nullptr;
}

#else

std::unique_ptr<NvjpegDecoder> NvjpegDecoder::open(const std::vector<std::string>&, std::string& why) {
    why = "perfmodel._cuda was built without nvJPEG's header";
    return nullptr;
}

#endif

}  // namespace perfmodel::cuda
