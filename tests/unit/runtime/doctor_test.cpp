#include "runtime/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "blocks/model.h"
#include "core/file.h"
#include "golden.h"
#include "model/weights.h"
#include "runtime/golden.h"
#include "temporary.h"

namespace fnet {
namespace {

using nlohmann::ordered_json;
using testing::AllOf;
using testing::HasSubstr;

/// A model directory with the vectors of a golden file, which transformers, keras-hub or a
/// reference in float64 computed.
struct Patient {
  TemporaryDirectory folder;
  golden::Golden reference;
  ordered_json config, golden;

  explicit Patient(const std::string& name = "hf_37", const std::string& family = "huggingface")
      : reference(golden::named(name)) {
    reference.config.task = "text-classification";
    reference.config.labels = reference.labels;
    if (family == "keras-hub") reference.config.task = "encoder", reference.config.labels.clear();
    config = ordered_json::parse(reference.config.to_json());
    golden = {{"format", 1},
              {"family", family},
              {"source", {{"library", family}, {"version", "1"}}},
              {"tolerance", 1e-5},
              {"cases", ordered_json::array()}};
    for (const golden::Case& c : reference.cases) {
      if (c.texts.size() > 1) continue;
      ordered_json one = {{"input_ids", c.texts[0].input_ids},
                          {"token_type_ids", c.texts[0].token_type_ids}};
      const auto whole = [&](const char* output, const char* key, bool is_matrix) {
        const auto found = c.outputs.find(output);
        if (found == c.outputs.end() || found->second.size != found->second.value.size()) return;
        one[key] = found->second.value;
        if (is_matrix) one[key] = {found->second.value};
      };
      whole("embed pooler", "pooler_output", false);
      if (reference.config.has_head()) whole("text-classification", "logits", true);
      if (c.texts[0].input_ids.size() == 1) whole("hidden", "last_hidden_state", true);
      golden["cases"].push_back(std::move(one));
    }
    std::vector<float> values;
    save_weights(folder.path(), model_weights(reference.config), [&](const std::string& weight) {
      for (const WeightSpec& spec : model_weights(reference.config)) {
        if (spec.name == weight) values = golden::formula_weight(spec.name, spec.shape);
      }
      return std::span<const float>(values);
    });
  }

