// Numbers as data: NumPy's arrays, tables, and labels in a file of their own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>

#include "records.h"
#include "temporary.h"
#include "text/data.h"

namespace fnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string with_header(const std::string& header, const std::string& values, char version = 1) {
  std::string text = header;
  const std::size_t start = version == 1 ? 10 : 12;
  text.resize((start + text.size() + 1 + 63) / 64 * 64 - start - 1, ' ');
  text += '\n';
  std::string out = std::string("\x93NUMPY") + version + '\0';
  for (std::size_t i = 0; i < start - 8; ++i)
    out += static_cast<char>(text.size() >> (8 * i) & 0xff);
  return out + text + values;
}

template <class T>
std::string npy(const std::string& type, const std::string& shape, const std::vector<T>& values,
                char version = 1) {
  return with_header("{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }",
                     {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)},
                     version);
}

ReadOptions numbers(const std::filesystem::path& labels = {}) {
  ReadOptions options;
  options.numbers = true;
  options.labels = labels;
  return options;
}

std::vector<std::string> labels_of(const std::vector<Record>& records) {
  std::vector<std::string> out;
  for (const Record& record : records) out.push_back(record.label("label"));
  return out;
}

TEST(Npy, every_type_is_read_as_the_same_numbers) {
  const auto expect = [](const std::string& bytes) {
    const auto records = read(bytes, "x.npy");
    ASSERT_EQ(records.size(), 2U);
    EXPECT_EQ(records[0].array("values"), Array({3}, {1, 0, 2}));
    EXPECT_EQ(records[1].array("values"), Array({3}, {7, 8, 9}));
    EXPECT_EQ(records[1].line, 2U);
  };
  expect(npy<float>("<f4", "(2, 3)", {1, 0, 2, 7, 8, 9}));
  expect(npy<float>("<f4", "(2, 3)", {1, 0, 2, 7, 8, 9}, 2));
  expect(npy<double>("<f8", "(2, 3)", {1, 0, 2, 7, 8, 9}));
  expect(npy<std::uint16_t>("<f2", "(2, 3)", {0x3C00, 0, 0x4000, 0x4700, 0x4800, 0x4880}));
  expect(npy<std::int8_t>("|i1", "(2, 3)", {1, 0, 2, 7, 8, 9}));
  expect(npy<std::uint8_t>("|u1", "(2, 3)", {1, 0, 2, 7, 8, 9}));
  expect(npy<std::int16_t>("<i2", "(2, 3)", {1, 0, 2, 7, 8, 9}));
  expect(npy<std::uint32_t>("<u4", "(2, 3)", {1, 0, 2, 7, 8, 9}));
  expect(npy<std::int64_t>("<i8", "(2, 3)", {1, 0, 2, 7, 8, 9}));
  const auto flags = read(npy<std::uint8_t>("|b1", "(1, 2)", {1, 0}), "x.npy");
  EXPECT_EQ(flags[0].array("values"), Array({2}, {1, 0}));
  const auto small = read(npy<std::uint16_t>("<f2", "(1, 3)", {0x8001, 0x0400, 0xBC00}), "x.npy");
  EXPECT_EQ(small[0].array("values"), Array({3}, {-0x1p-24F, 0x1p-14F, -1}));
}

TEST(Npy, an_example_keeps_its_axes_and_gzip_changes_nothing) {
  const std::string bytes = npy<float>("<f4", "(1, 2, 2, 1)", {1, 2, 3, 4});
  const TemporaryDirectory directory;
  const std::string path = directory.path() / "x.npy.gz";
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  DataReader reader{std::filesystem::path(path)};
  Record record;
  ASSERT_TRUE(reader.next(record));
  EXPECT_EQ(record.array("values"), Array({2, 2, 1}, {1, 2, 3, 4}));
  EXPECT_FALSE(reader.next(record));
}

