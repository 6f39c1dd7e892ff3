/* proxy: requests that are held until the accepting process is known. */
#ifndef WW_HOLD_H
#define WW_HOLD_H

#include <whichworker/proxy.h>

/*
 * Who it is, or that it cannot be known; worker is NULL unless owner is KNOWN. Once, before
 * that, it may be called with QUEUED: two looks found nobody, and a listener with
 * TCP_DEFER_ACCEPT accepts only when something has come; so whatever may be sent without being
 * answered should be sent now.
 */
typedef void hold_cb(void *ctx, enum ww_owner owner, const struct ww_worker *worker);

/* One held request: on the list from hold_begin until it was called back, or hold_cancel. */
struct hold {
    struct hold *prev;
    struct hold *next;
    struct ww_flow flow;
    int64_t began_us;
    int64_t accepted_us; /* first seen accepted, by somebody not final; 0: not yet */
    hold_cb *cb;
    void *ctx;
    unsigned looks;
    bool on_list;
    enum ww_obstacle why; /* it is not known; NONE: it is */
};

/* All held requests, oldest first, and the one timer that looks at them: no hold, no timer. */
struct holds {
    struct hold *oldest;
    struct hold *newest;
    struct ww_tick *tick;
    struct ww_looker looker;
    int64_t attrib_timeout_us;
    int64_t handover_timeout_us;
    unsigned turn;
};

int holds_init(struct holds *hs, struct ww_loop *l, const struct ww_looker *looker,
               const struct ww_proxy_config *cfg, struct ww_err *err);
void holds_release(struct holds *hs);

/* Looks at once. True: *out_owner (and *out_worker with KNOWN) is final and cb is not called.
 * False: cb will be, later, once. */
WW_MUST bool hold_begin(struct holds *hs, struct hold *h, hold_cb *cb, void *ctx,
                        enum ww_owner *out_owner, struct ww_worker *out_worker);

/* Takes it off the list; fine if it is not on it. */
void hold_cancel(struct holds *hs, struct hold *h);

/* Who answered, now that the response begins: KNOWN, AMBIGUOUS or UNKNOWN. worker holds what
 * the hold found, and is written anew with KNOWN. */
WW_MUST enum ww_owner hold_confirm(struct holds *hs, struct hold *h, struct ww_worker *worker);

#endif
