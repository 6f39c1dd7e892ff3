/* Calls the roll: holds connections open until every worker has accepted one. */
#include "backend.h"

#include <whichworker/arena.h>
#include <whichworker/examine.h>
#include <whichworker/units.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * A worker that serves one connection at a time takes one and is busy with it, so that the next
 * goes to another; one that serves many may take several before the others are up. So there are
 * always about as many connections waiting as there are workers missing.
 */
#define CALLS_MAX   64
#define WORKERS_MAX 256

/* From a few milliseconds on, so that a backend that is ready costs no time; then slower. */
#define PAUSE_MIN_MS 2
#define PAUSE_MAX_MS 50

#define EXAMINE_EVERY_US 100000

/* Some listeners hand over only connections on which data has come (TCP_DEFER_ACCEPT). */
#define SPEAK_AFTER_US 300000

/* A worker that is held up for long may be taken for dead by its master. */
#define HOLD_MAX_US 2000000

/* Processes that inherited the socket and never accept must not keep a backend from being
 * ready. */
#define GIVE_UP_AFTER_US 3000000

/* No worker can answer it, and closing the connection ends it. */
#define INCOMPLETE "GET / HTTP/1.1\r\n"

#define PART_MS    20
#define CONNECT_MS 100

struct call {
    struct ww_flow flow;
    bool accepted;
    bool spoke;
};

struct roll {
    const struct ww_addr *addr;
    struct ww_attrib *attrib;
    struct call call[CALLS_MAX];
    size_t calls;
    int32_t seen[WORKERS_MAX];
    size_t seens;
    bool anybody; /* somebody has accepted, known or not */
    int32_t serving[WORKERS_MAX];
    size_t servings;
    int64_t examined_us;
    int64_t progress_us; /* when a worker was last seen for the first time */
};

static void hang_up(struct call *c)
{
    struct pollfd p = { .fd = c->flow.fd, .events = POLLIN };
    char bytes[1024];

    /* Unread bytes would make it a reset. */
    shutdown(c->flow.fd, SHUT_WR);
    if (c->accepted && poll(&p, 1, PART_MS) == 1)
        (void)!recv(c->flow.fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    close(c->flow.fd);
}

static void drop_call(struct roll *r, size_t i)
{
    hang_up(&r->call[i]);
    r->call[i] = r->call[--r->calls];
}

/* A full queue would keep a connect waiting for minutes. */
static bool connect_soon(int fd, const struct ww_addr *addr)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    int error = 0;
    socklen_t len = sizeof(error);

    if (connect(fd, (const struct sockaddr *)&addr->sa, addr->len) == 0)
        return true;
    return errno == EINPROGRESS && poll(&p, 1, CONNECT_MS) == 1 &&
           getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0;
}

