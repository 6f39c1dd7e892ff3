/* report: a verdict made by hand for the renderers' tests: the story of the lost car. */
#ifndef WW_TEST_CARS_VERDICT_H
#define WW_TEST_CARS_VERDICT_H

#include <whichworker/judge.h>

#include <stdio.h>

#define CARS_START 1764072067482000 /* 2025-11-25T12:01:07.482000Z */
#define CARS_STEPS 120

/* Storage for all that the verdict points at. */
struct cars {
    struct ww_verdict v;
    struct ww_step step[CARS_STEPS];
    struct ww_verdict_worker worker[8];
    struct ww_verdict_session session[3];
    size_t session_step[3][CARS_STEPS];
    size_t session_worker[3][8];
    struct ww_split split[CARS_STEPS];
    ww_str route[CARS_STEPS];
    char route_text[CARS_STEPS][128];
    struct ww_finding finding[2];
    struct ww_evidence evidence[2][4];
    ww_str masked[8];
};

/* The place of a route among the verdict's; the path is its own template. */
static inline size_t cars_route(struct cars *c, const char *method, const char *target)
{
    char *text = c->route_text[c->v.routes];
    size_t at = 0;

    snprintf(text, sizeof(c->route_text[0]), "%s %.*s", method, (int)strcspn(target, "?"),
             target);
    while (at < c->v.routes && !ww_str_eq(c->route[at], ww_str_c(text)))
        at++;
    if (at == c->v.routes)
        c->route[c->v.routes++] = ww_str_c(text);
    return at;
}

/* An exchange of a session on a worker; the last `split` is set as the judge would. */
static inline void cars_step(struct cars *c, size_t session, size_t worker, const char *method,
                             const char *target, unsigned status)
{
    struct ww_verdict_session *s = &c->v.session[session];
    size_t at = c->v.steps++;
    struct ww_step *x = &c->step[at];

    *x = (struct ww_step){ .exchange = at + 1,
                           .session = session,
                           .worker = worker,
                           .route = cars_route(c, method, target),
                           .by = worker == WW_NO_WORKER ? WW_BY_UNKNOWN : WW_BY_KERNEL,
                           .method = ww_str_c(method),
                           .target = ww_str_c(target),
                           .status = status,
                           .started_us = CARS_START + (int64_t)at * 5000,
                           .ended_us = CARS_START + (int64_t)at * 5000 + 2000 };
    c->v.by[x->by]++;
    if (s->steps > 0) {
        size_t before = s->step[s->steps - 1];
        x->split = c->step[before].worker != worker && worker != WW_NO_WORKER &&
                   c->step[before].worker != WW_NO_WORKER;
        if (x->split) {
            c->split[c->v.splits++] =
                (struct ww_split){ .session = session, .from = before, .to = at };
            s->splits++;
        }
    }
    s->step[s->steps++] = at;
    if (worker == WW_NO_WORKER)
        return;
    c->worker[worker].exchanges++;
    for (size_t i = 0; i < s->workers; i++)
        if (s->worker[i] == worker)
            return;
    s->worker[s->workers++] = worker;
}

static inline void cars_worker(struct cars *c, int32_t pid)
{
    size_t at = c->v.workers++;

    c->worker[at] =
        (struct ww_verdict_worker){ .worker = { .id = { .pid = pid, .start_ticks = 100 + at },
                                                .slot = (uint32_t)at,
                                                .started_us = CARS_START - 1000000,
                                                .command = "gunicorn: worker [cars_app:app]" },
                                    .queue_wait_p50_ms = 0.25,
                                    .queue_wait_p99_ms = 4.5 };
}

