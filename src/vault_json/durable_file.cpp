// SPDX-License-Identifier: Apache-2.0
// Reading and replacing files.
#include "vault_json/durable_file.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <vector>

#include <threadgroup/vault_json.hpp>

#include "runtime/own_calls.hpp"
#include "vault_json/file_calls.hpp"

namespace tg::inline v0::detail {

namespace {

std::string error_text(const std::string& what, const std::string& path, int error) {
  return what + " " + path + ": " + std::generic_category().message(error);
}
[[noreturn]] void fail(const std::string& what, const std::string& path) {
  throw ResourceError("", error_text(what, path, errno));
}

class File {
 public:
  File(const std::string& path, int flags, mode_t mode = 0) noexcept
      : fd_(uninterrupted([&] { return file_calls.open(path.c_str(), flags | O_CLOEXEC, mode); })) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    const int error = errno;  // the caller may be about to report it
    if (fd_ >= 0) file_calls.close(fd_);
    errno = error;
  }
  bool ok() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }

 private:
  const int fd_;
};

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}
std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

[[noreturn]] void refuse_kind(const std::string& path, mode_t mode) {
  const char* kind = S_ISDIR(mode)                    ? "a folder"
                     : S_ISFIFO(mode)                 ? "a FIFO"
                     : S_ISLNK(mode)                  ? "a link now"
                     : S_ISSOCK(mode)                 ? "a socket"
                     : S_ISCHR(mode) || S_ISBLK(mode) ? "a device"
                                                      : "not a plain file";
  throw ResourceError("", path + " is " + kind + ", and a vault is kept in plain files only");
}

FileStamp stamp_of(const struct stat& s) noexcept {
  return {s.st_dev, s.st_ino, s.st_mtim.tv_sec, s.st_mtim.tv_nsec, s.st_size};
}

// --- Temporary files

constexpr std::size_t kRandomDigits = 16;
constexpr std::string_view kTemporaryEnd = ".tmp";

std::string temporary_name(const std::string& path) {
  unsigned char bytes[kRandomDigits / 2] = {};
  // If the system has no random bytes to give, the name can be guessed; a file that is there already is then
  // an error and nothing worse.
  static_cast<void>(::getrandom(bytes, sizeof bytes, GRND_NONBLOCK));
  std::string name = path + ".";
  for (const unsigned char byte : bytes)
    name += {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
  return name.append(kTemporaryEnd);
}

bool is_temporary_name(const std::string& name, const std::string& file) {
  if (name.size() != file.size() + 1 + kRandomDigits + kTemporaryEnd.size()) return false;
  return name.starts_with(file + ".") && name.ends_with(kTemporaryEnd) &&
         name.find_first_not_of("0123456789abcdef", file.size() + 1) == file.size() + 1 + kRandomDigits;
}

bool remove(const std::string& path) noexcept {
  return uninterrupted([&] { return file_calls.unlink(path.c_str()); }) == 0 || errno == ENOENT;
}

bool is_same_file(const std::string& path, const struct stat& other) {
  struct stat now {};
  return uninterrupted([&] { return file_calls.lstat(path.c_str(), &now); }) == 0 &&
         now.st_dev == other.st_dev && now.st_ino == other.st_ino;
}

// A temporary file, which goes away again unless it gets its final name.
class Temporary {
 public:
  Temporary(std::string path, mode_t mode, bool& left_over)
      : path_(std::move(path)), left_over_(left_over), file_(path_, kFlags, mode) {
    if (!file_.ok()) fail("cannot create", path_);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (!renamed_ && !remove(path_)) left_over_ = true;
  }

  void set_mode(mode_t mode) {
    if ((status().st_mode & 07777) == mode) return;
    if (uninterrupted([&] { return file_calls.fchmod(file_.fd(), mode); }) != 0)
      fail("cannot set the mode of", path_);
  }
  void write(const std::string& contents) {
    if (!write_all(file_.fd(), contents)) fail("cannot write", path_);
    if (uninterrupted([&] { return file_calls.fsync(file_.fd()); }) != 0) fail("cannot sync", path_);
  }
  void rename_to(const std::string& path) {
    const struct stat mine = status();
    while (file_calls.rename(path_.c_str(), path.c_str()) != 0) {
      const int error = errno;
      if (is_same_file(path, mine)) break;  // some network file systems report failure of what they did
      errno = error;
      if (error != EINTR) fail("cannot replace", path);
    }
    renamed_ = true;
  }

 private:
  static constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
  struct stat status() const {
    struct stat state {};
    if (uninterrupted([&] { return file_calls.fstat(file_.fd(), &state); }) != 0)
      fail("cannot look at", path_);
    return state;
  }

  const std::string path_;
  bool& left_over_;
  const File file_;
  bool renamed_ = false;
};

// Why it failed, or nothing. Does not throw: what is in the folder is there.
std::string sync_folder(const std::string& folder) noexcept try {
  const File file(folder, O_RDONLY | O_DIRECTORY);
  // EINVAL: this file system has nothing to be synced there.
  if (file.ok() && (uninterrupted([&] { return file_calls.fsync(file.fd()); }) == 0 || errno == EINVAL))
    return {};
  return error_text("cannot sync the folder", folder, errno);
} catch (...) {
  return "out of memory";  // for the text
}

}  // namespace

