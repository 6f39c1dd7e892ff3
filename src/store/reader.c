/* store: reads a recording: cursors over workers, payloads and exchanges of one snapshot. */
#include "columns.h"
#include "file.h"

#include <whichworker/store.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_MS         2000
#define MAX_ROW_BYTES   (1 << 28) /* of a file that may not be ours at all */
#define MAX_FIELD_BYTES (64U << 20)

static const char magic[16] = "SQLite format 3";

/* clang-format off */
#define NAME(id, name) ", x." #name

static const char worker_sql[] =
    "SELECT pid, start_ticks, slot, started_us, ended_us, command FROM worker "
    "ORDER BY slot, started_us, pid, start_ticks";
static const char payload_sql[] = "SELECT value, form, json, content FROM payload ORDER BY value";
/* The bodies follow the columns of the exchange. */
static const char exchange_sql[] =
    "SELECT x.id" EXCHANGE_COLUMNS(NAME) ", q.bytes, a.bytes FROM exchange AS x "
    "LEFT JOIN body AS q ON q.id = x.request_body LEFT JOIN body AS a ON a.id = x.response_body "
    "ORDER BY x.started_us, x.id";
/* clang-format on */

enum { REQUEST_BYTES = EXCHANGE_COLUMN_COUNT, RESPONSE_BYTES };

/* Owns all. What a cursor gave lies in its statement, until the next step. */
struct ww_reader {
    char *path;
    sqlite3 *db;
    sqlite3_stmt *workers;
    sqlite3_stmt *payloads;
    sqlite3_stmt *exchanges;
    struct ww_run run;
    struct ww_exchange x; /* the one that was given last; its arena holds the field vectors */
};

/* ---- is this a trace? */

static int damaged(struct ww_reader *r, struct ww_err *err)
{
    int primary = sqlite3_errcode(r->db) & 0xff;

    if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || primary == SQLITE_ERROR ||
        primary == SQLITE_TOOBIG) {
        return ww_err_set(err, WW_EINPUT, "the trace '%s' is damaged: %s", r->path,
                          sqlite3_errmsg(r->db));
    }
    return ww_store_err(err, WW_EINPUT, r->db, "cannot read the trace", r->path);
}

static int check_start(int fd, const char *path, struct ww_err *err)
{
    char start[sizeof(magic)];
    struct stat st;

    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        return ww_err_set(err, WW_EINPUT, "'%s' is no trace: it is not a regular file", path);
    ssize_t n = pread(fd, start, sizeof(start), 0);
    if (n < 0)
        return ww_err_errno(err, errno, "cannot read the trace '%s'", path);
    if (n == 0) {
        return ww_err_set(err, WW_EINPUT,
                          "the trace '%s' is empty: its recording was killed before it began",
                          path);
    }
    if ((size_t)n < sizeof(magic) || memcmp(start, magic, sizeof(magic)) != 0)
        return ww_err_set(err, WW_EINPUT, "'%s' is no trace: it is not an SQLite file", path);
    return 0;
}

