#include "text/data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "fnet/error.h"
#include "records.h"
#include "temporary.h"

namespace fnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

std::vector<std::string> texts(const std::vector<Record>& records) {
  std::vector<std::string> out;
  for (const Record& record : records) out.push_back(record.text("text"));
  return out;
}

std::vector<std::string> names(const Record& record) {
  std::vector<std::string> out;
  for (const Record::Field& field : record.fields) out.push_back(field.name);
  return out;
}

TEST(DataReader, tsv_splits_on_tabs_only) {
  const auto rows = read("text\tlabel\n\"half\tgood\na, \"b\"\tbad\r\n\n\tempty", "a.tsv");
  EXPECT_THAT(texts(rows), ElementsAre("\"half", "a, \"b\"", ""));
  EXPECT_EQ(rows[1].text("label"), "bad");
  EXPECT_EQ(rows[1].line, 3U);
  EXPECT_EQ(rows[2].line, 5U);
}

TEST(DataReader, records_have_every_column_in_order) {
  const std::string file = "gold\tid\tsentence2\tid\nyes\t7\tb\t8\n";
  const auto rows = read(file, "a.tsv");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_THAT(names(rows[0]), ElementsAre("gold", "id", "sentence2", "id"));
  EXPECT_EQ(rows[0].text("gold"), "yes");
  EXPECT_EQ(rows[0].text("id"), "7");
  EXPECT_EQ(rows[0].find("text"), nullptr);
  const DataReader reader(file, "a.tsv", {});
  EXPECT_THAT(reader.fields(), ElementsAre("gold", "id", "sentence2", "id"));
  EXPECT_EQ(reader.name(), "a.tsv");
  EXPECT_EQ(reader.format(), "tsv");
  EXPECT_THAT(DataReader("{}", "a.jsonl", {}).fields(), ElementsAre());
  EXPECT_THAT(DataReader("a", "a.txt", {}).fields(), ElementsAre("text"));
  EXPECT_THAT(DataReader("a", "a.conll", {}).fields(), ElementsAre("tokens", "tags"));
}

TEST(DataReader, csv_follows_rfc_4180) {
  const auto rows =
      read("text,label\n\"a, \"\"b\"\"\",x\n\"two\nlines\",y\n\"\",\"\"\nplain,\n", "a.csv");
  EXPECT_THAT(texts(rows), ElementsAre("a, \"b\"", "two\nlines", "", "plain"));
  EXPECT_EQ(rows[2].line, 5U);
  EXPECT_EQ(rows[3].text("label"), "");
  EXPECT_THAT(message("text\n\"a\nb", "a.csv"), HasSubstr("a.csv:2: expected a closing quote"));
  EXPECT_THAT(message("text,label\n\"a\"b,x\n", "a.csv"),
              HasSubstr("a.csv:2: byte 3: expected a comma"));
  EXPECT_THAT(message("text,label\na\"b,x\n", "a.csv"),
              HasSubstr("a.csv:2: byte 1: expected a quote only"));
  ReadOptions small;
  small.max_bytes = 100;
  EXPECT_THAT(message("text\n\"" + std::string(60, 'a') + "\n" + std::string(60, 'b') + "\n",
                      "a.csv", small),
              HasSubstr("is a quote not closed?"));
}

