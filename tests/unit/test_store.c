/* The trace file: what is written comes back, whatever happens to the writer or the file. */
#include "file.h"

#include <whichworker/store.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#define T0 1700000000000000LL /* 2023-11-14 22:13:20 UTC */

/* ---- a directory for each test */

struct place {
    char dir[64];
    char path[96]; /* of the trace */
};

static int make_place(void **state)
{
    struct place *p = ww_xcalloc(1, sizeof(*p));

    snprintf(p->dir, sizeof(p->dir), "/tmp/ww-test-store.XXXXXX");
    if (mkdtemp(p->dir) == NULL)
        return -1;
    snprintf(p->path, sizeof(p->path), "%s/trace.db", p->dir);
    *state = p;
    return 0;
}

static int remove_place(void **state)
{
    static const char *const names[] = { "trace.db",         "trace.db-wal", "trace.db-shm",
                                         "trace.db-journal", "a ?#%b.db",    "new.db" };
    struct place *p = *state;
    char name[256];

    chmod(p->dir, 0700);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(name, sizeof(name), "%s/%s", p->dir, names[i]);
        unlink(name);
    }
    int r = rmdir(p->dir); /* fails if anything else was left */
    free(p);
    return r;
}

static const char *in(const struct place *p, const char *name, char out[256])
{
    snprintf(out, 256, "%s/%s", p->dir, name);
    return out;
}

static bool exists(const struct place *p, const char *name)
{
    char path[256];

    return access(in(p, name, path), F_OK) == 0;
}

/* ---- writing */

static const struct ww_run a_run = { .started_us = T0,
                                     .version = "0.1.0",
                                     .upstream = "127.0.0.1:8000",
                                     .upstream_connections = "fresh",
                                     .schedule = "natural" };

static struct ww_writer *writer_at(const char *path)
{
    struct ww_err err = { 0 };
    struct ww_writer *w = ww_writer_new(path, &a_run, &err);

    if (w == NULL)
        fail_msg("%s", err.text);
    return w;
}

static void close_writer(struct ww_writer *w)
{
    struct ww_err err = { 0 };

    if (ww_writer_close(w, T0 + 9000000, 7, &err) != 0)
        fail_msg("%s", err.text);
}

/* A plain exchange: one second apart, ten milliseconds long. */
static struct ww_exchange *plain(uint64_t id)
{
    struct ww_exchange *x = ww_exchange_new(8 << 20);

    x->id = id;
    x->connection = 1;
    x->upstream = id;
    x->client = WW_STR("127.0.0.1");
    x->started_us = T0 + (int64_t)id * 1000000;
    x->ended_us = x->started_us + 10000;
    x->method = WW_STR("GET");
    x->target = WW_STR("/cars");
    x->request_minor = 1;
    x->status = 200;
    x->by = WW_BY_KERNEL;
    x->worker = (struct ww_worker_id){ .pid = 51463, .start_ticks = 100 };
    return x;
}

static void emit(struct ww_writer *w, struct ww_exchange *x)
{
    ww_writer_sink(w)->exchange(ww_writer_sink(w), x);
}

/* ---- reading */

static struct ww_reader *reader_at(const char *path)
{
    struct ww_err err = { 0 };
    struct ww_reader *r = ww_reader_open(path, &err);

    if (r == NULL)
        fail_msg("%s", err.text);
    return r;
}

static const struct ww_exchange *next_exchange(struct ww_reader *r)
{
    struct ww_err err = { 0 };
    const struct ww_exchange *x = NULL;
    int code = ww_reader_next_exchange(r, &x, &err);

    if (code < 0)
        fail_msg("%s", err.text);
    return code == 0 ? NULL : x;
}

static unsigned count_exchanges(const char *path)
{
    struct ww_reader *r = reader_at(path);
    unsigned n = 0;

    while (next_exchange(r) != NULL)
        n++;
    ww_reader_close(r);
    return n;
}

