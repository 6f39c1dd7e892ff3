/* The trace file survives kills, full disks and damage, and says what is wrong with what is
 * none. */
#include "trace_file.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- the file */

static void assert_mode(const struct place *p, const char *name)
{
    char path[256];
    struct stat st;

    assert_int_equal(stat(in(p, name, path), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void nobody_else_may_read_it(void **state)
{
    static const mode_t masks[] = { 0, 022, 0777 };
    const struct place *p = *state;

    for (size_t i = 0; i < 3; i++) {
        mode_t old = umask(masks[i]);
        struct ww_writer *w = writer_at(p->path);
        emit(w, plain(1));
        ww_writer_commit(w);
        umask(old);
        assert_mode(p, "trace.db");
        if (i < 2) { /* SQLite asks the umask again for these */
            assert_mode(p, "trace.db-wal");
            assert_mode(p, "trace.db-shm");
        }
        close_writer(w);
        assert_mode(p, "trace.db");
        unlink(p->path);
    }
}

static void one_file_is_left_and_reading_leaves_none(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);

    emit(w, plain(1));
    close_writer(w);
    assert_int_equal(count_exchanges(p->path), 1);
    assert_false(exists(p, "trace.db-wal"));
    assert_false(exists(p, "trace.db-shm"));
    assert_false(exists(p, "trace.db-journal"));
}

static void refuses_to_create(const char *path, const char *why)
{
    struct ww_err err = { 0 };

    assert_null(ww_writer_new(path, &a_run, &err));
    assert_true(err.code != WW_OK);
    if (strstr(err.text, why) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, why);
}

static void an_existing_file_is_never_overwritten(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    char other[256];

    emit(w, plain(1));
    refuses_to_create(p->path, "choose another name");
    close_writer(w);
    refuses_to_create(p->path, "never overwritten");
    assert_int_equal(count_exchanges(p->path), 1);
    refuses_to_create(p->dir, "exists already");
    assert_int_equal(symlink("nowhere", in(p, "new.db", other)), 0);
    refuses_to_create(other, "exists already");
}

static void leftovers_of_another_recording_are_refused(void **state)
{
    const struct place *p = *state;
    char wal[256];

    close(open(in(p, "trace.db-wal", wal), O_CREAT | O_WRONLY, 0644));
    refuses_to_create(p->path, "left from another recording");
    assert_false(exists(p, "trace.db"));
}

static void a_missing_directory_is_named(void **state)
{
    const struct place *p = *state;
    char path[256];

    refuses_to_create(in(p, "none/trace.db", path), "directory does not exist");
}

static void any_name_is_only_a_name(void **state)
{
    const struct place *p = *state;
    char path[256];
    struct ww_writer *w = writer_at(in(p, "a ?#%b.db", path));

    emit(w, plain(1));
    close_writer(w);
    assert_int_equal(count_exchanges(path), 1);
    assert_true(exists(p, "a ?#%b.db"));
}

/* Runs in a child without root's rights, if we have them. */
static void as_nobody(const struct place *p, void (*job)(const struct place *p))
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(9);
        job(p);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void create_without_permission(const struct place *p)
{
    struct ww_err err = { 0 };
    struct ww_writer *w = ww_writer_new(p->path, &a_run, &err);

    if (w != NULL || strstr(err.text, "Permission denied") == NULL)
        _exit(1);
}

static void no_permission_is_said(void **state)
{
    const struct place *p = *state;

    chmod(p->dir, 0555);
    as_nobody(p, create_without_permission);
}

static void read_two(const struct place *p)
{
    struct ww_err err = { 0 };
    struct ww_reader *r = ww_reader_open(p->path, &err);
    const struct ww_exchange *x;

    if (r == NULL || ww_reader_next_exchange(r, &x, &err) != 1 ||
        ww_reader_next_exchange(r, &x, &err) != 1 || ww_reader_next_exchange(r, &x, &err) != 0)
        _exit(1);
    ww_reader_close(r);
}

static void a_read_only_directory_is_read(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);

    emit(w, plain(1));
    emit(w, plain(2));
    close_writer(w);
    chmod(p->path, 0444);
    chmod(p->dir, 0555);
    as_nobody(p, read_two);
}

static void read_is_refused_for_want_of_the_wal(const struct place *p)
{
    struct ww_err err = { 0 };

    if (ww_reader_open(p->path, &err) != NULL || strstr(err.text, "copy both files") == NULL)
        _exit(1);
}

/* ---- killed, and still running */

/* In a child: commits `committed`, writes as many again, and is killed. */
static void killed_writer(const char *path, uint64_t committed)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        struct ww_writer *w = ww_writer_new(path, &a_run, NULL);
        if (w == NULL)
            _exit(1);
        for (uint64_t i = 1; i <= committed; i++)
            emit(w, plain(i));
        ww_writer_commit(w);
        for (uint64_t i = committed + 1; i <= 2 * committed; i++)
            emit(w, plain(i));
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void a_killed_recording_has_what_was_committed(void **state)
{
    const struct place *p = *state;
    char out[4096];

    killed_writer(p->path, 1000);
    for (size_t i = 0; i < 2; i++) { /* reading does not change it */
        struct ww_reader *r = reader_at(p->path);
        assert_int_equal(ww_reader_run(r)->ended_us, 0);
        for (uint64_t id = 1; id <= 1000; id++)
            assert_int_equal(next_exchange(r)->id, id);
        assert_null(next_exchange(r));
        ww_reader_close(r);
    }
    assert_string_equal(query(p->path, "PRAGMA integrity_check", out), "ok");
    assert_string_equal(query(p->path, "SELECT count(*) FROM timeline", out), "1000");
}

static void a_killed_recording_in_a_read_only_directory_is_explained(void **state)
{
    const struct place *p = *state;
    char name[256];

    killed_writer(p->path, 2);
    unlink(in(p, "trace.db-shm", name));
    chmod(p->path, 0444);
    chmod(in(p, "trace.db-wal", name), 0444);
    chmod(p->dir, 0555);
    as_nobody(p, read_is_refused_for_want_of_the_wal);
}

static void the_file_alone_is_a_trace_from_the_first_moment(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    char name[256];

    emit(w, plain(1));
    ww_writer_commit(w);
    /* As if only the file had been copied. */
    FILE *from = fopen(p->path, "rb");
    FILE *to = fopen(in(p, "new.db", name), "wb");
    for (int c = fgetc(from); c != EOF; c = fgetc(from))
        fputc(c, to);
    fclose(from);
    fclose(to);
    assert_int_equal(count_exchanges(name), 0);
    close_writer(w);
}

static void a_reader_sees_one_moment_of_a_live_recording(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);

    emit(w, plain(1));
    emit(w, plain(2));
    ww_writer_commit(w);
    struct ww_reader *r = reader_at(p->path);
    struct ww_reader *idle = reader_at(p->path); /* its moment is the opening */
    assert_non_null(next_exchange(r));
    emit(w, plain(3));
    ww_writer_commit(w);
    assert_int_equal(count_exchanges(p->path), 3);
    assert_non_null(next_exchange(r));
    assert_null(next_exchange(r));
    assert_int_equal(next_exchange(idle)->id, 1);
    assert_int_equal(next_exchange(idle)->id, 2);
    assert_null(next_exchange(idle));
    ww_reader_close(idle);
    emit(w, plain(4));
    close_writer(w); /* though somebody reads */
    ww_reader_close(r);
    assert_int_equal(count_exchanges(p->path), 4);
}

