#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "fnet/engine.h"
#include "words.h"

namespace fnet {
namespace {

using testing::HasSubstr;

TEST(AutoFinetune, tries_every_recipe_and_keeps_the_best) {
  Words words;
  words.options.wide = "off";
  words.options.epochs = 2;
  const AutoReport report = finetune_auto(words.options, 10);
  ASSERT_EQ(report.recipes.size(), 6U);
  const auto best = std::ranges::max_element(report.recipes, {}, &AutoReport::Recipe::best);
  EXPECT_EQ(report.kept, static_cast<std::size_t>(best - report.recipes.begin()));
  EXPECT_EQ(report.training.best, best->best);
  // What stands there is that recipe's: its run.json gives the same model again.
  const std::string model = words.bytes("model.safetensors");
  FinetuneOptions again = load_run(words.options.out / "run.json");
  again.out = words.directory.path() / "again";
  EXPECT_EQ(finetune(again).best, best->best);
  words.options.out = again.out;
  EXPECT_EQ(words.bytes("model.safetensors"), model);
}

TEST(AutoFinetune, of_a_given_model_leaves_its_architecture_alone) {
  Words words;
  finetune(words.options);
  words.options.from = words.options.out;
  words.options.out = words.directory.path() / "next";
  words.options.set.clear();
  EXPECT_EQ(finetune_auto(words.options, 10).recipes.size(), 4U);
}

TEST(AutoFinetune, ends_with_a_model_when_the_time_is_over) {
  Words words;
  words.options.epochs = 1000;
  const AutoReport report = finetune_auto(words.options, 0.01);
  EXPECT_EQ(report.recipes.size(), 1U);
  EXPECT_FALSE(report.training.interrupted);
  EXPECT_EQ(Engine::load(words.options.out).config().labels.size(), 2U);
}

TEST(AutoFinetune, stops_when_it_is_asked_to) {
  Words words;
  TrainingCallbacks callbacks;
  callbacks.stop = [] { return true; };
  const AutoReport report = finetune_auto(words.options, 10, callbacks);
  EXPECT_EQ(report.recipes.size(), 1U);
  EXPECT_TRUE(report.training.interrupted);
}

TEST(AutoFinetune, wants_time) {
  Words words;
  EXPECT_THAT(message_of([&] { finetune_auto(words.options, 0); }),
              HasSubstr("minutes: expected more than 0, found 0"));
}

}  // namespace
}  // namespace fnet
