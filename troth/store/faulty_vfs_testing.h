// For tests: a VFS of SQLite that fails when told to, and that remembers every change of a file, so
// that the files can be made as they were after a power cut at any moment.
//
// What counts as on disk: a write, once its file was synced after it; a file, once it was synced at
// all. Until then a power cut may keep it, lose it, or keep some of its sectors. Nothing is really
// synced, which makes tests quick.
#pragma once

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <new>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troth::store_testing {

class FaultyVfs {
 public:
  struct Change {
    enum class Kind { kOpen, kWrite, kTruncate, kSync, kDelete, kMark };
    Kind kind;
    std::string file = {};    // its name without the folder
    std::int64_t offset = 0;  // or the new size, or the number of a mark
    std::string bytes = {};
  };

  // Registers it under `name()`; one at a time is enough for a test.
  FaultyVfs() : base_(sqlite3_vfs_find(nullptr)) {
    vfs_ = *base_;
    vfs_.pNext = nullptr;
    vfs_.zName = name_.c_str();
    vfs_.pAppData = this;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + base_->szOsFile;
    vfs_.xOpen = Open;
    vfs_.xDelete = Delete;
    sqlite3_vfs_register(&vfs_, 0);
  }
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;
  ~FaultyVfs() { sqlite3_vfs_unregister(&vfs_); }
  const std::string& name() const { return name_; }

  // From the `first`-th change on (1: the next), `count` of them fail with `code`; a write keeps
  // half of its bytes. 0 disarms.
  void FailChanges(std::int64_t first, std::int64_t count, int code) {
    const std::lock_guard lock(mutex_);
    fail_from_ = first == 0 ? 0 : seen_ + first;
    fail_until_ = fail_from_ + count;
    code_ = code;
  }
  // Whether reading the main file fails.
  void FailReads(bool fail) { fail_reads_ = fail; }
  // How many changes there were; whether one has failed.
  std::int64_t seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  bool has_failed() const { return failed_; }

  void Remember(bool remember) {
    const std::lock_guard lock(mutex_);
    remember_ = remember;
  }
  // Puts a number between the changes.
  void Mark(std::int64_t number) { Note({.kind = Change::Kind::kMark, .offset = number}); }
  // What was remembered. Only when nobody uses the VFS.
  const std::vector<Change>& changes() const { return changes_; }

 private:
  struct File {
    sqlite3_file base;  // first: SQLite knows only it
    FaultyVfs* owner;
    std::string* name;
    sqlite3_file* real;
    bool is_counted, is_main;
  };
  static File& Of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }

  void Note(Change change) {
    const std::lock_guard lock(mutex_);
    if (remember_) changes_.push_back(std::move(change));
  }

  // SQLITE_OK, or what the next change is to fail with.
  int Next() {
    const std::lock_guard lock(mutex_);
    ++seen_;
    if (fail_from_ == 0 || seen_ < fail_from_ || seen_ >= fail_until_) return SQLITE_OK;
    failed_ = true;
    return code_;
  }

  static std::string BaseName(const char* path) {
    const std::string_view view(path);
    return std::string(view.substr(view.rfind('/') + 1));
  }

  static int Open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out) {
    auto& self = *static_cast<FaultyVfs*>(vfs->pAppData);
    File& opened = Of(file);
    opened.base.pMethods = nullptr;
    opened.owner = &self;
    opened.real = reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + sizeof(File));
    constexpr int kKept = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;
    opened.is_counted = (flags & kKept) != 0 && (flags & SQLITE_OPEN_READWRITE) != 0;
    opened.is_main = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    const int code = self.base_->xOpen(self.base_, path, opened.real, flags, out);
    if (code != SQLITE_OK) return code;
    opened.name = new std::string(path == nullptr ? "" : BaseName(path));
    opened.base.pMethods = Methods();
    if (opened.is_counted) self.Note({.kind = Change::Kind::kOpen, .file = *opened.name});
    return SQLITE_OK;
  }

  static int Delete(sqlite3_vfs* vfs, const char* path, int sync_folder) {
    auto& self = *static_cast<FaultyVfs*>(vfs->pAppData);
    if (const int code = self.Next(); code != SQLITE_OK) return code;
    self.Note({.kind = Change::Kind::kDelete, .file = BaseName(path)});
    return self.base_->xDelete(self.base_, path, sync_folder & 0);
  }

  static int Close(sqlite3_file* file) {
    delete Of(file).name;
    return Of(file).real->pMethods->xClose(Of(file).real);
  }
  static int Read(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
    if (Of(file).owner->fail_reads_ && Of(file).is_main) return SQLITE_IOERR_READ;
    return Of(file).real->pMethods->xRead(Of(file).real, to, size, offset);
  }
  static int Write(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
    const File& it = Of(file);
    if (it.is_counted) {
      const int code = it.owner->Next();
      if (code != SQLITE_OK) size /= 2;
      it.owner->Note({.kind = Change::Kind::kWrite,
                      .file = *it.name,
                      .offset = offset,
                      .bytes = {static_cast<const char*>(from), static_cast<size_t>(size)}});
      if (code != SQLITE_OK) {
        it.real->pMethods->xWrite(it.real, from, size, offset);
        return code;
      }
    }
    return it.real->pMethods->xWrite(it.real, from, size, offset);
  }
  static int Truncate(sqlite3_file* file, sqlite3_int64 size) {
    const File& it = Of(file);
    if (it.is_counted) {
      if (const int code = it.owner->Next(); code != SQLITE_OK) return code;
      it.owner->Note({.kind = Change::Kind::kTruncate, .file = *it.name, .offset = size});
    }
    return it.real->pMethods->xTruncate(it.real, size);
  }
  static int Sync(sqlite3_file* file, int /*flags*/) {
    const File& it = Of(file);
    if (it.is_counted) {
      if (const int code = it.owner->Next(); code != SQLITE_OK) return code;
      it.owner->Note({.kind = Change::Kind::kSync, .file = *it.name});
    }
    return SQLITE_OK;
  }
  static int FileSize(sqlite3_file* file, sqlite3_int64* size) {
    return Of(file).real->pMethods->xFileSize(Of(file).real, size);
  }
  static int Lock(sqlite3_file* file, int level) {
    return Of(file).real->pMethods->xLock(Of(file).real, level);
  }
  static int Unlock(sqlite3_file* file, int level) {
    return Of(file).real->pMethods->xUnlock(Of(file).real, level);
  }
  static int CheckReservedLock(sqlite3_file* file, int* out) {
    return Of(file).real->pMethods->xCheckReservedLock(Of(file).real, out);
  }
  static int FileControl(sqlite3_file* file, int operation, void* argument) {
    return Of(file).real->pMethods->xFileControl(Of(file).real, operation, argument);
  }
  static int SectorSize(sqlite3_file* file) {
    return Of(file).real->pMethods->xSectorSize(Of(file).real);
  }
  static int DeviceCharacteristics(sqlite3_file* file) {
    return Of(file).real->pMethods->xDeviceCharacteristics(Of(file).real);
  }
  static int ShmMap(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
    return Of(file).real->pMethods->xShmMap(Of(file).real, page, size, extend, out);
  }
  static int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
    return Of(file).real->pMethods->xShmLock(Of(file).real, offset, count, flags);
  }
  static void ShmBarrier(sqlite3_file* file) {
    Of(file).real->pMethods->xShmBarrier(Of(file).real);
  }
  static int ShmUnmap(sqlite3_file* file, int remove) {
    return Of(file).real->pMethods->xShmUnmap(Of(file).real, remove);
  }
  static const sqlite3_io_methods* Methods() {
    static const sqlite3_io_methods methods = {2,
                                               Close,
                                               Read,
                                               Write,
                                               Truncate,
                                               Sync,
                                               FileSize,
                                               Lock,
                                               Unlock,
                                               CheckReservedLock,
                                               FileControl,
                                               SectorSize,
                                               DeviceCharacteristics,
                                               ShmMap,
                                               ShmLock,
                                               ShmBarrier,
                                               ShmUnmap,
                                               nullptr,
                                               nullptr};
    return &methods;
  }

  const std::string name_ = "faulty";
  sqlite3_vfs* const base_;
  sqlite3_vfs vfs_{};
  mutable std::mutex mutex_;
  std::int64_t seen_ = 0, fail_from_ = 0, fail_until_ = 0;
  int code_ = SQLITE_OK;
  std::atomic<bool> failed_ = false, fail_reads_ = false;
  bool remember_ = false;
  std::vector<Change> changes_;
};

