/* cli: a gate: a backend, a test command that is sent through the proxy, and what came of it.
 */
#ifndef WW_GATE_H
#define WW_GATE_H

#include "backend.h"
#include "baseline.h"
#include "scratch.h"

#include <whichworker/loop.h>

#define GATE_URL 128

/* How it ended, beside what was found. */
enum gate_end {
    GATE_DONE,         /* the tests have ended by themselves */
    GATE_TIMED_OUT,    /* --test-timeout */
    GATE_BACKEND_DIED, /* while they ran */
    GATE_COULD_NOT, /* something could not be started, or did not become ready; or recorded */
    GATE_SIGNALLED
};

/*
 *     backend ◀── proxy ◀── tests         each of the two has a keeper (keeper.h)
 *        └─▶ log       └─▶ trace ─▶ judge ─▶ policy ─▶ reports, exit status
 */
struct gate {
    const struct config *config; /* as given */
    struct config served;        /* what the proxy gets */
    struct baseline *baseline;
    struct scratch scratch;
    struct backend backend;
    struct backend_roll roll;
    struct child test;
    struct ww_addr upstream;
    char url[GATE_URL];

    /* While the proxy is open. */
    struct server *server;
    struct ww_ready *test_events;
    struct ww_ready *backend_events;
    struct ww_timer *limit; /* --test-timeout */
    struct ww_signal *hangup;
    struct ww_timer *patience; /* after a signal was passed on */

    enum gate_end end;
    int signum;        /* of GATE_SIGNALLED */
    bool test_is_ours; /* of our process group, since it has the terminal */
    bool test_ran;     /* was started */
    bool unready;      /* it is the backend that was not */
    bool test_over;    /* has ended */
    bool is_recorded;  /* there is a trace */
    int64_t test_us;   /* how long it took; its start while it runs */
    struct ww_err why; /* of GATE_COULD_NOT */
};

/* Makes the keepers, starts the backend, waits until it is ready, runs the tests through the
 * proxy, and takes all of it down. What came of it is in *g. */
void gate_play(struct gate *g, struct ww_preload *preload, const char *shim);

/* Judges what was recorded, tells it on standard error, writes the reports. An exit status, or
 * < 0 and err. */
int gate_conclude(struct gate *g, struct ww_err *err);

#endif
