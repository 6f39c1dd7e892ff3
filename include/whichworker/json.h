/* base: writes JSON that is always well formed; the only place that escapes it. */
#ifndef WHICHWORKER_JSON_H
#define WHICHWORKER_JSON_H

#include <whichworker/buf.h>

#define WW_JSON_DEPTH 32

/*
 * Borrows out. Every call that takes a key wants a name inside an object and NULL inside an
 * array or at the top; the wrong one, an unbalanced end, a second value at the top, or nesting
 * over WW_JSON_DEPTH aborts: those are programmers' errors. Strings may hold any bytes: what is
 * not UTF-8 becomes U+FFFD, and what would deceive a reader (ww_utf8_deceives) is escaped; so is
 * what opens markup, for texts that are put into a page.
 */
struct ww_json {
    struct ww_buf *out;
    bool pretty;    /* two spaces a level and a line for each member */
    bool has_value; /* at the top, where only one may stand before ww_json_finish */
    size_t depth;
    struct {
        char close;    /* '}' or ']' */
        bool has_item; /* a comma is due before the next */
    } level[WW_JSON_DEPTH];
};

void ww_json_init(struct ww_json *j, struct ww_buf *out, bool pretty);
void ww_json_obj(struct ww_json *j, const char *key);
void ww_json_arr(struct ww_json *j, const char *key);
void ww_json_end(struct ww_json *j); /* closes the innermost object or array */
void ww_json_str(struct ww_json *j, const char *key, ww_str value); /* absent: null */
void ww_json_int(struct ww_json *j, const char *key, int64_t value);
void ww_json_num(struct ww_json *j, const char *key, double value); /* not finite: null */
void ww_json_bool(struct ww_json *j, const char *key, bool value);
void ww_json_null(struct ww_json *j, const char *key);

/* Asserts that all is closed, and ends the text with a line feed; another text may follow. */
void ww_json_finish(struct ww_json *j);

#endif
