/* Workers by slot. A death is an event of the worker's pidfd, not something to poll for. */
#include "roster.h"

#include <whichworker/arena.h>
#include <whichworker/attrib.h>
#include <whichworker/units.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define ROSTER_DEAD_MAX 256

struct roster_entry {
    struct ww_worker worker;
    struct roster *roster;
    struct ww_ready *ready; /* NULL: not watched, or dead */
    int pidfd;
};

void roster_init(struct roster *r, struct ww_loop *l, struct ww_sink *sink,
                 int64_t wall_offset_us)
{
    *r = (struct roster){ .loop = l, .sink = sink, .wall_offset_us = wall_offset_us };
}

static void stop_watching(struct roster_entry *e)
{
    ww_ready_free(e->ready);
    e->ready = NULL;
    if (e->pidfd >= 0)
        close(e->pidfd);
    e->pidfd = -1;
}

void roster_release(struct roster *r)
{
    for (size_t i = 0; i < r->n; i++) {
        stop_watching(r->entry[i]);
        free(r->entry[i]);
    }
    free(r->entry);
    *r = (struct roster){ 0 };
}

static void note_death(struct roster_entry *e)
{
    stop_watching(e);
    e->worker.ended_us = ww_clock_mono_us() + e->roster->wall_offset_us;
    e->roster->dead++;
}

static void on_death(void *ctx)
{
    struct roster_entry *e = ctx;

    note_death(e);
    e->roster->sink->worker(e->roster->sink, &e->worker);
}

/* A server that forks for every connection has a new worker each time: of the dead only the
 * last are remembered, for an exchange that outlived its worker. */
static void forget_the_long_dead(struct roster *r)
{
    size_t kept = 0;
    size_t surplus = r->dead / 2;

    if (r->dead < ROSTER_DEAD_MAX)
        return;
    for (size_t i = 0; i < r->n; i++) {
        if (surplus > 0 && r->entry[i]->worker.ended_us != 0) {
            free(r->entry[i]);
            surplus--;
            r->dead--;
        } else {
            r->entry[kept++] = r->entry[i];
        }
    }
    r->n = kept;
}

/* The lowest slot that no living worker has. */
static uint32_t free_slot(const struct roster *r)
{
    for (uint32_t slot = 0;; slot++) {
        bool taken = false;

        for (size_t i = 0; i < r->n && !taken; i++)
            taken = r->entry[i]->worker.ended_us == 0 && r->entry[i]->worker.slot == slot;
        if (!taken)
            return slot;
    }
}

/* A PID that only a header has told may be one of another machine: here it is somebody else's. */
static void watch(struct roster_entry *e)
{
    if (e->worker.id.start_ticks == 0)
        return;
    e->pidfd = ww_worker_watch(e->worker.id, "/proc");
    if (e->pidfd >= 0)
        e->ready = ww_ready_new(e->roster->loop, e->pidfd, on_death, e, NULL);
    else if (errno == ESRCH)
        note_death(e);
}

void roster_see(struct roster *r, const struct ww_worker *w)
{
    for (size_t i = r->n; i-- > 0;)
        if (ww_worker_same(r->entry[i]->worker.id, w->id))
            return;

    forget_the_long_dead(r);

    struct roster_entry *e = ww_xcalloc(1, sizeof(*e));

    e->worker = *w;
    e->worker.slot = free_slot(r);
    e->roster = r;
    e->pidfd = -1;
    r->entry = ww_grow(r->entry, r->n + 1, &r->cap, sizeof(struct roster_entry *));
    r->entry[r->n++] = e;
    watch(e);
    r->sink->worker(r->sink, &e->worker);
}