TEST(DataReader, jsonl_keeps_what_each_record_has) {
  const auto rows = read(
      "{\"text\": \"a\", \"text_pair\": null, \"label\": 3, \"other\": {}}\n\n"
      "{\"tokens\": [\"New\", 1], \"tags\": [\"B-LOC\", "
      "\"I-LOC\"]}\n{\"text\":\"b\",\"label\":true,\"tokens\":[[]],\"half\":0.5}",
      "a.jsonl");
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_THAT(names(rows[0]), ElementsAre("label", "other", "text"));
  EXPECT_EQ(rows[0].label("label"), "3");
  EXPECT_THAT(rows[1].list("tokens"), ElementsAre("New", "1"));
  EXPECT_THAT(rows[1].list("tags"), ElementsAre("B-LOC", "I-LOC"));
  EXPECT_EQ(rows[1].line, 3U);
  EXPECT_EQ(rows[2].label("label"), "true");
  EXPECT_EQ(rows[2].label("half"), "0.5");
  EXPECT_EQ(message_of([&] { rows[0].text("label"); }),
            "label: expected a text, found a number or a boolean");
  EXPECT_EQ(message_of([&] { rows[0].label("other"); }),
            "other: expected a text, a number or a boolean, found object");
  EXPECT_EQ(message_of([&] { rows[0].list("text"); }),
            "text: expected a list of texts, found a text");
  EXPECT_EQ(message_of([&] { rows[2].list("tokens"); }),
            "tokens: expected a list of texts, found array at [0]");
  EXPECT_EQ(message_of([&] { rows[0].text("text_pair"); }),
            "expected a field 'text_pair', found none");
  EXPECT_THAT(message("[1]", "a.jsonl"), HasSubstr("expected an object"));
  EXPECT_THAT(message("{\"text\": \"a\"", "a.jsonl"), HasSubstr("a.jsonl:1"));
}

TEST(DataReader, conll_reads_sentences) {
  const auto rows =
      read("-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n \na b\tO\n", "a.conll");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_THAT(rows[0].list("tokens"), ElementsAre("EU", "rejects"));
  EXPECT_THAT(rows[0].list("tags"), ElementsAre("B-ORG", "O"));
  EXPECT_EQ(rows[0].line, 3U);
  EXPECT_THAT(rows[1].list("tokens"), ElementsAre("a b"));
  const auto plain = read("one\ntwo\n", "a.conll");
  EXPECT_THAT(plain[0].list("tokens"), ElementsAre("one", "two"));
  EXPECT_EQ(plain[0].find("tags"), nullptr);
  EXPECT_THAT(message("one\ntwo\tO\n", "a.conll"), HasSubstr("a.conll:2: expected no tag"));
  EXPECT_THAT(message("one\tO\ntwo\n", "a.conll"), HasSubstr("a.conll:2: expected a tag"));
  EXPECT_THAT(message("\tO\n", "a.conll"), HasSubstr("expected a token"));
  EXPECT_THAT(message("a\t\n", "a.conll"), HasSubstr("expected a tag"));
  ReadOptions options;
  options.max_bytes = 10;
  EXPECT_THAT(message("aaaa\tO\nbbbb\tO\n", "a.conll", options), HasSubstr("in a sentence"));
}

TEST(DataReader, text_keeps_every_line) {
  EXPECT_THAT(texts(read("\xef\xbb\xbf"
                         "a\r\n\nb",
                         "a.txt")),
              ElementsAre("a", "", "b"));
  EXPECT_THAT(texts(read("a\n", "-")), ElementsAre("a"));
  EXPECT_TRUE(read("", "a.txt").empty());
  const std::string nul("x\0y", 3);
  EXPECT_THAT(texts(read(nul, "a.txt")), ElementsAre(nul));
}

TEST(DataReader, refuses_what_it_cannot_read) {
  EXPECT_THAT(message("", "a.tsv"), HasSubstr("a.tsv: expected a header"));
  EXPECT_THAT(message("text\tlabel\na\n", "a.tsv"),
              HasSubstr("a.tsv:2: expected 2 fields as in the header, found 1"));
  EXPECT_THAT(message("text\tlabel\na\tb\tc\n", "a.tsv"), HasSubstr("found 3"));
  EXPECT_THAT(message("text\na\n\xff\n", "a.tsv"),
              HasSubstr("a.tsv:3: byte 0: expected UTF-8, found 0xff"));
  ReadOptions options;
  options.max_bytes = 10;
  EXPECT_THAT(message("01234567890\n", "a.tsv", options), HasSubstr("at most 10 bytes"));
  EXPECT_THAT(message("a", "a.xls"),
              HasSubstr("name the format: tsv, csv, jsonl, squad, conll, npy, text"));
  EXPECT_THAT(message("a", "README"), HasSubstr("expected an extension"));
  options.format = "xml";
  EXPECT_THAT(message("a", "a.txt", options),
              HasSubstr("format: expected tsv, csv, jsonl, squad, conll, npy, text, found 'xml'"));
}

