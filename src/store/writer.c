/* store: writes a recording: one SQLite file, one thread, one transaction for each batch. */
#include "columns.h"
#include "file.h"

#include <whichworker/store.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A batch that grows past either is committed in between. */
#define BATCH_ROWS  4096
#define BATCH_BYTES (16U << 20)

#define BUSY_MS       5000 /* somebody's sqlite3 shell may hold the lock for a moment */
#define CLOSE_BUSY_MS 200  /* a reader may keep the WAL from being folded; then it stays */

/* Bodies that were written lately, each in the place that its hash names. An index over all
 * hashes in the file would know every one, but hashes come in no order: each new body would
 * touch a page of its own (measured: 9 us for each, against 1 us). */
#define SEEN_BODIES 16384

/* clang-format off */
#define NAME(id, name) ", " #name
#define BIND(id, name) ", :" #name

#define STATEMENTS(X) \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(WORKER, "INSERT INTO worker (pid, start_ticks, slot, started_us, ended_us, command) "        \
              "VALUES (:pid, :start_ticks, :slot, :started_us, :ended_us, :command) "              \
              "ON CONFLICT DO UPDATE SET slot = :slot, started_us = :started_us, "                 \
              "ended_us = :ended_us, command = :command")                                          \
    X(CONNECTION, "INSERT INTO connection (id, peer, opened_us, closed_us) "                       \
                  "VALUES (:id, :peer, :opened_us, :closed_us) "                                   \
                  "ON CONFLICT DO UPDATE SET peer = :peer, opened_us = :opened_us, "               \
                  "closed_us = :closed_us")                                                        \
    X(BODY, "INSERT INTO body (id, hash, bytes) VALUES (:id, :hash, :bytes)")                      \
    X(PAYLOAD, "INSERT OR IGNORE INTO payload (value, form, json, content) "  \
      "VALUES (:value, :form, :json, :content)")  \
    X(EXCHANGE, "INSERT INTO exchange (id" EXCHANGE_COLUMNS(NAME) ") "                             \
                "VALUES (:id" EXCHANGE_COLUMNS(BIND) ")")
/* clang-format on */

enum statement {
#define STATEMENT_ENUM(id, sql) STATEMENT_##id,
    STATEMENTS(STATEMENT_ENUM)
#undef STATEMENT_ENUM
        STATEMENT_COUNT
};

static const char *const statements[STATEMENT_COUNT] = {
#define STATEMENT_SQL(id, sql) [STATEMENT_##id] = (sql),
    STATEMENTS(STATEMENT_SQL)
#undef STATEMENT_SQL
};

struct seen_body {
    unsigned char hash[WW_HASH_BYTES];
    int64_t id; /* 0: none */
};

/* Owns all. */
struct ww_writer {
    struct ww_sink sink; /* first: what emits knows us as this */
    char *path;
    sqlite3 *db;
    sqlite3_stmt *statement[STATEMENT_COUNT];
    struct ww_buf
        fields; /* of the exchange at hand, as text: the request's, then the response's */

    bool in_batch;
    unsigned batch_rows;
    size_t batch_bytes;
    uint64_t batch_exchanges; /* lost if the batch cannot be committed */
    uint64_t lost;
    struct ww_err err; /* the first; from then on nothing is written */

    int64_t bodies; /* the last one's id */
    struct seen_body seen[SEEN_BODIES];
};

/* ---- errors and batches */

static bool failed(const struct ww_writer *w)
{
    return w->err.code != WW_OK;
}