static bool open_call(struct roll *r)
{
    struct call *c = &r->call[r->calls];
    int fd = socket(r->addr->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    *c = (struct call){ .flow = { .fd = fd, .opened_us = ww_clock_mono_us() } };
    c->flow.local.len = sizeof(c->flow.local.sa);
    c->flow.peer.len = sizeof(c->flow.peer.sa);
    if (fd >= 0 && connect_soon(fd, r->addr) &&
        getsockname(fd, (struct sockaddr *)&c->flow.local.sa, &c->flow.local.len) == 0 &&
        getpeername(fd, (struct sockaddr *)&c->flow.peer.sa, &c->flow.peer.len) == 0) {
        r->calls++;
        return true;
    }
    if (fd >= 0)
        close(fd);
    return false;
}

static bool is_among(const int32_t *pids, size_t n, int32_t pid)
{
    for (size_t i = 0; i < n; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

static void look_at(struct roll *r, struct call *c)
{
    struct ww_worker who;
    enum ww_owner owner = ww_attrib_look(r->attrib, &c->flow, &who);
    int64_t age_us = ww_clock_mono_us() - c->flow.opened_us;

    if (owner == WW_OWNER_QUEUED && !c->spoke && age_us > SPEAK_AFTER_US)
        c->spoke = send(c->flow.fd, INCOMPLETE, sizeof(INCOMPLETE) - 1,
                        MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
    if (owner == WW_OWNER_QUEUED || owner == WW_OWNER_UNSETTLED)
        return;
    c->accepted = true;
    r->anybody = true;
    if (owner != WW_OWNER_KNOWN || is_among(r->seen, r->seens, who.id.pid) ||
        r->seens == WORKERS_MAX)
        return;
    r->seen[r->seens++] = who.id.pid;
    r->progress_us = ww_clock_mono_us();
}

static void look_at_all(struct roll *r)
{
    int64_t now_us = ww_clock_mono_us();

    for (size_t i = 0; i < r->calls;) {
        struct call *c = &r->call[i];

        if (!c->accepted)
            look_at(r, c);
        if (c->accepted && now_us - c->flow.opened_us > HOLD_MAX_US)
            drop_call(r, i);
        else
            i++;
    }
}

/* Who can accept changes while workers are being forked. */
static void examine(struct roll *r)
{
    const struct ww_examine_config cfg = { .upstream = *r->addr, .proc_root = "/proc" };
    int64_t now_us = ww_clock_mono_us();

    if (r->examined_us != 0 && now_us - r->examined_us < EXAMINE_EVERY_US)
        return;

    struct ww_exam *e = ww_examine(&cfg, NULL);

    r->examined_us = ww_clock_mono_us();
    r->servings = 0;
    for (size_t i = 0; e != NULL && i < e->processes && r->servings < WORKERS_MAX; i++) {
        const struct ww_exam_process *p = &e->process[i];

        if (ww_exam_serves(p) && p->fd_error == 0)
            r->serving[r->servings++] = p->worker.id.pid;
    }
    free(e);
}

static size_t count_present(const struct roll *r)
{
    size_t n = 0;

    for (size_t i = 0; i < r->servings; i++)
        n += is_among(r->seen, r->seens, r->serving[i]);
    return n;
}

static bool is_complete(struct roll *r)
{
    if (!r->anybody || count_present(r) < r->servings)
        return false;
    /* A worker may have been forked since. */
    r->examined_us = 0;
    examine(r);
    return count_present(r) == r->servings;
}

static void call_those_missing(struct roll *r)
{
    size_t missing = r->servings - count_present(r);
    size_t waiting = 0;

    for (size_t i = 0; i < r->calls; i++)
        waiting += !r->call[i].accepted;
    if (missing == 0)
        missing = 1;
    while (waiting < missing) {
        if (r->calls == CALLS_MAX) {
            size_t i = 0;

            while (i < r->calls && !r->call[i].accepted)
                i++;
            if (i == r->calls)
                return;
            drop_call(r, i);
        }
        if (!open_call(r))
            return;
        waiting++;
    }
}

static int run_roll(struct roll *r, struct backend *b, int signals, int64_t until_us,
                    struct ww_err *err)
{
    int ms = PAUSE_MIN_MS;

    for (;;) {
        int64_t now_us = ww_clock_mono_us();

        examine(r);
        look_at_all(r);
        if (is_complete(r))
            return BACKEND_READY;
        if (r->anybody && (now_us > until_us || now_us - r->progress_us > GIVE_UP_AFTER_US))
            return BACKEND_READY;
        if (now_us > until_us)
            return ww_err_set(err, WW_ESYSTEM,
                              "%s listens, but nobody has accepted a connection in the time of "
                              "--ready-timeout",
                              r->addr->text);
        call_those_missing(r);

        int got = backend_look(b, signals, ms, err);

        if (got != BACKEND_READY)
            return got;
        ms = ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : ms * 2;
    }
}

int backend_call_roll(struct backend *b, const struct ww_addr *addr, int64_t until_us,
                      struct backend_roll *out, struct ww_err *err)
{
    struct roll *r = ww_xcalloc(1, sizeof(*r));
    int signals = backend_stop_signals(b, err);
    int got = signals < 0 ? err->code : BACKEND_READY;

    r->addr = addr;
    r->progress_us = ww_clock_mono_us();
    r->attrib = ww_attrib_new(addr, "/proc", NULL);
    if (got == BACKEND_READY && r->attrib != NULL && ww_addr_is_loopback(addr))
        got = run_roll(r, b, signals, until_us, err);
    if (got == BACKEND_READY)
        *out = (struct backend_roll){ .accepted = r->seens,
                                      .silent = r->servings - count_present(r) };
    while (r->calls > 0)
        drop_call(r, 0);
    ww_attrib_free(r->attrib);
    if (signals >= 0)
        close(signals);
    free(r);
    return got;
}
