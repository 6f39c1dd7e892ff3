/* proxy: the workers that have served something: their slots, births and deaths. */
#ifndef WW_ROSTER_H
#define WW_ROSTER_H

#include <whichworker/loop.h>
#include <whichworker/sink.h>

struct roster_entry;

struct roster {
    struct roster_entry **entry;
    size_t n;
    size_t cap;
    size_t dead; /* entries of workers that have ended */
    struct ww_loop *loop;
    struct ww_sink *sink;
    int64_t wall_offset_us;
};

void roster_init(struct roster *r, struct ww_loop *l, struct ww_sink *sink,
                 int64_t wall_offset_us);
void roster_release(struct roster *r);

/* A worker has served: if it is new it gets a slot, is told to the sink, and its end is
 * watched. */
void roster_see(struct roster *r, const struct ww_worker *w);

#endif
