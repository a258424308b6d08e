#include "fnet/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fnet/error.h"
#include "temporary.h"

namespace fnet {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

Config parse(const std::string& text) { return Config::from_json(text, "config.json"); }

TEST(Config, presets_have_the_widths_of_the_tables) {
  const Config base = Config::preset("base");
  EXPECT_EQ(base.hidden_size, 768);
  EXPECT_EQ(base.num_hidden_layers, 12);
  EXPECT_EQ(base.intermediate_size, 3072);
  EXPECT_EQ(Config::preset("large").hidden_size, 1024);
  EXPECT_EQ(Config::preset("small").num_hidden_layers, 6);
  EXPECT_EQ(Config::preset("tiny").intermediate_size, 512);
  EXPECT_THAT(message_of([] { Config::preset("huge"); }), HasSubstr("found 'huge'"));
}

TEST(Config, round_trips_through_json) {
  Config config = Config::preset("tiny");
  config.task = "text-classification";
  config.labels = {"no", "yes", "\"quoted\" ä"};
  config.mixers = {"fourier", "identity", "fourier", "fourier"};
  config.norm_type = "rms_norm";
  config.norm_position = "pre";
  config.ffn_type = "swiglu";
  config.length_policy = "fixed:128";
  config.layer_norm_eps = 1e-6;
  EXPECT_EQ(parse(config.to_json()), config);
}

TEST(Config, reads_a_hugging_face_file_as_hugging_face_does) {
  std::vector<std::string> warnings;
  const Config config = Config::from_json(
      R"({"architectures": ["FNetForSequenceClassification"], "model_type": "fnet", "hidden_size": 64,
          "max_position_embeddings": 256, "transformers_version": "5.0", "hidden_sise": 3})",
      "config.json", &warnings);
  EXPECT_EQ(config.task, "text-classification");
  EXPECT_THAT(config.labels, ElementsAre("LABEL_0", "LABEL_1"));
  EXPECT_EQ(config.length_policy, "fixed:256");
  EXPECT_EQ(config.pooling, "pooler");
  EXPECT_THAT(warnings, ElementsAre(AllOf(HasSubstr("hidden_sise"), HasSubstr("'hidden_size'"))));
}

TEST(Config, names_key_value_and_what_is_allowed) {
  EXPECT_THAT(message_of([] { parse(R"({"norm_type": "rmsnorm"})"); }),
              AllOf(HasSubstr("config.json"), HasSubstr("norm_type"),
                    HasSubstr("layer_norm, rms_norm"), HasSubstr("did you mean 'rms_norm'")));
  EXPECT_THAT(message_of([] { parse(R"({"hidden_size": 64.0})"); }),
              HasSubstr("expected an integer"));
  EXPECT_THAT(message_of([] { parse(R"({"hidden_size": "64"})"); }),
              HasSubstr("expected an integer"));
  EXPECT_THAT(message_of([] { parse(R"({"num_hidden_layers": 1000000000})"); }),
              HasSubstr("1 to 1024"));
  EXPECT_THAT(message_of([] { parse(R"({"hidden_size": 1099511627776})"); }),
              HasSubstr("1 to 65536"));
  EXPECT_THAT(message_of([] { parse(R"({"layer_norm_eps": 0})"); }), HasSubstr("layer_norm_eps"));
  EXPECT_THAT(message_of([] { parse(R"({"hidden_size": 1, "hidden_size": 2})"); }),
              HasSubstr("hidden_size"));
  EXPECT_THAT(message_of([] { parse(R"({"model_type": "bert"})"); }),
              HasSubstr("expected \"fnet\""));
  EXPECT_THAT(message_of([] { parse(R"([])"); }), HasSubstr("a JSON object"));
  EXPECT_THAT(message_of([] { parse(R"({"length_policy": "fixed:0"})"); }), HasSubstr("fixed:N"));
  EXPECT_THAT(message_of([] { parse(R"({"length_policy": "fixed:513"})"); }),
              HasSubstr("found 513"));
  EXPECT_THAT(message_of([] { parse(R"({"mixers": ["fourier", "identity"]})"); }),
              HasSubstr("num_hidden_layers"));
  EXPECT_THAT(message_of([] { parse(R"({"pooler": false})"); }), HasSubstr("pooling"));
  EXPECT_THAT(message_of([] {
                parse(R"({"architectures": ["FNetForSequenceClassification"],
                          "id2label": {"0": "a", "2": "b"}})");
              }),
              HasSubstr("id2label"));
  EXPECT_THAT(message_of([] {
                parse(R"({"architectures": ["FNetForSequenceClassification"],
                          "id2label": {"0": "a", "1": "a"}})");
              }),
              HasSubstr("twice"));
}

