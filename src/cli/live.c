/* Lines of a running proxy: worker, session, request, status, time; splits are marked. */
#include "judging.h"

#include <whichworker/arena.h>
#include <whichworker/judge.h>
#include <whichworker/units.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* A terminal that is not read (Ctrl-S, a slow pipe) must not stop the recorder: what does not
 * fit here meanwhile is counted and left out. */
#define WAITING_MAX_BYTES (256u << 10)
#define TARGET_MAX_BYTES  120

/* A proxy may run for weeks, and every visitor is a session: beyond this many those that were
 * idle the longest are forgotten, and one that goes on then gets another number. The trace and
 * the report know no such limit. */
#define SESSIONS_MAX 50000

/* So it is with the workers of a server that forks for every connection: beyond this many the
 * ended ones are forgotten. The summary lists the first of those that are left. */
#define WORKERS_MAX   1024
#define WORKERS_SHOWN 64

/* A request that waited so long for a free worker says so in its line. */
#define QUEUED_WORTH_SAYING_US 10000

#define COLOURS 6

struct seen_worker {
    struct ww_worker worker;
    uint64_t exchanges;
};

/* What a session's next exchange is compared with. */
struct last {
    uint64_t session; /* its number: slots are used again */
    size_t worker;    /* index, or WW_NO_WORKER */
    int64_t ended_us;
};

struct live {
    int fd;
    bool lines;
    bool colour;
    const struct ww_filter *filter; /* borrowed; NULL: every exchange gets a line */
    pthread_mutex_t lock;           /* guards the next two; all else is the recorder's */
    struct ww_buf out;
    uint64_t left_out;
    struct ww_sessions *sessions;
    struct seen_worker *worker;
    size_t workers;
    size_t workers_cap;
    size_t workers_forgotten; /* before those */
    struct last *last;        /* by the session's slot */
    size_t lasts;
    size_t lasts_cap;
    uint64_t sessions_ever;
    uint64_t exchanges;
    uint64_t by[WW_SOURCES];
    uint64_t end[WW_ENDS];
};

struct live *live_new(int fd, bool lines, bool colour,
                      const struct ww_sessions_config *sessions, const struct ww_filter *filter)
{
    struct live *l = ww_xcalloc(1, sizeof(*l));

    l->fd = fd;
    l->lines = lines;
    l->colour = colour;
    l->filter = filter;

    struct ww_sessions_config bounded = *sessions;
    bounded.max_sessions = SESSIONS_MAX;
    l->sessions = ww_sessions_new(&bounded);
    pthread_mutex_init(&l->lock, NULL);
    ww_buf_init(&l->out, WAITING_MAX_BYTES);
    return l;
}

void live_free(struct live *l)
{
    if (l == NULL)
        return;
    ww_sessions_free(l->sessions);
    ww_buf_release(&l->out);
    pthread_mutex_destroy(&l->lock);
    free(l->worker);
    free(l->last);
    free(l);
}

static size_t find_worker(const struct live *l, struct ww_worker_id id)
{
    for (size_t i = l->workers; i-- > 0;)
        if (ww_worker_same(l->worker[i].worker.id, id))
            return i;
    return WW_NO_WORKER;
}

/* Their places change, so what points at them is forgotten too. */
static void forget_the_dead(struct live *l)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->workers; i++) {
        if (l->worker[i].worker.ended_us == 0)
            l->worker[kept++] = l->worker[i];
    }
    if (kept == l->workers)
        return;
    l->workers_forgotten += l->workers - kept;
    l->workers = kept;
    for (size_t i = 0; i < l->lasts; i++)
        l->last[i].worker = WW_NO_WORKER;
}

void live_worker(struct live *l, const struct ww_worker *w)
{
    if (l->workers >= WORKERS_MAX)
        forget_the_dead(l);

    size_t i = find_worker(l, w->id);

    if (i == WW_NO_WORKER) {
        l->worker = ww_grow(l->worker, l->workers + 1, &l->workers_cap, sizeof(*l->worker));
        i = l->workers++;
        l->worker[i].exchanges = 0;
    }
    l->worker[i].worker = *w;
    if (!l->lines || w->ended_us == 0)
        return;
    pthread_mutex_lock(&l->lock);
    ww_buf_printf(&l->out, "             worker %" PRId32 " (w%" PRIu32 ") has ended\n",
                  w->id.pid, w->slot);
    pthread_mutex_unlock(&l->lock);
}

/* Another worker than the session's exchange just before, which had ended when this one began.
 */
static bool is_split(struct live *l, const struct ww_exchange *x, size_t slot, uint64_t session,
                     size_t worker)
{
    if (slot >= l->lasts) {
        l->last = ww_grow(l->last, slot + 1, &l->lasts_cap, sizeof(*l->last));
        while (l->lasts <= slot)
            l->last[l->lasts++] = (struct last){ .worker = WW_NO_WORKER };
    }

    struct last *before = &l->last[slot];
    bool split = before->session == session && worker != WW_NO_WORKER &&
                 before->worker != WW_NO_WORKER && before->worker != worker &&
                 before->ended_us <= x->started_us;

    *before = (struct last){ .session = session, .worker = worker, .ended_us = x->ended_us };
    return split;
}

