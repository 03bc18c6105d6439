// SPDX-License-Identifier: Apache-2.0
// Comparing and printing steps.
#include "sim/trace.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <unordered_map>
#include <utility>

#include <threadgroup/duration.hpp>

#include "sim/places.hpp"

namespace tg::inline v0::sim {

namespace {

// Numbers words by their first appearance.
class Numbers {
 public:
  std::size_t operator[](const void* word) {
    return numbers_.try_emplace(word, numbers_.size() + 1).first->second;
  }

 private:
  std::unordered_map<const void*, std::size_t> numbers_;
};

const char* verb(Step::Kind kind) noexcept {
  switch (kind) {
    case Step::Kind::load:
      return "reads";
    case Step::Kind::store:
      return "writes";
    case Step::Kind::change:
      return "changes";
    case Step::Kind::full_fence:
      return "makes a full fence";
    case Step::Kind::light_fence:
      return "makes a light fence";
    case Step::Kind::heavy_fence:
      return "makes a heavy fence";
    case Step::Kind::yield:
      return "waits for others without sleeping";
    case Step::Kind::sleep:
      return "sleeps on";
    case Step::Kind::wake:
      return "wakes";
    case Step::Kind::time_out:
      return "wakes: its time is up; it slept on";
    case Step::Kind::jump:
      return "time passes";
    case Step::Kind::start:
      return "starts";
    case Step::Kind::end:
      return "ends";
    default:
      return "says";
  }
}

std::string text_of(std::int64_t value) {
  if (value == kSomeAddress) return "an address";
  if (value > -10'000 && value < 10'000) return std::to_string(value);
  std::array<char, 32> hex{};
  std::snprintf(hex.data(), hex.size(), "%#llx", static_cast<unsigned long long>(value));
  return hex.data();
}

std::string values_of(const Step& step) {
  if (step.seen.is_old)
    return " = " + text_of(step.seen.after) + " (old; newest " + text_of(step.seen.before) + ")";
  switch (step.kind) {
    case Step::Kind::load:
    case Step::Kind::store:
      return " = " + text_of(step.seen.after);
    case Step::Kind::change:
      if (step.seen.before == step.seen.after) return " = " + text_of(step.seen.after) + ", as before";
      return ": " + text_of(step.seen.before) + " -> " + text_of(step.seen.after);
    default:
      return {};
  }
}

std::string name_of(const std::vector<std::string>& names, std::size_t flow) {
  if (flow == 0) return "the clock";
  std::string name = "flow " + std::to_string(flow);
  if (flow < names.size() && !names[flow].empty()) name += " (" + names[flow] + ")";
  return name;
}

}  // namespace

void Trace::say(std::uint32_t flow, std::string_view text) {
  add(Step{Step::Kind::say, flow, static_cast<std::int64_t>(texts_.size()), nullptr, nullptr, {}});
  texts_.emplace_back(text);
}

void Trace::drop() {
  const auto end = steps_.end() - static_cast<std::ptrdiff_t>(kept_);
  for (auto step = steps_.begin(); step != end; ++step)
    digest_of_dropped_ = digest(digest_of_dropped_, *step);
  dropped_ += static_cast<std::size_t>(end - steps_.begin());
  steps_.erase(steps_.begin(), end);
  room_ = 2 * kept_ - steps_.size();
}

// Fowler, Noll and Vo's hash (FNV-1a), over what does not depend on addresses.
std::uint64_t Trace::digest(std::uint64_t sum, const Step& step) noexcept {
  for (const std::uint64_t value : {static_cast<std::uint64_t>(step.kind), std::uint64_t{step.flow},
                                    static_cast<std::uint64_t>(step.count)})
    sum = (sum ^ value) * 0x100000001B3u;
  return sum;
}

std::uint64_t Trace::digest() const {
  std::uint64_t sum = digest_of_dropped_;
  for (const Step& step : steps_) sum = digest(sum, step);
  return sum;
}

std::string Trace::difference(const Trace& other) const {
  const std::size_t common = std::min(steps_.size(), other.steps_.size());
  for (std::size_t i = 0; i < common; ++i) {
    const Step& a = steps_[i];
    const Step& b = other.steps_[i];
    if (a.kind == b.kind && a.flow == b.flow && a.count == b.count) continue;
    const Places places({a.place, b.place});
    return "step " + std::to_string(dropped_ + i + 1) + ": flow " + std::to_string(a.flow) + " " +
           verb(a.kind) + " " + places[a.place] + "; then flow " + std::to_string(b.flow) + " " +
           verb(b.kind) + " " + places[b.place];
  }
  if (size() == other.size()) return {};
  return std::to_string(size()) + " steps; then " + std::to_string(other.size());
}

std::string Trace::text(const std::vector<std::string>& names, std::size_t most) const {
  Numbers words;
  const std::size_t first = steps_.size() > most ? steps_.size() - most : 0;
  std::vector<const void*> addresses;
  for (std::size_t i = first; i < steps_.size(); ++i) addresses.push_back(steps_[i].place);
  const Places places(addresses);
  std::string out;
  if (dropped_ + first > 0) out += "  ... " + std::to_string(dropped_ + first) + " steps before\n";
  std::uint32_t flow = 0;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    const std::size_t number = step.word != nullptr ? words[step.word] : 0;
    if (i < first) continue;
    if (step.flow != flow || i == first) out += name_of(names, step.flow) + "\n";
    flow = step.flow;
    out += "    " + std::string(verb(step.kind));
    if (number != 0) out += " w" + std::to_string(number) + values_of(step);
    if (step.kind == Step::Kind::start) out += " " + name_of(names, static_cast<std::size_t>(step.count));
    if (step.kind == Step::Kind::wake) out += ": " + std::to_string(step.count);
    if (step.kind == Step::Kind::say) out += " " + texts_[static_cast<std::size_t>(step.count)];
    if (const std::string place = places[step.place]; !place.empty()) out += "   " + place;
    out += '\n';
  }
  return out;
}