TEST(Config, refuses_numbers_out_of_range_when_it_is_made_not_when_it_is_used) {
  for (const char* setting : {"vocab_size=0",
                              "hidden_size=0",
                              "hidden_size=-8",
                              "num_hidden_layers=0",
                              "intermediate_size=0",
                              "intermediate_size=-10",
                              "max_position_embeddings=0",
                              "type_vocab_size=0",
                              "hidden_dropout_prob=-0.1",
                              "hidden_dropout_prob=1",
                              "hidden_dropout_prob=1.5",
                              "initializer_range=-0.1",
                              "layer_norm_eps=0",
                              "layer_norm_eps=-1e-6",
                              "embedding_norm_eps=-1e-6",
                              "drop_path_rate=-0.1",
                              "drop_path_rate=1",
                              "norm_position=middle",
                              "position_embedding=rotary",
                              "fourier_norm=forward",
                              "norm_type=unknown_norm",
                              "ffn_type=unknown_ffn"}) {
    const std::string key = std::string(setting).substr(0, std::string(setting).find('='));
    EXPECT_THAT(message_of([&] {
                  Config config;
                  config.assign(setting);
                  config.validate();
                }),
                AllOf(HasSubstr(key + ": expected"), HasSubstr("found")))
        << setting;
  }
}

TEST(Config, refuses_the_keys_of_another_family_with_the_reason) {
  EXPECT_THAT(message_of([] { parse(R"({"hidden_dim": 64})"); }),
              AllOf(HasSubstr("hidden_dim"), HasSubstr("keras-hub")));
  EXPECT_THAT(message_of([] { parse(R"({"num_layers": 2, "normalization_type": "rms_norm"})"); }),
              HasSubstr("num_hidden_layers"));
}

TEST(Config, takes_the_seeds_names_for_its_own) {
  Config config;
  for (const std::string_view setting :
       {"normalization_type=zero_centered_band_rms_norm", "normalization_position=pre",
        "position_embedding_type=absolute", "stochastic_depth_rate=0.2", "ffn_type=swin_mlp"}) {
    config.assign(setting);
  }
  EXPECT_EQ(config.norm_type, "zero_centered_band_rms");
  EXPECT_EQ(config.norm_position, "pre");
  EXPECT_EQ(config.position_embedding, "learned");
  EXPECT_EQ(config.drop_path_rate, 0.2);
  EXPECT_EQ(config.ffn_type, "mlp");
  EXPECT_EQ(config.ffn_dropout, "both");
  config.validate();
  const Config read = parse(
      R"({"normalization_type": "rms_norm", "ffn_type": "squared_relu",
          "position_embedding_type": "sinusoidal"})");
  EXPECT_EQ(read.norm_type, "rms_norm");
  EXPECT_EQ(read.ffn_type, "mlp");
  EXPECT_EQ(read.hidden_act, "squared_relu");
  EXPECT_EQ(read.position_embedding, "sinusoidal");
}