/* What SQLite would say in riddles is said here in words. */
static int check_file(const char *path, struct ww_err *err)
{
    if (strcmp(path, "-") == 0) {
        return ww_err_set(err, WW_EUSAGE,
                          "a trace cannot be read from a pipe: give the name of its file");
    }
    /* Not to hang on a pipe that has a name. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return ww_err_set(err, WW_EINPUT, "cannot read the trace '%s': %s", path,
                          strerror(errno));
    }
    int r = check_start(fd, path, err);
    close(fd);
    return r;
}

static bool pragma(struct ww_reader *r, const char *sql, int *out_value)
{
    sqlite3_stmt *s;

    if (sqlite3_prepare_v2(r->db, sql, -1, &s, NULL) != SQLITE_OK)
        return false;
    bool row = sqlite3_step(s) == SQLITE_ROW;
    if (row)
        *out_value = sqlite3_column_int(s, 0);
    return sqlite3_finalize(s) == SQLITE_OK && row;
}

static int check_version(struct ww_reader *r, struct ww_err *err)
{
    int application, version;

    if (!pragma(r, "PRAGMA application_id", &application) ||
        !pragma(r, "PRAGMA user_version", &version))
        return damaged(r, err);
    if (application != TRACE_APPLICATION_ID) {
        return ww_err_set(err, WW_EINPUT,
                          "'%s' is no trace: it is an SQLite file of another application",
                          r->path);
    }
    if (version > TRACE_VERSION) {
        return ww_err_set(
            err, WW_EINPUT,
            "the trace '%s' is of version %d, and this whichworker reads version %d: "
            "use the newer whichworker that recorded it",
            r->path, version, TRACE_VERSION);
    }
    if (version < 1) {
        return ww_err_set(err, WW_EINPUT, "the trace '%s' is damaged: it has no version",
                          r->path);
    }
    return 0;
}

/* ---- columns */

static ww_str text_of(sqlite3_stmt *s, int at)
{
    if (sqlite3_column_type(s, at) == SQLITE_NULL)
        return (ww_str){ 0 };
    const char *text = (const char *)sqlite3_column_text(s, at);
    return ww_str_n(text, (size_t)sqlite3_column_bytes(s, at));
}

/* SQLite has no address for an empty blob. */
static ww_str blob_of(sqlite3_stmt *s, int at)
{
    if (sqlite3_column_type(s, at) == SQLITE_NULL)
        return (ww_str){ 0 };
    const char *bytes = sqlite3_column_blob(s, at);
    return bytes == NULL ? WW_STR("") : ww_str_n(bytes, (size_t)sqlite3_column_bytes(s, at));
}

static uint64_t u64_of(sqlite3_stmt *s, int at)
{
    sqlite3_int64 v = sqlite3_column_int64(s, at);
    return v < 0 ? 0 : (uint64_t)v;
}

static unsigned uint_of(sqlite3_stmt *s, int at)
{
    sqlite3_int64 v = sqlite3_column_int64(s, at);
    return v < 0 || v > UINT_MAX ? 0 : (unsigned)v;
}

static void copy_text(sqlite3_stmt *s, int at, char *out, size_t size)
{
    snprintf(out, size, WW_STRF, WW_STRV(text_of(s, at)));
}

/* ---- opening */

static int read_run(struct ww_reader *r, struct ww_err *err)
{
    static const char sql[] = "SELECT version, upstream, upstream_connections, schedule, "
                              "started_us, ended_us, stalls, lost FROM run";
    struct ww_run *run = &r->run;
    sqlite3_stmt *s;

    if (sqlite3_prepare_v2(r->db, sql, -1, &s, NULL) != SQLITE_OK)
        return damaged(r, err);
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW) {
        copy_text(s, 0, run->version, sizeof(run->version));
        copy_text(s, 1, run->upstream, sizeof(run->upstream));
        copy_text(s, 2, run->upstream_connections, sizeof(run->upstream_connections));
        copy_text(s, 3, run->schedule, sizeof(run->schedule));
        run->started_us = sqlite3_column_int64(s, 4);
        run->ended_us = sqlite3_column_int64(s, 5);
        run->stalls = u64_of(s, 6);
        run->lost = u64_of(s, 7);
    }
    if (sqlite3_finalize(s) != SQLITE_OK)
        return damaged(r, err);
    if (step != SQLITE_ROW)
        return ww_err_set(err, WW_EINPUT, "the trace '%s' is damaged: it has no run", r->path);
    return 0;
}

