#include "core/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <fstream>
#include <thread>
#include <vector>

#include "core/error.h"
#include "temporary.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class File : public testing::Test {
 protected:
  std::filesystem::path make(const std::string& name, std::string_view bytes) const {
    return temporary_.make(name, bytes);
  }

  TemporaryDirectory temporary_;
  const fs::path& directory_ = temporary_.path();
};

std::string gzip(std::string_view text) {
  z_stream z{};
  EXPECT_EQ(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&z, text.size()) + 32, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

std::vector<std::string> lines_of(const fs::path& path, std::size_t max_line_bytes = 1 << 20) {
  LineReader reader(path, max_line_bytes);
  std::vector<std::string> lines;
  std::string_view line;
  while (reader.next(line)) {
    lines.emplace_back(line);
    EXPECT_EQ(reader.line_number(), lines.size());
  }
  return lines;
}

TEST_F(File, reads_whole_files_up_to_the_limit) {
  const auto path = make("a", std::string_view("x\0y", 3));
  EXPECT_EQ(read_file(path, 3), std::string("x\0y", 3));
  const Error error = error_of([&] { read_file(path, 2); });
  EXPECT_EQ(error.kind(), Kind::input);
  EXPECT_THAT(error.what(), HasSubstr("expected at most 2 bytes, found 3"));
}

TEST_F(File, refuses_what_is_not_a_regular_file) {
  EXPECT_EQ(error_of([&] { InputFile::open(directory_ / "missing"); }).kind(), Kind::input);
  EXPECT_THAT(error_of([&] { InputFile::open(directory_); }).what(), HasSubstr("a directory"));
  ASSERT_EQ(mkfifo((directory_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(error_of([&] { InputFile::open(directory_ / "pipe"); }).what(), HasSubstr("pipe"));
}

TEST_F(File, opens_plain_names_in_a_directory_only) {
  make("a", "1");
  fs::create_symlink("a", directory_ / "link");
  EXPECT_EQ(InputFile::open_in(directory_, "a").size(), 1);
  for (const std::string name : {"", ".", "..", "../a", "/etc/passwd", "x/a"}) {
    EXPECT_THAT(error_of([&] { InputFile::open_in(directory_, name); }).what(),
                HasSubstr("plain name"));
  }
  EXPECT_THAT(error_of([&] { InputFile::open_in(directory_, "link"); }).what(),
              HasSubstr("symbolic link"));
}

TEST_F(File, follows_links_of_hugging_faces_cache_into_its_own_blobs) {
  const fs::path tree = directory_ / "models--a--b", snapshot = tree / "snapshots" / "0123";
  for (const fs::path& folder : {tree / "blobs", tree / "snapshots" / "other", snapshot}) {
    fs::create_directories(folder);
  }
  make("outside", "1");
  make("models--a--b/blobs/hash", "12");
  make("models--a--b/snapshots/other/file", "123");
  fs::create_symlink("../../blobs/hash", snapshot / "good");
  EXPECT_EQ(InputFile::open_in(snapshot, "good").size(), 2);
  fs::create_symlink("../../../outside", snapshot / "out");
  fs::create_symlink(directory_ / "outside", tree / "blobs" / "out");
  fs::create_symlink("../../blobs/out", snapshot / "twice");
  fs::create_symlink("../other/file", snapshot / "other");
  fs::create_symlink("../../blobs/none", snapshot / "dangling");
  fs::create_symlink("../../blobs", snapshot / "folder");
  for (const char* name : {"out", "twice", "other", "dangling", "folder"}) {
    EXPECT_THAT(error_of([&] { InputFile::open_in(snapshot, name); }).what(),
                HasSubstr("symbolic link"))
        << name;
  }
}

TEST_F(File, says_so_when_a_file_shrinks_while_it_is_read) {
  const auto path = make("a", "12345678");
  const InputFile file = InputFile::open(path);
  fs::resize_file(path, 4);
  std::array<std::byte, 8> bytes;
  EXPECT_THAT(error_of([&] { file.read(0, bytes); }).what(), HasSubstr("cut short"));
  EXPECT_EQ(error_of([&] { file.read(1, bytes); }).kind(), Kind::input);  // past the known end
}

TEST_F(File, splits_lines_of_every_ending) {
  EXPECT_THAT(lines_of(make("a", "one\r\ntwo\n\nfour")), ElementsAre("one", "two", "", "four"));
  EXPECT_THAT(lines_of(make("b", "one\n")), ElementsAre("one"));
  EXPECT_THAT(lines_of(make("c", "")), ElementsAre());
  EXPECT_THAT(lines_of(make("d", "\n")), ElementsAre(""));
  EXPECT_THAT(lines_of(make("e", "\xef\xbb\xbfone\r")), ElementsAre("one"));
  EXPECT_THAT(lines_of(make("f", "one\rtwo\r\nthree\r\rfour")),
              ElementsAre("one", "two", "three", "", "four"));
}

TEST_F(File, finds_the_same_lines_wherever_they_cross_chunks) {
  std::string text;
  std::vector<std::string> expected;
  for (int i = 0; i < 3000; ++i) {
    expected.push_back(std::string(static_cast<std::size_t>(1 + i * 7 % 211), 'a' + i % 26));
    text += expected.back() + (i % 3 == 0 ? "\r\n" : i % 3 == 1 ? "\r" : "\n");
  }
  EXPECT_EQ(lines_of(make("plain", text)), expected);
  EXPECT_EQ(lines_of(make("zip", gzip(text))), expected);
  const std::string two = gzip(text.substr(0, 1001)) + gzip(text.substr(1001));
  EXPECT_EQ(lines_of(make("members", two)), expected);
}

TEST_F(File, refuses_damaged_gzip) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += std::to_string(i * 7919 % 10007) + "\n";
  const std::string good = gzip(text);
  for (const std::size_t cut : {std::size_t{2}, std::size_t{9}, good.size() / 2, good.size() - 1}) {
    const Error error = error_of([&] { lines_of(make("cut", good.substr(0, cut))); });
    EXPECT_EQ(error.kind(), Kind::input);
    EXPECT_THAT(error.what(), HasSubstr("cut short"));
  }
  std::string flipped = good;
  flipped[good.size() - 6] ^= 1;  // the checksum
  EXPECT_THAT(error_of([&] { lines_of(make("flip", flipped)); }).what(), HasSubstr("damaged"));
  EXPECT_THAT(error_of([&] { lines_of(make("tail", good + "more")); }).what(),
              HasSubstr("damaged"));
}

TEST_F(File, refuses_long_lines_and_goes_on_after_them) {
  for (const std::size_t length : {11, 12, 200'000}) {
    const auto path = make("long", "0123456789\r\n" + std::string(length, 'x') + "\nafter\n");
    LineReader reader(path, 10);
    std::string_view line;
    ASSERT_TRUE(reader.next(line));
    EXPECT_EQ(line, "0123456789");
    EXPECT_THAT(error_of([&] { reader.next(line); }).what(), HasSubstr("line 2: expected at most"));
    ASSERT_TRUE(reader.next(line));
    EXPECT_EQ(line, "after");
    EXPECT_EQ(reader.line_number(), 3);
    EXPECT_FALSE(reader.next(line));
  }
}

TEST_F(File, cuts_long_lines_when_asked) {
  for (const std::size_t length : {11, 12, 200'000}) {
    LineReader reader("0123456789\r\n" + std::string(length, 'x') + "\rafter", "memory", 10);
    reader.cut_long_lines();
    std::vector<std::string> lines;
    for (std::string_view line; reader.next(line);) lines.emplace_back(line);
    EXPECT_THAT(lines, ElementsAre("0123456789", "xxxxxxxxxx", "after"));
    EXPECT_EQ(reader.cut(), 1U);
  }
}

TEST_F(File, keeps_memory_bounded_on_a_gzip_bomb) {
  const auto path = make("bomb", gzip(std::string(50'000'000, 'x')));
  EXPECT_THAT(error_of([&] { lines_of(path); }).what(), HasSubstr("line 1: expected at most"));
}

TEST_F(File, reads_lines_from_a_pipe_as_they_come) {
  const auto path = directory_ / "pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  std::thread writer([&] {
    std::ofstream out(path);
    for (const char c : std::string("a\nlast")) out << c << std::flush;
  });
  EXPECT_THAT(lines_of(path), ElementsAre("a", "last"));
  writer.join();
}

TEST_F(File, names_the_directory_given_for_lines) {
  EXPECT_THAT(error_of([&] { lines_of(directory_); }).what(), HasSubstr("a directory"));
  EXPECT_EQ(error_of([&] { lines_of(directory_ / "missing"); }).kind(), Kind::input);
}

TEST_F(File, replaces_a_file_whole_or_not_at_all) {
  const auto path = make("a", "old");
  {
    OutputFile file(path);
    file.write("new");
  }
  EXPECT_EQ(read_file(path, 10), "old");
  write_file(path, "new");
  EXPECT_EQ(read_file(path, 10), "new");
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 1) << "a temporary file is left";
  EXPECT_EQ(error_of([&] { write_file(directory_ / "no" / "a", "x"); }).kind(), Kind::input);
}

TEST_F(File, replaces_a_link_not_what_it_points_to) {
  make("a", "kept");
  fs::create_symlink("a", directory_ / "link");
  write_file(directory_ / "link", "new");
  EXPECT_EQ(read_file(directory_ / "a", 10), "kept");
  EXPECT_EQ(read_file(directory_ / "link", 10), "new");
}

}  // namespace
}  // namespace fnet
