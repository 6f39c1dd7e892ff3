/* trace: a bounded queue between the forwarding thread and the thread that records. */
#include <whichworker/sink.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/*
 *   emitter:  add ──▶ waiting ──(swap, under the lock)──▶ batch ──▶ out      thread
 *
 * events and bytes count both lists: what is being handed on is still in memory. An event is
 * counted and put under the same hold of the lock as `full` is set, so the thread, which takes
 * the lock to get at the event, sees `full` at the latest when it has handed that event on: no
 * wake-up is lost.
 */
enum kind { KIND_EXCHANGE, KIND_WORKER, KIND_CONNECTION };

struct event {
    enum kind kind;
    union {
        struct ww_exchange *exchange; /* owned until handed on */
        struct ww_worker *worker;
        struct ww_connection *connection;
    };
};

struct list {
    struct event *v;
    size_t n;
    size_t cap;
};

enum consumer { CONSUMER_BUSY, CONSUMER_ASLEEP, CONSUMER_LINGERING };

/* Owns: both lists and what is in them, the thread. Borrows: cfg.out, cfg.ctx. */
struct ww_queue {
    struct ww_sink sink; /* first: the emitter's view of us */
    struct ww_queue_config cfg;
    pthread_t thread;

    pthread_mutex_t lock; /* guards all below but the atomics, which are only read without it */
    pthread_cond_t wake;
    struct list waiting;
    enum consumer consumer;
    bool stopping;

    _Atomic bool full;
    _Atomic size_t events;
    _Atomic size_t bytes;
    _Atomic uint64_t stalls;

    struct list batch; /* the thread's own */
};

static size_t bytes_of(const struct event *e)
{
    switch (e->kind) {
    case KIND_EXCHANGE:
        return sizeof(*e) + ww_exchange_bytes(e->exchange);
    case KIND_WORKER:
        return sizeof(*e) + sizeof(*e->worker);
    case KIND_CONNECTION:
        return sizeof(*e) + sizeof(*e->connection);
    }
    abort();
}

static bool holds(const struct ww_queue *q, size_t max_events, size_t max_bytes)
{
    return atomic_load(&q->events) >= max_events || atomic_load(&q->bytes) >= max_bytes;
}

static bool tight(const struct ww_queue *q)
{
    return holds(q, q->cfg.max_events / 2, q->cfg.max_bytes / 2);
}

/* A sleeper wants the first event; one that waits for company is only woken before it gets
 * tight. */
static bool is_to_wake(const struct ww_queue *q)
{
    switch (q->consumer) {
    case CONSUMER_BUSY:
        return false;
    case CONSUMER_ASLEEP:
        return true;
    case CONSUMER_LINGERING:
        return tight(q);
    }
    abort();
}

static void emit(struct ww_queue *q, struct event e)
{
    size_t bytes = bytes_of(&e);

    pthread_mutex_lock(&q->lock);
    if (q->waiting.n == q->waiting.cap) {
        q->waiting.v =
            ww_grow(q->waiting.v, q->waiting.n + 1, &q->waiting.cap, sizeof(*q->waiting.v));
    }
    q->waiting.v[q->waiting.n++] = e;
    atomic_fetch_add(&q->events, 1);
    atomic_fetch_add(&q->bytes, bytes);
    if (holds(q, q->cfg.max_events, q->cfg.max_bytes) && !atomic_exchange(&q->full, true))
        atomic_fetch_add(&q->stalls, 1);
    bool wake = is_to_wake(q);
    if (wake)
        q->consumer = CONSUMER_BUSY;
    pthread_mutex_unlock(&q->lock);
    if (wake)
        pthread_cond_signal(&q->wake);
}

static void emit_exchange(struct ww_sink *s, struct ww_exchange *x)
{
    emit((struct ww_queue *)s, (struct event){ .kind = KIND_EXCHANGE, .exchange = x });
}

static void emit_worker(struct ww_sink *s, const struct ww_worker *w)
{
    struct ww_worker *copy = ww_xmalloc(sizeof(*copy));
    *copy = *w;
    emit((struct ww_queue *)s, (struct event){ .kind = KIND_WORKER, .worker = copy });
}

static void emit_connection(struct ww_sink *s, const struct ww_connection *c)
{
    struct ww_connection *copy = ww_xmalloc(sizeof(*copy));
    *copy = *c;
    emit((struct ww_queue *)s, (struct event){ .kind = KIND_CONNECTION, .connection = copy });
}