static void assert_str(ww_str got, ww_str want)
{
    assert_int_equal(got.ptr == NULL, want.ptr == NULL);
    assert_int_equal(got.len, want.len);
    if (want.len > 0)
        assert_memory_equal(got.ptr, want.ptr, want.len);
}

static void assert_fields(const struct ww_fields *got, const struct ww_fields *want)
{
    assert_int_equal(got->n, want->n);
    for (size_t i = 0; i < want->n; i++) {
        assert_str(got->v[i].name, want->v[i].name);
        assert_str(got->v[i].value, want->v[i].value);
    }
}

static void assert_exchange(const struct ww_exchange *got, const struct ww_exchange *want)
{
    assert_int_equal(got->id, want->id);
    assert_int_equal(got->connection, want->connection);
    assert_int_equal(got->upstream, want->upstream);
    assert_str(got->request_id, want->request_id);
    assert_str(got->client, want->client);
    assert_int_equal(got->started_us, want->started_us);
    assert_int_equal(got->connected_us, want->connected_us);
    assert_int_equal(got->accepted_us, want->accepted_us);
    assert_int_equal(got->answered_us, want->answered_us);
    assert_int_equal(got->ended_us, want->ended_us);
    assert_str(got->method, want->method);
    assert_str(got->target, want->target);
    assert_int_equal(got->request_minor, want->request_minor);
    assert_fields(&got->request_fields, &want->request_fields);
    assert_str(got->request_body.bytes, want->request_body.bytes);
    assert_int_equal(got->request_body.size, want->request_body.size);
    assert_int_equal(got->status, want->status);
    assert_fields(&got->response_fields, &want->response_fields);
    assert_str(got->response_body.bytes, want->response_body.bytes);
    assert_int_equal(got->response_body.size, want->response_body.size);
    assert_int_equal(got->end, want->end);
    assert_int_equal(got->by, want->by);
    assert_true(ww_worker_same(got->worker, want->worker));
}

/* What sqlite3 prints: rows joined by newlines, columns by bars. */
static const char *query(const char *path, const char *sql, char out[4096])
{
    sqlite3 *db;
    sqlite3_stmt *s;
    size_t n = 0;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    out[0] = '\0';
    while (sqlite3_step(s) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(s); i++) {
            const unsigned char *text = sqlite3_column_text(s, i);
            n += (size_t)snprintf(out + n, 4096 - n, "%s%s", i > 0 ? "|" : (n > 0 ? "\n" : ""),
                                  text == NULL ? "" : (const char *)text);
        }
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    sqlite3_close(db);
    return out;
}

/* ---- round trips */

static void full_fields(struct ww_exchange *x)
{
    struct ww_arena *a = &x->arena;

    assert_true(ww_fields_add(&x->request_fields, a, WW_STR("Host"), WW_STR("localhost")));
    assert_true(ww_fields_add(&x->request_fields, a, WW_STR("X-A"), WW_STR("1")));
    assert_true(ww_fields_add(&x->request_fields, a, WW_STR("x-a"), WW_STR("2: b: c")));
    assert_true(ww_fields_add(&x->request_fields, a, WW_STR("X-Empty"), WW_STR("")));
    assert_true(ww_fields_add(&x->request_fields, a, WW_STR("X-A"), WW_STR("\xff\xfe latin")));
    assert_true(ww_fields_add(&x->response_fields, a, WW_STR("Set-Cookie"), WW_STR("a=1")));
    assert_true(ww_fields_add(&x->response_fields, a, WW_STR("Set-Cookie"), WW_STR("b=2")));
}

static struct ww_exchange *full(uint64_t id, ww_str request_body, ww_str response_body)
{
    struct ww_exchange *x = plain(id);

