/* tests: cmocka with what it needs before it, slices compared, and code that must abort. */
#ifndef WW_TEST_CHECK_H
#define WW_TEST_CHECK_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <whichworker/str.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Present, and these bytes. */
#define assert_slice(actual_, literal_)                                                        \
    do {                                                                                       \
        ww_str actual = (actual_);                                                             \
                                                                                               \
        assert_non_null(actual.ptr);                                                           \
        assert_int_equal(actual.len, sizeof(literal_) - 1);                                    \
        assert_memory_equal(actual.ptr, "" literal_, sizeof(literal_) - 1);                    \
    } while (0)

#define assert_absent(actual_) assert_null((actual_).ptr)

/* In a child: the abort must not end the test, nor its words spoil the output. */
static inline bool aborts(void (*act)(void))
{
    pid_t child = fork();
    int status = 0;

    assert_true(child >= 0);
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
        dup2(nowhere, STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        act();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif
