#include "preprocess/reference.h"

#include <cstring>
#include <memory>
#include <vector>

#include "common/error.h"
#include "preprocess/finish.h"

namespace perfmodel::preprocess {

namespace {

constexpr int kPoison = 0xA5;

template <int kColumns>
class Block {
  public:
    using T = Tile<kColumns>;

    Block(const BatchTask& batch, std::size_t shared_bytes)
        : batch_(batch), memory_((shared_bytes + sizeof(Quad) - 1) / sizeof(Quad)) {}

    // A piece of work.
    void run(std::uint32_t ticket) {
        std::memset(static_cast<void*>(memory_.data()), kPoison, memory_.size() * sizeof(Quad));
        const auto tiles = static_cast<std::uint32_t>(batch_.tiles);
        const std::uint32_t entry = batch_.order[ticket / tiles];
        const T tile = {batch_, batch_.images[entry / 2], reinterpret_cast<std::uint8_t*>(memory_.data()),
                        static_cast<std::int32_t>(entry / 2), static_cast<std::int32_t>(ticket % tiles)};
        if (entry % 2 == 0)
            begin(tile);
        else
            resume(tile);
    }

  private:
    template <typename Step>
    static void each_thread(const Step& step) {
        for (int thread = 0; thread < kThreads; ++thread) step(thread);
    }

    void resize(const T& tile) {
        tile.find_place();
        each_thread([&](int thread) { tile.clear(sums_[thread]); });
        if (tile.image.planes != 0) each_thread([&](int thread) { tile.stage(thread); });
        for (int row = tile.place().first_row; row < tile.place().end_row; row += tile.image.chunk) {
            if (tile.image.staged != 0) each_thread([&](int thread) { tile.load(thread, row); });
            if (tile.image.staged != 0 && tile.greys())
                each_thread([&](int thread) { tile.make_grey(thread, row); });
            each_thread([&](int thread) { tile.across(thread, row); });
            each_thread([&](int thread) { tile.down(thread, row, sums_[thread]); });
        }
    }

    void begin(const T& tile) {
        const Finish<kColumns> finish{tile};
        const int pause = tile.image.pause;
        resize(tile);
        each_thread([&](int thread) {
            tile.round(sums_[thread], words_[thread]);
            finish.recolour(words_[thread], 0, pause, 0);
            if (pause < kMostSteps)
                finish.keep(thread, words_[thread]);
            else
                finish.write(thread, words_[thread]);
        });
        if (pause < kMostSteps) ++batch_.finished[tile.number];
    }

    void resume(const T& tile) {
        const Finish<kColumns> finish{tile};
        PERFMODEL_EXPECTS(batch_.finished[tile.number] == static_cast<std::uint32_t>(batch_.tiles),
                          "a second part came before the first parts were done");
        const int mean = finish.mean();
        each_thread([&](int thread) {
            finish.take_up(thread, words_[thread]);
            finish.recolour(words_[thread], tile.image.pause, kMostSteps, mean);
            finish.write(thread, words_[thread]);
        });
    }

    const BatchTask& batch_;
    std::vector<Quad> memory_;
    typename T::Sums sums_[kThreads] = {};
    typename T::Words words_[kThreads] = {};
};

template <int kColumns>
void run_blocks(const BatchTask& task, std::size_t shared_bytes) {
    const auto block = std::make_unique<Block<kColumns>>(task, shared_bytes);
    for (std::uint32_t ticket = 0; ticket < task.tickets; ++ticket) block->run(ticket);
}

}  // namespace

void run_on_host(const Batch& batch, const std::uint8_t* pixels, std::size_t pixel_bytes, std::byte* out) {
    std::vector<Quad> description((batch.description_bytes() + sizeof(Quad) - 1) / sizeof(Quad));
    auto* at = reinterpret_cast<std::byte*>(description.data());
    batch.write_description(at);
    std::vector<std::uint32_t> kept(batch.kept_words);
    std::vector<unsigned long long> totals(batch.images.size());
    std::vector<std::uint32_t> finished(batch.images.size());
    BatchTask task = batch.bind(at);
    task.pixels = pixels;
    task.pixel_bytes = pixel_bytes;
    task.out = reinterpret_cast<std::uint8_t*>(out);
    task.kept = kept.data();
    task.totals = totals.data();
    task.finished = finished.data();
    if (batch.columns == kWideColumns)
        run_blocks<kWideColumns>(task, batch.shared_bytes);
    else
        run_blocks<kNarrowColumns>(task, batch.shared_bytes);
}

}  // namespace perfmodel::preprocess
