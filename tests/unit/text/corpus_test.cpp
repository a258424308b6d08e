#include "text/corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "core/random.h"
#include "temporary.h"
#include "text/corpus_texts.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

Tokenizer make_tokenizer() {
  TokenizerTraining training;
  training.next_text = [told = 0](std::string& text) mutable {
    text = "one two three four five six seven eight nine ten eleven twelve";
    return told++ < 3;
  };
  training.vocab_size = 60;
  training.fewer_pieces = true;
  return train_tokenizer(training);
}

const Tokenizer& own() {
  static const Tokenizer one = make_tokenizer();
  return one;
}

std::string gzip(const std::string& text) {
  TemporaryDirectory directory;
  const fs::path path = directory.path() / "a.gz";
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Documents : testing::Test {
  TemporaryDirectory directory;
  DocumentOptions options;

  /// Documents with `|` between their lines.
  std::vector<std::string> read(const std::vector<fs::path>& paths) {
    DocumentReader reader(corpus_files(paths), options);
    std::vector<std::string> documents;
    for (DocumentReader::Part part; reader.next(part);) {
      if (part.begins_document) {
        documents.emplace_back();
      } else if (part.begins_line) {
        documents.back() += '|';
      }
      documents.back() += part.text;
    }
    skipped = reader.skipped();
    cut = reader.cut();
    return documents;
  }

  std::size_t skipped = 0, cut = 0;
};

TEST_F(Documents, are_paragraphs_lines_or_files) {
  const fs::path a = directory.make("a.txt", "\n\none\ntwo\n \t\nthree\r\n\n\n"),
                 b = directory.make("b.txt", "four\n\nfive");
  EXPECT_THAT(read({a, b}), ElementsAre("one|two", "three", "four", "five"));
  options.documents = "line";
  EXPECT_THAT(read({a, b}), ElementsAre("one", "two", "three", "four", "five"));
  options.documents = "file";
  EXPECT_THAT(read({a, b}), ElementsAre("one|two|three", "four|five"));
  options.documents = "page";
  EXPECT_THAT(message_of([&] { read({a}); }), HasSubstr("documents: expected paragraph, line"));
}

TEST_F(Documents, of_json_lines_are_records) {
  const fs::path file =
      directory.make("a.jsonl", "{\"text\": \"one\\n\\ntwo\", \"id\": 1}\n{\"text\": \"three\"}\n");
  EXPECT_THAT(read({file}), ElementsAre("one|two", "three"));
  options.column = "body";
  EXPECT_THAT(message_of([&] { read({file}); }), HasSubstr("a.jsonl:1: expected the field 'body'"));
  options.skip_bad_lines = true;
  EXPECT_THAT(read({file}), ElementsAre());
  EXPECT_EQ(skipped, 2U);
}

TEST_F(Documents, of_directories_come_in_the_order_of_names) {
  fs::create_directory(directory.path() / "b");
  directory.make("b/one.txt", "b one");
  directory.make("a.jsonl.gz", gzip("{\"text\": \"a\"}\n"));
  directory.make("c.txt.gz", gzip("c one\n\nc two\n"));
  directory.make(".hidden", "no");
  EXPECT_THAT(read({directory.path()}), ElementsAre("a", "b one", "c one", "c two"));
  fs::create_directory(directory.path() / "empty");
  EXPECT_THAT(message_of([&] { read({directory.path() / "empty"}); }),
              HasSubstr("empty: expected files in it"));
  EXPECT_THAT(message_of([&] { read({directory.path() / "none"}); }),
              HasSubstr("none: expected a file or a directory"));
}

TEST_F(Documents, bad_bytes_are_an_error_with_their_place_or_are_skipped) {
  const fs::path file = directory.make("a.txt", "one\ntw\xffo\nthree\n");
  EXPECT_THAT(message_of([&] { read({file}); }), HasSubstr("a.txt:2: byte 2: expected UTF-8"));
  options.skip_bad_lines = true;
  EXPECT_THAT(read({file}), ElementsAre("one|three"));
  EXPECT_EQ(skipped, 1U);
}

TEST_F(Documents, a_gzip_file_that_was_cut_short_is_an_error) {
  std::string words;
  for (int i = 0; i < 5000; ++i) words += std::to_string(i * 7919 % 10007) + (i % 9 ? " " : "\n");
  const std::string whole = gzip(words);
  const fs::path file = directory.make("a.txt.gz", whole.substr(0, whole.size() / 2));
  options.skip_bad_lines = true;
  EXPECT_THAT(message_of([&] { read({file}); }), HasSubstr("cut short"));
}

TEST_F(Documents, long_lines_come_in_parts_and_longer_ones_are_cut) {
  std::string line;
  while (line.size() < 3 * kMaxPart) line += "word ";
  const fs::path file = directory.make("a.txt", line + "\nnext\n");
  DocumentReader reader({file}, options);
  std::string all;
  int parts = 0;
  for (DocumentReader::Part part; reader.next(part); ++parts) {
    EXPECT_LE(part.text.size(), kMaxPart);
    EXPECT_EQ(part.begins_line, parts == 0 || part.text == "next");
    EXPECT_EQ(part.begins_document, parts == 0);
    all += part.text;
  }
  EXPECT_EQ(all, line + "next");
  EXPECT_EQ(parts, 5);
  // Letters of several bytes without a space between them.
  std::string huge;
  while (huge.size() < kMaxCorpusLine + 100) huge += "\xe4\xb8\xad";
  const std::vector<std::string> read_back = read({directory.make("b.txt", huge)});
  EXPECT_EQ(cut, 1U);
  EXPECT_EQ(read_back.at(0).size(), kMaxCorpusLine / 3 * 3);
}

struct CorpusTest : testing::Test {
  TemporaryDirectory directory;
  CorpusOptions options;
  std::vector<std::string> lines;

  CorpusTest() { options.cache = directory.path() / "cache"; }

  Corpus open(const Tokenizer& tokenizer = own()) {
    return Corpus::open(options, tokenizer,
                        [&](std::string_view line) { lines.emplace_back(line); });
  }

  /// Every document's tokens.
  static std::vector<std::vector<std::int32_t>> all(const Corpus& corpus) {
    std::vector<std::vector<std::int32_t>> documents;
    for (std::uint64_t group = 0; group < corpus.groups(); ++group) {
      std::uint64_t begin = 0;
      for (const std::uint64_t length : corpus.lengths(group)) {
        documents.push_back(corpus.read(group, begin, length).ids);
        begin += length;
      }
    }
    return documents;
  }

  static std::string numbers(int documents) {
    static constexpr const char* kWords[] = {"one", "two", "three", "four", "five", "six"};
    std::string text;
    for (int i = 0; i < documents; ++i) {
      for (int k = 0; k <= i % 7; ++k)
        text += std::string(kWords[(i + k) % 6]) + (k % 3 ? " " : "\n");
      text += "\n\n";
    }
    return text;
  }
};

TEST_F(CorpusTest, holds_what_the_tokenizer_makes_of_each_line) {
  const fs::path file = directory.make("a.txt", "one two\nthree\n\nfour\n");
  options.paths = {file};
  const Corpus corpus = open();
  EXPECT_EQ(corpus.documents(), 2U);
  EncodeOptions bare;
  bare.add_special_tokens = false;
  auto ids = own().encode("one two", {}, bare).input_ids;
  const std::size_t first = ids.size();
  const auto third = own().encode("three", {}, bare).input_ids;
  ids.insert(ids.end(), third.begin(), third.end());
  EXPECT_EQ(all(corpus)[0], ids);
  const Corpus::Piece piece = corpus.read(0, 0, ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i)
    EXPECT_EQ(piece.begins_line[i], i == 0 || i == first) << i;
}

TEST_F(CorpusTest, is_the_same_for_every_number_of_threads_and_found_again) {
  options.paths = {directory.make("a.txt", numbers(3000))};
  options.threads = 1;
  const auto one = all(open());
  EXPECT_EQ(one.size(), 3000U);
  EXPECT_TRUE(open().reused());
  fs::remove_all(options.cache);
  options.threads = 3;
  const Corpus corpus = open();
  EXPECT_FALSE(corpus.reused());
  EXPECT_EQ(all(corpus), one);
}

TEST_F(CorpusTest, is_made_again_where_file_reading_or_tokenizer_differ) {
  options.paths = {directory.make("a.txt", numbers(50))};
  EXPECT_FALSE(open().reused());
  EXPECT_TRUE(open().reused());
  options.reading.documents = "line";
  EXPECT_FALSE(open().reused());
  options.reading.documents = "paragraph";
  EXPECT_TRUE(open().reused());
  TokenizerTraining training;
  training.inputs = options.paths;
  training.vocab_size = 30;
  training.fewer_pieces = true;
  EXPECT_FALSE(open(train_tokenizer(training)).reused());
  directory.make("a.txt", numbers(51));
  EXPECT_FALSE(open().reused());
  // The same size, another time.
  fs::last_write_time(options.paths[0],
                      fs::last_write_time(options.paths[0]) + std::chrono::hours(1));
  EXPECT_FALSE(open().reused());
}

TEST_F(CorpusTest, a_damaged_file_is_made_again) {
  options.paths = {directory.make("a.txt", numbers(1200))};
  const Corpus good = open();
  const auto before = all(good);
  std::ifstream in(good.file(), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const auto spoilt = [&](const std::string& other) {
    std::ofstream(good.file(), std::ios::binary | std::ios::trunc) << other;
    lines.clear();
    const Corpus again = open();
    EXPECT_FALSE(again.reused());
    EXPECT_THAT(lines, ElementsAre(HasSubstr("damaged, made again")));
    EXPECT_EQ(all(again), before);
  };
  spoilt("");
  spoilt("something else");
  spoilt(bytes.substr(0, bytes.size() - 1));
  spoilt(bytes.substr(0, bytes.size() / 2));
  spoilt(bytes.substr(1));
  spoilt(bytes.substr(0, 100) + bytes.substr(101));
  for (const std::size_t at : {bytes.size() - 5, bytes.size() - 20, bytes.size() - 100}) {
    std::string other = bytes;
    other[at] = static_cast<char>(other[at] ^ 1);
    spoilt(other);
  }
}

TEST_F(CorpusTest, damage_below_the_table_is_an_error_when_it_is_read) {
  options.paths = {directory.make("a.txt", numbers(100))};
  const fs::path file = open().file();
  const auto flip = [&](std::size_t at, char bits) {
    std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
    stream.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(stream.get() ^ bits);
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(byte);
  };
  const Corpus corpus = open();
  flip(1, 0x40);  // an id far above the vocabulary
  EXPECT_THAT(message_of([&] { corpus.read(0, 0, 4); }), HasSubstr("remove the file"));
  flip(1, 0x40);
  flip(corpus.tokens() * 2 + 3, 1);  // a length
  EXPECT_THAT(message_of([&] { corpus.lengths(0); }), HasSubstr("remove the file"));
  fs::resize_file(file, 10);
  EXPECT_THAT(message_of([&] { corpus.read(0, 20, 4); }), HasSubstr("cut short"));
}

TEST_F(CorpusTest, texts_without_a_token_are_an_error) {
  options.paths = {directory.make("a.txt", "")};
  EXPECT_THAT(message_of([&] { open(); }), HasSubstr("a.txt: expected a document with a token"));
  options.paths = {directory.make("a.txt", " \n\n\t\n")};
  EXPECT_THAT(message_of([&] { open(); }), HasSubstr("a.txt: expected a document with a token"));
  EXPECT_TRUE(fs::is_empty(options.cache));
}

TEST_F(CorpusTest, stops_where_it_is_asked_to_and_leaves_nothing) {
  options.paths = {directory.make("a.txt", numbers(100))};
  options.stop = [] { return true; };
  EXPECT_THROW(open(), Corpus::Stopped);
  EXPECT_TRUE(fs::is_empty(options.cache));
}

TEST_F(CorpusTest, without_keeping_no_file_stays) {
  options.paths = {directory.make("a.txt", numbers(100))};
  options.keep = false;
  const Corpus corpus = open();
  EXPECT_EQ(all(corpus).size(), 100U);
  EXPECT_TRUE(fs::is_empty(options.cache));
}

TEST_F(CorpusTest, texts_are_pieces_of_documents_and_hold_every_token_once) {
  options.paths = {directory.make("a.txt", numbers(2000))};
  const Corpus corpus = open();
  const auto documents = all(corpus);
  for (const std::uint64_t room : {3U, 8U, 500U}) {
    const CorpusTexts texts(corpus, room, 2, [](std::uint64_t d) { return d % 3 != 0; });
    std::vector<std::vector<std::int32_t>> joined(documents.size());
    std::uint64_t tokens = 0;
    for (std::uint64_t i = 0; i < texts.size(); ++i) {
      const CorpusTexts::Text text = texts.at(i);
      EXPECT_EQ(text.document, texts.document_of(i));
      EXPECT_LE(text.piece.ids.size(), room);
      tokens += text.piece.ids.size();
      auto& into = joined[text.document];
      into.insert(into.end(), text.piece.ids.begin(), text.piece.ids.end());
    }
    EXPECT_EQ(tokens, texts.tokens());
    std::uint64_t taken = 0;
    for (std::size_t d = 0; d < documents.size(); ++d) {
      const bool takes = d % 3 != 0 && documents[d].size() >= 2;
      EXPECT_EQ(joined[d], takes ? documents[d] : std::vector<std::int32_t>()) << d;
      taken += takes ? 1 : 0;
    }
    EXPECT_EQ(texts.documents(), taken);
  }
  EXPECT_EQ(CorpusTexts(corpus, 10, 1000).size(), 0U);
}

TEST_F(CorpusTest, memory_does_not_grow_with_the_corpus) {
  // In a process of its own, whose peak is that of this alone.
  const auto peak = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;  // KiB
  };
  const auto make = [&](const char* name, int megabytes) {
    std::ofstream file(directory.path() / name);
    std::string block;
    while (block.size() < std::size_t{1} << 20) block += "one two three four five six seven\n\n";
    for (int i = 0; i < megabytes; ++i) file << block;
    return directory.path() / name;
  };
  const fs::path few = make("few.txt", 5), many = make("many.txt", 12);
  const pid_t child = fork();
  if (child == 0) {
    options.threads = 2;
    options.paths = {few};
    open();
    const auto before = peak();
    options.paths = {many};
    const Corpus corpus = open();
    const CorpusTexts texts(corpus, 62, 2);
    const bool all = corpus.documents() > 300'000 &&
                     texts.at(texts.size() - 1).document == corpus.documents() - 1;
    const auto growth = (peak() - before) / 1024;
    _exit(all ? static_cast<int>(std::clamp(growth, 0L, 100L)) : 101);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  // MB. The tokens alone of the further documents are 10; what waits between two threads differs
  // with how busy the machine is.
  EXPECT_LT(WEXITSTATUS(status), 6);
}

}  // namespace
}  // namespace fnet