TEST(Config, refuses_what_is_left_out_with_the_reason_and_what_to_use) {
  const std::pair<const char*, const char*> cases[] = {
      {"ffn_type=mixer", "one fixed length"},
      {"ffn_type=gated_mlp", "reglu"},
      {"ffn_type=tversky", "ffn_type=mlp"},
      {"norm_type=dml_plus_focal", "max_logit_norm"},
      {"norm_type=dml_plus_center", "max_logit_norm"},
      {"normalization_type=decoupled_max_logit", "max_logit_norm"},
      {"use_stochastic_depth=true", "drop_path_rate"}};
  for (const auto& [setting, reason] : cases) {
    EXPECT_THAT(message_of([s = std::string(setting)] { Config().assign(s); }), HasSubstr(reason))
        << setting;
  }
  EXPECT_EQ(error_of([] { parse(R"({"ffn_type": "tversky"})"); }).kind(), Error::Kind::input);
  Config config;
  config.ffn_type = "mixer";
  EXPECT_THAT(message_of([&] { config.validate(); }), HasSubstr("one fixed length"));
  config.ffn_type = "swin_mlp";
  EXPECT_THAT(message_of([&] { config.validate(); }), HasSubstr("ffn_dropout=both"));
}

TEST(Config, drops_paths_by_a_line_from_the_first_layer_to_the_last) {
  Config config;
  config.drop_path_rate = 0.3;
  config.num_hidden_layers = 4;
  for (std::int64_t i = 0; i < 4; ++i)
    EXPECT_NEAR(config.drop_path(i), 0.1 * static_cast<double>(i), 1e-15);
  config.num_hidden_layers = 1;
  EXPECT_EQ(config.drop_path(0), 0.3) << "the seed never drops a path of a model of one layer";
}

TEST(Config, a_sequence_classifier_has_as_many_labels_as_its_problem) {
  const auto classifier = [](const std::string& more) {
    return message_of(
        [&] { parse(R"({"architectures": ["FNetForSequenceClassification"], )" + more + "}"); });
  };
  const std::string one = R"("num_labels": 1, "problem_type": )";
  EXPECT_THAT(classifier(R"("problem_type": "regression")"),
              HasSubstr("expected one label for regression, found 2"));
  EXPECT_THAT(classifier(one + R"("single_label_classification")"), HasSubstr("means regression"));
  EXPECT_THAT(classifier(R"("problem_type": "ranking")"),
              HasSubstr("problem_type: expected one of single_label_classification, "));
  for (const char* type : {R"("regression")", R"("multi_label_classification")", "null"})
    EXPECT_EQ(classifier(one + type), "no error");
  EXPECT_EQ(classifier(R"("problem_type": "multi_label_classification")"), "no error");
  EXPECT_EQ(classifier(R"("problem_type": "single_label_classification")"), "no error");
  EXPECT_EQ(classifier(R"("problem_type": null)"), "no error");
  EXPECT_EQ(message_of([] { parse(R"({"problem_type": "regression"})"); }),
            "no error");  // an encoder
}

TEST(Config, a_model_that_transformers_would_compute_otherwise_has_a_type_of_its_own) {
  Config config = Config::preset("tiny");
  config.length_policy = "exact";
  EXPECT_THAT(config.to_json(), HasSubstr(R"("model_type": "fnet",)"));
  for (const std::string setting : {"fourier_norm=ortho", "pooling=mean", "norm_type=rms_norm",
                                    "ffn_options.bias=true", "mixers=identity"}) {
    Config other = config;
    other.assign(setting);
    EXPECT_THAT(other.to_json(), HasSubstr(R"("model_type": "fnet-cpp",)")) << setting;
    EXPECT_EQ(parse(other.to_json()).to_json(), other.to_json());
  }
}

TEST(Config, what_it_writes_it_reads) {
  const TemporaryDirectory directory;
  Config config = Config::preset("tiny");
  config.task = "text-classification";
  for (int i = 0; i < 40'000; ++i) {
    config.labels.push_back(std::string(90, '\x01') + std::to_string(i));
  }
  config.validate();
  directory.make("config.json", config.to_json());
  EXPECT_EQ(Config::load(directory.path()).labels, config.labels);
  config.labels.front() += std::string(1'000'000, 'x');
  EXPECT_THAT(message_of([&] { config.validate(); }), HasSubstr("4194304 bytes together"));
}

