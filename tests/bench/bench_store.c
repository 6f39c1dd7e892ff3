/* What one exchange costs: to emit it into the queue, to write it in a batch, to read it back.
 */
#include <whichworker/store.h>
#include <whichworker/units.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ROWS     100000
#define ROUND    1000
#define EACH_WAY 10 /* fields */

enum bodies { BODIES_EQUAL, BODIES_DISTINCT };

static int64_t cpu_us(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const char *text)
{
    fprintf(stderr, "bench_store: %s\n", text);
    exit(1);
}

static void add_fields(struct ww_fields *f, struct ww_arena *a)
{
    for (unsigned i = 0; i < EACH_WAY; i++)
        if (!ww_fields_add(f, a, ww_arena_printf(a, "X-Field-%u", i),
                           WW_STR("some small value")))
            die("arena full");
}

static struct ww_exchange *exchange_new(uint64_t id, enum bodies bodies)
{
    struct ww_exchange *x = ww_exchange_new(1 << 20);

    x->id = id;
    x->connection = id / 100;
    x->upstream = id;
    x->request_id = ww_arena_printf(&x->arena, "%032llx", (unsigned long long)id);
    x->client = WW_STR("127.0.0.1");
    x->started_us = 1700000000000000 + (int64_t)id * 100;
    x->connected_us = x->started_us + 10;
    x->accepted_us = x->started_us + 20;
    x->answered_us = x->started_us + 30;
    x->ended_us = x->started_us + 40;
    x->method = WW_STR("GET");
    x->target = WW_STR("/cars/1?full=1");
    x->request_minor = 1;
    x->status = 200;
    x->by = WW_BY_KERNEL;
    x->worker = (struct ww_worker_id){ .pid = 1000 + (int32_t)(id % 4), .start_ticks = 5 };
    add_fields(&x->request_fields, &x->arena);
    add_fields(&x->response_fields, &x->arena);
    x->response_body.bytes = bodies == BODIES_EQUAL
                                 ? WW_STR("{\"cars\":[]}")
                                 : ww_arena_printf(&x->arena, "{\"n\":%u}", (unsigned)id);
    x->response_body.size = x->response_body.bytes.len;
    return x;
}

static struct ww_writer *writer_new(const char *path)
{
    struct ww_run run = { .started_us = 1, .version = "bench" };
    struct ww_err err = { 0 };
    struct ww_writer *w = ww_writer_new(path, &run, &err);

    if (w == NULL)
        die(err.text);
    return w;
}

static void report(const char *what, int64_t cpu, int64_t wall)
{
    printf("%-44s %6.2f us CPU %6.2f us wall\n", what, (double)cpu / ROWS, (double)wall / ROWS);
}

/* Exchanges are made round by round and not counted, so that they are as warm as in the proxy.
 */
static void bench_write(const char *path, enum bodies bodies, size_t batch, const char *what)
{
    static struct ww_exchange *v[ROUND];
    struct ww_writer *w = writer_new(path);
    struct ww_err err = { 0 };
    int64_t cpu = 0;
    int64_t wall = 0;

    for (size_t row = 0; row < ROWS; row += ROUND) {
        for (size_t i = 0; i < ROUND; i++)
            v[i] = exchange_new(row + i + 1, bodies);
        cpu -= cpu_us(CLOCK_PROCESS_CPUTIME_ID);
        wall -= cpu_us(CLOCK_MONOTONIC);
        for (size_t i = 0; i < ROUND; i++) {
            ww_writer_sink(w)->exchange(ww_writer_sink(w), v[i]);
            if (i % batch == batch - 1)
                ww_writer_commit(w);
        }
        cpu += cpu_us(CLOCK_PROCESS_CPUTIME_ID);
        wall += cpu_us(CLOCK_MONOTONIC);
    }
    report(what, cpu, wall);
    if (ww_writer_close(w, 2, 0, &err) != 0)
        die(err.text);
}

static void bench_read(const char *path)
{
    struct ww_err err = { 0 };
    struct ww_reader *r = ww_reader_open(path, &err);
    const struct ww_exchange *x;
    size_t n = 0;
    int64_t cpu = cpu_us(CLOCK_PROCESS_CPUTIME_ID);
    int64_t wall = cpu_us(CLOCK_MONOTONIC);

    if (r == NULL)
        die(err.text);
    while (ww_reader_next_exchange(r, &x, &err) == 1)
        n++;
    if (n != ROWS)
        die(err.text);
    report("read back", cpu_us(CLOCK_PROCESS_CPUTIME_ID) - cpu, cpu_us(CLOCK_MONOTONIC) - wall);
    ww_reader_close(r);
}

static void commit(void *ctx)
{
    ww_writer_commit(ctx);
}

/* The emitting thread's own time, then that of both threads. */
static void bench_queue(const char *path)
{
    struct ww_exchange **v = ww_xcalloc(ROWS, sizeof(struct ww_exchange *));
    struct ww_writer *w = writer_new(path);
    struct ww_err err = { 0 };
    struct ww_queue_config cfg = { .max_events = SIZE_MAX,
                                   .max_bytes = SIZE_MAX,
                                   .linger_ms = 5,
                                   .out = ww_writer_sink(w),
                                   .on_drained = commit,
                                   .ctx = w };
    struct ww_queue *q = ww_queue_new(&cfg, &err);

    for (size_t i = 0; i < ROWS; i++)
        v[i] = exchange_new(i + 1, BODIES_EQUAL);
    int64_t both = cpu_us(CLOCK_PROCESS_CPUTIME_ID);
    int64_t cpu = cpu_us(CLOCK_THREAD_CPUTIME_ID);
    int64_t wall = cpu_us(CLOCK_MONOTONIC);

    if (q == NULL)
        die(err.text);
    for (size_t i = 0; i < ROWS; i++)
        ww_queue_sink(q)->exchange(ww_queue_sink(q), v[i]);
    report("emit into the queue (emitter's thread)", cpu_us(CLOCK_THREAD_CPUTIME_ID) - cpu,
           cpu_us(CLOCK_MONOTONIC) - wall);
    ww_queue_free(q);
    report("queue and write, both threads", cpu_us(CLOCK_PROCESS_CPUTIME_ID) - both,
           cpu_us(CLOCK_MONOTONIC) - wall);
    if (ww_writer_close(w, 2, 0, &err) != 0)
        die(err.text);
    free(v);
}

int main(void)
{
    char dir[] = "/tmp/ww-bench-store.XXXXXX";
    char path[64];

    if (mkdtemp(dir) == NULL)
        die("no directory");
    snprintf(path, sizeof(path), "%s/trace.db", dir);
    bench_write(path, BODIES_EQUAL, 1000, "write by 1000, 20 fields, equal tiny bodies");
    bench_read(path);
    unlink(path);
    bench_write(path, BODIES_DISTINCT, 1000, "write by 1000, distinct tiny bodies");
    unlink(path);
    bench_write(path, BODIES_DISTINCT, 20, "write by 20, distinct tiny bodies");
    unlink(path);
    bench_queue(path);
    unlink(path);
    return rmdir(dir);
}
