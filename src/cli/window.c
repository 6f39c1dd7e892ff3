/* The newest exchanges: a queue whose front is forgotten. */
#include "window.h"

#include <stdlib.h>

void window_init(struct window *w, size_t max_exchanges, size_t max_bytes)
{
    *w = (struct window){ .max_exchanges = max_exchanges, .max_bytes = max_bytes };
}

static size_t bytes_of(const struct window_entry *e)
{
    return sizeof(*e) + ww_exchange_bytes(e->exchange);
}

const struct window_entry *window_at(const struct window *w, size_t i)
{
    return &w->v[w->first + i];
}

static void forget_oldest(struct window *w)
{
    struct window_entry *e = &w->v[w->first++];

    w->bytes -= bytes_of(e);
    w->n--;
    w->forgotten++;
    ww_exchange_free(e->exchange);
}

static void forget_all(struct window *w)
{
    while (w->n > 0)
        forget_oldest(w);
}

void window_release(struct window *w)
{
    forget_all(w);
    free(w->v);
    *w = (struct window){ 0 };
}

/* Room for one more behind the last: what was forgotten leaves it in front. */
static void make_room(struct window *w)
{
    if (w->first + w->n < w->cap)
        return;
    if (w->first > w->n) {
        memmove(w->v, w->v + w->first, w->n * sizeof(*w->v));
        w->first = 0;
        return;
    }
    w->v = ww_grow(w->v, w->first + w->n + 1, &w->cap, sizeof(*w->v));
}

void window_add(struct window *w, struct window_entry e)
{
    make_room(w);
    w->v[w->first + w->n++] = e;
    w->bytes += bytes_of(&e);
    while (w->n > w->max_exchanges || w->bytes > w->max_bytes)
        forget_oldest(w);
}

void window_append(struct window *w, struct window *newer)
{
    if (newer->forgotten > 0)
        forget_all(w);
    for (size_t i = 0; i < newer->n; i++)
        window_add(w, *window_at(newer, i));
    w->forgotten += newer->forgotten;
    newer->first = newer->n = newer->bytes = 0;
    newer->forgotten = 0;
}