TEST(Npy, refuses_what_it_cannot_read) {
  const std::vector<float> six = {1, 2, 3, 4, 5, 6};
  EXPECT_THAT(message("label,x\n", "x.npy"), HasSubstr("expected an array in NumPy's format"));
  EXPECT_THAT(message("", "x.npy"), HasSubstr("expected an array in NumPy's format"));
  EXPECT_THAT(message(npy(">f4", "(2, 3)", six), "x.npy"), HasSubstr("of another byte order"));
  EXPECT_THAT(message(npy("|O", "(2, 3)", six), "x.npy"), HasSubstr("found '|O'"));
  EXPECT_THAT(message(npy("<c8", "(2, 3)", six), "x.npy"), HasSubstr("found '<c8'"));
  EXPECT_THAT(message(npy("<f3", "(2, 3)", six), "x.npy"), HasSubstr("found '<f3'"));
  EXPECT_THAT(message(npy("<U1", "(2, 3)", six), "x.npy"), HasSubstr("expected numbers, found"));
  EXPECT_THAT(message(npy("<f4", "(6,)", six), "x.npy"), HasSubstr("the axes [examples, …]"));
  EXPECT_THAT(message(npy("<f4", "()", six), "x.npy"), HasSubstr("an axis of examples"));
  EXPECT_THAT(message(npy("<f4", "(2, 0)", six), "x.npy"), HasSubstr("values in each example"));
  EXPECT_THAT(message(npy("<f4", "(2, x)", six), "x.npy"), HasSubstr("expected a shape"));
  EXPECT_THAT(message(npy("<f4", "(2, -3)", six), "x.npy"), HasSubstr("expected a shape"));
  EXPECT_THAT(message(npy("<f4", "(1, 4294967296, 4294967296)", six), "x.npy"),
              HasSubstr("bytes in an example"));
  EXPECT_THAT(message(npy("<f4", "(3, 3)", six), "x.npy"),
              HasSubstr("expected 3 examples, found the file's end behind 2"));
  EXPECT_THAT(message(npy("<f4", "(1, 3)", six), "x.npy"), HasSubstr("found more bytes"));
  EXPECT_THAT(message(with_header("{'descr': '<f4'}", ""), "x.npy"), HasSubstr("a header with"));
  EXPECT_THAT(message(std::string("\x93NUMPY\x07\0", 8), "x.npy"), HasSubstr("version 1 to 3"));
  EXPECT_THAT(message(std::string("\x93NUMPY\x02\0\xff\xff\xff\xff", 12), "x.npy"),
              HasSubstr("a header of at most"));
  EXPECT_THAT(message(std::string("\x93NUMPY\x01\0\xff\0{", 11), "x.npy"),
              HasSubstr("a whole header"));
  const std::string turned =
      with_header("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", "");
  EXPECT_THAT(message(turned, "x.npy"), HasSubstr("numpy.ascontiguousarray"));
  // A damaged array is not skipped over: nobody can tell where an example begins.
  ReadOptions skip;
  skip.skip_bad_lines = true;
  EXPECT_THAT(message(npy("<f4", "(3, 3)", six), "x.npy", skip), HasSubstr("found the file's end"));
}

TEST(NumberTable, without_a_header_the_label_stands_first) {
  const auto records = read("2,1.5, -3e2\r\n\nx,+4,5e-60\n", "a.csv", numbers());
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].array("values"), Array({2}, {1.5F, -300}));
  EXPECT_EQ(records[1].array("values"), Array({2}, {4, 0}));
  EXPECT_THAT(labels_of(records), ElementsAre("2", "x"));
  EXPECT_EQ(records[1].line, 3U);
  EXPECT_EQ(read("1\t0.5\n", "a.tsv", numbers())[0].array("values"), Array({1}, {0.5F}));
  // A label may be missing where it is not asked for.
  EXPECT_EQ(read(",1,2\n", "a.csv", numbers())[0].find("label"), nullptr);
}

TEST(NumberTable, with_a_header_the_label_is_the_column_of_its_name) {
  const auto records = read("x0,class,x1\n1,\"a, b\",2\n", "a.csv", [] {
    ReadOptions options = numbers();
    options.label_column = "class";
    return options;
  }());
  EXPECT_EQ(records[0].array("values"), Array({2}, {1, 2}));
  EXPECT_EQ(records[0].label("class"), "a, b");
  const auto unlabelled = read("x0,x1\n1,2\n", "a.csv", numbers());
  EXPECT_EQ(unlabelled[0].array("values"), Array({2}, {1, 2}));
  EXPECT_EQ(unlabelled[0].find("label"), nullptr);
}

