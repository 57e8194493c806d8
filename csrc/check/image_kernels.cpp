// Compares the image kernels of an instruction set with the portable ones on random data; needs no Python, so
// that it also runs in an emulator. Usage: image_kernels NAME
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "cpu/image/kernels.h"
#include "cpu/isa.h"

namespace {

using namespace perfmodel::cpu::image;

class Check {
  public:
    Check(const Kernels& kernels) : tested_(kernels), portable_(scalar_image_kernels()) {}

    int failures() const { return failures_; }

    void passes(int columns, int outputs, int pairs, bool pixel) {
        std::vector<std::vector<std::uint8_t>> rows(kRows);
        const std::uint8_t* at[kRows];
        for (int r = 0; r < kRows; ++r) {
            rows[r] = bytes(columns + kSlack);
            at[r] = rows[r].data();
        }
        const TapTable table = make_taps(columns, outputs, pairs);
        TapView view{table.start.data(), table.weights.data(), pairs, table.shift, 1, outputs};
        const int stride = (outputs + kLanes - 1) / kLanes * kLanes;
        std::vector<RowPair> found = horizontal(tested_, at, columns, view, pixel, stride);
        std::vector<RowPair> expected = horizontal(portable_, at, columns, view, pixel, stride);
        for (int q = 0; q < kRowPairs; ++q)
            expect("horizontal", found.data() + q * stride, expected.data() + q * stride, outputs);
        vertical(expected, stride, outputs);
    }

    void colours(int width) {
        const auto y = words(width + kLanes);
        const auto cb = words(width + kLanes);
        const auto cr = words(width + kLanes);
        std::vector<std::uint8_t> found(3 * (width + kLanes));
        std::vector<std::uint8_t> expected = found;
        const int plane = width + kLanes;
        for (auto [kernels, out] : {std::pair(&tested_, &found), std::pair(&portable_, &expected)})
            kernels->colour(y.data(), cb.data(), cr.data(), width, out->data(), out->data() + plane,
                            out->data() + 2 * plane);
        for (int p = 0; p < 3; ++p)
            expect("colour", found.data() + p * plane, expected.data() + p * plane, width);
    }

    void pixels(int count) {
        const auto in = bytes(4 * count + kSlack);
        const std::size_t plane = static_cast<std::size_t>(count) + kSlack;
        for (const bool alpha : {false, true}) {
            std::vector<std::uint8_t> planes[2] = {std::vector<std::uint8_t>(3 * plane), {}};
            planes[1] = planes[0];
            std::vector<std::uint8_t> joined[2] = {std::vector<std::uint8_t>(3 * plane), {}};
            joined[1] = joined[0];
            const Kernels* both[2] = {&tested_, &portable_};
            for (int i = 0; i < 2; ++i) {
                std::uint8_t* at[3] = {planes[i].data(), planes[i].data() + plane,
                                       planes[i].data() + 2 * plane};
                (alpha ? both[i]->split4 : both[i]->split3)(in.data(), count, at);
                both[i]->join3(at, count, joined[i].data());
            }
            for (int p = 0; p < 3; ++p)
                expect("split", planes[0].data() + p * plane, planes[1].data() + p * plane, count);
            expect("join", joined[0].data(), joined[1].data(), 3 * count);
        }
    }

    void values(int count) {
        const auto in = bytes(count + kSlack);
        float scale[kPattern];
        float shift[kPattern];
        std::uniform_real_distribution<float> any(-3.0F, 3.0F);
        for (int i = 0; i < kPattern; ++i) {
            scale[i] = any(random_) / 100.0F;
            shift[i] = any(random_);
        }
        std::vector<float> floats[2] = {std::vector<float>(count + 1), std::vector<float>(count + 1)};
        std::vector<std::uint16_t> halves[2] = {std::vector<std::uint16_t>(count + 1), {}};
        halves[1] = halves[0];
        std::vector<std::uint16_t> brains[2] = {halves[0], halves[0]};
        const Kernels* both[2] = {&tested_, &portable_};
        for (int i = 0; i < 2; ++i) {
            both[i]->write_float(in.data(), count, scale, shift, floats[i].data());
            both[i]->write_half(in.data(), count, scale, shift, halves[i].data());
            both[i]->write_bfloat(in.data(), count, scale, shift, brains[i].data());
        }
        expect("write_float", floats[0].data(), floats[1].data(), count + 1);
        expect("write_half", halves[0].data(), halves[1].data(), count + 1);
        expect("write_bfloat", brains[0].data(), brains[1].data(), count + 1);
    }

    void filters(int width, int step, int height, int filter) {
        const std::size_t row = static_cast<std::size_t>(width * step) + 1;
        std::vector<std::uint8_t> found = bytes(row * height + 2 * kSlack);
        const std::vector<std::uint8_t> above = bytes(row + 2 * kSlack);
        for (int y = 0; y < height; ++y)
            found[kSlack + y * row] = static_cast<std::uint8_t>(filter < 5 ? filter : random_() % 5);
        std::vector<std::uint8_t> expected = found;
        tested_.unfilter(found.data() + kSlack, height, row - 1, step, above.data() + kSlack);
        portable_.unfilter(expected.data() + kSlack, height, row - 1, step, above.data() + kSlack);
        expect("unfilter", found.data(), expected.data(), static_cast<int>(found.size()));
    }

