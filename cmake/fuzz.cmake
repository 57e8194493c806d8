# The libFuzzer target, for clang alone: configured by .ci/fuzz, which also says what all code is instrumented with.
add_executable(fuzz_image EXCLUDE_FROM_ALL csrc/fuzz/image.cpp)
target_link_libraries(fuzz_image PRIVATE perfmodel_image)
target_link_options(fuzz_image PRIVATE -fsanitize=fuzzer)