TEST(Config, set_parses_every_type_and_suggests_names) {
  Config config;
  config.set("vocab_size", "50265");
  config.set("layer_norm_eps", "1e-6");
  config.set("pooler", "false");
  config.set("mixers", "fourier,identity");
  EXPECT_EQ(config.vocab_size, 50265);
  EXPECT_DOUBLE_EQ(config.layer_norm_eps, 1e-6);
  EXPECT_FALSE(config.pooler);
  EXPECT_THAT(config.mixers, ElementsAre("fourier", "identity"));
  EXPECT_THAT(message_of([&] { config.set("vocab_size", "12x"); }),
              HasSubstr("expected an integer"));
  EXPECT_THAT(message_of([&] { config.set("norm", "x"); }), HasSubstr("unknown key"));
  EXPECT_THAT(message_of([&] { config.set("nrom_type", "x"); }),
              HasSubstr("did you mean 'norm_type'"));
}

/// The layers with attention, of `count`.
std::vector<int> attention_layers(const std::string& layout, std::int64_t count) {
  Config config;
  config.num_hidden_layers = count;
  config.set("mixers", layout);
  config.validate();
  std::vector<int> layers;
  for (int i = 0; i < count; ++i) {
    if (config.mixer(i) == "attention") layers.push_back(i);
  }
  return layers;
}

// What Google's EncoderModel makes of its attention_layout and num_attention_layers.
TEST(Config, lays_out_hybrids_as_google_does) {
  EXPECT_THAT(attention_layers("bottom:2", 12), ElementsAre(0, 1));
  EXPECT_THAT(attention_layers("middle:2", 12), ElementsAre(5, 6));
  EXPECT_THAT(attention_layers("middle:3", 12), ElementsAre(5, 6, 7));
  EXPECT_THAT(attention_layers("middle:2", 5), ElementsAre(2, 3));
  EXPECT_THAT(attention_layers("mixed:2", 12), ElementsAre(0, 6));
  EXPECT_THAT(attention_layers("mixed:5", 12), ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(attention_layers("top:2", 12), ElementsAre(10, 11));
  for (std::int64_t count = 1; count <= 24; ++count) {
    for (std::int64_t n = 1; n <= count; ++n) {
      const auto layers = [&](const char* kind) {
        return attention_layers(kind + std::to_string(n), count);
      };
      const auto bottom = layers("bottom:"), middle = layers("middle:"), top = layers("top:");
      const auto size = static_cast<std::size_t>(n);
      ASSERT_EQ(bottom.size(), size);
      ASSERT_EQ(middle.size(), size);
      ASSERT_EQ(top.size(), size);
      EXPECT_EQ(bottom.front(), 0);
      EXPECT_EQ(top.back() + 1, count);
      EXPECT_EQ(middle.front(), (count - n + 1) / 2);
      EXPECT_EQ(middle.back() - middle.front() + 1, n);
      EXPECT_GE(layers("mixed:").size(), size);
    }
  }
}

TEST(Config, a_layout_is_kept_as_it_was_written_and_checked) {
  Config config;
  config.set("mixers", "top:2");
  EXPECT_EQ(parse(config.to_json()), config);
  EXPECT_THAT(config.to_json(), HasSubstr(R"("mixers": "top:2")"));
  const auto refused = [](const std::string& layout) {
    return message_of([&] { parse(R"({"mixers": ")" + layout + "\"}"); });
  };
  EXPECT_THAT(refused("top:13"), AllOf(HasSubstr("1 to 12 layers"), HasSubstr("top:13")));
  for (const char* layout : {"top:", "top:0", "top:-1", "top:2x", "left:2", ":2", "top:2:3"}) {
    EXPECT_THAT(refused(layout), AllOf(HasSubstr("mixers"), HasSubstr("bottom:N"))) << layout;
  }
  EXPECT_THAT(message_of([] { parse(R"({"mixers": ["top:2", "fourier"]})"); }),
              HasSubstr("mixers: expected"));
}

TEST(Config, takes_the_ids_that_a_tokenizer_has) {
  Config config;
  config.set_vocabulary(70, -1, 5, 6);
  EXPECT_EQ(config.vocab_size, 70);
  EXPECT_EQ(config.pad_token_id, Config().pad_token_id);
  EXPECT_EQ(config.bos_token_id, 5);
  EXPECT_EQ(config.eos_token_id, 6);
}