TEST(DataReader, skips_and_counts_bad_lines_when_asked) {
  ReadOptions options;
  options.skip_bad_lines = true;
  options.max_bytes = 40;
  const auto count = [&](const std::string& bytes, const std::string& name) {
    DataReader reader(bytes, name, options);
    std::size_t good = 0;
    for (Record record; reader.next(record);) ++good;
    return std::pair(good, reader.skipped());
  };
  using Counts = std::pair<std::size_t, std::size_t>;
  EXPECT_EQ(count("text\tlabel\na\tb\nbad\n\xff\t\n" + std::string(50, 'x') + "\nc\td\n", "a.tsv"),
            Counts(2, 3));
  EXPECT_EQ(count("text,l\na,b\n\"x\"y,c\nd,e\n", "a.csv"), Counts(2, 1));
  EXPECT_EQ(count("{\"text\":\"a\"}\n{\n{\"text\":\"b\"}\n", "a.jsonl"), Counts(2, 1));
  EXPECT_EQ(count("a\tO\n\nb\tO\nc\nd\tO\n\ne\tO\n", "a.conll"), Counts(2, 4));
  EXPECT_EQ(count("a\n\xff\nb\n", "a.txt"), Counts(2, 1));
}

TEST(DataReader, skipping_a_bad_csv_record_invents_no_row_and_hides_none) {
  ReadOptions options;
  options.skip_bad_lines = true;
  const auto skipping = [&](const std::string& rows) {
    DataReader reader("text,label\n" + rows, "a.csv", options);
    std::vector<Record> records;
    for (Record record; reader.next(record);) records.push_back(record);
    return std::pair(texts(records), reader.skipped());
  };
  using Result = std::pair<std::vector<std::string>, std::size_t>;
  // A bad byte inside quotes: the record goes to its closing quote.
  EXPECT_EQ(skipping("\"a\xff\nin,side\",x\nb,y\n"), Result({"b"}, 2));
  EXPECT_EQ(skipping("\"a\nin\xff,side\nmore,text\",x\nb,y\n"), Result({"b"}, 3));
  // A fault of quotes before a field over several lines.
  EXPECT_EQ(skipping("\"a\" \"b\",\"x\nin,side\"\nb,y\n"), Result({"b"}, 2));
  EXPECT_EQ(skipping("a\"b,\"x\nin,side\"\nb,y\n"), Result({"b"}, 2));
  // A quote that some later record closes: all lines between are counted.
  EXPECT_EQ(skipping("\"open,x\na,y\nb,y\n\"c\",z\nd,y\n"), Result({"d"}, 4));
  // One that none closes hides the rest of the file.
  EXPECT_THAT(message("text,label\na,x\n\"open,y\nb,y\nc,z\n", "a.csv", options),
              HasSubstr("a.csv:3: expected a closing quote, found the end of the file"));
  options.max_bytes = 100;
  EXPECT_THAT(
      message("text,label\n\"" + std::string(60, 'a') + "\n" + std::string(60, 'b') + "\nc,y\n",
              "a.csv", options),
      HasSubstr("is a quote not closed?"));
}

TEST(DataReader, a_lone_carriage_return_ends_a_line) {
  EXPECT_THAT(texts(read("text\tlabel\ra\tx\rb\ty\r", "a.tsv")), ElementsAre("a", "b"));
  EXPECT_THAT(texts(read("text,label\r\"a\rb\",x\rc,y", "a.csv")), ElementsAre("a\nb", "c"));
  EXPECT_THAT(texts(read("a\rb\r\nc\nd\r\re", "a.txt")), ElementsAre("a", "b", "c", "d", "", "e"));
}

