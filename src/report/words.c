/* Our own words for what a verdict holds, and how text from the wire is shown to people. */
#include "words.h"

#include <whichworker/mac.h>

#define ROUTE_MAX 200 /* bytes of a route in a name */

const char *ww_cause_words(enum ww_cause c)
{
    switch (c) {
    case WW_CAUSE_PER_WORKER_SECRET:
        return "each worker signs with a secret of its own and refuses the others' cookies";
    case WW_CAUSE_WORKER_MEMORY:
        return "the state lives in the memory of one process, and every worker is another one";
    case WW_CAUSE_WORKER_RESTARTED:
        return "the state died with a worker that ended in between";
    case WW_CAUSE_STALE_CACHE:
        return "a worker answered from a cache of its own, and caught up later";
    case WW_CAUSE_UNKNOWN:
    case WW_CAUSES:
        break;
    }
    return "the trace shows that the worker matters, but not why";
}

const char *ww_guarantee_words(enum ww_guarantee g)
{
    switch (g) {
    case WW_READ_YOUR_WRITES:
        return "a session must see what it has written";
    case WW_MONOTONIC_READS:
        return "a session must not see the state go backward";
    case WW_SESSION_RESET:
        return "a session must not start again by itself";
    case WW_STATUS_FLIP:
        return "the same request must not be accepted here and refused there";
    case WW_GUARANTEES:
        break;
    }
    return "";
}

static ptrdiff_t command_at(ww_str s)
{
    for (size_t i = 0; i + 1 < s.len; i++) {
        bool starts_word = i == 0 || s.ptr[i - 1] == ' ';

        if (s.ptr[i + 1] != s.ptr[i])
            continue;
        if (s.ptr[i] == '#' || (s.ptr[i] == ':' && starts_word))
            return (ptrdiff_t)i;
    }
    return -1;
}

void ww_words_add(struct ww_buf *out, ww_str s)
{
    ptrdiff_t at;

    while ((at = command_at(s)) >= 0) {
        ww_buf_add_printable(out, ww_str_upto(s, (size_t)at));
        ww_buf_printf(out, "\\x%02x", (unsigned)(unsigned char)s.ptr[at]);
        s = ww_str_from(s, (size_t)at + 1);
    }
    ww_buf_add_printable(out, s);
}

void ww_words_cut(struct ww_buf *out, ww_str s, size_t max)
{
    unsigned char hash[WW_HASH_BYTES];
    size_t n = max;

    if (s.len <= max) {
        ww_words_add(out, s);
        return;
    }
    while (n > 0 && ((unsigned char)s.ptr[n] & 0xc0) == 0x80) /* not within a character */
        n--;
    ww_words_add(out, ww_str_upto(s, n));
    ww_hash(s, hash);
    ww_buf_printf(out, "...%02x%02x%02x%02x", hash[0], hash[1], hash[2], hash[3]);
}

void ww_words_trial(struct ww_buf *out, const struct ww_verdict *v, const struct ww_trial *t)
{
    if (t->from != WW_NO_ROUTE) {
        ww_words_cut(out, v->route[t->from], ROUTE_MAX);
        ww_buf_add_c(out, " -> ");
    }
    if (t->to != WW_NO_ROUTE)
        ww_words_cut(out, v->route[t->to], ROUTE_MAX);
    else
        ww_buf_add_c(out, "any request");
}

void ww_words_route(struct ww_buf *out, const struct ww_finding *f)
{
    ww_words_cut(out, f->method, ROUTE_MAX);
    ww_buf_add_char(out, ' ');
    ww_words_cut(out, f->route, ROUTE_MAX);
}

void ww_words_fingerprint(const struct ww_finding *f, char out[WW_FINGERPRINT_TEXT])
{
    static const char hex[] = "0123456789abcdef";
    const ww_str part[] = { ww_str_c(ww_guarantee_token(f->guarantee)), f->method, f->route,
                            f->place };
    unsigned char hash[WW_HASH_BYTES];
    struct ww_buf b;

    ww_buf_init(&b, SIZE_MAX);
    /* Each with its length before it: no two faults have the same bytes. */
    for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
        ww_buf_printf(&b, "%zu ", part[i].len);
        ww_buf_add(&b, part[i]);
    }
    ww_hash(ww_buf_str(&b), hash);
    ww_buf_release(&b);
    for (size_t i = 0; i + 1 < WW_FINGERPRINT_TEXT; i++)
        out[i] = hex[hash[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
    out[WW_FINGERPRINT_TEXT - 1] = '\0';
}