static void put_worker(struct live *l, const struct ww_exchange *x, size_t worker)
{
    static const char *const colour[COLOURS] = { "36", "33", "35", "32", "34", "31" };

    if (worker == WW_NO_WORKER) {
        ww_buf_printf(&l->out, "%-3s %-9s ", "-", ww_source_token(x->by));
        return;
    }

    const struct ww_worker *w = &l->worker[worker].worker;

    if (l->colour)
        ww_buf_printf(&l->out, "\033[%sm", colour[w->slot % COLOURS]);
    ww_buf_printf(&l->out, "w%-2" PRIu32 " %-9" PRId32 " ", w->slot, w->id.pid);
    if (l->colour)
        ww_buf_add_c(&l->out, "\033[0m");
}

/* Locked. A line that does not fit whole is left out whole. */
static void end_line(struct live *l, size_t before)
{
    ww_buf_add_char(&l->out, '\n');
    if (!l->out.full)
        return;
    l->out.len = before;
    l->out.full = false;
    l->left_out++;
}

static void put_line(struct live *l, const struct ww_exchange *x, uint64_t session,
                     size_t worker, bool split)
{
    char when[WW_TIME_TEXT];
    ww_str target = ww_str_upto(x->target, TARGET_MAX_BYTES);
    size_t before;

    pthread_mutex_lock(&l->lock);
    before = l->out.len;
    ww_time_text(x->started_us, when);
    ww_buf_printf(&l->out, "%.12s ", when + 11);
    put_worker(l, x, worker);
    ww_buf_printf(&l->out, "s%-4" PRIu64 " %3u %7.1f ms  ", session, x->status,
                  (double)(x->ended_us - x->started_us) / 1000);
    ww_buf_add_printable(&l->out, x->method.len == 0 ? WW_STR("-") : x->method);
    ww_buf_add_char(&l->out, ' ');
    ww_buf_add_printable(&l->out, target.len == 0 ? WW_STR("-") : target);
    if (target.len < x->target.len)
        ww_buf_add_c(&l->out, "...");
    if (x->accepted_us != 0 && x->accepted_us - x->connected_us >= QUEUED_WORTH_SAYING_US)
        ww_buf_printf(&l->out, "  (%.1f ms until it was accepted)",
                      (double)(x->accepted_us - x->connected_us) / 1000);
    if (x->end != WW_END_COMPLETE)
        ww_buf_printf(&l->out, "  %s", ww_end_token(x->end));
    if (split)
        ww_buf_add_c(&l->out, l->colour ? "  \033[1m<- split\033[0m" : "  <- split");
    end_line(l, before);
    pthread_mutex_unlock(&l->lock);
}

/* Nobody has judged it yet. */
static bool is_wanted(const struct live *l, const struct ww_exchange *x, uint64_t session,
                      size_t worker, bool split)
{
    const struct ww_subject s = {
        .exchange = x,
        .worker = worker == WW_NO_WORKER ? NULL : &l->worker[worker].worker,
        .session = session,
        .split = split,
    };

    return l->filter == NULL || ww_filter_match(l->filter, &s);
}

uint64_t live_exchange(struct live *l, const struct ww_exchange *x)
{
    size_t slot = ww_sessions_assign(l->sessions, x);
    uint64_t session = ww_sessions_key(l->sessions, slot)->number;
    size_t worker = x->worker.pid == 0 ? WW_NO_WORKER : find_worker(l, x->worker);
    bool split = is_split(l, x, slot, session, worker);

    if (session > l->sessions_ever)
        l->sessions_ever = session;
    l->exchanges++;
    l->by[x->by]++;
    l->end[x->end]++;
    if (worker != WW_NO_WORKER)
        l->worker[worker].exchanges++;
    if (l->lines && is_wanted(l, x, session, worker, split))
        put_line(l, x, session, worker, split);
    return session;
}

static bool is_writable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0;
}

/* Locked. */
static void flush(struct live *l)
{
    while (l->out.len > 0 && is_writable(l->fd)) {
        /* A pipe that is writable takes this much without blocking (POSIX: PIPE_BUF). */
        size_t part = l->out.len < 4096 ? l->out.len : 4096;
        ssize_t n = write(l->fd, l->out.ptr, part);

        if (n <= 0 && errno != EINTR) {
            ww_buf_clear(&l->out);
            return;
        }
        if (n > 0)
            ww_buf_consume(&l->out, (size_t)n);
    }
    if (l->out.len == 0 && l->left_out > 0) {
        ww_buf_printf(&l->out, "             (%" PRIu64 " lines left out: nobody read them)\n",
                      l->left_out);
        l->left_out = 0;
    }
}