// Follows the changes, and makes the files that a power cut leaves.
class Disk {
 public:
  using Kind = FaultyVfs::Change::Kind;

  void Apply(const FaultyVfs::Change& change) {
    if (change.kind == Kind::kMark) return;
    State& file = files_[change.file];
    switch (change.kind) {
      case Kind::kOpen:
        if (file.deleted) file = {};
        break;
      case Kind::kSync:
        // SQLite syncs the folder with the first sync of a log or a journal that it has made, and
        // with that what was removed before.
        if (!file.is_synced && change.file.find('-') != std::string::npos) {
          std::erase_if(files_, [](const auto& entry) { return entry.second.deleted; });
        }
        for (const FaultyVfs::Change* waiting : file.waiting) Change(*waiting, file.synced);
        file.waiting.clear();
        file.is_synced = true;
        break;
      case Kind::kDelete:
        file.deleted = true;
        break;
      default:
        file.waiting.push_back(&change);
    }
  }

  enum class Loss { kNothing, kAllUnsynced, kSome };
  // Writes what is left into `folder`.
  void CutPower(Loss loss, std::mt19937& random, const std::string& folder) const {
    const auto keeps = [&] {
      return loss == Loss::kNothing || (loss == Loss::kSome && random() % 2 == 0);
    };
    for (const auto& [name, file] : files_) {
      if (file.deleted && (loss != Loss::kAllUnsynced || keeps())) continue;
      if (!file.is_synced && !keeps()) continue;
      std::string content = file.synced;
      for (const FaultyVfs::Change* change : file.waiting) {
        if (loss != Loss::kSome) {
          if (keeps()) Change(*change, content);
          continue;
        }
        if (change->kind == Kind::kTruncate) {
          if (keeps()) Change(*change, content);
          continue;
        }
        // Sectors reach the disk one by one, or do not.
        const bool whole = keeps();
        for (size_t at = 0; at < change->bytes.size(); at += kSector) {
          if (!whole && random() % 2 == 0) continue;
          Put(change->offset + static_cast<std::int64_t>(at), change->bytes.substr(at, kSector),
              content);
        }
      }
      std::ofstream(folder + "/" + name, std::ios::binary) << content;
    }
  }

 private:
  static constexpr size_t kSector = 512;
  struct State {
    std::string synced = {};
    bool is_synced = false, deleted = false;
    std::vector<const FaultyVfs::Change*> waiting = {};
  };

  static void Put(std::int64_t offset, const std::string& bytes, std::string& content) {
    const auto at = static_cast<size_t>(offset);
    if (content.size() < at + bytes.size()) content.resize(at + bytes.size());
    content.replace(at, bytes.size(), bytes);
  }
  static void Change(const FaultyVfs::Change& change, std::string& content) {
    if (change.kind == Kind::kTruncate) {
      content.resize(static_cast<size_t>(change.offset));
    } else {
      Put(change.offset, change.bytes, content);
    }
  }

  std::map<std::string, State> files_;
};

}  // namespace troth::store_testing
