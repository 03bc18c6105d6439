// SPDX-License-Identifier: Apache-2.0
// The texts.
#include "vault/explanation.hpp"

#include "vault/texts.hpp"

namespace tg::inline v0::detail {

namespace {
using Progress = AutomaticProgress::State;

std::string why_not_started(const AutomaticInfo& info, const AutomaticProgress& progress) {
  if (!info.runner->closed()) return progress.problem;
  return "its group " + quoted(info.runner->group_name()) + " has been destroyed";
}
}  // namespace

std::string producers_of(const VaultParts& parts, std::size_t slot) {
  const std::size_t producer = parts.flow.graph().producer_of(slot);
  std::string text;
  if (producer != kNone) text = quoted(parts.flow.info(producer).name);
  for (const std::size_t function : parts.producers.functions_of(slot)) {
    const BoundFunction& bound = parts.producers.functions()[function];
    text += (text.empty() ? "" : ", ") + quoted(bound.name);
    if (bound.failed_at && bound.at_work == 0) text += ", which failed: " + bound.problem;
  }
  return text;
}

namespace {
std::string missing_input(const ValueStore& store, const VaultParts& parts, std::size_t slot) {
  const std::size_t producer = parts.flow.graph().producer_of(slot);
  std::string text = store.key_name(slot);
  if (producer == kNone) {
    if (parts.producers.functions_of(slot).empty()) return text + " (no function produces it)";
    return text + " (stored by " + producers_of(parts, slot) + " when called)";
  }
  const AutomaticInfo& info = parts.flow.info(producer);
  const AutomaticProgress& progress = parts.flow.progress(producer);
  text += " (produced by " + quoted(info.name);
  switch (progress.state) {
    case Progress::waiting:
      return text + ", which waits as well)";
    case Progress::pending:
    case Progress::running:
      return text + ", which is at work)";
    case Progress::done:
      return text + ", which ran and left it out)";
    case Progress::failed:
      return text + ", which failed: " + progress.problem + ")";
    case Progress::declined:
      return text + ", whose condition was false)";
    case Progress::skipped:
      return text + ", which was skipped because its group was stopped)";
    case Progress::not_started:
      return text + ", which could not be started: " + why_not_started(info, progress) + ")";
    case Progress::kept:
      return text + ", which did not run because its outputs were there)";
  }
  return text + ")";
}
}  // namespace

std::string explain_automatic(const ValueStore& store, const VaultParts& parts, std::size_t index) {
  const AutomaticInfo& info = parts.flow.info(index);
  const AutomaticProgress& progress = parts.flow.progress(index);
  std::string text = quoted(info.name) + ": ";
  switch (progress.state) {
    case Progress::waiting:
      text += "has not run";
      break;
    case Progress::pending:
      text += "is in its group's queue";
      break;
    case Progress::running:
      text += "is running";
      break;
    case Progress::done:
      text += progress.runs == 1 ? "ran once" : "ran " + std::to_string(progress.runs) + " times";
      break;
    case Progress::failed:
      text += "failed: " + progress.problem;
      break;
    case Progress::declined:
      text += "has not run for the latest inputs, because its condition was false";
      break;
    case Progress::skipped:
      text += "was skipped, because its group was stopped";
      break;
    case Progress::not_started:
      text += "could not be started: " + why_not_started(info, progress);
      break;
    case Progress::kept:
      text += "has not run, because its outputs were there already";
      break;
  }
  std::string missing;
  for (const auto& input : info.inputs) {
    if (!input.required || store.present_locked(input.slot)) continue;
    missing += (missing.empty() ? "" : ", ") + missing_input(store, parts, input.slot);
  }
  if (!missing.empty()) text += "; waits for " + missing;
  return text;
}

std::string explain_all(const ValueStore& store, const VaultParts& parts) {
  std::string lines;
  std::size_t count = 0;
  for (std::size_t i = 0; i < parts.flow.size(); ++i) {
    if (parts.flow.info(i).retired) continue;
    ++count;
    lines += "  " + explain_automatic(store, parts, i) + "\n";
  }
  return "vault '" + store.vault_name() + "', " + std::to_string(count) + " automatics\n" + lines;
}

namespace {
std::string dot_text(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}
std::string dot_key(std::size_t slot) { return "key" + std::to_string(slot); }
}  // namespace

std::string draw(const ValueStore& store, const VaultParts& parts) {
  std::string text = "digraph " + dot_text(store.vault_name()) + " {\n  rankdir=LR;\n";
  for (std::size_t slot = 0; slot < store.slots(); ++slot) {
    text += "  " + dot_key(slot) + " [label=" + dot_text(store.key_name(slot)) +
            (store.present_locked(slot) ? ", style=filled" : "") + "];\n";
  }
  for (std::size_t i = 0; i < parts.flow.size(); ++i) {
    const AutomaticInfo& info = parts.flow.info(i);
    if (info.retired) continue;
    const std::string me = "automatic" + std::to_string(i);
    text += "  " + me + " [shape=box, label=" + dot_text(info.name) + "];\n";
    for (const auto& input : info.inputs)
      text += "  " + dot_key(input.slot) + " -> " + me + (input.required ? "" : " [style=dotted]") + ";\n";
    for (const std::size_t output : info.outputs) text += "  " + me + " -> " + dot_key(output) + ";\n";
  }
  for (std::size_t i = 0; i < parts.producers.functions().size(); ++i) {
    const BoundFunction& bound = parts.producers.functions()[i];
    const std::string me = "function" + std::to_string(i);
    text += "  " + me + " [shape=box, style=dashed, label=" + dot_text(bound.name) + "];\n";
    for (const std::size_t input : bound.inputs) text += "  " + dot_key(input) + " -> " + me + ";\n";
    for (const std::size_t output : bound.outputs) text += "  " + me + " -> " + dot_key(output) + ";\n";
  }
  return text + "}\n";
}

}  // namespace tg::inline v0::detail