    x->connection = 3;
    x->upstream = 44;
    x->request_id = WW_STR("id-1");
    x->connected_us = x->started_us + 100;
    x->accepted_us = x->started_us + 200;
    x->answered_us = x->started_us + 300;
    x->target = WW_STR("/cars?x='\"%00;--");
    full_fields(x);
    x->request_body = (struct ww_body){ .bytes = request_body, .size = 1ULL << 40 };
    x->response_body = (struct ww_body){ .bytes = response_body, .size = response_body.len };
    x->end = WW_END_UPSTREAM_CUT;
    return x;
}

static void every_field_comes_back(void **state)
{
    static char big[3 << 20];
    const ww_str bodies[][2] = {
        { { 0 }, { 0 } },
        { WW_STR(""), { 0 } },
        { { 0 }, WW_STR("") },
        { WW_STR("a\0b\xff\x00"), WW_STR("{\"n\":1}") },
        { WW_STR("{\"n\":1}"), WW_STR("{\"n\":1}") },
        { { big, sizeof(big) }, { big, sizeof(big) - 1 } },
    };
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    size_t n = sizeof(bodies) / sizeof(bodies[0]);

    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(i * 7 + (i >> 8));
    for (size_t i = 0; i < n; i++)
        emit(w, full(i + 1, bodies[i][0], bodies[i][1]));
    close_writer(w);

    struct ww_reader *r = reader_at(p->path);
    for (size_t i = 0; i < n; i++) {
        struct ww_exchange *want = full(i + 1, bodies[i][0], bodies[i][1]);
        const struct ww_exchange *got = next_exchange(r);
        assert_non_null(got);
        assert_exchange(got, want);
        ww_exchange_free(want);
    }
    assert_null(next_exchange(r));
    ww_reader_close(r);
}

static void nothing_at_all_comes_back_as_nothing(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    struct ww_exchange *x = ww_exchange_new(1024);
    struct ww_exchange want = { .id = 1, .started_us = 5, .end = WW_END_BAD_REQUEST };

    x->id = want.id;
    x->started_us = want.started_us;
    x->end = want.end;
    emit(w, x);
    close_writer(w);
    struct ww_reader *r = reader_at(p->path);
    const struct ww_exchange *got = next_exchange(r);
    assert_non_null(got);
    assert_exchange(got, &want);
    ww_reader_close(r);
}

static void every_end_and_source_comes_back(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);

    for (unsigned i = 0; i < WW_ENDS * WW_SOURCES; i++) {
        struct ww_exchange *x = plain(i + 1);
        x->end = (enum ww_end)(i % WW_ENDS);
        x->by = (enum ww_source)(i / WW_ENDS);
        emit(w, x);
    }
    close_writer(w);
    struct ww_reader *r = reader_at(p->path);
    for (unsigned i = 0; i < WW_ENDS * WW_SOURCES; i++) {
        const struct ww_exchange *x = next_exchange(r);
        assert_non_null(x);
        assert_int_equal(x->end, i % WW_ENDS);
        assert_int_equal(x->by, i / WW_ENDS);
    }
    ww_reader_close(r);
}

static void exchanges_come_in_order_of_time_then_id(void **state)
{
    static const uint64_t written[][2] = {
        { 3, 10 }, { 1, 20 }, { 5, 10 }, { 2, 5 }, { 4, 20 }
    };
    static const uint64_t read[] = { 2, 3, 5, 1, 4 };
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);

    for (size_t i = 0; i < 5; i++) {
        struct ww_exchange *x = plain(written[i][0]);
        x->started_us = T0 + (int64_t)written[i][1];
        emit(w, x);
    }
    close_writer(w);
    struct ww_reader *r = reader_at(p->path);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(next_exchange(r)->id, read[i]);
    ww_reader_close(r);
}

static void the_run_comes_back_with_its_end(void **state)
{
    const struct place *p = *state;

    close_writer(writer_at(p->path));
    struct ww_reader *r = reader_at(p->path);
    const struct ww_run *run = ww_reader_run(r);
    assert_int_equal(run->started_us, T0);
    assert_int_equal(run->ended_us, T0 + 9000000);
    assert_int_equal(run->stalls, 7);
    assert_int_equal(run->lost, 0);
    assert_string_equal(run->version, "0.1.0");
    assert_string_equal(run->upstream, "127.0.0.1:8000");
    assert_string_equal(run->upstream_connections, "fresh");
    assert_string_equal(run->schedule, "natural");
    ww_reader_close(r);
}

