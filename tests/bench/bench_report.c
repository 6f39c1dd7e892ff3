/* bench: `whichworker report` on a trace of 100,000 exchanges: an application whose workers
 * share their state, and one whose workers do not. usage: bench_report PROGRAM [EXCHANGES] */
#include <whichworker/store.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXCHANGES 100000
#define LENGTH    30 /* of a session */
#define AT_ONCE   8  /* sessions that take turns */
#define WORKERS   4
#define SHOWN     12 /* items of a list */
#define EPOCH_US  (1700000000 * (int64_t)1000000)

static void die(const char *text)
{
    fprintf(stderr, "bench_report: %s\n", text);
    exit(1);
}

/* What each worker has, or all of them: items are numbers. */
struct app {
    bool shared;
    unsigned added[WORKERS];
};

static struct ww_exchange *exchange_new(struct app *app, size_t i)
{
    struct ww_exchange *x = ww_exchange_new(1 << 20);
    size_t session = i / ((size_t)LENGTH * AT_ONCE) * AT_ONCE + i % AT_ONCE;
    size_t part = i / AT_ONCE % 3;
    size_t worker = (i * 7 + i / 5) % WORKERS;
    unsigned *added = &app->added[app->shared ? 0 : worker];
    struct ww_buf b;

    x->id = i + 1;
    x->connection = session + 1;
    x->upstream = i + 1;
    x->client = WW_STR("127.0.0.1");
    x->request_id = ww_arena_printf(&x->arena, "%032zx", i);
    x->started_us = EPOCH_US + (int64_t)i * 1000;
    x->connected_us = x->started_us + 20;
    x->accepted_us = x->started_us + 60;
    x->answered_us = x->started_us + 800;
    x->ended_us = x->started_us + 900;
    x->method = part == 1 ? WW_STR("POST") : WW_STR("GET");
    x->target = part == 1 ? WW_STR("/cars/add") : WW_STR("/cars");
    x->request_minor = 1;
    x->status = 200;
    x->by = WW_BY_KERNEL;
    x->worker = (struct ww_worker_id){ .pid = 1000 + (int32_t)worker, .start_ticks = 5 };
    ww_fields_add(&x->request_fields, &x->arena, WW_STR("Host"), WW_STR("127.0.0.1:8080"));
    ww_fields_add(&x->request_fields, &x->arena, WW_STR("User-Agent"),
                  WW_STR("python-requests/2.28.1"));
    ww_fields_add(&x->request_fields, &x->arena, WW_STR("Accept"), WW_STR("*/*"));
    ww_fields_add(&x->request_fields, &x->arena, WW_STR("Cookie"),
                  ww_arena_printf(&x->arena, "session=mac:%024zx", session));
    ww_fields_add(&x->response_fields, &x->arena, WW_STR("Content-Type"),
                  WW_STR("application/json"));
    ww_buf_init(&b, 1 << 16);
    if (part == 1) {
        ++*added;
        ww_buf_printf(&b, "{\"name\":\"car-%zu\",\"brand\":\"Ford\",\"price\":%zu}", i,
                      i % 100);
        x->request_body = (struct ww_body){ ww_arena_dup(&x->arena, ww_buf_str(&b)), b.len };
        x->response_body = (struct ww_body){ WW_STR("{\"successful\":true}"), 19 };
    } else {
        ww_buf_add_c(&b, "{\"cars\":[");
        for (unsigned k = 0; k < SHOWN; k++)
            ww_buf_printf(&b, "%s{\"name\":\"car-%u\",\"brand\":\"Ford\",\"doors\":%u}",
                          k > 0 ? "," : "", *added < k ? k : *added - k, k % 5);
        ww_buf_printf(&b, "],\"total\":%u}", *added);
        x->response_body = (struct ww_body){ ww_arena_dup(&x->arena, ww_buf_str(&b)), b.len };
    }
    ww_buf_release(&b);
    return x;
}

static void record(const char *path, size_t exchanges, bool shared)
{
    const struct ww_run run = { .started_us = EPOCH_US,
                                .version = "bench",
                                .upstream = "127.0.0.1:8000",
                                .upstream_connections = "fresh",
                                .schedule = "natural" };
    struct app app = { .shared = shared };
    struct ww_err err = { 0 };
    struct ww_writer *w = ww_writer_new(path, &run, &err);

    if (w == NULL)
        die(err.text);
    for (size_t i = 0; i < exchanges; i++) {
        struct ww_sink *out = ww_writer_sink(w);

        out->exchange(out, exchange_new(&app, i));
        if (i % 1000 == 999)
            ww_writer_commit(w);
    }
    if (ww_writer_close(w, EPOCH_US + (int64_t)exchanges * 1000, 0, &err) != WW_OK)
        die(err.text);
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void judge(const char *program, const char *path, const char *what, size_t exchanges)
{
    struct timespec from;
    struct timespec to;
    struct rusage used;
    int status;

    clock_gettime(CLOCK_MONOTONIC, &from);

    pid_t child = fork();

    if (child == 0) {
        int nothing = open("/dev/null", O_WRONLY);

        dup2(nothing, STDOUT_FILENO);
        execl(program, program, "report", path, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &used) != child || !WIFEXITED(status) ||
        WEXITSTATUS(status) > 2)
        die("report failed");
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("%zu exchanges, %-16s exit %d  %5.2f s wall  %5.2f s CPU  %4ld MiB\n", exchanges,
           what, WEXITSTATUS(status),
           (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9,
           seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss / 1024);
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/ww-bench-report.XXXXXX";
    size_t exchanges = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : EXCHANGES;
    char path[64];

    if (argc < 2)
        die("usage: bench_report PROGRAM [EXCHANGES]");
    if (mkdtemp(dir) == NULL)
        die("no directory");
    snprintf(path, sizeof(path), "%s/trace.db", dir);
    for (int shared = 1; shared >= 0; shared--) {
        record(path, exchanges, shared != 0);
        judge(argv[1], path, shared ? "shared state" : "state per worker", exchanges);
        unlink(path);
    }
    return rmdir(dir);
}
