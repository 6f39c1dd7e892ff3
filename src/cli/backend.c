/* Our end of the keeper: orders out, events in, and the wait for a backend that listens. */
#include "backend.h"

#include "keeper.h"

#include <whichworker/units.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_EVERY_MS 50

/* A backend may open several sockets, and its workers come one by one. So it must have looked
 * the same for some looks; but workers that come and go must not keep it from being ready. */
#define SETTLED_LOOKS 4
#define SETTLE_MAX_US 3000000

#define LISTENINGS_MAX 16

/* Beyond the time to drain: for the kernel to end what was killed. */
#define KILL_MARGIN_MS 5000

static const int passed_on[BACKEND_SIGNALS] = { SIGHUP,  SIGUSR1, SIGUSR2,
                                                SIGTTIN, SIGTTOU, SIGWINCH };

static void block_signals(struct backend *b)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    for (size_t i = 0; i < BACKEND_SIGNALS; i++)
        sigaddset(&set, passed_on[i]);
    sigprocmask(SIG_BLOCK, &set, &b->mask);
}

static void order(struct backend *b, enum keeper_order what, int32_t value)
{
    const struct keeper_message m = { .what = (int32_t)what, .value = value };

    if (b->fd >= 0)
        (void)send(b->fd, &m, sizeof(m), MSG_NOSIGNAL);
}

static void lose(struct backend *b)
{
    if (b->fd >= 0)
        close(b->fd);
    b->fd = -1;
    b->ended = true;
}

/* One event, if there is one. */
static bool hear(struct backend *b, int32_t *out_start_error)
{
    struct keeper_message m;
    ssize_t n = b->fd < 0 ? 0 : recv(b->fd, &m, sizeof(m), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n != (ssize_t)sizeof(m)) {
        lose(b);
        return false;
    }
    switch ((enum keeper_event)m.what) {
    case KEEPER_STARTED:
        if (out_start_error != NULL)
            *out_start_error = m.value;
        break;
    case KEEPER_ENDED:
        b->ended = true;
        b->status = m.value;
        break;
    case KEEPER_ALONE:
        b->ended = true;
        b->alone = true;
        b->status = m.value;
        break;
    }
    return true;
}

static void wait_for_event(const struct backend *b, int signals, int ms)
{
    struct pollfd p[2] = { { .fd = b->fd, .events = POLLIN },
                           { .fd = signals, .events = POLLIN } };

    (void)poll(p, 2, ms);
}

int backend_start(struct backend *b, char *const *argv, const char *shim, const char *token,
                  struct ww_err *err)
{
    const struct keeper_job job = { .argv = argv, .shim = shim, .token = token };
    int32_t error = 0;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return ww_err_errno(err, errno, "cannot start the backend");
    prctl(PR_SET_CHILD_SUBREAPER, 1);

    pid_t keeper = fork();

    if (keeper == 0)
        keeper_run(pair[1], &job);
    close(pair[1]);
    b->fd = pair[0];
    block_signals(b);
    if (keeper < 0)
        error = errno;
    while (error == 0 && b->fd >= 0) {
        wait_for_event(b, -1, -1);
        if (hear(b, &error))
            break;
    }
    if (error == 0 && b->fd >= 0)
        return WW_OK;
    lose(b);
    return ww_err_errno(err, error == 0 ? ECHILD : error, "cannot run '%s'", argv[0]);
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
    backend_describe(b, &how);
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
        while (hear(b, NULL))
            ;
        if (b->fd < 0 || b->alone || (b->ended && b->status != 0))
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
    bool was_over = b->alone || (b->ended && b->status != 0);

    while (hear(b, NULL))
        ;
    if (b->fd < 0) {
        ww_ready_free(b->ready);
        b->ready = NULL;
    }
    if (!was_over && (b->fd < 0 || b->alone || (b->ended && b->status != 0)))
        serve_stop(b->server);
}

static void on_signal(void *ctx)
{
    const struct backend_signal *g = ctx;

    order(g->backend, KEEPER_SIGNAL, g->signum);
}

int backend_open(void *ctx, struct ww_loop *loop, struct server *s, struct ww_err *err)
{
    struct backend *b = ctx;

    b->server = s;
    b->ready = ww_ready_new(loop, b->fd, on_event, b, err);
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
    return b->ended && b->status != 0;
}

int backend_exit_status(const struct backend *b)
{
    return WIFSIGNALED(b->status) ? 128 + WTERMSIG(b->status) : WEXITSTATUS(b->status);
}

void backend_describe(const struct backend *b, struct ww_buf *out)
{
    if (WIFSIGNALED(b->status))
        ww_buf_printf(out, "was killed by signal %d (%s)", WTERMSIG(b->status),
                      strsignal(WTERMSIG(b->status)));
    else
        ww_buf_printf(out, "ended with status %d", WEXITSTATUS(b->status));
}

/* The keeper has been killed: its children are ours now. */
static void kill_orphans(void)
{
    int32_t pid[WW_TREE_MAX];
    struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };

    for (int round = 0; round < KILL_MARGIN_MS / 20; round++) {
        size_t n = ww_tree_below("/proc", getpid(), pid, WW_TREE_MAX);

        for (size_t i = 0; i < n; i++)
            kill(pid[i], SIGKILL);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
            return;
        nanosleep(&pause, NULL);
    }
}

void backend_stop(struct backend *b, uint32_t drain_ms)
{
    int64_t until_us = ww_clock_mono_us() + ((int64_t)drain_ms + KILL_MARGIN_MS) * 1000;

    order(b, KEEPER_STOP, (int32_t)drain_ms);
    while (b->fd >= 0 && !b->alone && ww_clock_mono_us() < until_us) {
        wait_for_event(b, -1, LOOK_EVERY_MS);
        while (hear(b, NULL))
            ;
    }
    lose(b);
    if (b->alone)
        (void)waitpid(-1, NULL, 0);
    else
        kill_orphans();
}