// --- Paths

std::string absolute_path(const std::string& path) {
  if (path.empty()) throw ResourceError("", "the path of a vault's file is empty");
  if (path[0] == '/') return path;
  const std::unique_ptr<char, decltype(&std::free)> here(file_calls.realpath(".", nullptr), std::free);
  if (here == nullptr) fail("cannot find the folder of", path);
  return here.get() + ("/" + path);
}

std::string resolved_path(const std::string& given) {
  std::string path = absolute_path(given);
  for (int links = 0; links < 40; ++links) {
    using Text = std::unique_ptr<char, decltype(&std::free)>;
    if (const Text whole{file_calls.realpath(path.c_str(), nullptr), std::free}) return whole.get();
    if (errno != ENOENT) break;
    char target[PATH_MAX];
    const ssize_t size = file_calls.readlink(path.c_str(), target, sizeof target);
    if (size <= 0) {
      const Text folder{file_calls.realpath(folder_of(path).c_str(), nullptr), std::free};
      if (folder == nullptr) break;
      return folder.get() + ("/" + name_of(path));
    }
    const std::string link(target, static_cast<std::size_t>(size));
    path = link[0] == '/' ? link : folder_of(path) + "/" + link;
  }
  return path;  // a path that is wrong fails again when it is opened
}

// --- Reading

std::optional<FileContents> read_file(const std::string& path) { return read_file_unless({}, path); }

std::optional<FileContents> read_file_unless(const FileStamp& known, const std::string& path) {
  struct stat state {};
  // Before the open, because opening some devices has side effects.
  if (uninterrupted([&] { return file_calls.stat(path.c_str(), &state); }) != 0) {
    if (errno == ENOENT) return std::nullopt;
    fail("cannot open", path);
  }
  if (!S_ISREG(state.st_mode)) refuse_kind(path, state.st_mode);
  if (stamp_of(state) == known) return FileContents{known, {}};
  const File file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file.ok()) {
    if (errno == ENOENT) return std::nullopt;
    fail("cannot open", path);
  }
  // The stamp is that of the file that is read, whatever the path leads to by then.
  if (uninterrupted([&] { return file_calls.fstat(file.fd(), &state); }) != 0) fail("cannot read", path);
  if (!S_ISREG(state.st_mode)) refuse_kind(path, state.st_mode);
  FileContents contents{stamp_of(state), {}};
  char buffer[16384];
  for (;;) {
    const ssize_t got = uninterrupted([&] { return file_calls.read(file.fd(), buffer, sizeof buffer); });
    if (got == 0) return contents;
    if (got < 0) fail("cannot read", path);
    contents.text.append(buffer, static_cast<std::size_t>(got));
  }
}

// --- Replacing

void DurableFile::require_plain() const {
  struct stat state {};
  if (uninterrupted([&] { return file_calls.lstat(path_.c_str(), &state); }) == 0) {
    if (!S_ISREG(state.st_mode)) refuse_kind(path_, state.st_mode);
  } else if (errno != ENOENT) {
    fail("cannot open", path_);
  }
}

std::string DurableFile::replace(const std::string& contents) {
  if (left_over_) remove_leftovers();
  const std::string folder = folder_of(path_);  // before the renaming, after which nothing may fail
  struct stat old {};
  const bool exists = uninterrupted([&] { return file_calls.lstat(path_.c_str(), &old); }) == 0;
  if (!exists && errno != ENOENT) fail("cannot look at", path_);
  if (exists && !S_ISREG(old.st_mode)) refuse_kind(path_, old.st_mode);
  {
    // Not readable by others before it has the old file's mode.
    Temporary temporary(temporary_name(path_), exists ? 0600 : 0666, left_over_);
    if (exists) temporary.set_mode(old.st_mode & 0777);
    // Also to the disk, or the new name could lead to contents that were never written.
    temporary.write(contents);
    temporary.rename_to(path_);
  }
  return sync_folder(folder);
}

void DurableFile::remove_leftovers() {
  const std::string folder = folder_of(path_);
  const std::string file = name_of(path_);
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(file_calls.opendir(folder.c_str()), file_calls.closedir);
  left_over_ = listing == nullptr;
  if (listing == nullptr) return;  // they only take some room
  std::vector<std::string> found;
  while (const dirent* entry = file_calls.readdir(listing.get())) {
    if (is_temporary_name(entry->d_name, file)) found.emplace_back(folder + "/" + entry->d_name);
  }
  for (const std::string& path : found) left_over_ = !remove(path) || left_over_;
}

}  // namespace tg::inline v0::detail
