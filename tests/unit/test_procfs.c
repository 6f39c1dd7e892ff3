/* What /proc says, read from a directory that is made to look like it. */
#include "family.h"
#include "procfs.h"

#include <whichworker/units.h>

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct tree {
    char dir[64];
    int root;
};

static int begin(void **state)
{
    static struct tree t;

    snprintf(t.dir, sizeof(t.dir), "/tmp/whichworker-proc-XXXXXX");
    assert_non_null(mkdtemp(t.dir));
    t.root = open(t.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(t.root >= 0);
    *state = &t;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int end(void **state)
{
    struct tree *t = *state;

    close(t->root);
    return nftw(t->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void put_file(const struct tree *t, int pid, const char *name, const char *text,
                     size_t len)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/%d/%s", t->dir, pid, name);

    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    close(fd);
}

static void put_dir(const struct tree *t, int pid, const char *name)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/%d/%s", t->dir, pid, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void put_process(const struct tree *t, int pid, int ppid, const char *comm,
                        unsigned long long start, unsigned reaped)
{
    char text[512];
    char task[64];

    put_dir(t, pid, "");
    put_dir(t, pid, "fd");
    put_dir(t, pid, "task");
    snprintf(task, sizeof(task), "task/%d", pid);
    put_dir(t, pid, task);
    snprintf(task, sizeof(task), "task/%d/children", pid);
    put_file(t, pid, task, "", 0);

    int n = snprintf(text, sizeof(text),
                     "%d (%s) S %d 1 1 0 -1 4194560 10 %u 0 0 1 2 0 0 20 0 1 0 %llu 5 6 7\n",
                     pid, comm, ppid, reaped, start);

    put_file(t, pid, "stat", text, (size_t)n);
}

static void put_socket(const struct tree *t, int pid, int fd, unsigned inode)
{
    char path[160];
    char link[64];

    snprintf(path, sizeof(path), "%s/%d/fd/%d", t->dir, pid, fd);
    snprintf(link, sizeof(link), "socket:[%u]", inode);
    assert_int_equal(symlink(link, path), 0);
}

static void stat_fields_are_read(void **state)
{
    struct ww_proc p;
    ww_str text = WW_STR("51463 (gunicorn) S 51460 1 1 0 -1 4194560 10 77 0 0 1 2 0 0 20 0 1 0 "
                         "987654 5 6 7\n");

    assert_true(ww_proc_parse_stat(text, &p));
    assert_int_equal(p.pid, 51463);
    assert_int_equal(p.ppid, 51460);
    assert_int_equal(p.state, 'S');
    assert_int_equal(p.reaped, 77);
    assert_int_equal(p.start_ticks, 987654);
    assert_string_equal(p.comm, "gunicorn");
}

static void a_name_may_look_like_the_rest_of_the_line(void **state)
{
    struct tree *t = *state;
    const char *names[] = { "a) R 1 (b", ") S 2 3 4", "new\nline", "((", "))", " ", "x (y) z" };
    struct ww_proc p;

    for (int i = 0; i < 7; i++) {
        put_process(t, 100 + i, 42, names[i], 5000, 0);
        assert_true(ww_proc_open(t->root, 100 + i, &p));
        assert_int_equal(p.ppid, 42);
        assert_int_equal(p.start_ticks, 5000);
        assert_string_equal(p.comm, names[i]);
        ww_proc_close(&p);
    }
}

static void odd_stat_lines_are_refused(void **state)
{
    const char *bad[] = { "",
                          "1",
                          "1 (a",
                          "1 ()",
                          "x (a) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 0 0 0 0 5 1",
                          "1 (a) S",
                          "1 (a) S 2 3",
                          "-1 (a) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 0 0 0 0 5 1",
                          "1 (a) SS 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 0 0 0 0 5 1",
                          "1 (a) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1",
                          "1 (a)S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 0 0 0 0 5 1",
                          "99999999999 (a) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 0 0 0 0 5 1",
                          ") (" };
    struct ww_proc p;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(ww_proc_parse_stat(ww_str_c(bad[i]), &p));
}

static void a_stat_line_cut_anywhere_is_refused_or_complete(void **state)
{
    const char *text = "7 (w) S 6 1 1 0 -1 4194560 10 3 0 0 1 2 0 0 20 0 1 0 987 5 6";
    struct ww_proc p;

    for (size_t n = 0; n < strlen(text); n++) {
        if (ww_proc_parse_stat(ww_str_n(text, n), &p))
            assert_int_equal(p.ppid, 6);
    }
}

static void the_holder_is_found_and_the_number_is_told(void **state)
{
    struct tree *t = *state;
    struct ww_proc p;
    int fd = -1;

    put_process(t, 10, 1, "w", 100, 0);
    put_socket(t, 10, 3, 500);
    put_socket(t, 10, 9, 501);
    assert_int_equal(symlinkat("/dev/null", t->root, "10/fd/0"), 0);
    assert_int_equal(symlinkat("socket:[x]", t->root, "10/fd/1"), 0);
    assert_int_equal(symlinkat("socket:[501", t->root, "10/fd/2"), 0);
    assert_true(ww_proc_open(t->root, 10, &p));
    assert_int_equal(ww_proc_find_socket(&p, 501, &fd), WW_HELD_YES);
    assert_int_equal(fd, 9);
    assert_int_equal(ww_proc_find_socket(&p, 502, &fd), WW_HELD_NO);
    assert_int_equal(ww_proc_holds_at(&p, 9, 501), WW_HELD_YES);
    assert_int_equal(ww_proc_holds_at(&p, 3, 501), WW_HELD_NO);
    assert_int_equal(ww_proc_holds_at(&p, 99, 501), WW_HELD_NO);
    ww_proc_close(&p);
    assert_int_equal(ww_proc_holds_at(&p, 9, 501), WW_HELD_NO);
}

static void a_later_process_with_the_same_pid_is_another_one(void **state)
{
    struct tree *t = *state;
    struct ww_proc p;
    char path[96];
    int fd = -1;

    put_process(t, 10, 1, "w", 100, 0);
    put_socket(t, 10, 9, 501);
    assert_true(ww_proc_open(t->root, 10, &p));
    snprintf(path, sizeof(path), "%s/10", t->dir);
    assert_int_equal(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    put_process(t, 10, 1, "w", 200, 0);
    put_socket(t, 10, 9, 501);
    assert_int_equal(ww_proc_holds_at(&p, 9, 501), WW_HELD_NO);
    assert_int_equal(ww_proc_find_socket(&p, 501, &fd), WW_HELD_NO);
    assert_false(ww_proc_refresh(&p));
    ww_proc_close(&p);
}

static void children_of_all_threads_are_listed(void **state)
{
    struct tree *t = *state;
    struct ww_proc p;
    int32_t pid[3] = { 0 };

    put_process(t, 10, 1, "w", 100, 0);
    assert_true(ww_proc_open(t->root, 10, &p));
    assert_int_equal(ww_proc_children(&p, pid, 3), 0);
    put_file(t, 10, "task/10/children", "11 12 ", 6);
    put_dir(t, 10, "task/20");
    put_file(t, 10, "task/20/children", "13 14 ", 6);
    assert_int_equal(ww_proc_children(&p, pid, 3), 4);
    assert_int_equal(unlinkat(t->root, "10/task/10/children", 0), 0);
    assert_int_equal(ww_proc_children(&p, pid, 3), -1);
    ww_proc_close(&p);
}

static void a_command_line_is_joined_and_cut(void **state)
{
    struct tree *t = *state;
    struct ww_proc p;
    char command[16];

    put_process(t, 10, 1, "gunicorn: worker", 100, 0);
    put_file(t, 10, "cmdline", "python3\0-m\0gunicorn\0app", 23);
    assert_true(ww_proc_open(t->root, 10, &p));
    ww_proc_command(&p, command, sizeof(command));
    assert_string_equal(command, "python3 -m guni");
    put_file(t, 10, "cmdline", "", 0);
    ww_proc_command(&p, command, sizeof(command));
    assert_string_equal(command, "gunicorn: worke");
    ww_proc_close(&p);
}

static void ignored_children_are_noticed(void **state)
{
    struct tree *t = *state;
    struct ww_proc p;
    const char no[] = "Name:\tw\nSigIgn:\t0000000001001000\nSigCgt:\t0\n";
    const char yes[] = "Name:\tw\nSigIgn:\t0000000000010000\nSigCgt:\t0\n";

    put_process(t, 10, 1, "w", 100, 0);
    assert_true(ww_proc_open(t->root, 10, &p));
    assert_true(ww_proc_ignores_children(&p));
    put_file(t, 10, "status", no, sizeof(no) - 1);
    assert_false(ww_proc_ignores_children(&p));
    put_file(t, 10, "status", yes, sizeof(yes) - 1);
    assert_true(ww_proc_ignores_children(&p));
    ww_proc_close(&p);
}

static void a_status_is_read_or_refused(void **state)
{
    static const char *const broken[] = {
        "",
        "Uid:\t1\nSigIgn:\t0\nCapEff:\t0\nCapBnd:\t0\n",
        "Uid:\t1\t4294967296\t1\t1\nSigIgn:\t0\nCapEff:\t0\nCapBnd:\t0\n",
        "Uid:\t1\t2\t3\t4\nSigIgn:\t0\nCapEff:\tg\nCapBnd:\t0\n",
        "Uid:\t1\t2\t3\t4\nSigIgn:\t0\nCapEff:\t00000000000000001\nCapBnd:\t0\n",
        "Uid:\t1\t2\t3\t4\nSigIgn:\t0\nCapEffect:\t0\nCapBnd:\t0\n",
        "Name:\tUid:\t1\t2\nSigIgn:\t0\nCapEff:\t0\nCapBnd:\t0\n",
    };
    struct ww_proc_status s = { 0 };

    (void)state;
    assert_true(
        ww_proc_parse_status(ww_str_c("Name:\tx\nUid:\t0\t33\t0\t0\nSigIgn:\t0000000000010000\n"
                                      "CapEff:\t0000000000080004\nCapBnd:\t000001ffffffffff\n"),
                             &s));
    assert_int_equal(s.uid, 33);
    assert_int_equal(s.ignores, 0x10000);
    assert_int_equal(s.cap_allowed, 0x80004);
    assert_int_equal(s.cap_bounding, 0x1ffffffffff);
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        assert_false(ww_proc_parse_status(ww_str_c(broken[i]), &s));
    assert_int_equal(s.uid, 33);
}

static void our_own_descriptors_can_be_read(void **state)
{
    int root = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct ww_proc p;

    (void)state;
    assert_true(ww_proc_open(root, getpid(), &p));
    assert_int_equal(ww_proc_fd_error(&p), 0);
    assert_false(ww_proc_is_closed(&p, geteuid()));
    ww_proc_close(&p);
    close(root);
}

static void the_last_pid_is_read(void **state)
{
    uint64_t pid = 0;

    assert_true(ww_proc_parse_loadavg(WW_STR("0.20 0.18 0.12 1/80 11206\n"), &pid));
    assert_int_equal(pid, 11206);
    assert_false(ww_proc_parse_loadavg(WW_STR("0.20 0.18 0.12 1/80\n"), &pid));
    assert_false(ww_proc_parse_loadavg(WW_STR("0.20 0.18 0.12 1/80 x\n"), &pid));
    assert_false(ww_proc_parse_loadavg(WW_STR(""), &pid));
}

static void the_last_pid_moves_with_every_fork(void **state)
{
    int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    uint64_t before = ww_proc_last_pid(fd);

    assert_true(before > 0);

    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(ww_proc_last_pid(fd) != before);
    close(fd);
}

static void our_own_start_is_in_the_past(void **state)
{
    struct ww_proc p;
    int root = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(ww_proc_open(root, getpid(), &p));
    assert_true(ww_proc_start_mono_us(&p) <= ww_clock_mono_us());
    assert_true(ww_proc_start_mono_us(&p) > ww_clock_mono_us() - 600 * 1000000LL);
    assert_true(ww_proc_start_wall_us(&p) <= ww_clock_wall_us());
    assert_int_equal(p.ppid, getppid());
    ww_proc_close(&p);
    assert_false(ww_proc_open(root, INT32_MAX, &p));
    close(root);
}

static void a_directory_that_may_not_be_read_is_hidden(void **state)
{
    struct tree *t = *state;
    struct ww_proc p;
    int fd = -1;

    if (geteuid() == 0)
        skip(); /* root reads everything; tests/unit/test_attrib.c gives up root and tries */
    put_process(t, 10, 1, "w", 100, 0);
    assert_int_equal(fchmodat(t->root, "10/fd", 0, 0), 0);
    assert_true(ww_proc_open(t->root, 10, &p));
    assert_int_equal(ww_proc_find_socket(&p, 501, &fd), WW_HELD_HIDDEN);
    assert_int_equal(fchmodat(t->root, "10/fd", 0700, 0), 0);
    ww_proc_close(&p);
}

static struct ww_family *family_of(const struct tree *t, struct ww_sockdiag *diag)
{
    struct ww_family *f = calloc(1, sizeof(*f));
    struct ww_err err = { 0 };

    assert_non_null(f);
    assert_int_equal(ww_sockdiag_open(diag, &err), WW_OK);
    assert_int_equal(ww_family_open(f, t->dir, diag, &err), WW_OK);
    return f;
}

static void family_end(struct ww_family *f, struct ww_sockdiag *diag)
{
    ww_family_release(f);
    ww_sockdiag_close(diag);
    free(f);
}

static struct ww_addr nowhere(void)
{
    struct ww_addr a;
    struct ww_err err = { 0 };

    assert_int_equal(
        ww_addr_parse(WW_STR("unix:@whichworker-no-such-listener"), "test", &a, &err), WW_OK);
    return a;
}

static void a_scan_finds_whoever_holds_the_wanted_socket(void **state)
{
    struct tree *t = *state;
    struct ww_sockdiag diag;
    struct ww_family *f = family_of(t, &diag);
    struct ww_addr up = nowhere();
    int fd = -1;

    put_process(t, 10, 1, "a", 100, 0);
    put_process(t, 11, 1, "b", 100, 0);
    put_socket(t, 11, 7, 4000000001U);
    assert_int_equal(mkdirat(t->root, "self", 0700), 0);
    assert_int_equal(mkdirat(t->root, "12", 0700), 0); /* vanished before its stat was read */
    assert_true(ww_family_scan(f, &up, 4000000001U));

    struct ww_kin *k = ww_family_owner(f, 4000000001U, &fd);

    assert_non_null(k);
    assert_int_equal(k->worker.id.pid, 11);
    assert_int_equal(k->worker.id.start_ticks, 100);
    assert_int_equal(fd, 7);
    assert_null(ww_family_owner(f, 4000000002U, &fd));
    assert_int_equal(ww_family_last_pid(f), 0);
    family_end(f, &diag);
}

static void a_young_child_with_the_socket_is_a_second_owner(void **state)
{
    struct tree *t = *state;
    struct ww_sockdiag diag;
    struct ww_family *f = family_of(t, &diag);
    struct ww_addr up = nowhere();
    uint64_t now_ticks = (uint64_t)(ww_clock_mono_us() / ww_proc_tick_us());
    int64_t since_us = ww_clock_mono_us();

    put_process(t, 10, 1, "w", 100, 0);
    put_socket(t, 10, 7, 4000000001U);
    put_process(t, 11, 10, "old", 100, 0);
    put_socket(t, 11, 7, 4000000001U);
    put_file(t, 10, "task/10/children", "11 ", 3);
    assert_true(ww_family_scan(f, &up, 4000000001U));

    struct ww_kin *k = ww_family_find(f, 10);
    struct ww_brood b = ww_family_brood(f, k, since_us, 4000000001U, 0);

    assert_false(b.present);
    assert_false(b.holds);
    put_process(t, 12, 10, "young", now_ticks + 1000000, 0);
    put_file(t, 10, "task/10/children", "11 12 ", 6);
    b = ww_family_brood(f, k, since_us, 4000000001U, 0);
    assert_true(b.present);
    assert_false(b.holds);
    put_socket(t, 12, 3, 4000000001U);
    b = ww_family_brood(f, k, since_us, 4000000001U, 0);
    assert_true(b.holds);
    assert_int_equal(unlinkat(t->root, "10/task/10/children", 0), 0);
    b = ww_family_brood(f, k, since_us, 4000000001U, 0);
    assert_true(b.blind);
    family_end(f, &diag);
}

static void a_reaped_child_leaves_a_trace(void **state)
{
    struct tree *t = *state;
    struct ww_sockdiag diag;
    struct ww_family *f = family_of(t, &diag);
    struct ww_addr up = nowhere();
    const char later[] = "10 (w) S 1 1 1 0 -1 4194560 10 90 0 0 1 2 0 0 20 0 1 0 100 5 6 7\n";

    put_process(t, 10, 1, "w", 100, 3);
    put_socket(t, 10, 7, 4000000001U);
    assert_true(ww_family_scan(f, &up, 4000000001U));

    struct ww_kin *k = ww_family_find(f, 10);

    assert_true(ww_kin_alive(k));
    assert_int_equal(k->forked_us, 0);
    put_file(t, 10, "stat", later, sizeof(later) - 1);
    assert_true(ww_kin_alive(k));
    assert_true(k->forked_us > 0);
    family_end(f, &diag);
}

#define IN_TREE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stat_fields_are_read),
        IN_TREE(a_name_may_look_like_the_rest_of_the_line),
        cmocka_unit_test(odd_stat_lines_are_refused),
        cmocka_unit_test(a_stat_line_cut_anywhere_is_refused_or_complete),
        IN_TREE(the_holder_is_found_and_the_number_is_told),
        IN_TREE(a_later_process_with_the_same_pid_is_another_one),
        IN_TREE(children_of_all_threads_are_listed),
        IN_TREE(a_command_line_is_joined_and_cut),
        IN_TREE(ignored_children_are_noticed),
        cmocka_unit_test(a_status_is_read_or_refused),
        cmocka_unit_test(our_own_descriptors_can_be_read),
        cmocka_unit_test(the_last_pid_is_read),
        cmocka_unit_test(the_last_pid_moves_with_every_fork),
        cmocka_unit_test(our_own_start_is_in_the_past),
        IN_TREE(a_directory_that_may_not_be_read_is_hidden),
        IN_TREE(a_scan_finds_whoever_holds_the_wanted_socket),
        IN_TREE(a_young_child_with_the_socket_is_a_second_owner),
        IN_TREE(a_reaped_child_leaves_a_trace),
    };

    return cmocka_run_group_tests_name("procfs", tests, NULL, NULL);
}