static void hand_on(struct ww_sink *out, struct event e)
{
    switch (e.kind) {
    case KIND_EXCHANGE:
        out->exchange(out, e.exchange);
        return;
    case KIND_WORKER:
        out->worker(out, e.worker);
        free(e.worker);
        return;
    case KIND_CONNECTION:
        out->connection(out, e.connection);
        free(e.connection);
        return;
    }
}

/* Opens a full queue again once it is down to a half. Without the lock when it is not full. */
static void reopen(struct ww_queue *q)
{
    if (!atomic_load(&q->full))
        return;
    pthread_mutex_lock(&q->lock);
    bool open = !holds(q, q->cfg.max_events / 2 + 1, q->cfg.max_bytes / 2 + 1);
    if (open)
        atomic_store(&q->full, false);
    pthread_mutex_unlock(&q->lock);
    if (open && q->cfg.on_room != NULL)
        q->cfg.on_room(q->cfg.ctx);
}

static void hand_on_batch(struct ww_queue *q)
{
    for (size_t i = 0; i < q->batch.n; i++) {
        struct event e = q->batch.v[i];
        size_t bytes = bytes_of(&e);
        hand_on(q->cfg.out, e);
        atomic_fetch_sub(&q->events, 1);
        atomic_fetch_sub(&q->bytes, bytes);
        reopen(q);
    }
    q->batch.n = 0;
    if (q->cfg.on_drained != NULL)
        q->cfg.on_drained(q->cfg.ctx);
}

/* Many small batches cost a commit and a wake-up each: wait a moment for company. Locked. */
static void linger(struct ww_queue *q)
{
    if (q->cfg.linger_ms == 0 || q->stopping || tight(q))
        return;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += q->cfg.linger_ms / 1000;
    until.tv_nsec += (long)(q->cfg.linger_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    q->consumer = CONSUMER_LINGERING;
    while (!q->stopping && q->consumer == CONSUMER_LINGERING) {
        if (pthread_cond_timedwait(&q->wake, &q->lock, &until) == ETIMEDOUT)
            break;
    }
    q->consumer = CONSUMER_BUSY;
}

/* Waits for events and takes them all. False when there are none and none will come. */
static bool take(struct ww_queue *q)
{
    pthread_mutex_lock(&q->lock);
    while (q->waiting.n == 0 && !q->stopping) {
        q->consumer = CONSUMER_ASLEEP;
        pthread_cond_wait(&q->wake, &q->lock);
        q->consumer = CONSUMER_BUSY;
    }
    linger(q);
    struct list empty = q->batch;
    q->batch = q->waiting;
    q->waiting = empty;
    pthread_mutex_unlock(&q->lock);
    return q->batch.n > 0;
}

static void *run(void *arg)
{
    struct ww_queue *q = arg;

    while (take(q))
        hand_on_batch(q);
    return NULL;
}

/* Signals belong to the thread that runs the loop. */
static int start(struct ww_queue *q)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int r = pthread_create(&q->thread, NULL, run, q);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r;
}

static void release(struct ww_queue *q)
{
    pthread_cond_destroy(&q->wake);
    pthread_mutex_destroy(&q->lock);
    free(q->waiting.v);
    free(q->batch.v);
    free(q);
}

struct ww_queue *ww_queue_new(const struct ww_queue_config *cfg, struct ww_err *err)
{
    struct ww_queue *q = ww_xcalloc(1, sizeof(*q));
    pthread_condattr_t attr;

    q->sink = (struct ww_sink){ .exchange = emit_exchange,
                                .worker = emit_worker,
                                .connection = emit_connection };
    q->cfg = *cfg;
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->wake, &attr);
    pthread_condattr_destroy(&attr);
    int r = start(q);
    if (r == 0)
        return q;
    ww_err_errno(err, r, "cannot start the recorder's thread");
    release(q);
    return NULL;
}

struct ww_sink *ww_queue_sink(struct ww_queue *q)
{
    return &q->sink;
}

bool ww_queue_has_room(const struct ww_queue *q)
{
    return !atomic_load(&q->full);
}

uint64_t ww_queue_stalls(const struct ww_queue *q)
{
    return atomic_load(&q->stalls);
}

void ww_queue_free(struct ww_queue *q)
{
    if (q == NULL)
        return;
    pthread_mutex_lock(&q->lock);
    q->stopping = true;
    pthread_mutex_unlock(&q->lock);
    pthread_cond_signal(&q->wake);
    pthread_join(q->thread, NULL);
    release(q);
}
