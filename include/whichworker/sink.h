/* trace: where finished exchanges go, and the queue that takes them to another thread. */
#ifndef WHICHWORKER_SINK_H
#define WHICHWORKER_SINK_H

#include <whichworker/err.h>
#include <whichworker/exchange.h>

/* Somebody who wants to know. All three are called on one thread, in the order of events. */
struct ww_sink {
    /* Takes x: it must be freed with ww_exchange_free, by whoever has it last. */
    void (*exchange)(struct ww_sink *s, struct ww_exchange *x);
    /* Seen for the first time, or changed: it replaces the one with the same id. Borrows. */
    void (*worker)(struct ww_sink *s, const struct ww_worker *w);
    void (*connection)(struct ww_sink *s, const struct ww_connection *c);
};

/*
 * A bounded queue with a thread of its own behind it: what is emitted into ww_queue_sink is handed
 * on to `out`, on that thread, in order. It never drops and never blocks the emitter; whoever emits
 * must look at ww_queue_has_room before it begins new work.
 */
struct ww_queue;

struct ww_queue_config {
    size_t max_events; /* it has room while fewer are waiting … */
    size_t max_bytes;  /* … and they hold less than this */
    /* How long the thread waits for company once something waits, so that commits and wake-ups are
     * shared; it does not wait on a queue that is half full, nor at the end. 0: not at all. */
    uint32_t linger_ms;
    struct ww_sink *out; /* borrowed until ww_queue_free; called on the queue's thread */
    /* On the queue's thread, each time all that was waiting has been handed on. May be NULL. */
    void (*on_drained)(void *ctx);
    /* On the queue's thread, when a full queue is down to a half. May be NULL. Must only wake. */
    void (*on_room)(void *ctx);
    void *ctx;
};

struct ww_queue *ww_queue_new(const struct ww_queue_config *cfg, struct ww_err *err);
struct ww_sink *ww_queue_sink(struct ww_queue *q); /* borrowed; for one emitting thread */
bool ww_queue_has_room(const struct ww_queue *q);  /* lock-free; for the emitting thread */
uint64_t ww_queue_stalls(const struct ww_queue *q); /* how often has_room turned to false */

/* Hands on what is still waiting, ends the thread, frees. NULL is fine. */
void ww_queue_free(struct ww_queue *q);

#endif
