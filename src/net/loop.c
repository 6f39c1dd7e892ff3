/* The libuv loop and its small handles. */
#include "loop_private.h"

#include <whichworker/arena.h>

#include <assert.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* A handle with a callback: timers, wake-ups and signals differ only in what starts them. */
struct small {
    union {
        uv_handle_t handle;
        uv_timer_t timer;
        uv_async_t async;
        uv_signal_t signal;
        uv_poll_t poll;
    };
    ww_loop_cb *cb;
    void *ctx;
    int fd; /* of a tick */
};

struct ww_timer {
    struct small s;
};
struct ww_tick {
    struct small s;
};
struct ww_ready {
    struct small s;
};
struct ww_wake {
    struct small s;
};
struct ww_signal {
    struct small s;
};

struct ww_loop *ww_loop_new(struct ww_err *err)
{
    struct ww_loop *l = ww_xmalloc(sizeof(*l));
    int r = uv_loop_init(&l->uv);

    if (r < 0) {
        ww_err_set(err, WW_ESYSTEM, "cannot make an event loop: %s", uv_strerror(r));
        free(l);
        return NULL;
    }
    return l;
}

bool ww_program_path(char *out, size_t room)
{
    return uv_exepath(out, &room) == 0;
}

void ww_loop_run(struct ww_loop *l)
{
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void ww_loop_stop(struct ww_loop *l)
{
    uv_stop(&l->uv);
}

void ww_loop_turn(struct ww_loop *l)
{
    uv_run(&l->uv, UV_RUN_ONCE);
}

void ww_loop_free(struct ww_loop *l)
{
    if (l == NULL)
        return;
    uv_run(&l->uv, UV_RUN_DEFAULT);
    int r = uv_loop_close(&l->uv);

    assert(r == 0); /* else something was not given back */
    (void)r;
    free(l);
}

static void on_small_closed(uv_handle_t *h)
{
    struct small *s = h->data;

    if (s->fd >= 0)
        close(s->fd);
    free(s);
}

static void small_free(struct small *s)
{
    uv_close(&s->handle, on_small_closed);
}

static struct small *small_new(ww_loop_cb *cb, void *ctx)
{
    struct small *s = ww_xcalloc(1, sizeof(*s));

    s->cb = cb;
    s->ctx = ctx;
    s->fd = -1;
    s->handle.data = s;
    return s;
}

static void on_timer(uv_timer_t *t)
{
    struct small *s = t->data;

    s->cb(s->ctx);
}

struct ww_timer *ww_timer_new(struct ww_loop *l, ww_loop_cb *cb, void *ctx)
{
    struct small *s = small_new(cb, ctx);

    uv_timer_init(&l->uv, &s->timer);
    return (struct ww_timer *)s;
}

void ww_timer_start(struct ww_timer *t, uint32_t ms)
{
    uv_timer_start(&t->s.timer, on_timer, ms, 0);
}

void ww_timer_stop(struct ww_timer *t)
{
    uv_timer_stop(&t->s.timer);
}

void ww_timer_free(struct ww_timer *t)
{
    if (t != NULL)
        small_free(&t->s);
}

static void on_tick(uv_poll_t *p, int status, int events)
{
    struct small *s = p->data;
    uint64_t expirations;

    (void)status;
    (void)events;
    if (read(s->fd, &expirations, sizeof(expirations)) == (ssize_t)sizeof(expirations))
        s->cb(s->ctx);
}

struct ww_tick *ww_tick_new(struct ww_loop *l, ww_loop_cb *cb, void *ctx, struct ww_err *err)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

    if (fd < 0) {
        ww_err_errno(err, errno, "cannot make a timer");
        return NULL;
    }

    struct small *s = small_new(cb, ctx);

    s->fd = fd;
    uv_poll_init(&l->uv, &s->poll, fd);
    uv_poll_start(&s->poll, UV_READABLE, on_tick);
    return (struct ww_tick *)s;
}

static void set_timer(struct ww_tick *t, uint32_t us)
{
    struct itimerspec when = { .it_value = { .tv_sec = us / 1000000,
                                             .tv_nsec = (long)(us % 1000000) * 1000 } };

    timerfd_settime(t->s.fd, 0, &when, NULL);
}

void ww_tick_start(struct ww_tick *t, uint32_t us)
{
    set_timer(t, us == 0 ? 1 : us);
}

void ww_tick_stop(struct ww_tick *t)
{
    set_timer(t, 0);
}

void ww_tick_free(struct ww_tick *t)
{
    if (t != NULL)
        small_free(&t->s);
}

static void on_ready(uv_poll_t *p, int status, int events)
{
    struct small *s = p->data;

    (void)status;
    (void)events;
    s->cb(s->ctx);
}

struct ww_ready *ww_ready_new(struct ww_loop *l, int fd, ww_loop_cb *cb, void *ctx,
                              struct ww_err *err)
{
    struct small *s = small_new(cb, ctx);
    int r = uv_poll_init(&l->uv, &s->poll, fd);

    if (r < 0) {
        ww_err_set(err, WW_ESYSTEM, "cannot watch a descriptor: %s", uv_strerror(r));
        free(s);
        return NULL;
    }
    uv_poll_start(&s->poll, UV_READABLE, on_ready);
    return (struct ww_ready *)s;
}

void ww_ready_free(struct ww_ready *r)
{
    if (r != NULL) {
        uv_poll_stop(&r->s.poll); /* the caller may close fd as soon as we return */
        small_free(&r->s);
    }
}

static void on_wake(uv_async_t *a)
{
    struct small *s = a->data;

    s->cb(s->ctx);
}

struct ww_wake *ww_wake_new(struct ww_loop *l, ww_loop_cb *cb, void *ctx)
{
    struct small *s = small_new(cb, ctx);

    if (uv_async_init(&l->uv, &s->async, on_wake) < 0)
        abort();
    return (struct ww_wake *)s;
}

void ww_wake_send(struct ww_wake *w)
{
    uv_async_send(&w->s.async);
}

void ww_wake_free(struct ww_wake *w)
{
    if (w != NULL)
        small_free(&w->s);
}

static void on_signal(uv_signal_t *g, int signum)
{
    struct small *s = g->data;

    (void)signum;
    s->cb(s->ctx);
}

struct ww_signal *ww_signal_new(struct ww_loop *l, int signum, ww_loop_cb *cb, void *ctx,
                                struct ww_err *err)
{
    struct small *s = small_new(cb, ctx);

    uv_signal_init(&l->uv, &s->signal);

    int r = uv_signal_start(&s->signal, on_signal, signum);

    if (r < 0) {
        ww_err_set(err, WW_ESYSTEM, "cannot watch signal %d: %s", signum, uv_strerror(r));
        small_free(s);
        return NULL;
    }
    return (struct ww_signal *)s;
}

void ww_signal_free(struct ww_signal *s)
{
    if (s != NULL)
        small_free(&s->s);
}
