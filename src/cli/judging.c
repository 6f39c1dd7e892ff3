/* Judges the newest exchanges again and again, on a thread of its own, and tells what is new.
 */
#include "judging.h"

#include <whichworker/map.h>
#include <whichworker/units.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

/* Different words in the bodies of a window. An application has a few for each exchange;
 * a client that makes up new ones gets no further. About 320 bytes each. */
#define WORDS_MAX 500000

/* At most a twentieth of one processor; and not so often that each exchange is judged alone. */
#define REST_FACTOR 20
#define REST_MIN_US 250000

/* Behind whatever else wants to run on this machine. */
#define NICENESS 10

/* More than any application has faults; what comes then is counted and not told. */
#define FOUND_MAX 1000

/* Workers that ended before the window began are forgotten when there are so many. */
#define WORKERS_MAX 1024

/* Owns: the thread, what came, the window, what was found. */
struct judging {
    struct judging_config cfg;
    pthread_t thread;
    bool running;

    pthread_mutex_t lock; /* guards all down to workers_max */
    pthread_cond_t wake;
    struct window came; /* since the thread last looked */
    bool changed;       /* something has come since */
    bool idle;          /* the thread waits for something to come */
    bool stopping;
    int64_t oldest_us; /* when the oldest exchange of the window began */
    struct ww_worker *worker;
    size_t workers;
    size_t workers_cap;
    size_t workers_max; /* beyond it, look for some to forget */

    /* The thread's own; everybody's when it has ended. */
    struct window window;
    uint64_t judgings;
    struct ww_arena arena; /* the texts of found */
    struct ww_map found_at;
    struct found *found;
    size_t founds;
    size_t found_cap;
    uint64_t untold; /* findings beyond FOUND_MAX, as last judged */
};

/* ---- taking in */

/* Locked; unlocks. A thread that rests is left alone. */
static void note_change(struct judging *j)
{
    bool wake = j->idle;

    j->changed = true;
    j->idle = false;
    pthread_mutex_unlock(&j->lock);
    if (wake)
        pthread_cond_signal(&j->wake);
}

void judging_take(struct judging *j, struct ww_exchange *x, uint64_t session)
{
    pthread_mutex_lock(&j->lock);
    window_add(&j->came, (struct window_entry){ .exchange = x, .session = session });
    note_change(j);
}

/* Locked. A worker that ended before the oldest exchange began served none of the window. */
static void forget_workers(struct judging *j)
{
    size_t kept = 0;

    for (size_t i = 0; i < j->workers; i++) {
        const struct ww_worker *w = &j->worker[i];

        if (w->ended_us == 0 || w->ended_us >= j->oldest_us)
            j->worker[kept++] = *w;
    }
    j->workers = kept;
    j->workers_max = kept * 2 > WORKERS_MAX ? kept * 2 : WORKERS_MAX;
}

void judging_worker(struct judging *j, const struct ww_worker *w)
{
    pthread_mutex_lock(&j->lock);
    size_t i = j->workers;

    while (i > 0 && !ww_worker_same(j->worker[i - 1].id, w->id))
        i--;
    if (i > 0) {
        j->worker[i - 1] = *w;
    } else {
        if (j->workers >= j->workers_max)
            forget_workers(j);
        j->worker = ww_grow(j->worker, j->workers + 1, &j->workers_cap, sizeof(*j->worker));
        j->worker[j->workers++] = *w;
    }
    note_change(j);
}

/* ---- judging */

static int in_time(const void *a, const void *b)
{
    const struct ww_exchange *x = *(struct ww_exchange *const *)a;
    const struct ww_exchange *y = *(struct ww_exchange *const *)b;

    if (x->started_us != y->started_us)
        return x->started_us < y->started_us ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* In the order in which a trace is read: run, workers, payloads, exchanges by time. */
static void feed(const struct judging *j, const struct ww_worker *worker, size_t workers,
                 struct ww_judge *judge)
{
    size_t n = j->window.n;
    struct ww_exchange **x = ww_xcalloc(n, sizeof(struct ww_exchange *));

    for (size_t i = 0; i < n; i++)
        x[i] = window_at(&j->window, i)->exchange;
    qsort(x, n, sizeof(struct ww_exchange *), in_time);
    ww_judge_run(judge, &j->cfg.run);
    for (size_t i = 0; i < workers; i++)
        ww_judge_worker(judge, &worker[i]);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < x[i]->payloads; k++)
            ww_judge_payload(judge, &x[i]->payload[k]);
    for (size_t i = 0; i < n; i++)
        ww_judge_exchange(judge, x[i]);
    free(x);
}