namespace {
bool is_in_story(const Step& step) noexcept {
  return step.kind == Step::Kind::jump || step.kind == Step::Kind::start || step.kind == Step::Kind::end ||
         step.kind == Step::Kind::say;
}
}  // namespace

std::string Trace::story(const std::vector<std::string>& names, std::size_t most) const {
  std::size_t left_out = 0;
  for (const Step& step : steps_) left_out += is_in_story(step) ? 1 : 0;
  left_out = left_out > most ? left_out - most : 0;
  std::string out;
  if (dropped_ + left_out > 0) out += "  ... earlier steps are not shown\n";
  std::uint32_t flow = 0;
  std::int64_t time = 0;  // of the last jump
  for (const Step& step : steps_) {
    if (!is_in_story(step)) continue;
    const std::int64_t passed =
        step.kind == Step::Kind::jump ? step.count - std::exchange(time, step.count) : 0;
    if (left_out > 0) {
      --left_out;
      continue;
    }
    if (step.kind == Step::Kind::jump) {
      if (passed > 0) out += to_string(Duration::from_nanos(passed)) + " pass\n";
      flow = 0;
      continue;
    }
    if (step.flow != flow) out += name_of(names, step.flow) + "\n";
    flow = step.flow;
    out += "    ";
    if (step.kind == Step::Kind::start)
      out += "starts " + name_of(names, static_cast<std::size_t>(step.count));
    if (step.kind == Step::Kind::end) out += "ends";
    if (step.kind == Step::Kind::say) out += texts_[static_cast<std::size_t>(step.count)];
    out += '\n';
    if (step.kind == Step::Kind::end && step.flow == 1) break;  // what is left are idle threads
  }
  return out;
}

}  // namespace tg::inline v0::sim
