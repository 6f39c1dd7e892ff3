/* report: our own words for what a verdict holds, and how text from the wire is shown in any of
 * the formats that people read. */
#ifndef WW_REPORT_WORDS_H
#define WW_REPORT_WORDS_H

#include "trials.h"

#include <whichworker/buf.h>

/* What a guarantee asks for, in one clause. */
const char *ww_guarantee_words(enum ww_guarantee g);

/* What a cause means, in one sentence without its full stop. */
const char *ww_cause_words(enum ww_cause c);

/*
 * Appends s as people may read it: printable (ww_buf_add_printable), and so that the log of a
 * build does not take it for a command: "::error ..." where a line begins (GitHub), "##[...]"
 * and
 * "##vso[...]" anywhere (GitHub, Azure, TeamCity).
 */
void ww_words_add(struct ww_buf *out, ww_str s);

/* The same, at most `max` bytes of s; what was cut is told by "..." and, so that different
 * texts stay different, eight hex digits of a hash of the whole. */
void ww_words_cut(struct ww_buf *out, ww_str s, size_t max);

/* "POST /cars/add -> GET /cars": the same in every run. */
void ww_words_trial(struct ww_buf *out, const struct ww_verdict *v, const struct ww_trial *t);

/* "GET /cars/{id}" of a finding. */
void ww_words_route(struct ww_buf *out, const struct ww_finding *f);

/*
 * Names a finding in every run: guarantee, method, route and place, hashed, as 32 hex digits;
 * no PID, session or time is in it.
 */
#define WW_FINGERPRINT_TEXT 33
void ww_words_fingerprint(const struct ww_finding *f, char out[WW_FINGERPRINT_TEXT]);

#endif