static void a_worker_that_changed_is_one_worker(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    struct ww_sink *s = ww_writer_sink(w);
    struct ww_worker a = { .id = { .pid = 51463, .start_ticks = 100 },
                           .started_us = T0,
                           .command = "gunicorn: worker [app:app]" };
    struct ww_worker b = { .id = { .pid = 51463, .start_ticks = 200 }, .slot = 1 };
    struct ww_worker got;
    struct ww_err err = { 0 };

    s->worker(s, &a);
    s->worker(s, &b);
    a.ended_us = T0 + 5;
    s->worker(s, &a);
    close_writer(w);
    struct ww_reader *r = reader_at(p->path);
    assert_int_equal(ww_reader_next_worker(r, &got, &err), 1);
    assert_true(ww_worker_same(got.id, a.id));
    assert_int_equal(got.started_us, T0);
    assert_int_equal(got.ended_us, T0 + 5);
    assert_string_equal(got.command, a.command);
    assert_int_equal(ww_reader_next_worker(r, &got, &err), 1);
    assert_true(ww_worker_same(got.id, b.id));
    assert_int_equal(got.slot, 1);
    assert_int_equal(got.ended_us, 0);
    assert_int_equal(ww_reader_next_worker(r, &got, &err), 0);
    ww_reader_close(r);
}

static void a_payload_is_kept_once(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    struct ww_payload mine[] = {
        { .value = WW_STR("mac:1"), .form = "jwt", .json = WW_STR("{}") },
        { .value = WW_STR("mac:2"), .form = "django", .json = WW_STR("[]") }
    };
    struct ww_payload got;
    struct ww_err err = { 0 };

    for (uint64_t i = 1; i <= 3; i++) {
        struct ww_exchange *x = plain(i);
        x->payload = mine;
        x->payloads = i == 1 ? 1 : 2;
        emit(w, x);
    }
    close_writer(w);
    struct ww_reader *r = reader_at(p->path);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ww_reader_next_payload(r, &got, &err), 1);
        assert_str(got.value, mine[i].value);
        assert_string_equal(got.form, mine[i].form);
        assert_str(got.json, mine[i].json);
    }
    assert_int_equal(ww_reader_next_payload(r, &got, &err), 0);
    ww_reader_close(r);
}

static void equal_bodies_are_kept_once(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    char out[4096];

    for (uint64_t i = 1; i <= 10; i++) {
        struct ww_exchange *x = plain(i);
        x->response_body = (struct ww_body){ .bytes = WW_STR("same"), .size = 4 };
        emit(w, x);
    }
    close_writer(w);
    assert_string_equal(query(p->path, "SELECT count(*) FROM body", out), "1");
}

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
    assert_non_null(next_exchange(r));
    emit(w, plain(3));
    ww_writer_commit(w);
    assert_int_equal(count_exchanges(p->path), 3);
    assert_non_null(next_exchange(r));
    assert_null(next_exchange(r));
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

/* ---- views */

struct row {
    uint64_t id;
    uint64_t connection;
    int64_t from_ms, to_ms;
    int32_t pid; /* 0: unknown; -1: it never reached a worker */
    const char *client;
};

static void emit_row(struct ww_writer *w, const struct row *row)
{
    struct ww_exchange *x = plain(row->id);

    x->connection = row->connection;
    x->started_us = T0 + row->from_ms * 1000;
    x->connected_us = x->started_us + 500;
    x->accepted_us = x->started_us + 1500;
    x->answered_us = x->started_us + 3500;
    x->ended_us = T0 + row->to_ms * 1000;
    x->worker.pid = row->pid > 0 ? row->pid : 0;
    x->by = row->pid > 0 ? WW_BY_KERNEL : (row->pid == 0 ? WW_BY_UNKNOWN : WW_BY_NOBODY);
    x->client = ww_str_c(row->client);
    emit(w, x);
}

