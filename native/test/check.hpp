// As much of a test framework as these tests need: named cases, checks that say what they saw, no dependency.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace check {

struct Case {
  std::string name;
  std::function<void()> run;
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

inline int& failures() {
  static int count = 0;
  return count;
}

struct Register {
  Register(const char* name, std::function<void()> run) { cases().push_back({name, std::move(run)}); }
};

inline void fail(const char* file, int line, const std::string& what) {
  std::cerr << "    " << file << ":" << line << ": " << what << "\n";
  if (++failures() >= 20) {
    std::cerr << "    too many failures, the rest is not run\n";
    std::exit(1);
  }
}

template <class A, class B>
void equal(const char* file, int line, const char* text, const A& actual, const B& expected) {
  if (actual == expected) return;
  std::ostringstream message;
  message << text << " is " << actual << ", expected " << expected;
  fail(file, line, message.str());
}

// Runs every case, or those whose name contains the first argument.
inline int run_all(int argc, char** argv) {
  int ran = 0;
  for (const Case& one : cases()) {
    if (argc > 1 && one.name.find(argv[1]) == std::string::npos) continue;
    const int before = failures();
    one.run();
    ++ran;
    std::cout << (failures() == before ? "ok   " : "FAIL ") << one.name << std::endl;
  }
  std::cout << ran << " cases, " << failures() << " failed checks\n";
  return failures() == 0 && ran > 0 ? 0 : 1;
}

} // namespace check

#define CHECK_CAT_(a, b) a##b
#define CHECK_NAME_(a, b) CHECK_CAT_(a, b)
#define TEST(name)                                                                                                     \
  static void CHECK_NAME_(test_, __LINE__)();                                                                          \
  static const check::Register CHECK_NAME_(register_, __LINE__)(name, CHECK_NAME_(test_, __LINE__));                   \
  static void CHECK_NAME_(test_, __LINE__)()
#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition)) check::fail(__FILE__, __LINE__, #condition " does not hold");                                    \
  } while (false)
#define CHECK_EQ(actual, expected) check::equal(__FILE__, __LINE__, #actual, (actual), (expected))
#define TEST_MAIN()                                                                                                    \
  int main(int argc, char** argv) {                                                                                    \
    return check::run_all(argc, argv);                                                                                 \
  }
