/* HAR 1.2, an entry for each exchange as it comes from the trace; in memory is one at a time.
 */
/*
 * Fields of our own begin with '_', as HAR asks: the worker, the session, how the worker is
 * known, the findings that the exchange is a proof of. The times are those of the proxy:
 * `connect` until the worker's kernel had the connection, `blocked` while it waited to be
 * accepted, `wait` for the first byte of the answer. Secrets are keyed hashes; where the trace
 * has kept them, they are hashed here, under a key that is forgotten.
 */
#include "har.h"

#include "formats.h"

#include <whichworker/arena.h>
#include <whichworker/units.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DRAIN_BYTES (256U << 10)

/* An exchange's place among the verdict's steps. */
struct place_of {
    uint64_t exchange;
    size_t step;
};

struct har {
    const struct ww_report *r;
    const struct ww_verdict *v;
    const struct ww_report_sink *sink;
    struct ww_buf out;
    struct ww_json j;
    struct place_of *place; /* by exchange */
    bool *proves;           /* by step: it is evidence of some finding */
    bool secrets;           /* the trace has them as they were */
    struct ww_mac_key key;  /* for those */
};

/* ---- which step is it? */

static int by_exchange(const void *a, const void *b)
{
    const struct place_of *x = a, *y = b;

    return x->exchange < y->exchange ? -1 : x->exchange > y->exchange;
}

static void index_steps(struct har *h)
{
    const struct ww_verdict *v = h->v;

    h->place = ww_xcalloc(v->steps + 1, sizeof(*h->place));
    h->proves = ww_xcalloc(v->steps + 1, sizeof(*h->proves));
    for (size_t i = 0; i < v->steps; i++)
        h->place[i] = (struct place_of){ v->step[i].exchange, i };
    qsort(h->place, v->steps, sizeof(*h->place), by_exchange);
    for (size_t i = 0; i < v->findings; i++) {
        for (size_t k = 0; k < v->finding[i].evidences; k++)
            h->proves[v->finding[i].evidence[k].step] = true;
    }
}

/* NULL: the verdict is not about this one. */
static const struct ww_step *step_of(const struct har *h, uint64_t exchange)
{
    const struct place_of key = { .exchange = exchange };
    const struct place_of *found =
        bsearch(&key, h->place, h->v->steps, sizeof(*h->place), by_exchange);

    return found == NULL ? NULL : &h->v->step[found->step];
}

/* ---- secrets */

static bool is_secret_field(ww_str name)
{
    static const char *const names[] = { "Cookie",    "Set-Cookie",   "Authorization",
                                         "X-Api-Key", "X-Auth-Token", "Proxy-Authorization" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (ww_str_eq_nocase(name, ww_str_c(names[i])))
            return true;
    }
    return false;
}

/* The first secret field that has a value tells for the whole trace. 0: there is none here. */
static int tells(const struct ww_fields *f, bool *out_secrets)
{
    for (size_t i = 0; i < f->n; i++) {
        ww_str value = f->v[i].value;

        if (!is_secret_field(f->v[i].name) || value.len == 0)
            continue;
        *out_secrets = ww_str_find(value, WW_STR("mac:")) < 0;
        return 1;
    }
    return 0;
}

static int look_for_secrets(struct har *h, struct ww_err *err)
{
    const struct ww_exchange_source *s = h->r->exchanges;
    const struct ww_exchange *x = NULL;
    int got = s->rewind(s->ctx, err);

    while (got >= 0 && (got = s->next(s->ctx, &x, err)) > 0) {
        if (tells(&x->request_fields, &h->secrets) || tells(&x->response_fields, &h->secrets))
            break;
    }
    if (h->secrets)
        ww_mac_key_random(&h->key);
    return got < 0 ? got : s->rewind(s->ctx, err);
}

static void copy_fields(struct ww_fields *f, struct ww_arena *a)
{
    struct ww_field *v = ww_arena_alloc(a, (f->n + 1) * sizeof(*v));

    if (f->n > 0)
        memcpy(v, f->v, f->n * sizeof(*v));
    *f = (struct ww_fields){ .v = v, .n = f->n, .cap = f->n };
}

/* Without its secrets; to be released by the caller. */
static struct ww_exchange redacted(const struct har *h, const struct ww_exchange *x)
{
    struct ww_exchange c = *x;

    ww_arena_init(&c.arena, SIZE_MAX);
    if (!h->secrets)
        return c;
    c.payload = NULL;
    c.payloads = 0;
    copy_fields(&c.request_fields, &c.arena);
    copy_fields(&c.response_fields, &c.arena);
    ww_exchange_redact(&c, &h->key);
    return c;
}

/* ---- an entry */

static double ms(int64_t us)
{
    return (double)us / 1000.0;
}

/* From one moment to another that may never have been; moves the first on. */
static int64_t until(int64_t *at, int64_t then)
{
    int64_t us = then > *at ? then - *at : 0;

    *at += us;
    return us;
}

static void put_timings(struct ww_json *j, const struct ww_exchange *x)
{
    int64_t at = x->started_us;
    int64_t connect = until(&at, x->connected_us);
    int64_t blocked = until(&at, x->accepted_us);
    int64_t wait = until(&at, x->answered_us == 0 ? x->ended_us : x->answered_us);
    int64_t receive = until(&at, x->ended_us);

    ww_json_num(j, "time", ms(at - x->started_us));
    ww_json_obj(j, "cache");
    ww_json_end(j);
    ww_json_obj(j, "timings");
    ww_json_num(j, "blocked", x->accepted_us == 0 ? -1 : ms(blocked));
    ww_json_int(j, "dns", -1);
    ww_json_num(j, "connect", x->connected_us == 0 ? -1 : ms(connect));
    ww_json_int(j, "ssl", -1);
    ww_json_int(j, "send", 0);
    ww_json_num(j, "wait", ms(wait));
    ww_json_num(j, "receive", ms(receive));
    ww_json_end(j);
}