  Diagnosis examine() const {
    folder.make("config.json", config.dump());
    folder.make("golden.json", golden.dump());
    return diagnose(folder.path());
  }
};

/// What is wrong or noted at a place, its lines and advice in one text.
std::string told(const Diagnosis& diagnosis, Finding::Level level, std::string_view place) {
  std::string text;
  for (const Finding& f : diagnosis.findings) {
    if (f.level == level && f.place == place) text += f.message + " -> " + f.advice + "\n";
  }
  return text;
}

std::string wrong(const Diagnosis& diagnosis, std::string_view place) {
  return told(diagnosis, Finding::Level::wrong, place);
}

TEST(Doctor, finds_models_well_that_compute_what_their_owners_do) {
  for (const auto& [name, family] :
       {std::pair("hf_37", "huggingface"), std::pair("keras_37", "keras-hub"),
        std::pair("seed_37", "seed")}) {
    const Patient patient(name, family);
    const Diagnosis diagnosis = patient.examine();
    for (const Finding& f : diagnosis.findings)
      EXPECT_NE(f.level, Finding::Level::wrong) << name << ": " << f.place << ": " << f.message;
    EXPECT_EQ(diagnosis.family, family);
    EXPECT_THAT(told(diagnosis, Finding::Level::ok, "golden"), HasSubstr("of the largest value"))
        << name;
  }
}

TEST(Doctor, tells_numerics_of_another_family_and_what_they_change) {
  Patient patient("keras_37", "keras-hub");
  patient.config["hidden_act"] = "gelu";
  const Diagnosis exact = patient.examine();
  EXPECT_FALSE(exact.healthy());
  EXPECT_THAT(wrong(exact, "config"),
              AllOf(HasSubstr("hidden_act: expected gelu_new as keras-hub computes"),
                    HasSubstr("found gelu"), HasSubstr("config.json")));
  EXPECT_THAT(wrong(exact, "golden"), HasSubstr("pooler_output of 4 texts"));

  patient.config["hidden_act"] = "gelu_pytorch_tanh";  // the same function
  EXPECT_TRUE(patient.examine().healthy());

  patient.config["hidden_act"] = "gelu_new";
  patient.config["layer_norm_eps"] = 0.01;
  EXPECT_THAT(wrong(patient.examine(), "config"), HasSubstr("layer_norm_eps: expected 1e-12"));
}

TEST(Doctor, tells_which_key_the_weights_ask_for) {
  Patient patient;
  patient.config["embedding_projection"] = false;
  EXPECT_THAT(wrong(patient.examine(), "weights"),
              AllOf(HasSubstr("unexpected: fnet.embeddings.projection"),
                    HasSubstr("config.json should say \"embedding_projection\": true")));
  Patient seed("seed_37", "seed");
  seed.config["pooler"] = true;
  const Diagnosis pooled = seed.examine();
  EXPECT_THAT(wrong(pooled, "config"), HasSubstr("pooler: expected false"));
  EXPECT_THAT(wrong(pooled, "weights"), HasSubstr("config.json should say \"pooler\": false"));
}

TEST(Doctor, tells_damage_that_no_key_shows) {
  Patient patient;
  patient.golden["cases"][0]["pooler_output"][3] = 0.5;
  EXPECT_THAT(wrong(patient.examine(), "golden"), HasSubstr("pooler_output"));
  patient.golden["cases"][0]["pooler_output"].push_back(0.5);
  EXPECT_THAT(wrong(patient.examine(), "answers"), HasSubstr("expected 37 numbers"));
}

TEST(Doctor, compares_kernels_with_formulas_where_there_are_no_vectors) {
  const Patient patient;
  patient.folder.make("config.json", patient.config.dump());
  const Diagnosis diagnosis = diagnose(patient.folder.path());
  EXPECT_TRUE(diagnosis.healthy());
  EXPECT_THAT(told(diagnosis, Finding::Level::ok, "self-test"), HasSubstr("kernels and formulas"));
  EXPECT_THAT(told(diagnosis, Finding::Level::note, "tokenizer"), HasSubstr("no spiece.model"));
}

TEST(Doctor, compares_the_tokenizer_with_both) {
  Patient patient("hf_64", "huggingface");
  std::filesystem::copy(FNET_SOURCE_DIR "/tests/golden/text/bpe.model",
                        patient.folder.path() / "spiece.model");
  const Diagnosis large = patient.examine();
  EXPECT_THAT(wrong(large, "tokenizer"), HasSubstr("expected at most 97 pieces (vocab_size)"));

  patient.golden["cases"][0]["text"] = "Hello";  // of which its ids are not
  EXPECT_THAT(wrong(patient.examine(), "tokenizer"),
              HasSubstr("expected the ids of golden.json, found others of its texts 1"));

  patient.config["pad_token_id"] = 0;
  EXPECT_THAT(told(patient.examine(), Finding::Level::note, "tokenizer"),
              HasSubstr("pad_token_id: expected 3"));
  patient.config["length_policy"] = "fixed:128";
  EXPECT_THAT(wrong(patient.examine(), "tokenizer"), HasSubstr("padding is part of what is mixed"));
}

TEST(Doctor, knows_checkpoints_that_are_to_be_converted) {
  for (const auto& [file, what] :
       {std::pair("model.weights.h5", "keras-hub"), std::pair("flax_model.msgpack", "Flax"),
        std::pair("pytorch_model.bin", "torch pickled"), std::pair("checkpoint_100", "Flax")}) {
    const TemporaryDirectory folder;
    folder.make(file, "x");
    folder.make("config.json", "{}");
    const Diagnosis diagnosis = diagnose(folder.path());
    EXPECT_FALSE(diagnosis.healthy());
    EXPECT_THAT(
        wrong(diagnosis, "files"),
        AllOf(HasSubstr(what), HasSubstr("convert_checkpoint.py " + folder.path().string())))
        << file;
  }
  const TemporaryDirectory folder;
  EXPECT_THAT(wrong(diagnose(folder.make("encoder.keras", "x")), "files"), HasSubstr("Keras"));
  EXPECT_THAT(wrong(diagnose(folder.path() / "no"), "config"), HasSubstr("config.json"));
}

TEST(Golden, names_what_is_bad_about_a_file) {
  Patient patient;
  const auto message = [&](const std::function<void(ordered_json&)>& change) {
    ordered_json bad = patient.golden;
    change(bad);
    return message_of([&] { read_golden(patient.folder.make("golden.json", bad.dump())); });
  };
  const auto in_case = [&](const char* key, const ordered_json& value) {
    return message([&](ordered_json& json) { json["cases"][1][key] = value; });
  };
  EXPECT_EQ(message([](ordered_json&) {}), "no error");
  EXPECT_THAT(message([](ordered_json& json) { json["format"] = 2; }), HasSubstr("expected 1"));
  EXPECT_THAT(message([](ordered_json& json) { json.erase("family"); }), HasSubstr("'family'"));
  EXPECT_THAT(message([](ordered_json& json) { json["tolerance"] = 0; }), HasSubstr("tolerance"));
  EXPECT_THAT(message([](ordered_json& json) { json["cases"] = ordered_json::array(); }),
              HasSubstr("cases: expected a list"));
  EXPECT_THAT(message([](ordered_json& json) { json["cases"][1] = {{"input_ids", {1}}}; }),
              HasSubstr("cases[1]: expected last_hidden_state"));
  EXPECT_THAT(in_case("input_ids", {-1}), HasSubstr("cases[1].input_ids: expected numbers from 0"));
  EXPECT_THAT(in_case("input_ids", "x"), HasSubstr("cases[1].input_ids: expected a list"));
  EXPECT_THAT(in_case("token_type_ids", {0}), HasSubstr("expected 7 numbers"));
  EXPECT_THAT(in_case("rows", {7}), HasSubstr("expected rows 0 to 6"));
  EXPECT_THAT(in_case("last_hidden_state", {{1.0}}), HasSubstr("expected 7 rows"));
  EXPECT_THAT(in_case("logits", {{1.0, 2.0}, {1.0}}), HasSubstr("logits[1]: expected 2 numbers"));
  EXPECT_THAT(in_case("pooler_output", {"x"}), HasSubstr("pooler_output"));
}

}  // namespace
}  // namespace fnet
