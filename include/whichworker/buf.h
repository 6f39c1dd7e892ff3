/* base: a byte buffer that grows up to a limit; what does not fit is an error, never cut. */
#ifndef WHICHWORKER_BUF_H
#define WHICHWORKER_BUF_H

#include <whichworker/str.h>

#include <stdarg.h>

/*
 * Owns ptr. Once an append would pass max, the buffer is `full`: it keeps what it had, takes
 * nothing more, and every later append says false too; so a writer may check once, at the end.
 */
struct ww_buf {
    char *ptr;
    size_t len;
    size_t cap;
    size_t max;
    bool full;
};

void ww_buf_init(struct ww_buf *b, size_t max_bytes);
void ww_buf_release(struct ww_buf *b); /* also of a zeroed one */
void ww_buf_clear(struct ww_buf *b);   /* empty, not full; keeps the memory */

bool ww_buf_add(struct ww_buf *b, ww_str s);
bool ww_buf_add_c(struct ww_buf *b, const char *c);
bool ww_buf_add_char(struct ww_buf *b, char c);
bool ww_buf_printf(struct ww_buf *b, const char *fmt, ...) WW_FMT(2, 3);
bool ww_buf_vprintf(struct ww_buf *b, const char *fmt, va_list ap) WW_FMT(2, 0);

/* Appends a code point up to U+10FFFF as UTF-8 (RFC 3629); a surrogate is the caller's mistake. */
bool ww_buf_add_point(struct ww_buf *b, uint32_t point);

/* Appends s as it may go to a terminal: bytes that are not UTF-8, and those of characters that
 * deceive (ww_utf8_deceives), as \xNN. */
bool ww_buf_add_printable(struct ww_buf *b, ww_str s);

/* Room for n more bytes at the end, to be written by the caller who then adds n to len; NULL when
 * that would pass max (and the buffer is then full). */
char *ww_buf_room(struct ww_buf *b, size_t n);

/* Drops n bytes from the front. */
void ww_buf_consume(struct ww_buf *b, size_t n);

/* All of it; borrowed until the next change. */
ww_str ww_buf_str(const struct ww_buf *b);

#endif