static void a_long_batch_is_committed_in_between(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);

    for (uint64_t i = 1; i <= 5000; i++)
        emit(w, plain(i));
    unsigned seen = count_exchanges(p->path);
    assert_true(seen > 0 && seen < 5000);
    close_writer(w);
    assert_int_equal(count_exchanges(p->path), 5000);
}

/* ---- no trace */

static void put_file(const char *path, const char *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    fclose(f);
}

static void is_no_trace(const char *path, const char *why)
{
    struct ww_err err = { 0 };

    assert_null(ww_reader_open(path, &err));
    assert_true(err.code != WW_OK);
    if (strstr(err.text, why) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, why);
}

static void what_is_no_trace_is_refused_with_its_reason(void **state)
{
    const struct place *p = *state;
    char out[4096];

    is_no_trace("-", "pipe");
    is_no_trace(p->path, "No such file");
    is_no_trace(p->dir, "not a regular file");
    is_no_trace("/dev/null", "not a regular file");
    put_file(p->path, "", 0);
    is_no_trace(p->path, "empty");
    put_file(p->path, "hello", 5);
    is_no_trace(p->path, "not an SQLite file");
    put_file(p->path, "SQLite format 3\0garbage", 23);
    is_no_trace(p->path, "damaged");
    unlink(p->path);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
    sqlite3_exec(db, "CREATE TABLE t (x)", NULL, NULL, NULL);
    sqlite3_close(db);
    is_no_trace(p->path, "another application");
    query(p->path, "PRAGMA application_id = 2004316779", out);
    is_no_trace(p->path, "no version");
    query(p->path, "PRAGMA user_version = 1", out);
    is_no_trace(p->path, "damaged");
    query(p->path, "PRAGMA user_version = 2", out);
    is_no_trace(p->path, "version 2");
}

