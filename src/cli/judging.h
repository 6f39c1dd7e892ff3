/* cli: judges while the proxy runs: the newest exchanges, by the code that judges a trace. */
#ifndef WW_JUDGING_H
#define WW_JUDGING_H

#include "live.h"
#include "window.h"

#include <whichworker/buf.h>
#include <whichworker/judge.h>

/*
 * A thread of its own judges the window of the newest exchanges from scratch whenever something
 * has come, and rests for twenty times as long as that took: at most a twentieth of one
 * processor. Nothing that it does is waited for.
 *
 * Memory, whatever comes: the window, as much again of what came during a judging, the judge's
 * own (released after each), and FOUND_MAX findings.
 */
struct judging;

struct judging_config {
    struct ww_judge_config judge;
    struct ww_run run;
    size_t max_exchanges;
    size_t max_bytes;
    /* On the judging thread: a finding that is new, has become stronger or weaker, or is taken
     * back. Borrows the line, which is printable. May be NULL. */
    void (*tell)(void *ctx, enum live_tone tone, ww_str line);
    void *ctx;
};

/* A finding that was told, in the order of telling. It stays when its exchanges are forgotten.
 */
struct found {
    ww_str key; /* guarantee, cause, method, route, place, each behind a space */
    enum ww_guarantee guarantee;
    enum ww_grade grade;
    enum ww_cause cause;
    ww_str method;
    ww_str route;
    ww_str place;
    uint64_t occurrences; /* within the window when it was last seen there */
    uint64_t evidence[4]; /* exchanges: its witness, as last judged */
    size_t evidences;
    uint64_t seen;      /* the judging that saw it last */
    uint64_t forgotten; /* what the window had forgotten by then */
    bool withdrawn;     /* what came later explains it */
};

struct judging *judging_new(const struct judging_config *cfg, struct ww_err *err);

/* From one thread. take: takes x, redacted; session is its number in the lines. */
void judging_take(struct judging *j, struct ww_exchange *x, uint64_t session);
void judging_worker(struct judging *j, const struct ww_worker *w);

/* Judges what has come since, and ends the thread. Nothing may be taken afterwards. */
void judging_finish(struct judging *j);

/* When it has finished: what was found, borrowed; lines of a summary. */
const struct found *judging_found(const struct judging *j, size_t *out_n);
void judging_summary(const struct judging *j, struct ww_buf *out);

void judging_free(struct judging *j); /* NULL is fine */

#endif