static void put_findings(struct har *h, size_t step)
{
    struct ww_json *j = &h->j;

    if (!h->proves[step])
        return;
    ww_json_arr(j, "_findings");
    for (size_t i = 0; i < h->v->findings; i++) {
        const struct ww_finding *f = &h->v->finding[i];

        for (size_t k = 0; k < f->evidences; k++) {
            if (f->evidence[k].step != step)
                continue;
            ww_json_obj(j, NULL);
            ww_json_str(j, "id", ww_str_c(f->id));
            ww_json_str(j, "guarantee", ww_str_c(ww_guarantee_token(f->guarantee)));
            ww_json_str(j, "grade", ww_str_c(ww_grade_token(f->grade)));
            ww_json_str(j, "role", ww_str_c(f->evidence[k].role));
            ww_json_end(j);
        }
    }
    ww_json_end(j);
}

static void put_own(struct har *h, const struct ww_exchange *x, const struct ww_step *s)
{
    struct ww_json *j = &h->j;

    if (s->worker == WW_NO_WORKER) {
        ww_json_null(j, "_worker");
        ww_json_null(j, "_workerSlot");
    } else {
        ww_json_int(j, "_worker", h->v->worker[s->worker].worker.id.pid);
        ww_json_int(j, "_workerSlot", h->v->worker[s->worker].worker.slot);
    }
    ww_json_str(j, "_attribution", ww_str_c(ww_source_token(s->by)));
    ww_json_str(j, "_session", ww_str_c(h->v->session[s->session].id));
    ww_json_bool(j, "_split", s->split);
    ww_json_int(j, "_exchange", (int64_t)x->id);
    ww_json_str(j, "_requestId", x->request_id);
    ww_json_str(j, "_client", x->client);
    ww_json_int(j, "_upstreamConnection", (int64_t)x->upstream);
    ww_json_str(j, "_ended", ww_str_c(ww_end_token(x->end)));
    put_findings(h, (size_t)(s - h->v->step));
}

static void put_entry(struct har *h, const struct ww_exchange *recorded,
                      const struct ww_step *s)
{
    struct ww_exchange x = redacted(h, recorded);
    struct ww_json *j = &h->j;
    char text[WW_TIME_TEXT];

    ww_json_obj(j, NULL);
    ww_time_text(x.started_us, text);
    ww_json_str(j, "startedDateTime", ww_str_c(text));
    put_timings(j, &x);
    ww_har_request(j, &x, ww_str_c(h->v->run.upstream));
    ww_har_response(j, &x);
    snprintf(text, sizeof(text), "%" PRIu64, x.connection);
    ww_json_str(j, "connection", ww_str_c(text));
    put_own(h, &x, s);
    ww_json_end(j);
    ww_arena_release(&x.arena);
}

/* ---- the log */

static int drain(struct har *h, size_t keep, struct ww_err *err)
{
    if (h->out.len <= keep && !h->out.full)
        return WW_OK;
    if (h->out.full)
        return ww_err_set(err, WW_ELIMIT, "an exchange is larger than 1G");
    int code = h->sink->write(h->sink->ctx, ww_buf_str(&h->out), err);
    ww_buf_clear(&h->out);
    return code;
}

static int put_entries(struct har *h, struct ww_err *err)
{
    const struct ww_exchange_source *s = h->r->exchanges;
    const struct ww_exchange *x = NULL;
    int got;

    if (s == NULL)
        return WW_OK;
    got = look_for_secrets(h, err);
    while (got >= 0 && (got = s->next(s->ctx, &x, err)) > 0) {
        const struct ww_step *step = step_of(h, x->id);

        if (step != NULL)
            put_entry(h, x, step);
        got = drain(h, DRAIN_BYTES, err);
    }
    return got;
}

static void open_log(struct har *h)
{
    struct ww_json *j = &h->j;
    const struct ww_verdict *v = h->v;

    ww_json_obj(j, NULL);
    ww_json_obj(j, "log");
    ww_json_str(j, "version", WW_STR("1.2"));
    ww_json_obj(j, "creator");
    ww_json_str(j, "name", WW_STR("whichworker"));
    ww_json_str(j, "version", WW_STR(WW_VERSION));
    ww_json_end(j);
    ww_json_obj(j, "_verdict");
    ww_json_str(j, "value", ww_str_c(ww_verdict_token(v->value)));
    ww_json_str(j, "why", v->why);
    ww_json_int(j, "findings", (int64_t)v->findings);
    ww_json_str(j, "upstream", ww_str_c(v->run.upstream));
    ww_json_str(j, "upstream_connections", ww_str_c(v->run.upstream_connections));
    ww_json_str(j, "schedule", ww_str_c(v->run.schedule));
    ww_json_end(j);
    ww_json_arr(j, "entries");
}

static int write_log(struct har *h, struct ww_err *err)
{
    open_log(h);
    int code = put_entries(h, err);
    if (code < 0)
        return code;
    ww_json_end(&h->j);
    ww_json_end(&h->j);
    ww_json_end(&h->j);
    ww_json_finish(&h->j);
    return drain(h, 0, err);
}

int ww_report_har(const struct ww_report *r, const struct ww_report_sink *sink,
                  struct ww_err *err)
{
    struct har h = { .r = r, .v = r->verdict, .sink = sink };

    ww_buf_init(&h.out, 1U << 30);
    ww_json_init(&h.j, &h.out, false);
    index_steps(&h);
    int code = write_log(&h, err);
    free(h.place);
    free(h.proves);
    ww_buf_release(&h.out);
    return code;
}
