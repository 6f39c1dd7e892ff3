/* Looks at held requests, in growing intervals, until each has its owner or its time is up. */
#include "hold.h"

#include <whichworker/units.h>

/*
 * A worker that is free accepts within tens of microseconds, one that is busy when it is done.
 * So the next look comes after an eighth of the wait so far, within these bounds.
 */
#define FIRST_LOOK_US 20
#define LAST_LOOK_US  1000
#define WAIT_SHARE    8

/*
 * Listeners serve their queues in order: where the oldest have not been accepted, the younger
 * have not either. So a turn looks at this many queued ones, and, since several listeners may
 * share a port, at every SAMPLEth of the rest, another sample each turn.
 */
#define QUEUED_LOOKS 4
#define SAMPLE       16

static void on_tick(void *ctx);

int holds_init(struct holds *hs, struct ww_loop *l, const struct ww_looker *looker,
               const struct ww_proxy_config *cfg, struct ww_err *err)
{
    *hs = (struct holds){ .looker = *looker,
                          .attrib_timeout_us = (int64_t)cfg->attrib_timeout_ms * 1000,
                          .handover_timeout_us = (int64_t)cfg->handover_timeout_ms * 1000 };
    hs->tick = ww_tick_new(l, on_tick, hs, err);
    return hs->tick == NULL ? WW_ESYSTEM : WW_OK;
}

void holds_release(struct holds *hs)
{
    ww_tick_free(hs->tick);
    hs->tick = NULL;
}

static enum ww_obstacle why(const struct holds *hs)
{
    return hs->looker.why == NULL ? WW_OBSTACLE_NONE : hs->looker.why(hs->looker.ctx);
}

/* Looks; true if the answer is final, also because the time is up. */
static bool settled(struct holds *hs, struct hold *h, int64_t now, enum ww_owner *owner,
                    struct ww_worker *worker)
{
    h->looks++;
    *owner = hs->looker.look(hs->looker.ctx, &h->flow, worker);
    h->why = why(hs);
    switch (*owner) {
    case WW_OWNER_KNOWN:
    case WW_OWNER_UNKNOWN:
        return true;
    case WW_OWNER_QUEUED:
        if (now - h->began_us < hs->attrib_timeout_us)
            return false;
        *owner = WW_OWNER_UNKNOWN;
        h->why = WW_OBSTACLE_BUSY;
        return true;
    case WW_OWNER_UNSETTLED:
    case WW_OWNER_AMBIGUOUS:
        if (h->accepted_us == 0)
            h->accepted_us = now;
        if (now - h->accepted_us < hs->handover_timeout_us)
            return false;
        if (*owner == WW_OWNER_UNSETTLED)
            *owner = WW_OWNER_UNKNOWN;
        return true;
    }
    return true;
}

static void unlink_hold(struct holds *hs, struct hold *h)
{
    if (h->prev != NULL)
        h->prev->next = h->next;
    else
        hs->oldest = h->next;
    if (h->next != NULL)
        h->next->prev = h->prev;
    else
        hs->newest = h->prev;
    h->on_list = false;
}

/* The youngest has waited least and so wants the next look soonest. */
static void arm(struct holds *hs)
{
    if (hs->newest == NULL) {
        ww_tick_stop(hs->tick);
        return;
    }

    int64_t wait = (ww_clock_mono_us() - hs->newest->began_us) / WAIT_SHARE;

    if (wait < FIRST_LOOK_US)
        wait = FIRST_LOOK_US;
    if (wait > LAST_LOOK_US)
        wait = LAST_LOOK_US;
    ww_tick_start(hs->tick, (uint32_t)wait);
}

static void on_tick(void *ctx)
{
    struct holds *hs = ctx;
    int64_t now = ww_clock_mono_us();
    unsigned queued = 0;
    unsigned i = 0;

    hs->turn++;
    for (struct hold *h = hs->oldest, *next; h != NULL; h = next, i++) {
        enum ww_owner owner;
        struct ww_worker worker = { 0 };

        next = h->next;
        if (queued >= QUEUED_LOOKS && (i + hs->turn) % SAMPLE != 0)
            continue;
        if (!settled(hs, h, now, &owner, &worker)) {
            queued += owner == WW_OWNER_QUEUED;
            if (h->looks == 2)
                h->cb(h->ctx, WW_OWNER_QUEUED, NULL);
            continue;
        }
        unlink_hold(hs, h);
        h->cb(h->ctx, owner, owner == WW_OWNER_KNOWN ? &worker : NULL);
    }
    arm(hs);
}

bool hold_begin(struct holds *hs, struct hold *h, hold_cb *cb, void *ctx,
                enum ww_owner *out_owner, struct ww_worker *out_worker)
{
    h->began_us = ww_clock_mono_us();
    h->accepted_us = 0;
    h->looks = 0;
    h->cb = cb;
    h->ctx = ctx;
    if (settled(hs, h, h->began_us, out_owner, out_worker))
        return true;
    h->prev = hs->newest;
    h->next = NULL;
    if (hs->newest != NULL)
        hs->newest->next = h;
    else
        hs->oldest = h;
    hs->newest = h;
    h->on_list = true;
    ww_tick_start(hs->tick, FIRST_LOOK_US);
    return false;
}

void hold_cancel(struct holds *hs, struct hold *h)
{
    if (h->on_list)
        unlink_hold(hs, h);
}

enum ww_owner hold_confirm(struct holds *hs, struct hold *h, struct ww_worker *worker)
{
    enum ww_owner owner = WW_OWNER_KNOWN;

    /* It went out before anybody had accepted: now somebody has, and may still hold it. */
    if (h->why == WW_OBSTACLE_BUSY)
        owner = hs->looker.look(hs->looker.ctx, &h->flow, worker);
    if (owner == WW_OWNER_KNOWN)
        owner = hs->looker.confirm(hs->looker.ctx, &h->flow, worker);
    else if (owner != WW_OWNER_AMBIGUOUS)
        owner = WW_OWNER_UNKNOWN;

    enum ww_obstacle now = why(hs);

    /* That the connection is closed by now is no reason where there was one before. */
    if (owner == WW_OWNER_KNOWN || h->why == WW_OBSTACLE_NONE ||
        (now != WW_OBSTACLE_NONE && now != WW_OBSTACLE_CLOSED))
        h->why = now;
    return owner;
}
