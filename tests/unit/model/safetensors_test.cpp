#include "model/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <ctime>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "core/json.h"
#include "model/safetensors_header.h"
#include "temporary.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::string file_of(std::string_view header, std::string_view data) {
  const std::uint64_t length = header.size();
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  return out.append(header).append(data);
}

template <class T>
std::string bytes_of(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(std::data(values)), values.size() * sizeof(T)};
}

/// Opens the file and reads all of it.
void read_all(const fs::path& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  for (const TensorInfo& tensor : file.tensors()) {
    file.read_raw(tensor);
    if (tensor.dtype == StoredType::f32 || tensor.dtype == StoredType::f16 ||
        tensor.dtype == StoredType::bf16 || tensor.dtype == StoredType::f64) {
      std::vector<float> values(tensor.count());
      file.read(tensor, values);
    }
  }
}

TEST(Safetensors, gives_every_hostile_file_its_due) {
  const fs::path directory = FNET_SOURCE_DIR "/tests/hostile/safetensors";
  const auto expectations = read_json_file(directory / "expect.json");
  EXPECT_GE(expectations.size(), 76);
  for (const auto& [name, expected] : expectations.items()) {
    const fs::path path = directory / name;
    if (expected["result"] == "accepted") {
      EXPECT_NO_THROW(read_all(path)) << name;
      continue;
    }
    if (expected["result"] == "refused at read") {
      EXPECT_NO_THROW(SafetensorsFile::open(path)) << name;
    }
    const Error error = error_of([&] { read_all(path); });
    EXPECT_EQ(error.kind(), Kind::input) << name;
    EXPECT_THAT(error.what(), StartsWith(path.native() + ": "));
    EXPECT_THAT(error.what(), HasSubstr(expected["message"].get<std::string>()));
    EXPECT_LT(std::strlen(error.what()), path.native().size() + 600) << name;
    EXPECT_TRUE(std::none_of(error.what(), error.what() + std::strlen(error.what()),
                             [](unsigned char c) { return c < 0x20; }))
        << name;
  }
}

TEST(Safetensors, survives_attacks_by_size) {
#ifdef __SANITIZE_THREAD__
  constexpr int kMostSeconds = 60;  // 23 were seen
#else
  constexpr int kMostSeconds = 20;
#endif
  std::string entries = "{";
  const std::string record = R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},)";
  for (int i = 0; entries.size() < 99'000'000; ++i) entries += fmt::format("\"{}{}", i, record);
  entries.back() = '}';
  std::string metadata = R"({"__metadata__":{)";
  for (int i = 0; metadata.size() < 99'000'000; ++i) metadata += fmt::format(R"("{}":"",)", i);
  metadata.back() = '}';
  metadata += '}';
  std::string aliases = "{";
  for (int i = 0; i < 100'000; ++i) {
    aliases +=
        fmt::format(R"("{}":{{"dtype":"U8","shape":[160000],"data_offsets":[0,160000]}},)", i);
  }
  aliases.back() = '}';
  const struct {
    std::string header, message;
    std::uint64_t data_bytes = 0;
  } attacks[] = {
      {entries, "at most 100000 tensors"},
      {metadata, "at most 100000 entries"},
      {aliases, "there is an overlap", 160'000},
      {std::string(100'000'000, ' ').replace(0, 2, "{}"), "no tensors"},
      {fmt::format(R"({{"{}":1}})", std::string(99'999'000, 'n')), "one of 99999000 bytes"},
      {std::string(100'000'000, '[').replace(0, 1, "{"), "syntax error"},
  };
  for (const auto& attack : attacks) {
    const std::clock_t start = std::clock();
    const std::uint64_t bytes = 8 + attack.header.size() + attack.data_bytes;
    EXPECT_THAT(error_of([&] { parse_safetensors_header(attack.header, "attack", bytes); }).what(),
                HasSubstr(attack.message));
    // At most 2 s without sanitizers; without the limits some of these take minutes.
    EXPECT_LT(std::clock() - start, kMostSeconds * CLOCKS_PER_SEC) << attack.message;
  }
}

TEST(Safetensors, converts_every_float_type) {
  const TemporaryDirectory temporary;
  const float inf = std::numeric_limits<float>::infinity();
  const std::string header = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"F16","shape":[2,4],"data_offsets":[8,24]},)"
                             R"("c":{"dtype":"BF16","shape":[2],"data_offsets":[24,28]},)"
                             R"("d":{"dtype":"F64","shape":[],"data_offsets":[28,36]},)"
                             R"("e":{"dtype":"I64","shape":[1],"data_offsets":[36,44]}})";
  const fs::path path = temporary.make(
      "f", file_of(header, bytes_of<float>({1.5F, -0.1F}) +
                               bytes_of<std::uint16_t>({0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001,
                                                        0x83ff, 0x7c00, 0x8000}) +
                               bytes_of<std::uint16_t>({0x3fc0, 0xff7f}) + bytes_of<double>({0.1}) +
                               bytes_of<std::int64_t>({7})));
  const SafetensorsFile file = SafetensorsFile::open(path, {.allow_nonfinite = true});
  const auto values = [&](std::string_view name) {
    std::vector<float> out(file.find(name)->count());
    file.read(*file.find(name), out);
    return out;
  };
  EXPECT_THAT(values("a"), ElementsAre(1.5F, -0.1F));
  EXPECT_THAT(values("b"),
              ElementsAre(1.0F, -2.0F, 65504.0F, 0x1p-14F, 0x1p-24F, -0x3ffp-24F, inf, 0.0F));
  EXPECT_TRUE(std::signbit(values("b")[7]));
  EXPECT_THAT(values("c"), ElementsAre(1.5F, -std::bit_cast<float>(0x7f7f0000U)));
  EXPECT_THAT(values("d"), ElementsAre(0.1F));
  EXPECT_EQ(file.find("x"), nullptr);
  EXPECT_THAT(error_of([&] { values("e"); }).what(), HasSubstr("tensor 'e': expected dtype F32"));
  EXPECT_EQ(std::to_integer<int>(file.read_raw(*file.find("e"))[0]), 7);
  EXPECT_EQ(file.read_raw(*file.find("b")).size(), 16);
}

