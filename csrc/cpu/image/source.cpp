#include "cpu/image/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace perfmodel::cpu::image {

namespace {

class File {
  public:
    explicit File(const char* path) : handle_(::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
    ~File() {
        if (handle_ >= 0) ::close(handle_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    int handle() const { return handle_; }

  private:
    int handle_;
};

Outcome system_failure(int number) {
    return failure(Status::cannot_open, "%s", std::generic_category().message(number).c_str());
}

// Reads up to `most` bytes; -1 with errno set where that fails.
ssize_t read_fully(int handle, std::uint8_t* out, std::size_t most) {
    std::size_t done = 0;
    while (done < most) {
        const ssize_t got = ::read(handle, out + done, most - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    return static_cast<ssize_t>(done);
}

}  // namespace

Outcome read_source(const Source& source, std::size_t most, Buffer<std::uint8_t>& buffer, Encoded& encoded,
                    bool& whole) {
    if (source.path.empty()) {
        encoded = source.bytes;
        whole = true;
        return encoded.size > 0 ? Outcome() : failure(Status::unknown, "there are no bytes");
    }
    const File file(source.path.c_str());
    if (file.handle() < 0) return system_failure(errno);
    struct stat status = {};
    if (::fstat(file.handle(), &status) != 0) return system_failure(errno);
    if (S_ISDIR(status.st_mode)) return failure(Status::cannot_open, "is a directory");
    if (!S_ISREG(status.st_mode)) return failure(Status::cannot_open, "is not a regular file");
    if (status.st_size == 0) return failure(Status::unknown, "the file is empty");
    const auto size = static_cast<std::size_t>(status.st_size);
    const std::size_t wanted = std::min(size, most);
    whole = wanted == size;
    std::uint8_t* bytes = buffer.reserve(wanted + kSlack);
    const ssize_t got = read_fully(file.handle(), bytes, wanted);
    if (got < 0) return system_failure(errno);
    encoded = {bytes, static_cast<std::size_t>(got)};
    return {};
}

}  // namespace perfmodel::cpu::image