/* ---- telling */

static const struct window_entry *entry_of(const struct judging *j, uint64_t exchange)
{
    for (size_t i = 0; i < j->window.n; i++)
        if (window_at(&j->window, i)->exchange->id == exchange)
            return window_at(&j->window, i);
    return NULL;
}

static enum live_tone tone_of(enum ww_grade g)
{
    return g >= WW_CONFIRMED ? LIVE_ALARM : g == WW_LIKELY ? LIVE_WARNING : LIVE_ASIDE;
}

static void tell(const struct judging *j, const struct found *f, const char *how, ww_str why)
{
    const struct window_entry *e = entry_of(j, f->evidence[0]);
    struct ww_buf line;

    if (j->cfg.tell == NULL)
        return;
    ww_buf_init(&line, 1 << 16);
    ww_buf_printf(&line, "FINDING %s%s %s (%s) ", how, ww_grade_token(f->grade),
                  ww_guarantee_token(f->guarantee), ww_cause_token(f->cause));
    if (e != NULL)
        ww_buf_printf(&line, "in s%" PRIu64 ": ", e->session);
    ww_buf_add_printable(&line, why);
    ww_buf_printf(&line, " [exchange");
    for (size_t i = 0; i < f->evidences; i++)
        ww_buf_printf(&line, "%s %" PRIu64, i == 0 ? (f->evidences > 1 ? "s" : "") : ",",
                      f->evidence[i]);
    ww_buf_add_char(&line, ']');
    j->cfg.tell(j->cfg.ctx, tone_of(f->grade), ww_buf_str(&line));
    ww_buf_release(&line);
}

static void set_evidence(struct found *f, const struct ww_verdict *v,
                         const struct ww_finding *of)
{
    size_t max = sizeof(f->evidence) / sizeof(f->evidence[0]);

    f->evidences = of->evidences < max ? of->evidences : max;
    for (size_t i = 0; i < f->evidences; i++)
        f->evidence[i] = v->step[of->evidence[i].step].exchange;
}

static ww_str key_of(const struct ww_finding *f, struct ww_buf *out)
{
    ww_buf_printf(out, "%d %d ", (int)f->guarantee, (int)f->cause);
    ww_buf_add(out, f->method);
    ww_buf_add_char(out, ' ');
    ww_buf_add(out, f->route);
    ww_buf_add_char(out, ' ');
    ww_buf_add(out, f->place);
    return ww_buf_str(out);
}

static struct found *found_new(struct judging *j, const struct ww_finding *f, ww_str key)
{
    if (j->founds == FOUND_MAX)
        return NULL;
    j->found = ww_grow(j->found, j->founds + 1, &j->found_cap, sizeof(*j->found));

    struct found *one = &j->found[j->founds];

    *one = (struct found){ .key = ww_arena_dup(&j->arena, key),
                           .guarantee = f->guarantee,
                           .grade = f->grade,
                           .cause = f->cause,
                           .method = ww_arena_dup(&j->arena, f->method),
                           .route = ww_arena_dup(&j->arena, f->route),
                           .place = ww_arena_dup(&j->arena, f->place) };
    ww_map_put(&j->found_at, one->key, j->founds++, NULL);
    return one;
}

/* If it is weaker now, or gone, something that came explains it: nothing was forgotten that may
 * have proved it. */
static bool is_all_there(const struct judging *j, const struct found *f)
{
    return f->forgotten == j->window.forgotten;
}