TEST(DataReader, a_line_of_text_that_is_too_long_is_cut_between_letters) {
  ReadOptions options;
  options.max_bytes = 10;
  DataReader reader("0123456789ab\n12345678\u20ac9\nc\n", "a.txt", options);
  std::vector<Record> records;
  for (Record record; reader.next(record);) records.push_back(record);
  EXPECT_THAT(texts(records), ElementsAre("0123456789", "12345678", "c"));
  EXPECT_EQ(records[2].line, 3U);
  EXPECT_EQ(reader.cut(), 2U);
}

TEST(DataReader, text_that_begins_with_a_label_is_fasttexts) {
  const auto rows =
      read("__label__good a fine  film\n__label__bad\n__label__a __label__b two\n", "a.txt");
  EXPECT_THAT(texts(rows), ElementsAre("a fine  film", "", "two"));
  EXPECT_EQ(rows[0].text("label"), "good");
  EXPECT_EQ(rows[1].line, 2U);
  EXPECT_THAT(rows[2].list("label"), ElementsAre("a", "b"));
  EXPECT_THAT(message("__label__good a\nno label\n", "a.txt"),
              HasSubstr("a.txt:2: expected '__label__' at the start"));
  EXPECT_THAT(names(read("a __label__x\n", "a.txt")[0]), ElementsAre("text"));
  ReadOptions options;
  options.skip_bad_lines = true;
  EXPECT_THAT(texts(read("\xff\nb\n", "a.txt", options)), ElementsAre("b"));
}

TEST(DataReader, conll_trims_tags_and_skips_comments) {
  const auto rows = [](const std::string& bytes) {
    std::string out;
    for (const Record& record : read(bytes, "a.conll")) {
      const auto& tokens = record.list("tokens");
      const auto& tags = record.list("tags");
      for (std::size_t i = 0; i < tokens.size(); ++i) out += tokens[i] + "/" + tags[i] + " ";
      out += "| ";
    }
    return out;
  };
  EXPECT_EQ(rows("a\tB-PER \nb\t O\nc O  \n"), "a/B-PER b/O c/O | ");
  EXPECT_EQ(rows("# sent_id = 1\n# newpar\n# text = a b\na\tX\tO\n# \tX\tB\n\n# id 2\nb\tX\tO\n"),
            "a/O # /B | b/O | ");
  EXPECT_EQ(rows("# key value\na O\n# O\n"), "a/O #/O | ");  // a token where the columns fit
  EXPECT_EQ(rows("# O\n1 B\n\n#\tO\nb\tO\n"), "#/O 1/B | #/O b/O | ");
  EXPECT_EQ(read("# key value\n# more\n", "a.conll").size(), 1U);
}

TEST(DataReader, reads_plain_and_gzip_files_alike) {
  const fs::path plain = fs::path(testing::TempDir()) / "fnet_data.tsv";
  const fs::path packed = fs::path(testing::TempDir()) / "fnet_data.tsv.gz";
  const std::string bytes = "text\tlabel\na\tx\nb\ty\n";
  std::ofstream(plain, std::ios::binary) << bytes;
  gzFile file = gzopen(packed.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  const auto read_file = [](const fs::path& path, const ReadOptions& options = {}) {
    DataReader reader(path, options);
    std::vector<Record> records;
    for (Record record; reader.next(record);) records.push_back(record);
    return records;
  };
  for (const fs::path& path : {plain, packed})
    EXPECT_THAT(texts(read_file(path)), ElementsAre("a", "b"));

  fs::resize_file(packed,
                  fs::file_size(packed) - 5);  // a cut file is an error even when lines may be bad
  ReadOptions options;
  options.skip_bad_lines = true;
  EXPECT_THROW(read_file(packed, options), Error);
  EXPECT_THROW(read_file(plain.string() + ".none.tsv"), Error);
  fs::remove(plain), fs::remove(packed);
}

}  // namespace
}  // namespace fnet
