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

bool backend_answers(const struct ww_addr *addr)
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
    ww_err_set(err, WW_ESYSTEM, "the backend " WW_STRF " before it listened",
               WW_STRV(ww_buf_str(&how)));
    ww_buf_release(&how);
    return err->code;
}

int backend_want(ww_str upstream, struct backend_wanted *out, struct ww_err *err)
{
    char other[64];

    *out = (struct backend_wanted){ 0 };
    if (upstream.len == 0)
        return WW_OK;
    if (ww_addr_parse(upstream, "--upstream", &out->addr[out->n++], err) < 0)
        return err->code;
    if (ww_str_starts(upstream, WW_STR("http://")))
        upstream = ww_str_from(upstream, 7);
    if (!ww_str_starts_nocase(upstream, WW_STR("localhost:")))
        return WW_OK;
    /* Servers that listen on "localhost" take the first address that it has, some ::1. */
    snprintf(other, sizeof(other), "[::1]:%u", ww_addr_port(&out->addr[0]));
    return ww_addr_parse(ww_str_c(other), "--upstream", &out->addr[out->n++], err);
}

int backend_stop_signals(const struct backend *b, struct ww_err *err)
{
    sigset_t stop;

    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    if (b->hangup_ends)
        sigaddset(&stop, SIGHUP);

    int signals = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);

    if (signals < 0)
        ww_err_errno(err, errno, "cannot wait for the backend");
    return signals;
}

int backend_look(struct backend *b, int signals, int ms, struct ww_err *err)
{
    struct pollfd p[2] = { { .fd = b->child.fd, .events = POLLIN },
                           { .fd = signals, .events = POLLIN } };
    struct signalfd_siginfo got;

    (void)poll(p, 2, ms);
    while (child_hear(&b->child))
        ;
    if (b->child.keeper > 0 && child_is_over(&b->child))
        return died(b, err);
    if (read(signals, &got, sizeof(got)) <= 0)
        return BACKEND_READY;
    b->stopped_by = (int)got.ssi_signo;
    return BACKEND_STOPPED;
}

static bool find_wanted(const struct backend_wanted *wanted, struct ww_addr *out)
{
    for (size_t i = 0; i < wanted->n; i++) {
        if (!backend_answers(&wanted->addr[i]))
            continue;
        *out = wanted->addr[i];
        return true;
    }
    return false;
}

static int give_up(const struct backend_wanted *wanted, uint32_t timeout_ms, struct ww_err *err)
{
    char time[16];

    ww_units_msec_text(timeout_ms, time);
    if (wanted->n > 0)
        return ww_err_set(err, WW_ESYSTEM,
                          "nobody listens on %s%s%s after %s (--ready-timeout)",
                          wanted->addr[0].text, wanted->n > 1 ? " or " : "",
                          wanted->n > 1 ? wanted->addr[1].text : "", time);
    return ww_err_set(err, WW_ESYSTEM,
                      "the backend listens nowhere, as far as can be seen, after %s "
                      "(--ready-timeout); --upstream ADDR says where it does",
                      time);
}

static int wait_until_ready(struct backend *b, const struct backend_wanted *wanted,
                            uint32_t timeout_ms, int signals, struct ww_addr *out_addr,
                            struct ww_err *err)
{
    int64_t until_us = ww_clock_mono_us() + (int64_t)timeout_ms * 1000;
    struct settling s = { 0 };
    int ms = 0;

    while (ww_clock_mono_us() < until_us) {
        int r = backend_look(b, signals, ms, err);

        if (r != BACKEND_READY)
            return r;
        if (wanted->n > 0 ? find_wanted(wanted, out_addr) : has_settled(&s, out_addr))
            return BACKEND_READY;
        ms = LOOK_EVERY_MS;
    }
    return give_up(wanted, timeout_ms, err);
}

int backend_wait(struct backend *b, const struct backend_wanted *wanted, uint32_t timeout_ms,
                 struct ww_addr *out_addr, struct ww_err *err)
{
    int signals = backend_stop_signals(b, err);

    if (signals < 0)
        return err->code;

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
