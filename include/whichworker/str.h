/* base: slices of bytes by value; borrowed, never NUL-terminated. */
#ifndef WHICHWORKER_STR_H
#define WHICHWORKER_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WW_MUST      __attribute__((warn_unused_result))
#define WW_FMT(f, a) __attribute__((format(printf, f, a)))

/*
 * A slice. It borrows its bytes; the function that hands one out says from whom and until when.
 * {0} (ptr NULL) means absent, which differs from present and empty (ptr set, len 0).
 */
typedef struct {
    const char *ptr;
    size_t len;
} ww_str;

#define WW_STR(lit) ((ww_str){ .ptr = "" lit, .len = sizeof(lit) - 1 })
#define WW_STRF     "%.*s"
#define WW_STRV(s)  (int)(s).len, (s).ptr == NULL ? "" : (s).ptr

/* The slice over a C string; absent for NULL. Borrows c. */
ww_str ww_str_c(const char *c);
ww_str ww_str_n(const char *ptr, size_t len);

bool ww_str_eq(ww_str a, ww_str b);
bool ww_str_eq_nocase(ww_str a, ww_str b); /* ASCII case folded, as HTTP field names want */
int ww_str_cmp(ww_str a, ww_str b);        /* byte order, as memcmp; the shorter is first */
bool ww_str_starts(ww_str s, ww_str prefix);
bool ww_str_starts_nocase(ww_str s, ww_str prefix);
bool ww_str_ends(ww_str s, ww_str suffix);

/* Where needle first stands in s, or -1. An empty needle stands at 0. */
ptrdiff_t ww_str_find(ww_str s, ww_str needle);
ptrdiff_t ww_str_find_nocase(ww_str s, ww_str needle);

/* s from at on (at > len gives the empty end). */
ww_str ww_str_from(ww_str s, size_t at);
ww_str ww_str_upto(ww_str s, size_t at);

/* Without leading and trailing spaces and tabs (OWS, RFC 9110 5.6.3). */
ww_str ww_str_trim(ww_str s);

/*
 * Takes the piece before the first sep from the front of *rest. Without a sep the piece is all
 * of *rest and *rest becomes absent. False, and nothing written, once *rest is absent.
 */
bool ww_str_cut(ww_str *rest, char sep, ww_str *out_piece);

/* A plain decimal of 1 to 19 digits, nothing else around it. False otherwise. */
WW_MUST bool ww_str_u64(ww_str s, uint64_t *out_value);

/* How many bytes the UTF-8 character at the front of s has (1 to 4); 0 if there is none there.
 */
size_t ww_utf8_len(ww_str s);

/* The code point of a character of n bytes, as ww_utf8_len counted them. */
uint32_t ww_utf8_point(const char *c, size_t n);

/*
 * Whether a character is not itself to be seen, and may make what stands around it look like
 * something else: controls (C0, C1, DEL), bidirectional controls, line separators, zero-width and
 * other format characters, tags. (Unicode UTR 36 2.10; the two joiners, U+200C and U+200D, are
 * left: languages and emoji need them.)
 */
bool ww_utf8_deceives(uint32_t point);

#endif