/* Keeps what it can of the batch, and ends the recording. */
static void fail(struct ww_writer *w)
{
    if (!failed(w))
        ww_store_err(&w->err, WW_ESYSTEM, w->db, "cannot go on recording to", w->path);
    /* Some errors have rolled the transaction back already. */
    bool kept = sqlite3_get_autocommit(w->db) == 0 &&
                sqlite3_exec(w->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
    if (!kept) {
        sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
        w->lost += w->batch_exchanges;
    }
    w->in_batch = false;
    w->batch_exchanges = 0;
}

/* Runs a statement whose parameters are bound. False, and the recording is over, if it fails.
 */
static bool step(struct ww_writer *w, enum statement id)
{
    int r = sqlite3_step(w->statement[id]);

    sqlite3_reset(w->statement[id]);
    if (r != SQLITE_DONE)
        fail(w);
    return r == SQLITE_DONE;
}

static bool begin(struct ww_writer *w)
{
    if (failed(w))
        return false;
    if (!w->in_batch)
        w->in_batch = step(w, STATEMENT_BEGIN);
    return w->in_batch;
}

void ww_writer_commit(struct ww_writer *w)
{
    if (!w->in_batch || !step(w, STATEMENT_COMMIT))
        return;
    w->in_batch = false;
    w->batch_rows = 0;
    w->batch_bytes = 0;
    w->batch_exchanges = 0;
}

static void count_row(struct ww_writer *w, size_t bytes)
{
    w->batch_rows++;
    w->batch_bytes += bytes;
    if (w->batch_rows >= BATCH_ROWS || w->batch_bytes >= BATCH_BYTES)
        ww_writer_commit(w);
}

/* ---- binding: what is bound outlives the step, so nothing is copied */

/* A parameter's number; its name is looked up once for each row of the small tables only. */
static int named(sqlite3_stmt *s, const char *name)
{
    return sqlite3_bind_parameter_index(s, name);
}

static void bind_text(sqlite3_stmt *s, int at, ww_str v)
{
    if (v.ptr == NULL) {
        sqlite3_bind_null(s, at);
    } else {
        sqlite3_bind_text64(s, at, v.ptr, v.len, SQLITE_STATIC, SQLITE_UTF8);
    }
}

static void bind_int(sqlite3_stmt *s, int at, int64_t v)
{
    sqlite3_bind_int64(s, at, v);
}

static void bind_u64(sqlite3_stmt *s, int at, uint64_t v)
{
    sqlite3_bind_int64(s, at, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

/* Of times and bodies 0 is the one that is not. */
static void bind_nonzero(sqlite3_stmt *s, int at, int64_t v)
{
    if (v == 0) {
        sqlite3_bind_null(s, at);
    } else {
        sqlite3_bind_int64(s, at, v);
    }
}

/* ---- rows */

static void write_worker(struct ww_sink *sink, const struct ww_worker *v)
{
    struct ww_writer *w = (struct ww_writer *)sink;
    sqlite3_stmt *s = w->statement[STATEMENT_WORKER];

    if (!begin(w))
        return;
    bind_int(s, named(s, ":pid"), v->id.pid);
    bind_u64(s, named(s, ":start_ticks"), v->id.start_ticks);
    bind_int(s, named(s, ":slot"), v->slot);
    bind_nonzero(s, named(s, ":started_us"), v->started_us);
    bind_nonzero(s, named(s, ":ended_us"), v->ended_us);
    bind_text(s, named(s, ":command"), ww_str_c(v->command));
    if (step(w, STATEMENT_WORKER))
        count_row(w, sizeof(*v));
}

static void write_connection(struct ww_sink *sink, const struct ww_connection *v)
{
    struct ww_writer *w = (struct ww_writer *)sink;
    sqlite3_stmt *s = w->statement[STATEMENT_CONNECTION];

    if (!begin(w))
        return;
    bind_u64(s, named(s, ":id"), v->id);
    bind_text(s, named(s, ":peer"), ww_str_c(v->peer));
    bind_int(s, named(s, ":opened_us"), v->opened_us);
    bind_nonzero(s, named(s, ":closed_us"), v->closed_us);
    if (step(w, STATEMENT_CONNECTION))
        count_row(w, sizeof(*v));
}

/* Writes a body unless it was written lately. Its id is 0 if nothing was kept. */
static bool write_body(struct ww_writer *w, ww_str bytes, int64_t *out_id)
{
    sqlite3_stmt *s = w->statement[STATEMENT_BODY];
    unsigned char hash[WW_HASH_BYTES];

    *out_id = 0;
    if (bytes.ptr == NULL)
        return true;
    ww_hash(bytes, hash);
    struct seen_body *seen = &w->seen[(hash[0] | hash[1] << 8) % SEEN_BODIES];
    if (seen->id == 0 || memcmp(seen->hash, hash, sizeof(hash)) != 0) {
        bind_int(s, named(s, ":id"), w->bodies + 1);
        sqlite3_bind_blob(s, named(s, ":hash"), hash, sizeof(hash), SQLITE_STATIC);
        sqlite3_bind_blob64(s, named(s, ":bytes"), bytes.ptr, bytes.len, SQLITE_STATIC);
        if (!step(w, STATEMENT_BODY))
            return false;
        seen->id = ++w->bodies;
        memcpy(seen->hash, hash, sizeof(hash));
    }
    *out_id = seen->id;
    return true;
}

static bool write_payload(struct ww_writer *w, const struct ww_payload *p)
{
    sqlite3_stmt *s = w->statement[STATEMENT_PAYLOAD];

    bind_text(s, named(s, ":value"), p->value);
    bind_text(s, named(s, ":form"), ww_str_c(p->form));
    bind_text(s, named(s, ":json"), p->json);
    bind_text(s, named(s, ":content"), p->content);
    return step(w, STATEMENT_PAYLOAD);
}

/* Column c is parameter c + 1: the statement names them in the order of the list (see prepare).
 */
#define AT(column) (EXCHANGE_##column + 1)

static void bind_facts(sqlite3_stmt *s, const struct ww_exchange *x)
{
    bind_u64(s, AT(ID), x->id);
    bind_u64(s, AT(CONNECTION), x->connection);
    bind_u64(s, AT(UPSTREAM), x->upstream);
    bind_text(s, AT(REQUEST_ID), x->request_id);
    bind_text(s, AT(CLIENT), x->client);
    bind_int(s, AT(STARTED_US), x->started_us);
    bind_nonzero(s, AT(CONNECTED_US), x->connected_us);
    bind_nonzero(s, AT(ACCEPTED_US), x->accepted_us);
    bind_nonzero(s, AT(ANSWERED_US), x->answered_us);
    bind_nonzero(s, AT(ENDED_US), x->ended_us);
    bind_text(s, AT(ATTRIBUTED_BY), ww_str_c(ww_source_token(x->by)));
    if (x->worker.pid == 0) {
        sqlite3_bind_null(s, AT(PID));
        sqlite3_bind_null(s, AT(START_TICKS));
    } else {
        bind_int(s, AT(PID), x->worker.pid);
        bind_u64(s, AT(START_TICKS), x->worker.start_ticks);
    }
    if (x->also_by == WW_BY_NOBODY) {
        sqlite3_bind_null(s, AT(ALSO_BY));
        sqlite3_bind_null(s, AT(ALSO_PID));
        sqlite3_bind_null(s, AT(ALSO_START_TICKS));
    } else {
        bind_text(s, AT(ALSO_BY), ww_str_c(ww_source_token(x->also_by)));
        bind_int(s, AT(ALSO_PID), x->also_worker.pid);
        bind_u64(s, AT(ALSO_START_TICKS), x->also_worker.start_ticks);
    }
    bind_text(s, AT(ENDED_AS), ww_str_c(ww_end_token(x->end)));
}

static void bind_messages(struct ww_writer *w, sqlite3_stmt *s, const struct ww_exchange *x)
{
    ww_buf_clear(&w->fields);
    /* An empty text and an absent one differ: make sure that there is memory to point at. */
    ww_buf_room(&w->fields, 1);
    ww_fields_write(&x->request_fields, &w->fields);
    size_t split = w->fields.len;
    ww_fields_write(&x->response_fields, &w->fields);
    ww_str both = ww_buf_str(&w->fields);

    bind_text(s, AT(METHOD), x->method);
    bind_text(s, AT(TARGET), x->target);
    bind_int(s, AT(REQUEST_MINOR), x->request_minor);
    bind_text(s, AT(REQUEST_FIELDS), ww_str_n(w->fields.ptr, split));
    bind_u64(s, AT(REQUEST_SIZE), x->request_body.size);
    bind_int(s, AT(STATUS), x->status);
    bind_text(s, AT(RESPONSE_FIELDS), ww_str_n(w->fields.ptr + split, both.len - split));
    bind_u64(s, AT(RESPONSE_SIZE), x->response_body.size);
}

static bool write_rows(struct ww_writer *w, const struct ww_exchange *x)
{
    sqlite3_stmt *s = w->statement[STATEMENT_EXCHANGE];
    int64_t request_body, response_body;

    if (!begin(w) || !write_body(w, x->request_body.bytes, &request_body) ||
        !write_body(w, x->response_body.bytes, &response_body))
        return false;
    for (size_t i = 0; i < x->payloads; i++) {
        if (!write_payload(w, &x->payload[i]))
            return false;
    }
    bind_facts(s, x);
    bind_messages(w, s, x);
    bind_nonzero(s, AT(REQUEST_BODY), request_body);
    bind_nonzero(s, AT(RESPONSE_BODY), response_body);
    return step(w, STATEMENT_EXCHANGE);
}

void ww_writer_exchange(struct ww_writer *w, const struct ww_exchange *x)
{
    if (write_rows(w, x)) {
        w->batch_exchanges++;
        count_row(w, ww_exchange_bytes(x));
    } else {
        w->lost++;
    }
}

static void write_exchange(struct ww_sink *sink, struct ww_exchange *x)
{
    ww_writer_exchange((struct ww_writer *)sink, x);
    ww_exchange_free(x);
}

/* ---- opening */

/* What SQLite puts beside the file. A path that is too long for these was too long for open(2).
 */
static const char *const beside[] = { "-wal", "-shm", "-journal" };

#define BESIDE      (sizeof(beside) / sizeof(beside[0]))
#define BESIDE_PATH (PATH_MAX + 16)

/* SQLite would take these for this recording's own, or for a reason to throw it away. */
static int refuse_leftovers(const char *path, struct ww_err *err)
{
    for (size_t i = 0; i < BESIDE; i++) {
        char name[BESIDE_PATH];
        struct stat st;
        snprintf(name, sizeof(name), "%s%s", path, beside[i]);
        if (lstat(name, &st) == 0) {
            return ww_err_set(
                err, WW_EUSAGE,
                "'%s' is left from another recording: delete it, or choose another "
                "name for the trace",
                name);
        }
    }
    return 0;
}

/* Born with its mode: there is no moment in which somebody else could open it. SQLite gives the
 * mode of the database to the files beside it. */
static int create(const char *path, struct ww_err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EEXIST) {
        return ww_err_set(
            err, WW_EUSAGE,
            "'%s' exists already, and a recording is never overwritten: delete it, or "
            "choose another name for the trace",
            path);
    }
    if (fd < 0 && errno == ENOENT) {
        return ww_err_set(err, WW_EUSAGE,
                          "cannot create '%s': its directory does not exist; create it first",
                          path);
    }
    if (fd < 0)
        return ww_err_errno(err, errno, "cannot create '%s'", path);
    int r = fchmod(fd, 0600); /* whatever the umask took away */
    close(fd);
    return r < 0 ? ww_err_errno(err, errno, "cannot set the mode of '%s'", path) : 0;
}

static void remove_files(const char *path)
{
    for (size_t i = 0; i < BESIDE; i++) {
        char name[BESIDE_PATH];
        snprintf(name, sizeof(name), "%s%s", path, beside[i]);
        unlink(name);
    }
    unlink(path);
}

static bool insert_run(struct ww_writer *w, const struct ww_run *run)
{
    sqlite3_stmt *s;

    if (sqlite3_prepare_v2(w->db,
                           "INSERT INTO run (id, version, upstream, upstream_connections, "
                           "schedule, started_us) VALUES (1, :version, :upstream, "
                           ":upstream_connections, :schedule, :started_us)",
                           -1, &s, NULL) != SQLITE_OK)
        return false;
    bind_text(s, named(s, ":version"), ww_str_c(run->version));
    bind_text(s, named(s, ":upstream"), ww_str_c(run->upstream));
    bind_text(s, named(s, ":upstream_connections"), ww_str_c(run->upstream_connections));
    bind_text(s, named(s, ":schedule"), ww_str_c(run->schedule));
    bind_int(s, named(s, ":started_us"), run->started_us);
    sqlite3_step(s);
    return sqlite3_finalize(s) == SQLITE_OK;
}

static bool prepare(struct ww_writer *w)
{
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        if (sqlite3_prepare_v3(w->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &w->statement[i], NULL) != SQLITE_OK)
            return false;
    }
    assert(named(w->statement[STATEMENT_EXCHANGE], ":ended_as") == AT(ENDED_AS));
    return true;
}

static bool execute(struct ww_writer *w, const char *sql)
{
    return sqlite3_exec(w->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static const char settings[] =
    "PRAGMA page_size = 16384;"   /* a row is about 1 kB: fewer and longer writes */
    "PRAGMA secure_delete = OFF;" /* Debian's default zeroes what moves; nothing is deleted here
                                   */
    "PRAGMA cache_size = -8192;"
    "PRAGMA wal_autocheckpoint = 1000;"
    "PRAGMA synchronous = NORMAL"; /* a commit survives our death, not always the machine's */

static bool use_wal(struct ww_writer *w)
{
    sqlite3_stmt *s;

    if (sqlite3_prepare_v2(w->db, "PRAGMA journal_mode = WAL", -1, &s, NULL) != SQLITE_OK)
        return false;
    if (sqlite3_step(s) == SQLITE_ROW &&
        strcmp((const char *)sqlite3_column_text(s, 0), "wal") != 0) {
        ww_err_set(
            &w->err, WW_ESYSTEM,
            "cannot record to '%s': its file system has no shared memory for a write-ahead "
            "log; choose a directory on a local disk",
            w->path);
    }
    return sqlite3_finalize(s) == SQLITE_OK && !failed(w);
}

/* The schema and the run's row come before the WAL, so that the file alone is a trace from its
 * first commit on, whatever becomes of the files beside it. */
static bool lay_out(struct ww_writer *w, const struct ww_run *run)
{
    char *uri = ww_store_uri(w->path, "mode=rw");
    int r = sqlite3_open_v2(
        uri, &w->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);

    free(uri);
    if (r != SQLITE_OK)
        return false;
    sqlite3_busy_timeout(w->db, BUSY_MS);
    return execute(w, settings) && execute(w, "BEGIN") && execute(w, ww_store_schema) &&
           insert_run(w, run) && execute(w, "COMMIT") && use_wal(w) && prepare(w);
}

static void release(struct ww_writer *w)
{
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(w->statement[i]);
    sqlite3_close(w->db);
    ww_buf_release(&w->fields);
    free(w->path);
    free(w);
}

struct ww_writer *ww_writer_new(const char *path, const struct ww_run *run, struct ww_err *err)
{
    if (refuse_leftovers(path, err) < 0 || create(path, err) < 0)
        return NULL;
    struct ww_writer *w = ww_xcalloc(1, sizeof(*w));
    w->sink = (struct ww_sink){ .exchange = write_exchange,
                                .worker = write_worker,
                                .connection = write_connection };
    w->path = ww_xstrdup(path);
    ww_buf_init(&w->fields, SIZE_MAX);
    if (lay_out(w, run))
        return w;
    if (!failed(w))
        ww_store_err(&w->err, WW_ESYSTEM, w->db, "cannot record to", path);
    if (err != NULL)
        *err = w->err;
    release(w);
    remove_files(path);
    return NULL;
}

struct ww_sink *ww_writer_sink(struct ww_writer *w)
{
    return &w->sink;
}

const struct ww_err *ww_writer_error(const struct ww_writer *w)
{
    return failed(w) ? &w->err : NULL;
}

uint64_t ww_writer_lost(const struct ww_writer *w)
{
    return w->lost;
}

/* ---- closing */

static bool write_end(struct ww_writer *w, int64_t ended_us, uint64_t stalls)
{
    sqlite3_stmt *s;

    if (sqlite3_prepare_v2(
            w->db, "UPDATE run SET ended_us = :ended_us, stalls = :stalls, lost = :lost", -1,
            &s, NULL) != SQLITE_OK)
        return false;
    bind_nonzero(s, named(s, ":ended_us"), ended_us);
    bind_u64(s, named(s, ":stalls"), stalls);
    bind_u64(s, named(s, ":lost"), w->lost);
    sqlite3_step(s);
    return sqlite3_finalize(s) == SQLITE_OK;
}

static int fold(struct ww_writer *w)
{
    return sqlite3_wal_checkpoint_v2(w->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

int ww_writer_close(struct ww_writer *w, int64_t ended_us, uint64_t stalls, struct ww_err *err)
{
    ww_writer_commit(w);
    sqlite3_busy_timeout(w->db, CLOSE_BUSY_MS);
    /* On a full disk, folding the WAL may be what makes the room for this one row. */
    if (!write_end(w, ended_us, stalls) &&
        (fold(w) != SQLITE_OK || !write_end(w, ended_us, stalls)))
        fail(w);
    int r = fold(w);
    /* Busy: somebody is reading. All is in the two files, and SQLite folds them some other day.
     */
    if (r != SQLITE_OK && r != SQLITE_BUSY)
        fail(w);
    int code = w->err.code;
    if (code != WW_OK && err != NULL)
        *err = w->err;
    release(w);
    return code;
}