static void record_many(const char *path)
{
    struct ww_writer *w = writer_at(path);

    for (uint64_t i = 1; i <= 2000; i++) {
        struct ww_exchange *x = plain(i);
        x->response_body.bytes = ww_arena_printf(&x->arena, "answer %u", (unsigned)i);
        x->response_body.size = x->response_body.bytes.len;
        emit(w, x);
    }
    close_writer(w);
}

/* Reads to the end or to an error; true if all came. */
static bool reads(const char *path, struct ww_err *err)
{
    struct ww_reader *r = ww_reader_open(path, err);
    const struct ww_exchange *x;
    int code = 1;
    unsigned n = 0;

    while (r != NULL && (code = ww_reader_next_exchange(r, &x, err)) == 1)
        n++;
    ww_reader_close(r);
    return r != NULL && code == 0 && n == 2000;
}

static void a_truncated_trace_is_damaged(void **state)
{
    const struct place *p = *state;
    struct stat st;

    record_many(p->path);
    assert_int_equal(stat(p->path, &st), 0);
    static const off_t keep[] = { 90, 99, 50, 10, 1 };
    for (size_t i = 0; i < 5; i++) {
        struct ww_err err = { 0 };
        assert_int_equal(truncate(p->path, st.st_size / 100 * keep[i]), 0);
        if (keep[i] == 99)
            continue; /* grows it again, with zeros */
        assert_false(reads(p->path, &err));
        if (strstr(err.text, "damaged") == NULL)
            fail_msg("%d%%: %s", (int)keep[i], err.text);
    }
}

static void no_damage_does_worse_than_an_error(void **state)
{
    const struct place *p = *state;
    struct stat st;
    unsigned failed = 0;

    record_many(p->path);
    assert_int_equal(stat(p->path, &st), 0);
    char *good = ww_xmalloc((size_t)st.st_size);
    char *bad = ww_xmalloc((size_t)st.st_size);
    FILE *f = fopen(p->path, "rb");
    assert_int_equal(fread(good, 1, (size_t)st.st_size, f), st.st_size);
    fclose(f);
    uint32_t seed = 12345;
    for (unsigned round = 0; round < 60; round++) {
        struct ww_err err = { 0 };
        memcpy(bad, good, (size_t)st.st_size);
        for (unsigned i = 0; i < 200; i++) {
            seed = seed * 1664525 + 1013904223;
            bad[seed % (uint32_t)st.st_size] ^= (char)(seed >> 24);
        }
        put_file(p->path, bad, (size_t)st.st_size);
        if (!reads(p->path, &err))
            failed++;
        assert_true(err.code == WW_OK || strlen(err.text) > 0);
    }
    assert_true(failed > 0);
    free(good);
    free(bad);
}

