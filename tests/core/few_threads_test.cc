// Where the system gives no more threads, calls go on with those there are.

#include <gtest/gtest.h>
#include <pthread.h>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <set>
#include <thread>

#include "child.h"
#include "core/thread_pool.h"

namespace foveal {
namespace {

#if !defined(FOVEAL_NO_FORK)
/// While it lives, a new thread's stack is larger than any address space.
class NoMoreThreads {
 public:
  NoMoreThreads() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t huge;
    pthread_attr_init(&huge);
    pthread_attr_setstacksize(&huge, std::size_t{1} << 47);
    pthread_setattr_default_np(&huge);
    pthread_attr_destroy(&huge);
  }
  ~NoMoreThreads() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
  }

 private:
  pthread_attr_t before_;
};

/// Runs 20 tasks, each once, and returns how many threads took part; 0 where a task was left out.
std::size_t threads_of_call() {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::int64_t sum = 0;
  parallel_for(20, [&](std::int64_t index) {
    std::this_thread::sleep_for(std::chrono::microseconds(200));  // others wake meanwhile
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
    sum += index;
  });
  return sum == 190 ? threads.size() : 0;
}

/// Whether one of the next calls runs on so many threads, and none on more.
bool reaches(std::size_t wanted) {
  for (int call = 0; call < 500; ++call) {
    const std::size_t threads = threads_of_call();
    if (threads == 0 || threads > wanted) return false;
    if (threads == wanted) return true;
  }
  return false;
}

TEST(FewThreads, TheCallerAloneDoesAllTasks) {
  EXPECT_TRUE(holds_in_child([] {
    set_num_threads(4);
    const NoMoreThreads none;
    return threads_of_call() == 1 && threads_of_call() == 1;
  }));
}

TEST(FewThreads, ThoseThatAreThereGoOn) {
  EXPECT_TRUE(holds_in_child([] {
    set_num_threads(2);
    if (!reaches(2)) return false;
    set_num_threads(4);
    const NoMoreThreads none;
    return reaches(2);
  }));
}

TEST(FewThreads, MoreAreTakenOnceThereAreMore) {
  EXPECT_TRUE(holds_in_child([] {
    set_num_threads(3);
    {
      const NoMoreThreads none;
      if (threads_of_call() != 1) return false;
    }
    return reaches(3);
  }));
}
#endif

}  // namespace
}  // namespace foveal