  private:
    std::vector<std::uint8_t> bytes(std::size_t count) {
        std::vector<std::uint8_t> result(count);
        const bool smooth = random_() % 2 == 0;  // ties and small differences
        for (std::uint8_t& value : result)
            value = static_cast<std::uint8_t>(smooth ? random_() % 5 : random_());
        return result;
    }

    std::vector<std::int16_t> words(std::size_t count) {
        std::vector<std::int16_t> result(count);
        for (std::int16_t& value : result) value = static_cast<std::int16_t>(random_());
        return result;
    }

    // Entries with weights of both signs that sum to 2^14.
    TapTable make_taps(int columns, int outputs, int pairs) {
        TapTable table;
        table.pairs = pairs;
        table.shift = 14;
        for (int x = 0; x < outputs; ++x) {
            table.start.push_back(static_cast<std::int32_t>(random_() % ((columns + 1) / 2 - pairs + 1)));
            int sum = 0;
            for (int i = 0; i + 1 < 2 * pairs; ++i) {
                const int weight = static_cast<int>(random_() % 4096) - 1500;
                table.weights.push_back(static_cast<std::int16_t>(weight));
                sum += weight;
            }
            table.weights.push_back(static_cast<std::int16_t>(std::clamp((1 << 14) - sum, -32768, 32767)));
        }
        return table;
    }

    static std::vector<RowPair> horizontal(const Kernels& kernels, const std::uint8_t* const* rows,
                                           int columns, const TapView& view, bool pixel, int stride) {
        const int pairs = (columns + 1) / 2;
        std::vector<std::uint8_t> gathered((pairs + kRowPairs) * kGathered);
        kernels.gather(rows, 0, pairs, gathered.data());
        std::vector<RowPair> out(kRowPairs * stride);
        RowPair* at[kRowPairs];
        for (int q = 0; q < kRowPairs; ++q) at[q] = out.data() + q * stride;
        kernels.horizontal(gathered.data(), 0, view, pixel, at);
        return out;
    }

    void vertical(const std::vector<RowPair>& rows, int stride, int width) {
        const TapTable table = make_taps(2 * kRowPairs, 1, 1 + static_cast<int>(random_() % kRowPairs));
        const RowPair* at = rows.data() + table.start[0] * stride;
        std::vector<std::int16_t> fine[2] = {std::vector<std::int16_t>(stride),
                                             std::vector<std::int16_t>(stride)};
        std::vector<std::uint8_t> coarse[2] = {std::vector<std::uint8_t>(stride),
                                               std::vector<std::uint8_t>(stride)};
        const Kernels* both[2] = {&tested_, &portable_};
        for (int i = 0; i < 2; ++i) {
            both[i]->vertical_fine(at, stride, table.weights.data(), table.pairs, 14, width, fine[i].data());
            both[i]->vertical_byte(at, stride, table.weights.data(), table.pairs, 14, width,
                                   coarse[i].data());
        }
        expect("vertical_fine", fine[0].data(), fine[1].data(), width);
        expect("vertical_byte", coarse[0].data(), coarse[1].data(), width);
    }

    template <typename T>
    void expect(const char* what, const T* found, const T* expected, int count) {
        if (std::memcmp(found, expected, static_cast<std::size_t>(count) * sizeof(T)) == 0) return;
        if (failures_++ < 10) std::printf("%s differs (%d values)\n", what, count);
    }

    const Kernels& tested_;
    const Kernels& portable_;
    std::mt19937 random_{1};
    int failures_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
    if (count != 2) return 2;
    const std::string name = arguments[1];
    const Kernels* kernels = nullptr;
    for (const Kernels* known : {avx512_image_kernels(), avx2_image_kernels(), neon_image_kernels()})
        if (known != nullptr && name == known->name) kernels = known;
    if (kernels == nullptr) {
        std::printf("no kernels of the name %s here\n", name.c_str());
        return 2;
    }
    Check check(*kernels);
    for (const int outputs : {1, 2, 7, 8, 9, 31, 32, 33, 100, 257})
        for (const int pairs : {1, 2, 3, 4, 9, 20})
            for (const bool pixel : {false, true}) check.passes(41 + outputs, outputs, pairs, pixel);
    for (const int width : {1, 15, 16, 17, 33, 96, 255}) {
        check.colours(width);
        check.pixels(width);
        check.values(width);
    }
    for (const int step : {1, 2, 3, 4, 6, 8})
        for (const int width : {1, 2, 3, 5, 8, 9, 12, 40})
            for (const int height : {1, 2, 3, 4, 7, 8, 9, 17})
                for (int filter = 0; filter < 7; ++filter) check.filters(width, step, height, filter);
    std::printf("%s: %d differences\n", name.c_str(), check.failures());
    return check.failures() == 0 ? 0 : 1;
}