static void a_word_that_is_not_known_is_an_error(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    struct ww_err err = { 0 };
    const struct ww_exchange *x;
    char out[4096];

    emit(w, plain(1));
    close_writer(w);
    query(p->path, "UPDATE exchange SET ended_as = 'vanished'", out);
    struct ww_reader *r = reader_at(p->path);
    assert_true(ww_reader_next_exchange(r, &x, &err) < 0);
    assert_non_null(strstr(err.text, "ended_as"));
    ww_reader_close(r);
}

/* ---- a full disk */

/* In a child, whose files may not grow past 256 KiB. */
static void write_past_the_limit(const struct place *p)
{
    struct rlimit small = { .rlim_cur = 256 << 10, .rlim_max = 256 << 10 };
    struct ww_err err = { 0 };
    struct ww_writer *w;

    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &small) != 0 ||
        (w = ww_writer_new(p->path, &a_run, NULL)) == NULL)
        _exit(1);
    for (uint64_t i = 1; i <= 5000; i++) {
        struct ww_exchange *x = plain(i);
        x->request_id = ww_arena_printf(&x->arena, "%0200u", (unsigned)i);
        emit(w, x);
        if (i % 50 == 0)
            ww_writer_commit(w);
    }
    if (ww_writer_error(w) == NULL || strstr(ww_writer_error(w)->text, "cannot go on") == NULL)
        _exit(2);
    uint64_t lost = ww_writer_lost(w);
    if (lost == 0 || lost >= 5000)
        _exit(3);
    if (ww_writer_close(w, T0, 0, &err) == 0 || err.text[0] == '\0')
        _exit(4);
    /* What is not lost is there. */
    struct ww_reader *r = ww_reader_open(p->path, &err);
    const struct ww_exchange *x;
    uint64_t n = 0;
    while (r != NULL && ww_reader_next_exchange(r, &x, &err) == 1)
        n++;
    if (r == NULL || n + lost != 5000)
        _exit(5);
    if (ww_reader_run(r)->lost != lost || ww_reader_run(r)->ended_us != T0)
        _exit(6);
    ww_reader_close(r);
}

static void a_full_disk_loses_and_counts(void **state)
{
    const struct place *p = *state;
    char out[4096];

    chmod(p->dir, 0777);
    as_nobody(p, write_past_the_limit);
    assert_string_equal(query(p->path, "PRAGMA integrity_check", out), "ok");
}

static void no_room_to_begin(const struct place *p)
{
    struct rlimit none = { .rlim_cur = 100, .rlim_max = 100 };
    struct ww_err err = { 0 };

    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &none) != 0)
        _exit(1);
    if (ww_writer_new(p->path, &a_run, &err) != NULL ||
        strstr(err.text, "cannot record") == NULL)
        _exit(2);
}

static void without_room_to_begin_nothing_is_left(void **state)
{
    const struct place *p = *state;

    chmod(p->dir, 0777);
    as_nobody(p, no_room_to_begin);
    assert_false(exists(p, "trace.db"));
    assert_false(exists(p, "trace.db-journal"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_else_may_read_it),
        TEST(one_file_is_left_and_reading_leaves_none),
        TEST(an_existing_file_is_never_overwritten),
        TEST(leftovers_of_another_recording_are_refused),
        TEST(a_missing_directory_is_named),
        TEST(any_name_is_only_a_name),
        TEST(no_permission_is_said),
        TEST(a_read_only_directory_is_read),
        TEST(a_killed_recording_has_what_was_committed),
        TEST(a_killed_recording_in_a_read_only_directory_is_explained),
        TEST(the_file_alone_is_a_trace_from_the_first_moment),
        TEST(a_reader_sees_one_moment_of_a_live_recording),
        TEST(a_long_batch_is_committed_in_between),
        TEST(what_is_no_trace_is_refused_with_its_reason),
        TEST(a_truncated_trace_is_damaged),
        TEST(no_damage_does_worse_than_an_error),
        TEST(a_word_that_is_not_known_is_an_error),
        TEST(a_full_disk_loses_and_counts),
        TEST(without_room_to_begin_nothing_is_left),
    };
    return cmocka_run_group_tests_name("store_file", tests, NULL, NULL);
}
