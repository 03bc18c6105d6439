// SPDX-License-Identifier: Apache-2.0
// Switches between contexts, with nothing else of the library: built for each kind of switch that there is.
#include <cfenv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/flow.hpp"

namespace tg::inline v0::runtime {

constinit thread_local Flow* Flow::current_ = nullptr;  // in the library flow.cpp has it

struct FlowProbe {
  static Flow* make_current(int which) {
    static Flow flows[2];
    return Flow::current_ = &flows[which];
  }
};
}  // namespace tg::inline v0::runtime

namespace {

using tg::runtime::Context;
using tg::runtime::ContextStack;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(1);
}

/// A context that runs `step` again and again, and after each time switches back.
class Partner {
 public:
  explicit Partner(void (*step)(Partner&), std::size_t bytes = std::size_t{256} * 1024)
      : stack_(bytes), step_(step), context_(stack_, &Partner::main, this) {}
  void resume() { here_.switch_to(context_); }
  void end() {
    ends_ = true;
    resume();
  }
  void back() { context_.switch_to(here_); }
  int count = 0;

 private:
  static void main(void* raw) noexcept {
    auto* const self = static_cast<Partner*>(raw);
    while (!self->ends_) {
      self->step_(*self);
      self->back();
    }
    self->context_.end_in(self->here_);
  }

  ContextStack stack_;
  void (*step_)(Partner&);
  bool ends_ = false;
  Context here_;
  Context context_;
};

void a_context_continues_where_it_left() {
  Partner partner([](Partner& self) {
    const int before = self.count;
    self.back();
    require(self.count == before + 1, "what the other one has written is seen");
  });
  for (int i = 0; i < 1000; ++i) {
    partner.resume();
    ++partner.count;
    partner.resume();
  }
  require(partner.count == 1000, "each switch came back");
  partner.end();
}

// As many live values as there are registers that a call preserves, on both sides of a switch. They are read
// once, so that the compiler has to keep them.
struct Values {
  volatile std::uint64_t numbers[10];
  volatile double halves[8];
};
void hold_across(Partner& partner, void (Partner::*leave)(), std::uint64_t seed) {
  Values values;
  for (auto& number : values.numbers) number = seed++;
  for (auto& half : values.halves) half = static_cast<double>(seed++) / 2;
  const auto& v = values.numbers;
  const auto& d = values.halves;
  const std::uint64_t a = v[0], b = v[1], c = v[2], e = v[3], f = v[4], g = v[5], h = v[6], i = v[7],
                      j = v[8], k = v[9];
  const double p = d[0], q = d[1], r = d[2], s = d[3], t = d[4], u = d[5], w = d[6], x = d[7];
  (partner.*leave)();
  require(a == v[0] && b == v[1] && c == v[2] && e == v[3] && f == v[4] && g == v[5] && h == v[6] &&
              i == v[7] && j == v[8] && k == v[9],
          "numbers survive a switch");
  require(
      p == d[0] && q == d[1] && r == d[2] && s == d[3] && t == d[4] && u == d[5] && w == d[6] && x == d[7],
      "numbers of the floating-point unit survive a switch");
}

void registers_survive() {
  Partner partner([](Partner& self) {
    for (std::uint64_t seed = 1; seed < 1000; ++seed) hold_across(self, &Partner::back, seed);
  });
  for (std::uint64_t seed = 1; seed < 1000; ++seed) hold_across(partner, &Partner::resume, 1'000'000 + seed);
  partner.end();
}

void rounding_mode_belongs_to_the_context() {
  Partner partner([](Partner& self) {
    std::fesetround(FE_UPWARD);
    self.back();
    require(std::fegetround() == FE_UPWARD, "a context keeps its rounding mode");
    std::fesetround(FE_TONEAREST);
  });
  std::fesetround(FE_TONEAREST);
  partner.resume();
  require(std::fegetround() == FE_TONEAREST, "a switch does not change the other's rounding mode");
  partner.resume();
  partner.end();
}

// Two hundred contexts are in handlers at the same time, and leave them in another order.
void each_context_handles_its_own_exceptions() {
  std::vector<std::unique_ptr<Partner>> partners;
  for (int i = 0; i < 200; ++i) {
    partners.push_back(std::make_unique<Partner>([](Partner& self) {
      try {
        throw std::runtime_error(std::to_string(self.count));
      } catch (const std::runtime_error& outer) {
        self.back();
        try {
          throw std::runtime_error("inner");
        } catch (const std::runtime_error&) {
          self.back();
        }
        require(outer.what() == std::to_string(self.count), "the exception is the context's own");
        try {
          throw;
        } catch (const std::exception& again) {
          require(again.what() == std::to_string(self.count), "it can be thrown again");
        }
      }
      require(!std::current_exception(), "no exception is left");
    }));
    partners.back()->count = i;
  }
  for (auto& partner : partners) partner->resume();
  require(!std::current_exception(), "the exceptions of others are not seen");
  for (std::size_t i = partners.size(); i-- > 0;) partners[i]->resume();
  for (auto& partner : partners) partner->resume();
  for (std::size_t i = partners.size(); i-- > 0;) partners[i]->end();
}

struct SwitchesAsItIsDestroyed {
  Partner& partner;
  ~SwitchesAsItIsDestroyed() {
    partner.back();
    require(std::uncaught_exceptions() == 1, "the count of exceptions in flight is the context's own");
  }
};

void a_context_unwinds_while_others_run() {
  Partner partner([](Partner& self) {
    try {
      const SwitchesAsItIsDestroyed it{self};
      throw 1;
    } catch (int) {
      ++self.count;
    }
  });
  partner.resume();
  require(std::uncaught_exceptions() == 0, "another's exception in flight is not counted");
  partner.resume();
  require(partner.count == 1, "it was caught");
  partner.end();
}

int depth_reached(int depth) {
  volatile char frame[512];
  frame[0] = static_cast<char>(depth);
  return depth == 0 ? frame[0] : depth_reached(depth - 1) + (frame[0] != 0 ? 1 : 0);
}

void deep_stack_can_be_used() {
  constexpr std::size_t kBytes = std::size_t{8} * 1024 * 1024;
  Partner partner([](Partner& self) { self.count = depth_reached(8000); }, kBytes);
  partner.resume();
  require(partner.count > 7000, "all frames were there");
  partner.end();
}

void an_abandoned_context_is_harmless() {
  for (int i = 0; i < 100; ++i) {
    Partner partner([](Partner& self) { self.back(); });
    partner.resume();
  }
}

void current_flow_belongs_to_the_context() {
  using tg::runtime::Flow;
  using tg::runtime::FlowProbe;
  Partner partner([](Partner& self) {
    require(Flow::current_if_any() == nullptr, "a new context is no flow yet");
    const Flow* const own = FlowProbe::make_current(0);
    self.back();
    require(Flow::current_if_any() == own, "a context keeps its flow");
    ++self.count;
  });
  const Flow* const own = FlowProbe::make_current(1);
  partner.resume();
  require(Flow::current_if_any() == own, "a switch back restores the flow");
  partner.resume();
  require(partner.count == 1, "it ran to its end");
  partner.end();
}

}  // namespace

int main() {
  a_context_continues_where_it_left();
  registers_survive();
  rounding_mode_belongs_to_the_context();
  each_context_handles_its_own_exceptions();
  a_context_unwinds_while_others_run();
  deep_stack_can_be_used();
  an_abandoned_context_is_harmless();
  current_flow_belongs_to_the_context();
  std::puts("contexts: all as they should be");
}