static void splits_are_what_sql_can_say(void **state)
{
    static const struct row rows[] = {
        { 1, 1, 0, 10, 11, "10.0.0.1" },
        { 2, 1, 20, 30, 12, "10.0.0.1" }, /* split */
        { 3, 1, 40, 50, 12, "10.0.0.1" },
        { 4, 1, 60, 70, 0, "10.0.0.1" }, /* not known */
        { 5, 1, 80, 90, 11, "10.0.0.1" },
        { 6, 2, 100, 110, 12, "10.0.0.1" }, /* by address */
        { 7, 3, 0, 500, 11, "10.0.0.2" },
        { 8, 4, 100, 200, 12, "10.0.0.2" }, /* overlap */
        { 9, 5, 0, 10, 11, "10.0.0.3" },
        { 10, 5, 20, 30, -1, "10.0.0.3" }, /* as if not sent */
        { 11, 5, 40, 50, 12, "10.0.0.3" },
    };
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    char out[4096];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        emit_row(w, &rows[i]);
    close_writer(w);
    assert_string_equal(query(p->path, "SELECT * FROM splits", out),
                        "connection|10.0.0.1|1|11|GET /cars|2|12|GET /cars|10.0\n"
                        "connection|10.0.0.3|9|11|GET /cars|11|12|GET /cars|30.0\n"
                        "address|10.0.0.1|5|11|GET /cars|6|12|GET /cars|10.0");
}

static void the_timeline_says_what_happened(void **state)
{
    static const struct row row = { 1, 1, 1500, 1510, 11, "10.0.0.1" };
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    struct ww_worker worker = { .id = { .pid = 11, .start_ticks = 100 }, .slot = 3 };
    char out[4096];

    ww_writer_sink(w)->worker(ww_writer_sink(w), &worker);
    emit_row(w, &row);
    struct ww_exchange *cut = full(2, WW_STR("ab"), WW_STR("whole"));
    emit(w, cut);
    close_writer(w);
    assert_string_equal(
        query(p->path, "SELECT * FROM timeline", out),
        "1|22:13:21.500|10.0.0.1|1|11|3|GET|/cars|200|10.0|1.0|2.0|0|0||complete|"
        "kernel\n"
        "2|22:13:22.000|127.0.0.1|3|51463||GET|/cars?x='\"%00;--|200|10.0|0.1|0.1|"
        "1099511627776|5|request|upstream-cut|kernel");
}

static void connections_are_kept(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    struct ww_connection c = { .id = 1, .peer = "127.0.0.1:41234", .opened_us = T0 };
    char out[4096];

    ww_writer_sink(w)->connection(ww_writer_sink(w), &c);
    c.closed_us = T0 + 1;
    ww_writer_sink(w)->connection(ww_writer_sink(w), &c);
    c = (struct ww_connection){ .id = 2, .peer = "[::1]:5", .opened_us = T0 };
    ww_writer_sink(w)->connection(ww_writer_sink(w), &c);
    close_writer(w);
    assert_string_equal(query(p->path, "SELECT * FROM connection", out),
                        "1|127.0.0.1:41234|1700000000000000|1700000000000001\n"
                        "2|[::1]:5|1700000000000000|");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_field_comes_back),
        TEST(nothing_at_all_comes_back_as_nothing),
        TEST(every_end_and_source_comes_back),
        TEST(exchanges_come_in_order_of_time_then_id),
        TEST(the_run_comes_back_with_its_end),
        TEST(a_worker_that_changed_is_one_worker),
        TEST(a_payload_is_kept_once),
        TEST(equal_bodies_are_kept_once),
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
        TEST(splits_are_what_sql_can_say),
        TEST(the_timeline_says_what_happened),
        TEST(connections_are_kept),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