TEST(Safetensors, converts_long_tensors_block_by_block) {
  const TemporaryDirectory temporary;
  std::vector<std::uint16_t> halves(200'003);
  for (std::size_t i = 0; i < halves.size(); ++i)
    halves[i] = static_cast<std::uint16_t>(i % 0x7f00);
  write_safetensors(temporary.path() / "f",
                    {{.name = "w", .dtype = StoredType::bf16, .shape = {200'003}, .data = [&] {
                        return std::as_bytes(std::span(halves));
                      }}});
  const SafetensorsFile file = SafetensorsFile::open(temporary.path() / "f");
  std::vector<float> values(halves.size());
  file.read(file.tensors()[0], values);
  for (std::size_t i = 0; i < halves.size(); ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(values[i]), std::uint32_t{halves[i]} << 16);
  }
}

/// A file of random tensors and what is in it.
std::vector<TensorSource> random_tensors(std::mt19937& random,
                                         std::vector<std::vector<std::byte>>& store) {
  constexpr StoredType kinds[] = {StoredType::boolean, StoredType::u8,  StoredType::f16,
                                  StoredType::bf16,    StoredType::f32, StoredType::i64};
  std::vector<TensorSource> tensors;
  const auto count = 1 + random() % 6;
  store.assign(count, {});
  for (std::size_t i = 0; i < count; ++i) {
    TensorSource tensor{.name = fmt::format("t\"é/{}", random() % 1000 * 10 + i),
                        .dtype = kinds[random() % 6]};
    for (auto rank = random() % 4; rank > 0; --rank) tensor.shape.push_back(random() % 5);
    store[i].resize(*stored_type_bytes(tensor.dtype, TensorInfo{.shape = tensor.shape}.count()));
    for (std::byte& byte : store[i])
      byte = std::byte(random() & (tensor.dtype == StoredType::boolean ? 1 : 255));
    tensor.data = [&store, i] { return std::span<const std::byte>(store[i]); };
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

TEST(Safetensors, round_trips_bit_exactly) {
  const TemporaryDirectory temporary;
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    std::vector<std::vector<std::byte>> store;
    const auto tensors = random_tensors(random, store);
    const std::map<std::string, std::string> metadata = {{"format", "pt"}, {"näme", "a\n\"b\""}};
    write_safetensors(temporary.path() / "f", tensors, metadata);
    const SafetensorsFile file = SafetensorsFile::open(temporary.path() / "f");
    EXPECT_EQ(file.metadata(), metadata);
    ASSERT_EQ(file.tensors().size(), tensors.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const TensorInfo* tensor = file.find(tensors[i].name);
      ASSERT_NE(tensor, nullptr);
      EXPECT_EQ(tensor->dtype, tensors[i].dtype);
      EXPECT_EQ(tensor->shape, tensors[i].shape);
      EXPECT_EQ(file.read_raw(*tensor), store[i]);
    }
  }
}

TEST(Safetensors, refuses_every_cut_and_survives_every_flip) {
  const TemporaryDirectory temporary;
  std::mt19937 random(11);
  std::vector<std::vector<std::byte>> store;
  const auto tensors = random_tensors(random, store);
  write_safetensors(temporary.path() / "f", tensors);
  const std::string good = read_file(temporary.path() / "f", 1 << 20);
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    const fs::path path = temporary.make("cut", good.substr(0, cut));
    EXPECT_EQ(error_of([&] { SafetensorsFile::open(path); }).kind(), Kind::input) << cut;
  }
  for (int i = 0; i < 3000; ++i) {
    std::string bad = good;
    for (auto n = 1 + random() % 3; n > 0; --n) {
      bad[random() % bad.size()] = static_cast<char>(random());
    }
    const fs::path path = temporary.make("flip", bad);
    try {
      read_all(path);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Kind::input);
    }
  }
}

TEST(Safetensors, writes_what_it_would_read_or_nothing) {
  const TemporaryDirectory temporary;
  const fs::path path = temporary.path() / "f";
  const float value = 1;
  const auto source = [&](std::string name, std::vector<std::int64_t> shape) {
    return TensorSource{.name = std::move(name), .shape = std::move(shape), .data = [&value] {
                          return std::as_bytes(std::span(&value, 1));
                        }};
  };
  EXPECT_THROW(write_safetensors(path, {source("a", {1}), source("a", {1})}), Error);
  EXPECT_THROW(write_safetensors(path, {source("", {1})}), Error);
  EXPECT_THROW(write_safetensors(path, {source("a", {2})}), Error);
  EXPECT_THROW(write_safetensors(path, {}), Error);
  EXPECT_TRUE(fs::is_empty(temporary.path()));
  write_safetensors(path, {source("a", {1})});
  EXPECT_EQ(read_file(path, 1000).size() % 8, 4);  // a header of whole eights, 4 bytes of data
}

}  // namespace
}  // namespace fnet
