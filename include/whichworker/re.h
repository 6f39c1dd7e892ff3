/* base: regular expressions, over PCRE2 with JIT and bounded matching. */
#ifndef WHICHWORKER_RE_H
#define WHICHWORKER_RE_H

#include <whichworker/err.h>
#include <whichworker/str.h>

struct ww_re;

/* Compiles a pattern (UTF is off: bytes). NULL and err with a caret's position if it is wrong. */
struct ww_re *ww_re_new(const char *pattern, bool caseless, struct ww_err *err);
/* The same; *out_at (may be NULL) is where in the pattern it is wrong, and err has only the words
 * for it. */
struct ww_re *ww_re_new_at(const char *pattern, bool caseless, size_t *out_at,
                           struct ww_err *err);
void ww_re_free(struct ww_re *re); /* NULL is fine */

/*
 * Whether it matches somewhere in s at or after `from`. Writes the whole match and, if out_capture
 * is not NULL, the first capture group (absent if it took no part). Both borrow s. A match that
 * reaches the limit of steps, of memory or of time (1 s) counts as none. May be called from
 * several threads: they wait for each other.
 */
bool ww_re_match(struct ww_re *re, ww_str s, size_t from, ww_str *out_whole, ww_str *out_capture);

#endif
