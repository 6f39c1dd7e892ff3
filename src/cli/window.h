/* cli: the newest exchanges of a running proxy, bounded in number and in bytes. */
#ifndef WW_WINDOW_H
#define WW_WINDOW_H

#include <whichworker/exchange.h>

struct window_entry {
    struct ww_exchange *exchange; /* owned */
    uint64_t session;             /* its number in the lines of the running proxy */
};

/*
 * What came last, in the order in which it came. When a bound is passed the oldest go, however
 * busy their sessions are: what is left is everything since some moment, as a proxy would have
 * seen it that was started then. (To drop whole sessions instead would be wrong: the write of a
 * client that has gone silent may be what explains the difference that another one sees.)
 */
struct window {
    struct window_entry *v; /* n of them, from `first` on */
    size_t first;
    size_t n;
    size_t cap;
    size_t bytes;
    size_t max_exchanges;
    size_t max_bytes;
    uint64_t forgotten; /* exchanges that went since window_init */
};

void window_init(struct window *w, size_t max_exchanges, size_t max_bytes);
void window_release(struct window *w);

/* Takes the exchange; frees the oldest ones that no longer fit, which may be this one too. */
void window_add(struct window *w, struct window_entry e);

/* Moves all of `newer` behind what is here. Where `newer` had to forget, there would be a gap:
 * then what is older than the gap goes too. */
void window_append(struct window *w, struct window *newer);

/* The i-th of n, oldest first; borrowed until the next change. */
const struct window_entry *window_at(const struct window *w, size_t i);

#endif
