/* The backend that a proxy has started: its signals, and the wait until it listens. */
#include "backend.h"

#include <whichworker/units.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOK_EVERY_MS 50

/* A backend may open several sockets, and its workers come one by one. So it must have looked
 * the same for some looks; but workers that come and go must not keep it from being ready. */
#define SETTLED_LOOKS 4
#define SETTLE_MAX_US 3000000

#define LISTENINGS_MAX 16

static const int passed_on[BACKEND_SIGNALS] = { SIGHUP,  SIGUSR1, SIGUSR2,
                                                SIGTTIN, SIGTTOU, SIGWINCH };

void backend_block_signals(struct backend *b)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    for (size_t i = 0; i < BACKEND_SIGNALS; i++)
        sigaddset(&set, passed_on[i]);
    sigprocmask(SIG_BLOCK, &set, &b->mask);
}

static void wait_for_event(const struct backend *b, int signals, int ms)
{
    struct pollfd p[2] = { { .fd = b->child.fd, .events = POLLIN },
                           { .fd = signals, .events = POLLIN } };

    (void)poll(p, 2, ms);
}

int backend_start(struct backend *b, const struct keeper_job *job, struct ww_err *err)
{
    if (child_fork(&b->child, job, err) < 0)
        return err->code;
    backend_block_signals(b);

    int r = child_go(&b->child, job->argv[0], "", err);

    if (r < 0)
        child_stop(&b->child, 0);
    return r;
}

static bool answers(const struct ww_addr *addr)
{
    int fd = socket(addr->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes = fd >= 0 && connect(fd, (const struct sockaddr *)&addr->sa, addr->len) == 0;

    if (fd >= 0)
        close(fd);
    return yes;
}

/* What has been seen of its sockets, look by look. */
struct settling {
    struct ww_listening last[LISTENINGS_MAX];
    size_t n;
    unsigned same;
    int64_t first_us; /* 0: nothing has been seen yet */
};

static bool is_same(const struct settling *s, const struct ww_listening *now, size_t n)
{
    if (n != s->n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (now[i].holders != s->last[i].holders ||
            strcmp(now[i].addr.text, s->last[i].addr.text) != 0)
            return false;
    return true;
}

static bool has_settled(struct settling *s, struct ww_addr *out_addr)
{
    struct ww_listening now[LISTENINGS_MAX];
    size_t n = ww_tree_listens("/proc", getpid(), now, LISTENINGS_MAX);
    int64_t now_us = ww_clock_mono_us();

    if (n == 0)
        return false;
    if (s->first_us == 0)
        s->first_us = now_us;
    s->same = is_same(s, now, n) ? s->same + 1 : 0;
    memcpy(s->last, now, n * sizeof(now[0]));
    s->n = n;
    if (s->same < SETTLED_LOOKS && now_us - s->first_us < SETTLE_MAX_US)
        return false;
    *out_addr = now[0].addr;
    return true;
}

static int died(const struct backend *b, struct ww_err *err)
{
    struct ww_buf how;

    ww_buf_init(&how, 256);
    child_describe(&b->child, &how);
    ww_err_set(err, WW_ESYSTEM,
               "the backend " WW_STRF " before it listened; its last words are "
               "above",
               WW_STRV(ww_buf_str(&how)));
    ww_buf_release(&how);
    return err->code;
}

static int wait_until_ready(struct backend *b, const struct ww_addr *wanted,
                            uint32_t timeout_ms, int signals, struct ww_addr *out_addr,
                            struct ww_err *err)
{
    int64_t until_us = ww_clock_mono_us() + (int64_t)timeout_ms * 1000;
    struct settling s = { 0 };
    struct signalfd_siginfo got;
    char time[16];

    while (ww_clock_mono_us() < until_us) {
        while (child_hear(&b->child))
            ;
        if (child_is_over(&b->child))
            return died(b, err);
        if (read(signals, &got, sizeof(got)) > 0)
            return BACKEND_STOPPED;
        if (wanted != NULL && answers(wanted)) {
            *out_addr = *wanted;
            return BACKEND_READY;
        }
        if (wanted == NULL && has_settled(&s, out_addr))
            return BACKEND_READY;
        wait_for_event(b, signals, LOOK_EVERY_MS);
    }
    ww_units_msec_text(timeout_ms, time);
    if (wanted != NULL)
        return ww_err_set(err, WW_ESYSTEM, "nobody listens on %s after %s (--ready-timeout)",
                          wanted->text, time);
    return ww_err_set(err, WW_ESYSTEM,
                      "the backend listens nowhere, as far as can be seen, after %s "
                      "(--ready-timeout); --upstream ADDR says where it does",
                      time);
}

int backend_wait(struct backend *b, const struct ww_addr *wanted, uint32_t timeout_ms,
                 struct ww_addr *out_addr, struct ww_err *err)
{
    sigset_t stop;

    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);

    int signals = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);

    if (signals < 0)
        return ww_err_errno(err, errno, "cannot wait for the backend");

    int r = wait_until_ready(b, wanted, timeout_ms, signals, out_addr, err);

    close(signals);
    return r;
}

static void on_event(void *ctx)
{
    struct backend *b = ctx;
    bool was_over = child_is_over(&b->child);

    while (child_hear(&b->child))
        ;
    if (b->child.fd < 0) {
        ww_ready_free(b->ready);
        b->ready = NULL;
    }
    if (!was_over && child_is_over(&b->child))
        serve_stop(b->server);
}

static void on_signal(void *ctx)
{
    const struct backend_signal *g = ctx;

    child_order(&g->backend->child, KEEPER_SIGNAL, g->signum);
}

int backend_open(void *ctx, struct ww_loop *loop, struct server *s, struct ww_err *err)
{
    struct backend *b = ctx;

    b->server = s;
    b->ready = ww_ready_new(loop, b->child.fd, on_event, b, err);
    if (b->ready == NULL)
        return err->code;
    for (size_t i = 0; i < BACKEND_SIGNALS; i++) {
        struct backend_signal *g = &b->passed_on[i];

        *g = (struct backend_signal){ .backend = b, .signum = passed_on[i] };
        g->handle = ww_signal_new(loop, g->signum, on_signal, g, err);
        if (g->handle == NULL)
            return err->code;
    }
    /* Those that came meanwhile are heard now. */
    sigprocmask(SIG_SETMASK, &b->mask, NULL);
    return WW_OK;
}

void backend_close(void *ctx)
{
    struct backend *b = ctx;

    ww_ready_free(b->ready);
    b->ready = NULL;
    for (size_t i = 0; i < BACKEND_SIGNALS; i++) {
        if (b->passed_on[i].handle != NULL)
            ww_signal_free(b->passed_on[i].handle);
        b->passed_on[i].handle = NULL;
    }
}

bool backend_failed(const struct backend *b)
{
    return b->child.ended && b->child.status != 0;
}
