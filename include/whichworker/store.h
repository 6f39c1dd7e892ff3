/* store: the trace file: one SQLite database, written by one thread, read by anybody. */
#ifndef WHICHWORKER_STORE_H
#define WHICHWORKER_STORE_H

#include <whichworker/err.h>
#include <whichworker/sink.h>

/* ---- writing */

struct ww_writer;

/*
 * Creates path (mode 0600, WAL) and writes the run's row. A file that exists already is
 * refused: a recording is never overwritten. Everything below is for one thread.
 */
struct ww_writer *ww_writer_new(const char *path, const struct ww_run *run, struct ww_err *err);

/* A sink that writes; its exchange() takes, writes and frees. After an error (a full disk) it
 * writes nothing more, counts what it could not write, and goes on taking. */
struct ww_sink *ww_writer_sink(struct ww_writer *w);

/* The same for an exchange that somebody goes on using: borrows it. */
void ww_writer_exchange(struct ww_writer *w, const struct ww_exchange *x);

/* Makes what came so far durable against a killed process; call when there is a pause. */
void ww_writer_commit(struct ww_writer *w);

/* The first error, or NULL; borrowed. */
const struct ww_err *ww_writer_error(const struct ww_writer *w);
uint64_t ww_writer_lost(const struct ww_writer *w);

/* Commits, records the end, the stalls and what was lost, folds the WAL into the file (unless
 * somebody is reading: then it stays beside it), frees. Returns the first error of the
 * recording. */
int ww_writer_close(struct ww_writer *w, int64_t ended_us, uint64_t stalls, struct ww_err *err);

/* ---- reading */

struct ww_reader;

/* Opens a trace read-only; also one that was cut off by a kill, or is still being written. Says
 * what is wrong with a file that is no trace, or is of a newer version. */
struct ww_reader *ww_reader_open(const char *path, struct ww_err *err);
void ww_reader_close(struct ww_reader *r); /* NULL is fine */

const struct ww_run *ww_reader_run(const struct ww_reader *r);

/* Each gives the next row: 1 and *out, 0 at the end, < 0 and err. What it gave is borrowed
 * until the next call of the same function. Exchanges come in the order of started_us, then id.
 */
int ww_reader_next_worker(struct ww_reader *r, struct ww_worker *out, struct ww_err *err);
int ww_reader_next_payload(struct ww_reader *r, struct ww_payload *out, struct ww_err *err);
int ww_reader_next_exchange(struct ww_reader *r, const struct ww_exchange **out,
                            struct ww_err *err);

/* Back to the first exchange and the first payload, of the same snapshot. */
int ww_reader_rewind(struct ww_reader *r, struct ww_err *err);

#endif