void live_flush(struct live *l)
{
    pthread_mutex_lock(&l->lock);
    flush(l);
    pthread_mutex_unlock(&l->lock);
}

void live_tell(struct live *l, enum live_tone tone, ww_str line)
{
    static const char *const ink[] = {
        [LIVE_ALARM] = "\033[1;31m", [LIVE_WARNING] = "\033[33m", [LIVE_ASIDE] = "\033[2m"
    };
    char when[WW_TIME_TEXT];

    ww_time_text(ww_clock_wall_us(), when);
    pthread_mutex_lock(&l->lock);

    size_t before = l->out.len;

    ww_buf_printf(&l->out, "%.12s %s", when + 11, l->colour ? ink[tone] : "");
    ww_buf_add(&l->out, line);
    ww_buf_add_c(&l->out, l->colour ? "\033[0m" : "");
    end_line(l, before);
    flush(l);
    pthread_mutex_unlock(&l->lock);
}

static const char *s_of(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static void put_workers(const struct live *l, struct ww_buf *out)
{
    size_t shown = l->workers < WORKERS_SHOWN ? l->workers : WORKERS_SHOWN;
    size_t more = l->workers - shown + l->workers_forgotten;

    for (size_t i = 0; i < shown; i++) {
        const struct seen_worker *w = &l->worker[i];

        ww_buf_printf(out, "  w%" PRIu32 "  pid %-8" PRId32 " %8" PRIu64 " exchange%s%s\n",
                      w->worker.slot, w->worker.id.pid, w->exchanges, s_of(w->exchanges),
                      w->worker.ended_us != 0 ? ", ended" : "");
    }
    if (more > 0)
        ww_buf_printf(out, "  and %zu more\n", more);
}

static void put_obstacles(const uint64_t *count, struct ww_buf *out)
{
    for (int o = WW_OBSTACLE_NONE + 1; o < WW_OBSTACLES; o++)
        if (count[o] > 0)
            ww_buf_printf(out, "  %" PRIu64 " not known: %s\n    remedy: %s\n", count[o],
                          ww_obstacle_sentence((enum ww_obstacle)o),
                          ww_obstacle_remedy((enum ww_obstacle)o));
}

static void put_attribution(const struct live *l, const struct live_ending *e,
                            struct ww_buf *out)
{
    uint64_t forwarded = l->exchanges - l->by[WW_BY_NOBODY];
    uint64_t unknown = l->by[WW_BY_UNKNOWN] + l->by[WW_BY_AMBIGUOUS];

    ww_buf_printf(out, "  worker known for %" PRIu64 " of %" PRIu64 " forwarded",
                  forwarded - unknown, forwarded);
    if (unknown > 0)
        ww_buf_printf(out, " (%" PRIu64 " unknown, %" PRIu64 " ambiguous)",
                      l->by[WW_BY_UNKNOWN], l->by[WW_BY_AMBIGUOUS]);
    ww_buf_add_char(out, '\n');
    put_obstacles(e->proxy.obstacle, out);
    for (int end = WW_END_COMPLETE + 1; end < WW_ENDS; end++)
        if (l->end[end] > 0)
            ww_buf_printf(out, "  %" PRIu64 " %s: %s\n", l->end[end],
                          ww_end_token((enum ww_end)end), ww_end_sentence((enum ww_end)end));
}

void live_summary(const struct live *l, const struct live_ending *e,
                  const struct judging *judging, struct ww_buf *out)
{
    uint64_t sessions = l->sessions_ever;
    size_t workers = l->workers_forgotten + l->workers;

    ww_buf_printf(out,
                  "%" PRIu64 " exchange%s on %" PRIu64 " connection%s in %.1f s, %" PRIu64
                  " session%s, %zu worker%s\n",
                  l->exchanges, s_of(l->exchanges), e->proxy.connections,
                  s_of(e->proxy.connections), e->seconds, sessions, s_of(sessions), workers,
                  s_of(workers));
    put_workers(l, out);
    put_attribution(l, e, out);
    if (e->proxy.held > 0)
        ww_buf_printf(
            out, "  %" PRIu64 " request%s waited until a worker was known to have accepted\n",
            e->proxy.held, s_of(e->proxy.held));
    if (e->stalls > 0)
        ww_buf_printf(out,
                      "  reading stopped %" PRIu64 " time%s to let the recorder catch up\n",
                      e->stalls, s_of(e->stalls));
    if (e->lost > 0)
        ww_buf_printf(out, "  %" PRIu64 " exchange%s could NOT be recorded\n", e->lost,
                      s_of(e->lost));
    if (judging != NULL)
        judging_summary(judging, out);
    if (e->trace.len > 0) {
        ww_buf_add_c(out, "judge it: whichworker report ");
        ww_buf_add_printable(out, e->trace);
        ww_buf_add_char(out, '\n');
    }
}