TEST(NumberTable, refuses_what_is_no_number_and_rows_of_other_lengths) {
  EXPECT_THAT(message("1,2,3\n1,2,x\n", "a.csv", numbers()),
              HasSubstr("a.csv:2: column 3: expected a number, found 'x'"));
  EXPECT_THAT(message("1,2,3\n1,2\n", "a.csv", numbers()),
              HasSubstr("a.csv:2: expected 3 columns as in the first line, found 2"));
  EXPECT_THAT(message("1,2,3\n1,2,\n", "a.csv", numbers()), HasSubstr("found ''"));
  EXPECT_THAT(message("label,a,label\n1,2,3\n", "a.csv", numbers()),
              HasSubstr("expected one column 'label'"));
  EXPECT_THAT(message("label\n1\n", "a.csv", numbers()), HasSubstr("numbers beside the label"));
  ReadOptions skip = numbers();
  skip.skip_bad_lines = true;
  EXPECT_EQ(read("1,2,3\n1,2,x\n1,5,6\n", "a.csv", skip).size(), 2U);
  EXPECT_TRUE(read("", "a.csv", numbers()).empty());
}

TEST(NumberTable, lists_of_json_lines_are_numbers_of_any_length) {
  const auto records = read("{\"values\": [1, 2.5], \"label\": 3}\n{\"values\": [4]}\n", "a.jsonl");
  EXPECT_EQ(records[0].array("values"), Array({2}, {1, 2.5F}));
  EXPECT_EQ(records[1].array("values"), Array({1}, {4}));
  EXPECT_THAT(message_of([] { read("{\"values\": [1, \"x\"]}\n", "a.jsonl")[0].array("values"); }),
              HasSubstr("values[1]: expected a number, found 'x'"));
  EXPECT_THAT(message_of([] { read("{\"values\": 1}\n", "a.jsonl")[0].array("values"); }),
              HasSubstr("values: expected numbers, found a number"));
}

TEST(LabelFile, gives_each_example_its_label) {
  const TemporaryDirectory directory;
  const std::string values = npy<float>("<f4", "(3, 1)", {1, 2, 3});
  const auto labels = [&](const std::string& name, const std::string& bytes) {
    return labels_of(read(values, "x.npy", numbers(directory.make(name, bytes))));
  };
  EXPECT_THAT(labels("y.npy", npy<std::int64_t>("<i8", "(3,)", {-1, 0, 12})),
              ElementsAre("-1", "0", "12"));
  EXPECT_THAT(labels("f.npy", npy<float>("<f4", "(3, 1)", {1, 2.5F, 0.1F})),
              ElementsAre("1", "2.5", "0.1"));
  EXPECT_THAT(labels("b.npy", npy<std::uint8_t>("|b1", "(3,)", {1, 0, 1})),
              ElementsAre("true", "false", "true"));
  EXPECT_THAT(labels("u.npy", npy<char32_t>("<U2", "(3,)", {U'ä', U'b', U'c', 0, U'€', U'x'})),
              ElementsAre("äb", "c", "€x"));
  EXPECT_THAT(labels("s.npy", npy<char>("|S2", "(3,)", {'a', 'b', 'c', 0, 'd', 'e'})),
              ElementsAre("ab", "c", "de"));
  EXPECT_THAT(labels("y.txt", "a\nb\nc d\n"), ElementsAre("a", "b", "c d"));
  EXPECT_THAT(labels("y.csv", "id,label\n1,x\n2,y\n3,z\n"), ElementsAre("x", "y", "z"));
}

TEST(LabelFile, refuses_another_number_of_labels) {
  const TemporaryDirectory directory;
  const std::string values = npy<float>("<f4", "(3, 1)", {1, 2, 3});
  const auto fails = [&](const std::string& name, const std::string& bytes) {
    return message(values, "x.npy", numbers(directory.make(name, bytes)));
  };
  EXPECT_THAT(fails("y.txt", "a\nb\n"),
              HasSubstr("expected as many labels as x.npy has examples, found only 2"));
  EXPECT_THAT(fails("y.txt", "a\nb\nc\nd\n"), HasSubstr("found more than 3"));
  EXPECT_THAT(fails("y.npy", npy<float>("<f4", "(3, 2)", {1, 2, 3, 4, 5, 6})),
              HasSubstr("expected one axis, of labels, found 2"));
  EXPECT_THAT(fails("y.csv", "class\n1\n2\n3\n"), HasSubstr("expected a field 'label'"));
  EXPECT_THAT(fails("u.npy", npy<char32_t>("<U1", "(3,)", {U'a', char32_t{0x110000}, U'b'})),
              HasSubstr("expected Unicode"));
}

}  // namespace
}  // namespace fnet
