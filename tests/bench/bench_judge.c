/* bench: what judging costs, in CPU time and memory: many short sessions, one long one, and a
 * million exchanges of ten thousand sessions. */
#include <whichworker/judge.h>
#include <whichworker/units.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BATCH    1000 /* exchanges that are made before the clock runs; divides all below */
#define EPOCH_US (1700000000 * (int64_t)1000000)

/* How the exchanges belong to sessions: `at_once` of them take turns, each for `length`. */
struct shape {
    size_t exchanges;
    size_t length;
    size_t at_once;
};

static size_t session_of(const struct shape *s, size_t i)
{
    return i / (s->length * s->at_once) * s->at_once + i % s->at_once;
}

static void add_fields(struct ww_exchange *x, size_t session)
{
    struct ww_fields *f = &x->request_fields;

    ww_fields_add(f, &x->arena, WW_STR("Host"), WW_STR("127.0.0.1:8080"));
    ww_fields_add(f, &x->arena, WW_STR("User-Agent"), WW_STR("python-requests/2.28.1"));
    ww_fields_add(f, &x->arena, WW_STR("Accept-Encoding"), WW_STR("gzip, deflate"));
    ww_fields_add(f, &x->arena, WW_STR("Accept"), WW_STR("*/*"));
    ww_fields_add(f, &x->arena, WW_STR("Connection"), WW_STR("keep-alive"));
    ww_fields_add(f, &x->arena, WW_STR("Cookie"),
                  ww_arena_printf(&x->arena, "session=mac:%zu", session));
    ww_fields_add(&x->response_fields, &x->arena, WW_STR("Server"), WW_STR("gunicorn"));
    ww_fields_add(&x->response_fields, &x->arena, WW_STR("Content-Type"),
                  WW_STR("application/json"));
}

/* A list of eight cars is read, a car is added, the list is read: no two lists are the same. */
static struct ww_exchange *exchange(const struct shape *s, size_t i)
{
    struct ww_exchange *x = ww_exchange_new(1 << 16);
    size_t session = session_of(s, i), part = i / s->at_once % 3;
    struct ww_buf b;

    x->id = i + 1;
    x->client = WW_STR("127.0.0.1");
    x->method = part == 1 ? WW_STR("POST") : WW_STR("GET");
    x->target = part == 1 ? WW_STR("/cars/add") : WW_STR("/cars");
    x->started_us = EPOCH_US + (int64_t)i * 100;
    x->ended_us = x->started_us + 90;
    x->status = 200;
    x->end = WW_END_COMPLETE;
    x->by = WW_BY_KERNEL;
    x->worker = (struct ww_worker_id){ .pid = 100 + (int32_t)(i * 7 % 4), .start_ticks = 1 };
    add_fields(x, session);
    ww_buf_init(&b, 1 << 14);
    if (part == 1) {
        ww_buf_printf(&b, "{\"name\":\"car%zu\",\"brand\":\"Ford\",\"price\":%zu}", i, i % 100);
        x->request_body.bytes = ww_arena_dup(&x->arena, ww_buf_str(&b));
        x->request_body.size = b.len;
        x->response_body = (struct ww_body){ WW_STR("{\"successful\":true}"), 19 };
    } else {
        ww_buf_add_c(&b, "{\"cars\":[");
        for (size_t k = 0; k < 8; k++) {
            ww_buf_printf(&b, "%s{\"name\":\"car%zu\",\"brand\":\"Ford\"}", k > 0 ? "," : "",
                          i < k ? k : i - k);
        }
        ww_buf_add_c(&b, "]}");
        x->response_body.bytes = ww_arena_dup(&x->arena, ww_buf_str(&b));
        x->response_body.size = b.len;
    }
    ww_buf_release(&b);
    return x;
}

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void bench(const struct shape *s)
{
    struct ww_judge_config cfg = { .fail_on = WW_FAIL_ON_LIKELY };
    struct ww_judge *j = ww_judge_new(&cfg);
    struct ww_exchange *x[BATCH];
    struct rusage used;
    double fed = 0;

    for (size_t i = 0; i < s->exchanges; i += BATCH) {
        for (size_t k = 0; k < BATCH; k++) {
            x[k] = exchange(s, i + k);
        }
        double from = cpu_seconds();
        for (size_t k = 0; k < BATCH; k++) {
            ww_judge_exchange(j, x[k]);
        }
        fed += cpu_seconds() - from;
        for (size_t k = 0; k < BATCH; k++) {
            ww_exchange_free(x[k]);
        }
    }
    double from = cpu_seconds();
    const struct ww_verdict *v = ww_judge_finish(j);
    double judged = cpu_seconds() - from;
    getrusage(RUSAGE_SELF, &used);
    printf("%8zu exchanges, %6zu sessions: fed in %.2f s, judged in %.2f s of CPU, "
           "%ld MiB at most: %s, %zu splits\n",
           s->exchanges, v->sessions, fed, judged, used.ru_maxrss >> 10,
           ww_verdict_token(v->value), v->splits);
    ww_judge_free(j);
}

/* bench_judge [EXCHANGES LENGTH AT_ONCE]: that shape alone, as for a profiler. */
int main(int argc, char **argv)
{
    static const struct shape shape[] = {
        { 100000, 6, 1 },
        { 100000, 100000, 1 },
        { 100000, 100, 50 },
        { 1000000, 100, 50 },
    };

    if (argc == 4) {
        bench(&(struct shape){ strtoul(argv[1], NULL, 10), strtoul(argv[2], NULL, 10),
                               strtoul(argv[3], NULL, 10) });
        return 0;
    }
    /* Each in a process of its own, whose memory is its alone. */
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        pid_t child = fork();
        int status = 0;

        if (child == 0) {
            bench(&shape[i]);
            fflush(stdout);
            _exit(0);
        }
        if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0)
            return 1;
    }
    return 0;
}