static inline void cars_session(struct cars *c, enum ww_key_kind kind, const char *name,
                                const char *value)
{
    size_t at = c->v.sessions++;
    struct ww_verdict_session *s = &c->session[at];

    *s = (struct ww_verdict_session){ .kind = kind,
                                      .key_name = ww_str_c(name),
                                      .key_value = ww_str_c(value),
                                      .step = c->session_step[at],
                                      .worker = c->session_worker[at] };
    snprintf(s->id, sizeof(s->id), "s%zu", at + 1);
}

/* Three workers, three sessions, no exchange yet; passes. */
static inline void cars_begin(struct cars *c)
{
    *c = (struct cars){ 0 };
    c->v.step = c->step;
    c->v.worker = c->worker;
    c->v.session = c->session;
    c->v.split = c->split;
    c->v.route = c->route;
    c->v.finding = c->finding;
    c->v.run = (struct ww_run){ .started_us = CARS_START,
                                .ended_us = CARS_START + 5000000,
                                .version = "0.1.0",
                                .upstream = "127.0.0.1:8000",
                                .upstream_connections = "fresh",
                                .schedule = "natural" };
    c->v.coverage = 1.0;
    c->v.value = WW_PASS;
    c->v.why = WW_STR("no session saw its workers disagree");
    cars_worker(c, 51463);
    cars_worker(c, 51465);
    cars_worker(c, 51470);
    cars_session(c, WW_KEY_COOKIE, "session", "mac:0123456789abcdef01234567");
    cars_session(c, WW_KEY_AUTHORIZATION, "Authorization", "mac:89abcdef0123456789abcdef");
    cars_session(c, WW_KEY_CLIENT, "client", "127.0.0.1 curl/7.88");
}

/* The car that one worker added is missing on another. */
static inline void cars_lost(struct cars *c)
{
    cars_begin(c);
    cars_step(c, 0, 0, "GET", "/cars", 200);
    cars_step(c, 0, 0, "POST", "/cars/add", 200);
    cars_step(c, 0, 1, "GET", "/cars?page=1", 200);
    cars_step(c, 0, 0, "GET", "/cars", 200);
    cars_step(c, 1, 0, "GET", "/users", 200);
    cars_step(c, 1, 2, "GET", "/users", 200);
    c->worker[2].worker.ended_us = CARS_START + 4000000;
    c->evidence[0][0] =
        (struct ww_evidence){ .step = 1, .role = "write", .value = WW_STR("name=Figo") };
    c->evidence[0][1] =
        (struct ww_evidence){ .step = 2, .role = "read-lost", .value = WW_STR("Figo missing") };
    c->evidence[0][2] = (struct ww_evidence){ .step = 3, .role = "read-kept" };
    c->masked[0] = WW_STR("/0/at: differs within one worker");
    c->finding[0] = (struct ww_finding){
        .id = "f1",
        .guarantee = WW_READ_YOUR_WRITES,
        .grade = WW_CONFIRMED,
        .cause = WW_CAUSE_WORKER_MEMORY,
        .method = WW_STR("GET"),
        .resource = WW_STR("/cars"),
        .route = WW_STR("/cars"),
        .place = WW_STR("/name"),
        .worker = c->session_worker[0],
        .workers = 2,
        .message = WW_STR("POST /cars/add succeeded on worker 51463, but GET /cars on worker "
                          "51465 does not show what it wrote; worker 51463 does."),
        .fix = WW_STR("Move the list to a database or cache that all workers share, or run one "
                      "worker with threads. --preload does not help here."),
        .table = { .changed_kept = 1, .changed_lost = 132, .same_kept = 168 },
        .masked = c->masked,
        .maskeds = 1,
        .evidence = c->evidence[0],
        .evidences = 3,
        .occurrences = 132,
        .fails = true
    };
    c->v.findings = 1;
    c->v.value = WW_FAIL;
    c->v.why = WW_STR("1 confirmed finding");
    c->v.guarantee[WW_READ_YOUR_WRITES] = WW_FAIL;
    c->v.guarantee[WW_STATUS_FLIP] = WW_INCONCLUSIVE;
}

#endif