static void see(struct judging *j, const struct ww_verdict *v, const struct ww_finding *of)
{
    struct ww_buf text;

    ww_buf_init(&text, 1 << 16);

    ww_str key = key_of(of, &text);
    size_t *known = ww_map_find(&j->found_at, key);
    struct found *f = known == NULL ? found_new(j, of, key) : &j->found[*known];

    ww_buf_release(&text);
    if (f == NULL) {
        j->untold++;
        return;
    }

    bool weaker = known != NULL && !f->withdrawn && of->grade < f->grade;

    f->seen = j->judgings;
    if (weaker && !is_all_there(j, f))
        return;

    bool stronger = known != NULL && !f->withdrawn && of->grade > f->grade;
    bool fresh = known == NULL || f->withdrawn;

    f->withdrawn = false;
    f->grade = of->grade;
    f->occurrences = of->occurrences;
    f->forgotten = j->window.forgotten;
    set_evidence(f, v, of);
    if (fresh || stronger || weaker)
        tell(j, f, fresh ? "" : stronger ? "now " : "now only ", of->message);
}

/* Found again under another cause, or at another place of the same route. */
static bool is_replaced(const struct judging *j, const struct found *gone)
{
    for (size_t i = 0; i < j->founds; i++) {
        const struct found *f = &j->found[i];

        if (f->seen == j->judgings && f->guarantee == gone->guarantee &&
            f->grade >= gone->grade && ww_str_eq(f->method, gone->method) &&
            ww_str_eq(f->route, gone->route))
            return true;
    }
    return false;
}

static void withdraw(struct judging *j, struct found *f)
{
    struct ww_buf why;

    f->withdrawn = true;
    if (is_replaced(j, f))
        return;
    ww_buf_init(&why, 1 << 16);
    ww_buf_add(&why, f->method);
    ww_buf_add_char(&why, ' ');
    ww_buf_add(&why, f->route);
    ww_buf_add_c(&why, ": what came since explains it");
    tell(j, f, "taken back: ", ww_buf_str(&why));
    ww_buf_release(&why);
}

static void compare(struct judging *j, const struct ww_verdict *v)
{
    j->judgings++;
    j->untold = 0;
    for (size_t i = 0; i < v->findings; i++)
        see(j, v, &v->finding[i]);
    for (size_t i = 0; i < j->founds; i++) {
        struct found *f = &j->found[i];

        if (!f->withdrawn && f->seen != j->judgings && is_all_there(j, f))
            withdraw(j, f);
    }
}

/* ---- the thread */

static int64_t cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t oldest_of(const struct window *w)
{
    int64_t oldest = INT64_MAX;

    for (size_t i = 0; i < w->n; i++) {
        const struct ww_exchange *x = window_at(w, i)->exchange;

        if (x->started_us < oldest)
            oldest = x->started_us;
    }
    return oldest;
}

static void judge(struct judging *j, const struct ww_worker *worker, size_t workers)
{
    struct ww_judge_config cfg = j->cfg.judge;

    cfg.max_words = WORDS_MAX;
    struct ww_judge *judge = ww_judge_new(&cfg);

    feed(j, worker, workers, judge);
    compare(j, ww_judge_finish(judge));
    ww_judge_free(judge);
}

/* Waits until something has come and it may be judged again. False: it is over, and all has
 * been judged. Locked. */
static bool wait_for_work(struct judging *j, int64_t not_before_us)
{
    struct timespec until = { .tv_sec = not_before_us / 1000000,
                              .tv_nsec = not_before_us % 1000000 * 1000 };

    while (!j->changed && !j->stopping) {
        j->idle = true;
        pthread_cond_wait(&j->wake, &j->lock);
    }
    j->idle = false;
    while (!j->stopping && pthread_cond_timedwait(&j->wake, &j->lock, &until) != ETIMEDOUT) {
    }
    return j->changed;
}

