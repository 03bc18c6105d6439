// SPDX-License-Identifier: Apache-2.0
// The program as a child process, watched from the outside.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace verify_users {

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Exit {
  int status;  // what it returned; 128 + n if signal n ended it
  std::string out;
  std::string err;
};

class Program {
 public:
  enum class Output { pipe, terminal };  // the terminal is 60 columns wide and 12 lines high

  // `environment` as NAME=value, on top of the test's own.
  explicit Program(const std::vector<std::string>& arguments, Output output = Output::pipe,
                   const std::vector<std::string>& environment = {});
  ~Program();  // ends the process if it still runs
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Waits until `text` has been printed; false if the output ended without it.
  bool prints(const std::string& text);

  void send(int signal) const;

  Exit wait();

 private:
  bool read_some();  // waits for more output; false when both streams are at their end

  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::string out_text_;
  std::string err_text_;
};

// Runs it from start to end.
Exit run_program(const std::vector<std::string>& arguments);

// A file of that content, which is gone after the test; returns its path.
std::string file_with(const std::string& name, const std::string& content);

}  // namespace verify_users
