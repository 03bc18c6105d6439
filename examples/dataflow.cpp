// SPDX-License-Identifier: Apache-2.0
// A dataflow that orders itself: files are fetched and parsed at the same time, and merged at the end.
#include <threadgroup/threadgroup.hpp>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>

namespace fs = std::filesystem;
using Counts = std::map<std::string, int>;

struct Source {
  explicit Source(const std::string& name) : file(name), text("text of " + name), words("words of " + name) {}
  std::string file;
  tg::Key<std::string> text;
  tg::Key<Counts> words;
};

// The folder that holds the sources of this library: the argument, or one above the working directory.
fs::path find_repository(int argc, char** argv) {
  if (argc > 1) return argv[1];
  for (const fs::path& start : {fs::current_path(), fs::absolute(__FILE__).parent_path()}) {
    for (fs::path folder = start; folder.has_relative_path(); folder = folder.parent_path()) {
      if (fs::exists(folder / "include/threadgroup/threadgroup.hpp") && fs::exists(folder / "LICENSE"))
        return folder;
    }
  }
  throw std::runtime_error("run this inside the repository, or pass its path");
}

std::string fetch(const fs::path& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

Counts parse(const std::string& text) {
  Counts words;
  std::string word;
  for (const char c : text + ' ') {
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!word.empty()) {
      ++words[word];
      word.clear();
    }
  }
  return words;
}

Counts merge(const Counts& a, const Counts& b, const Counts& c) {
  Counts all = a;
  for (const Counts* more : {&b, &c}) {
    for (const auto& [word, count] : *more) all[word] += count;
  }
  return all;
}

int main(int argc, char** argv) {
  const Source license("LICENSE");
  const Source readme("README.md");
  const Source changes("CHANGELOG.md");
  const tg::Key<std::string> folder{"folder"};
  const tg::Key<Counts> all{"all words"};
  const tg::Key<std::string> report{"report"};
  tg::KeyList keys{folder, all, report};
  for (const Source* source : {&license, &readme, &changes}) {
    keys.add(source->text);
    keys.add(source->words);
  }

  tg::Vault vault("words", keys);
  tg::ThreadGroup group("flow", {.max_concurrent_threads = 4, .on_failure = tg::OnFailure::set_event});
  // Declared back to front: the order does not matter.
  vault.automatic(group, "report", tg::inputs(all), tg::outputs(report), [](const Counts& words) {
    std::string text;
    for (const char* word : {"license", "threads", "vault"}) {
      const auto found = words.find(word);
      text += std::string(word) + ": " + std::to_string(found == words.end() ? 0 : found->second) + "\n";
    }
    return text;
  });
  vault.automatic(group, "merge", tg::inputs(license.words, readme.words, changes.words), tg::outputs(all),
                  merge);
  for (const Source* source : {&license, &readme, &changes}) {
    vault.automatic(group, "parse " + source->file, tg::inputs(source->text), tg::outputs(source->words),
                    parse);
    vault.automatic(
        group, "fetch " + source->file, tg::inputs(folder), tg::outputs(source->text),
        [file = source->file](const std::string& where) { return fetch(fs::path(where) / file); });
  }

  std::cout << vault.dot();
  vault.insert(folder, find_repository(argc, argv).string());
  static_cast<void>(group.join());
  std::cout << vault.explain() << vault.get(report);
}