static void *run(void *arg)
{
    struct judging *j = arg;
    int64_t not_before_us = 0;

    setpriority(PRIO_PROCESS, 0, NICENESS); /* of this thread alone, on Linux */
    pthread_mutex_lock(&j->lock);
    while (wait_for_work(j, not_before_us)) {
        struct window came = j->came;

        window_init(&j->came, j->cfg.max_exchanges, j->cfg.max_bytes);
        j->changed = false;

        size_t workers = j->workers;
        struct ww_worker *worker = ww_xcalloc(workers, sizeof(*worker));

        if (workers > 0)
            memcpy(worker, j->worker, workers * sizeof(*worker));
        pthread_mutex_unlock(&j->lock);

        int64_t from_us = cpu_us();

        window_append(&j->window, &came);
        window_release(&came);
        judge(j, worker, workers);
        free(worker);

        int64_t oldest_us = oldest_of(&j->window);
        int64_t rest_us = (cpu_us() - from_us) * REST_FACTOR;

        not_before_us = ww_clock_mono_us() + (rest_us > REST_MIN_US ? rest_us : REST_MIN_US);
        pthread_mutex_lock(&j->lock);
        j->oldest_us = oldest_us;
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* Signals belong to the thread that runs the loop. */
static int start(struct judging *j)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int r = pthread_create(&j->thread, NULL, run, j);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    j->running = r == 0;
    return r;
}

struct judging *judging_new(const struct judging_config *cfg, struct ww_err *err)
{
    struct judging *j = ww_xcalloc(1, sizeof(*j));
    pthread_condattr_t attr;

    j->cfg = *cfg;
    j->workers_max = WORKERS_MAX;
    window_init(&j->came, cfg->max_exchanges, cfg->max_bytes);
    window_init(&j->window, cfg->max_exchanges, cfg->max_bytes);
    ww_arena_init(&j->arena, SIZE_MAX);
    ww_map_init(&j->found_at);
    pthread_mutex_init(&j->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&j->wake, &attr);
    pthread_condattr_destroy(&attr);

    int r = start(j);

    if (r == 0)
        return j;
    ww_err_errno(err, r, "cannot start the judging thread");
    judging_free(j);
    return NULL;
}

void judging_finish(struct judging *j)
{
    if (!j->running)
        return;
    pthread_mutex_lock(&j->lock);
    j->stopping = true;
    pthread_mutex_unlock(&j->lock);
    pthread_cond_signal(&j->wake);
    pthread_join(j->thread, NULL);
    j->running = false;
}

void judging_free(struct judging *j)
{
    if (j == NULL)
        return;
    judging_finish(j);
    pthread_cond_destroy(&j->wake);
    pthread_mutex_destroy(&j->lock);
    window_release(&j->came);
    window_release(&j->window);
    ww_map_release(&j->found_at);
    ww_arena_release(&j->arena);
    free(j->worker);
    free(j->found);
    free(j);
}

/* ---- at the end */

const struct found *judging_found(const struct judging *j, size_t *out_n)
{
    *out_n = j->founds;
    return j->found;
}

static void put_found(const struct found *f, struct ww_buf *out)
{
    ww_buf_printf(out, "  %-9s %-16s ", ww_grade_token(f->grade),
                  ww_guarantee_token(f->guarantee));
    ww_buf_add_printable(out, f->method);
    ww_buf_add_char(out, ' ');
    ww_buf_add_printable(out, f->route);
    ww_buf_printf(out, ", %s, %" PRIu64 " time%s\n", ww_cause_token(f->cause), f->occurrences,
                  f->occurrences == 1 ? "" : "s");
}

void judging_summary(const struct judging *j, struct ww_buf *out)
{
    size_t standing = 0;

    for (size_t i = 0; i < j->founds; i++)
        standing += !j->found[i].withdrawn;
    if (standing == 0)
        ww_buf_add_c(out, "no findings\n");
    else
        ww_buf_printf(out, "%zu finding%s\n", standing, standing == 1 ? "" : "s");
    for (int g = WW_GRADES - 1; g >= 0; g--)
        for (size_t i = 0; i < j->founds; i++)
            if (!j->found[i].withdrawn && (int)j->found[i].grade == g)
                put_found(&j->found[i], out);
    if (j->untold > 0)
        ww_buf_printf(out, "  and %" PRIu64 " more\n", j->untold);
    if (j->window.forgotten > 0)
        ww_buf_printf(out,
                      "  judged while they were among the newest %zu exchanges and %zu MiB "
                      "(--live-window, --live-memory)\n",
                      j->cfg.max_exchanges, j->cfg.max_bytes >> 20);
}
