/* net: the event loop: timers, signals, a wake-up from other threads. libuv stays behind it. */
#ifndef WHICHWORKER_LOOP_H
#define WHICHWORKER_LOOP_H

#include <whichworker/err.h>

#include <stdint.h>

/*
 * One thread's loop. Everything that is made from it must be given back (free, close) before
 * ww_loop_free. No callback is ever called from inside the function that asked for it.
 */
struct ww_loop;

struct ww_loop *ww_loop_new(struct ww_err *err);

/* Where this program's file is; false if that cannot be known. */
WW_MUST bool ww_program_path(char *out, size_t room);

/* Runs callbacks until ww_loop_stop, or until nothing is left that could ever call back. */
void ww_loop_run(struct ww_loop *l);
void ww_loop_stop(struct ww_loop *l); /* from a callback */

/* Runs what is due, waiting for one event if there is none. */
void ww_loop_turn(struct ww_loop *l);

/* Lets pending closes end, and frees. NULL is fine. */
void ww_loop_free(struct ww_loop *l);

typedef void ww_loop_cb(void *ctx);

/* A timer in milliseconds; stopped to begin with. Start also restarts; it fires once. */
struct ww_timer;
struct ww_timer *ww_timer_new(struct ww_loop *l, ww_loop_cb *cb, void *ctx);
void ww_timer_start(struct ww_timer *t, uint32_t ms);
void ww_timer_stop(struct ww_timer *t);
void ww_timer_free(struct ww_timer *t); /* NULL is fine; never fires afterwards */

/* A timer in microseconds, over timerfd, for waits below a millisecond. It fires once. */
struct ww_tick;
struct ww_tick *ww_tick_new(struct ww_loop *l, ww_loop_cb *cb, void *ctx, struct ww_err *err);
void ww_tick_start(struct ww_tick *t, uint32_t us);
void ww_tick_stop(struct ww_tick *t);
void ww_tick_free(struct ww_tick *t);

/* Calls back each time fd is readable; made for those that become so once (a pidfd). Borrows fd. */
struct ww_ready;
struct ww_ready *ww_ready_new(struct ww_loop *l, int fd, ww_loop_cb *cb, void *ctx,
                              struct ww_err *err);
void ww_ready_free(struct ww_ready *r); /* NULL is fine; fd must stay open until it returns */

/* Calls back, on the loop's thread, some time after another thread sent. Sends may be merged. */
struct ww_wake;
struct ww_wake *ww_wake_new(struct ww_loop *l, ww_loop_cb *cb, void *ctx);
void ww_wake_send(struct ww_wake *w); /* from any thread */
void ww_wake_free(struct ww_wake *w);

/* Calls back for a signal of the process. */
struct ww_signal;
struct ww_signal *ww_signal_new(struct ww_loop *l, int signum, ww_loop_cb *cb, void *ctx,
                                struct ww_err *err);
void ww_signal_free(struct ww_signal *s);

#endif