TEST(Config, describe_lists_every_key_once) {
  const auto fields = Config().describe();
  EXPECT_GT(fields.size(), 20U);
  for (const auto& field : fields) {
    EXPECT_FALSE(field.help.empty()) << field.name;
    if (field.value.empty()) continue;  // options, of which there are none
    if (!Config().uses(field.name)) continue;
    EXPECT_THAT(Config().to_json(), HasSubstr("\"" + field.name + "\""));
  }
}

TEST(Config, keeps_options_of_parts_with_their_types) {
  Config config;
  config.set("ffn_options.bias", "true");
  config.set("norm_options.width", "0.25");
  config.set("mixer_options.heads", "4");
  config.set("mixer_options.kind", "wide");
  EXPECT_EQ(config.ffn_options, (PartOptions{{"bias", true}}));
  EXPECT_EQ(config.norm_options, (PartOptions{{"width", 0.25}}));
  EXPECT_EQ(config.mixer_options,
            (PartOptions{{"heads", std::int64_t{4}}, {"kind", std::string("wide")}}));
  EXPECT_EQ(parse(config.to_json()), config);
  EXPECT_THAT(message_of([&] { config.set("norm_options", "1"); }), HasSubstr("<option>"));
  EXPECT_THAT(message_of([&] { config.set("norm_type.x", "1"); }), HasSubstr("unknown key"));
  EXPECT_THAT(message_of([] { parse(R"({"norm_options": {"a": [1]}})"); }),
              AllOf(HasSubstr("norm_options.a"), HasSubstr("[1]")));
  EXPECT_THAT(message_of([] { parse(R"({"norm_options": 3})"); }),
              HasSubstr("an object of options"));
}

TEST(Config, keeps_further_heads_by_name) {
  Config config;
  config.heads["topic"] = {"text-classification", {"art", "sport"}, "mean", "", false};
  config.heads["names"] = {"token-classification", {"O", "B-PER"}, "", "", false};
  EXPECT_EQ(parse(config.to_json()), config);
  EXPECT_THAT(config.head_names(), ElementsAre("names", "topic"));
  EXPECT_EQ(config.head("topic").pooling, "mean");
  EXPECT_EQ(config.head("names").pooling, config.pooling);
  EXPECT_THAT(message_of([&] { config.head("tpoic"); }), HasSubstr("'names', 'topic'"));
  EXPECT_THAT(message_of([&] { config.head(); }), HasSubstr("found an encoder"));
  config.task = "text-classification";
  config.labels = {"a", "b"};
  config.head_name = "mood";
  EXPECT_EQ(config.head_key("mood"), "");
  EXPECT_EQ(config.head_title(""), "mood");
  EXPECT_EQ(config.head("mood").task, config.task);
  EXPECT_EQ(parse(config.to_json()).head_name, "mood");
  config.head_name = "topic";
  EXPECT_THAT(message_of([&] { config.validate(); }), HasSubstr("head_name: expected a name"));
  config.head_name = "";
  config.heads["topic"].labels = {"a", "a"};
  EXPECT_THAT(message_of([&] { config.validate(); }),
              AllOf(HasSubstr("heads.topic"), HasSubstr("'a' twice")));
  config.heads["topic"] = {"text-clasification", {"a", "b"}, "mean", "", false};
  EXPECT_THAT(message_of([&] { config.validate(); }),
              AllOf(HasSubstr("heads.topic.task"), HasSubstr("did you mean")));
  EXPECT_THAT(message_of([] { parse(R"({"heads": {"x": {"lables": []}}})"); }),
              HasSubstr("heads.x.lables"));
}

TEST(Config, tells_the_longest_text_that_a_model_reads) {
  Config config;
  EXPECT_EQ(config.longest_text(), 512);
  config.length_policy = "fixed:128";
  EXPECT_EQ(config.longest_text(), 128);
}

}  // namespace
}  // namespace fnet
