/* What the tests of the trace file share: a directory, a writer, a reader, a query. */
#ifndef WW_TEST_TRACE_FILE_H
#define WW_TEST_TRACE_FILE_H

#include <whichworker/store.h>

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
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

static inline int make_place(void **state)
{
    struct place *p = ww_xcalloc(1, sizeof(*p));

    snprintf(p->dir, sizeof(p->dir), "/tmp/ww-test-store.XXXXXX");
    if (mkdtemp(p->dir) == NULL)
        return -1;
    snprintf(p->path, sizeof(p->path), "%s/trace.db", p->dir);
    *state = p;
    return 0;
}

static inline int remove_place(void **state)
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

static inline const char *in(const struct place *p, const char *name, char out[256])
{
    snprintf(out, 256, "%s/%s", p->dir, name);
    return out;
}

static inline bool exists(const struct place *p, const char *name)
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

static inline struct ww_writer *writer_at(const char *path)
{
    struct ww_err err = { 0 };
    struct ww_writer *w = ww_writer_new(path, &a_run, &err);

    if (w == NULL)
        fail_msg("%s", err.text);
    return w;
}

static inline void close_writer(struct ww_writer *w)
{
    struct ww_err err = { 0 };

    if (ww_writer_close(w, T0 + 9000000, 7, &err) != 0)
        fail_msg("%s", err.text);
}

/* A plain exchange: one second apart, ten milliseconds long. */
static inline struct ww_exchange *plain(uint64_t id)
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

static inline void emit(struct ww_writer *w, struct ww_exchange *x)
{
    ww_writer_sink(w)->exchange(ww_writer_sink(w), x);
}

/* ---- reading */

static inline struct ww_reader *reader_at(const char *path)
{
    struct ww_err err = { 0 };
    struct ww_reader *r = ww_reader_open(path, &err);

    if (r == NULL)
        fail_msg("%s", err.text);
    return r;
}

static inline const struct ww_exchange *next_exchange(struct ww_reader *r)
{
    struct ww_err err = { 0 };
    const struct ww_exchange *x = NULL;
    int code = ww_reader_next_exchange(r, &x, &err);

    if (code < 0)
        fail_msg("%s", err.text);
    return code == 0 ? NULL : x;
}

static inline unsigned count_exchanges(const char *path)
{
    struct ww_reader *r = reader_at(path);
    unsigned n = 0;

    while (next_exchange(r) != NULL)
        n++;
    ww_reader_close(r);
    return n;
}

static inline void assert_str(ww_str got, ww_str want)
{
    assert_int_equal(got.ptr == NULL, want.ptr == NULL);
    assert_int_equal(got.len, want.len);
    if (want.len > 0)
        assert_memory_equal(got.ptr, want.ptr, want.len);
}

static inline void assert_fields(const struct ww_fields *got, const struct ww_fields *want)
{
    assert_int_equal(got->n, want->n);
    for (size_t i = 0; i < want->n; i++) {
        assert_str(got->v[i].name, want->v[i].name);
        assert_str(got->v[i].value, want->v[i].value);
    }
}

static inline void assert_exchange(const struct ww_exchange *got,
                                   const struct ww_exchange *want)
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
static inline const char *query(const char *path, const char *sql, char out[4096])
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_place, remove_place)

#endif