static int connect_db(struct ww_reader *r, const char *query)
{
    char *uri = ww_store_uri(r->path, query);

    sqlite3_close(r->db);
    int code = sqlite3_open_v2(
        uri, &r->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    free(uri);
    if (code != SQLITE_OK)
        return code;
    sqlite3_busy_timeout(r->db, BUSY_MS);
    sqlite3_limit(r->db, SQLITE_LIMIT_LENGTH, MAX_ROW_BYTES);
    /* The file may be anybody's: its schema must not make us call anything. */
    sqlite3_db_config(r->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(r->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_exec(r->db, "PRAGMA cell_size_check = ON", NULL, NULL, NULL);
    /* One snapshot for all cursors: a recording that goes on must not change under the judge.
     * It is taken at the first read. */
    code = sqlite3_exec(r->db, "BEGIN; SELECT 1 FROM sqlite_schema", NULL, NULL, NULL);
    return code;
}

/*
 * Without a WAL nobody is writing, the file is all there is, and it can be read as it lies:
 * nothing is put beside it, and the directory need not be writable. With one, SQLite must share
 * its index (FILE-shm) with the writer, or make it if the writer was killed.
 */
static int open_db(struct ww_reader *r, struct ww_err *err)
{
    char wal[PATH_MAX + 16];
    struct stat st;

    snprintf(wal, sizeof(wal), "%s-wal", r->path);
    bool has_wal = lstat(wal, &st) == 0;
    int code = connect_db(r, has_wal ? "mode=ro" : "immutable=1");
    int primary = code & 0xff;
    if (has_wal && (primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY)) {
        if (st.st_size > 0) {
            return ww_err_set(
                err, WW_EINPUT,
                "cannot read the trace '%s' here: its latest exchanges are still in "
                "'%s', and reading them needs to write in that directory; copy both "
                "files to a directory of yours",
                r->path, wal);
        }
        code = connect_db(r, "immutable=1");
    }
    return code == SQLITE_OK ? 0 : damaged(r, err);
}

static int prepare(struct ww_reader *r, const char *sql, sqlite3_stmt **out, struct ww_err *err)
{
    if (sqlite3_prepare_v2(r->db, sql, -1, out, NULL) != SQLITE_OK)
        return damaged(r, err);
    return 0;
}

struct ww_reader *ww_reader_open(const char *path, struct ww_err *err)
{
    if (check_file(path, err) < 0)
        return NULL;
    struct ww_reader *r = ww_xcalloc(1, sizeof(*r));
    r->path = ww_xstrdup(path);
    ww_arena_init(&r->x.arena, MAX_FIELD_BYTES);
    if (open_db(r, err) == 0 && check_version(r, err) == 0 && read_run(r, err) == 0 &&
        prepare(r, worker_sql, &r->workers, err) == 0 &&
        prepare(r, payload_sql, &r->payloads, err) == 0 &&
        prepare(r, exchange_sql, &r->exchanges, err) == 0)
        return r;
    ww_reader_close(r);
    return NULL;
}

void ww_reader_close(struct ww_reader *r)
{
    if (r == NULL)
        return;
    sqlite3_finalize(r->workers);
    sqlite3_finalize(r->payloads);
    sqlite3_finalize(r->exchanges);
    sqlite3_close(r->db);
    ww_arena_release(&r->x.arena);
    free(r->path);
    free(r);
}

const struct ww_run *ww_reader_run(const struct ww_reader *r)
{
    return &r->run;
}

/* ---- cursors */

static int next(struct ww_reader *r, sqlite3_stmt *s, struct ww_err *err)
{
    switch (sqlite3_step(s)) {
    case SQLITE_ROW:
        return 1;
    case SQLITE_DONE:
        return 0;
    default:
        return damaged(r, err);
    }
}

int ww_reader_next_worker(struct ww_reader *r, struct ww_worker *out, struct ww_err *err)
{
    sqlite3_stmt *s = r->workers;
    int code = next(r, s, err);

    if (code != 1)
        return code;
    *out = (struct ww_worker){
        .id = { .pid = sqlite3_column_int(s, 0), .start_ticks = u64_of(s, 1) },
        .slot = uint_of(s, 2),
        .started_us = sqlite3_column_int64(s, 3),
        .ended_us = sqlite3_column_int64(s, 4),
    };
    copy_text(s, 5, out->command, sizeof(out->command));
    return 1;
}

int ww_reader_next_payload(struct ww_reader *r, struct ww_payload *out, struct ww_err *err)
{
    static const char *const forms[] = { "itsdangerous", "django", "jwt" };
    sqlite3_stmt *s = r->payloads;
    int code = next(r, s, err);

    if (code != 1)
        return code;
    *out = (struct ww_payload){
        .value = text_of(s, 0), .form = "", .json = text_of(s, 2), .content = text_of(s, 3)
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (ww_str_eq(text_of(s, 1), ww_str_c(forms[i])))
            out->form = forms[i];
    }
    return 1;
}

static void read_facts(sqlite3_stmt *s, struct ww_exchange *x)
{
    x->id = u64_of(s, EXCHANGE_ID);
    x->connection = u64_of(s, EXCHANGE_CONNECTION);
    x->upstream = u64_of(s, EXCHANGE_UPSTREAM);
    x->request_id = text_of(s, EXCHANGE_REQUEST_ID);
    x->client = text_of(s, EXCHANGE_CLIENT);
    x->started_us = sqlite3_column_int64(s, EXCHANGE_STARTED_US);
    x->connected_us = sqlite3_column_int64(s, EXCHANGE_CONNECTED_US);
    x->accepted_us = sqlite3_column_int64(s, EXCHANGE_ACCEPTED_US);
    x->answered_us = sqlite3_column_int64(s, EXCHANGE_ANSWERED_US);
    x->ended_us = sqlite3_column_int64(s, EXCHANGE_ENDED_US);
    x->by = ww_source_find(text_of(s, EXCHANGE_ATTRIBUTED_BY));
    x->worker.pid = sqlite3_column_int(s, EXCHANGE_PID);
    x->worker.start_ticks = u64_of(s, EXCHANGE_START_TICKS);
    if (sqlite3_column_type(s, EXCHANGE_ALSO_BY) != SQLITE_NULL)
        x->also_by = ww_source_find(text_of(s, EXCHANGE_ALSO_BY));
    x->also_worker.pid = sqlite3_column_int(s, EXCHANGE_ALSO_PID);
    x->also_worker.start_ticks = u64_of(s, EXCHANGE_ALSO_START_TICKS);
    x->end = ww_end_find(text_of(s, EXCHANGE_ENDED_AS));
}

static void read_messages(sqlite3_stmt *s, struct ww_exchange *x)
{
    x->method = text_of(s, EXCHANGE_METHOD);
    x->target = text_of(s, EXCHANGE_TARGET);
    x->request_minor = uint_of(s, EXCHANGE_REQUEST_MINOR);
    ww_fields_read(&x->request_fields, &x->arena, text_of(s, EXCHANGE_REQUEST_FIELDS));
    x->request_body = (struct ww_body){ .bytes = blob_of(s, REQUEST_BYTES),
                                        .size = u64_of(s, EXCHANGE_REQUEST_SIZE) };
    x->status = uint_of(s, EXCHANGE_STATUS);
    ww_fields_read(&x->response_fields, &x->arena, text_of(s, EXCHANGE_RESPONSE_FIELDS));
    x->response_body = (struct ww_body){ .bytes = blob_of(s, RESPONSE_BYTES),
                                         .size = u64_of(s, EXCHANGE_RESPONSE_SIZE) };
}

/* A verdict built on a word that was not understood would be a guess. */
static int check_words(struct ww_reader *r, struct ww_err *err)
{
    const struct ww_exchange *x = &r->x;
    bool is_end = x->end == WW_ENDS;

    if (x->by != WW_SOURCES && x->also_by != WW_SOURCES && !is_end)
        return 1;
    return ww_err_set(
        err, WW_EINPUT,
        "the trace '%s' is damaged, or newer than this whichworker: what exchange "
        "%llu has as %s is not known",
        r->path, (unsigned long long)x->id,
        is_end                ? "ended_as"
        : x->by == WW_SOURCES ? "attributed_by"
                              : "also_by");
}

int ww_reader_next_exchange(struct ww_reader *r, const struct ww_exchange **out,
                            struct ww_err *err)
{
    int code = next(r, r->exchanges, err);

    if (code != 1)
        return code;
    struct ww_arena arena = r->x.arena;
    ww_arena_release(&arena);
    r->x = (struct ww_exchange){ .arena = arena };
    read_facts(r->exchanges, &r->x);
    read_messages(r->exchanges, &r->x);
    code = check_words(r, err);
    if (code == 1)
        *out = &r->x;
    return code;
}

int ww_reader_rewind(struct ww_reader *r, struct ww_err *err)
{
    /* What an earlier step failed with is told once more here. */
    int payloads = sqlite3_reset(r->payloads);
    int exchanges = sqlite3_reset(r->exchanges);

    return payloads == SQLITE_OK && exchanges == SQLITE_OK ? WW_OK : damaged(r, err);
}
