/* report: the verdict as JSON, schema whichworker/report/1 (docs/report-format.md). */
#include "formats.h"
#include "policy.h"
#include "rules.h"

#include <whichworker/json.h>
#include <whichworker/units.h>

static void put_count(struct ww_json *j, const char *key, uint64_t n)
{
    ww_json_int(j, key, (int64_t)n);
}

static void put_time(struct ww_json *j, const char *key, int64_t wall_us)
{
    char text[WW_TIME_TEXT];

    if (wall_us == 0) {
        ww_json_null(j, key);
        return;
    }
    ww_time_text(wall_us, text);
    ww_json_str(j, key, ww_str_c(text));
}

static void put_pid(struct ww_json *j, const char *key, const struct ww_verdict *v,
                    size_t worker)
{
    if (worker == WW_NO_WORKER) {
        ww_json_null(j, key);
    } else {
        ww_json_int(j, key, v->worker[worker].worker.id.pid);
    }
}

static void put_pids(struct ww_json *j, const char *key, const struct ww_verdict *v,
                     const size_t *worker, size_t n)
{
    ww_json_arr(j, key);
    for (size_t i = 0; i < n; i++)
        put_pid(j, NULL, v, worker[i]);
    ww_json_end(j);
}

static void put_session_id(struct ww_json *j, const char *key, const struct ww_verdict *v,
                           size_t session)
{
    ww_json_str(j, key, ww_str_c(v->session[session].id));
}

static void put_summary(struct ww_json *j, const struct ww_verdict *v,
                        const struct ww_report_style *style)
{
    ww_json_obj(j, "summary");
    put_count(j, "exchanges", v->steps);
    put_count(j, "sessions", v->sessions);
    put_count(j, "splits", v->splits);
    put_count(j, "findings", v->findings);
    ww_json_str(j, "verdict", ww_str_c(ww_verdict_token(v->value)));
    ww_json_str(j, "why", v->why);
    ww_json_str(j, "upstream_connections", ww_str_c(v->run.upstream_connections));
    ww_json_str(j, "schedule", ww_str_c(v->run.schedule));
    if (style->filter.ptr != NULL)
        ww_json_str(j, "filter", style->filter);
    ww_json_end(j);
}

static void put_attribution(struct ww_json *j, const struct ww_verdict *v)
{
    static const enum ww_source shown[] = { WW_BY_KERNEL, WW_BY_PRELOAD, WW_BY_HEADER,
                                            WW_BY_AMBIGUOUS, WW_BY_UNKNOWN };

    ww_json_obj(j, "attribution");
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
        put_count(j, ww_source_token(shown[i]), v->by[shown[i]]);
    ww_json_num(j, "coverage", v->coverage);
    ww_json_end(j);
}

static void put_worker(struct ww_json *j, const struct ww_verdict_worker *w)
{
    ww_json_obj(j, NULL);
    ww_json_int(j, "pid", w->worker.id.pid);
    ww_json_int(j, "slot", w->worker.slot);
    put_time(j, "started_at", w->worker.started_us);
    put_time(j, "ended_at", w->worker.ended_us);
    put_count(j, "exchanges", w->exchanges);
    ww_json_obj(j, "queue_wait_ms");
    ww_json_num(j, "p50", w->queue_wait_p50_ms);
    ww_json_num(j, "p99", w->queue_wait_p99_ms);
    ww_json_end(j);
    ww_json_end(j);
}

static void put_session(struct ww_json *j, const struct ww_verdict *v,
                        const struct ww_verdict_session *s)
{
    ww_json_obj(j, NULL);
    ww_json_str(j, "id", ww_str_c(s->id));
    ww_json_obj(j, "key");
    ww_json_str(j, "kind", ww_str_c(ww_key_kind_token(s->kind)));
    ww_json_str(j, "name", s->key_name);
    ww_json_str(j, "value_hash", s->key_value);
    ww_json_end(j);
    put_count(j, "exchanges", s->steps);
    put_pids(j, "workers", v, s->worker, s->workers);
    put_count(j, "splits", s->splits);
    ww_json_end(j);
}

static void put_split_end(struct ww_json *j, const char *key, const struct ww_verdict *v,
                          size_t step)
{
    ww_json_obj(j, key);
    put_count(j, "exchange", v->step[step].exchange);
    put_pid(j, "pid", v, v->step[step].worker);
    ww_json_end(j);
}

static void put_split(struct ww_json *j, const struct ww_verdict *v, const struct ww_split *s)
{
    ww_json_obj(j, NULL);
    put_session_id(j, "session", v, s->session);
    put_split_end(j, "from", v, s->from);
    put_split_end(j, "to", v, s->to);
    ww_json_end(j);
}

static void put_table_row(struct ww_json *j, const char *key, uint64_t kept, uint64_t lost)
{
    ww_json_obj(j, key);
    put_count(j, "kept", kept);
    put_count(j, "lost", lost);
    ww_json_end(j);
}

static void put_evidence(struct ww_json *j, const struct ww_verdict *v,
                         const struct ww_evidence *e)
{
    const struct ww_step *step = &v->step[e->step];

    ww_json_obj(j, NULL);
    put_count(j, "exchange", step->exchange);
    put_pid(j, "pid", v, step->worker);
    ww_json_str(j, "role", ww_str_c(e->role));
    ww_json_str(j, "method", step->method);
    ww_json_str(j, "target", step->target);
    ww_json_int(j, "status", step->status);
    put_time(j, "at", step->started_us);
    ww_json_str(j, "value", e->value);
    ww_json_end(j);
}

static void put_finding(struct ww_json *j, const struct ww_verdict *v,
                        const struct ww_finding *f)
{
    ww_json_obj(j, NULL);
    ww_json_str(j, "id", ww_str_c(f->id));
    ww_json_str(j, "guarantee", ww_str_c(ww_guarantee_token(f->guarantee)));
    ww_json_str(j, "grade", ww_str_c(ww_grade_token(f->grade)));
    ww_json_str(j, "cause", ww_str_c(ww_cause_token(f->cause)));
    put_session_id(j, "session", v, f->session);
    ww_json_str(j, "method", f->method);
    ww_json_str(j, "resource", f->resource);
    ww_json_str(j, "route", f->route);
    ww_json_str(j, "place", f->place);
    put_pids(j, "workers", v, f->worker, f->workers);
    ww_json_str(j, "message", f->message);
    ww_json_str(j, "fix", f->fix);
    ww_json_obj(j, "table");
    put_table_row(j, "changed", f->table.changed_kept, f->table.changed_lost);
    put_table_row(j, "same", f->table.same_kept, f->table.same_lost);
    ww_json_end(j);
    ww_json_arr(j, "masked");
    for (size_t i = 0; i < f->maskeds; i++)
        ww_json_str(j, NULL, f->masked[i]);
    ww_json_end(j);
    if (f->policy.ptr != NULL) {
        ww_json_bool(j, "allowed", f->allowed);
        ww_json_str(j, "policy", f->policy);
    }
    ww_json_arr(j, "evidence");
    for (size_t i = 0; i < f->evidences; i++)
        put_evidence(j, v, &f->evidence[i]);
    ww_json_end(j);
    ww_json_end(j);
}

/* Only where there is something to warn of. */
static void put_warnings(struct ww_json *j, const struct ww_verdict *v)
{
    bool any = false;

    for (enum ww_source s = WW_BY_NOBODY; s < WW_SOURCES; s++) {
        const struct ww_disagreement *d = &v->disagreement[s];

        if (d->exchanges == 0)
            continue;
        if (!any)
            ww_json_arr(j, "warnings");
        any = true;
        ww_json_obj(j, NULL);
        ww_json_str(j, "warning", WW_STR("attribution-disagrees"));
        ww_json_int(j, "exchanges", (int64_t)d->exchanges);
        ww_json_int(j, "exchange", (int64_t)d->first);
        ww_json_str(j, "by", ww_str_c(ww_source_token(d->by)));
        ww_json_int(j, "pid", d->pid);
        ww_json_str(j, "also_by", ww_str_c(ww_source_token(d->also_by)));
        ww_json_int(j, "also_pid", d->also_pid);
        ww_json_end(j);
    }
    if (any)
        ww_json_end(j);
}

void ww_report_json(const struct ww_verdict *v, const struct ww_report_style *style,
                    struct ww_buf *out)
{
    struct ww_json j;

    ww_json_init(&j, out, true);
    ww_json_obj(&j, NULL);
    ww_json_str(&j, "schema", WW_STR("whichworker/report/1"));
    put_summary(&j, v, style);
    put_attribution(&j, v);
    ww_json_arr(&j, "workers");
    for (size_t i = 0; i < v->workers; i++)
        put_worker(&j, &v->worker[i]);
    ww_json_end(&j);
    ww_json_arr(&j, "sessions");
    for (size_t i = 0; i < v->sessions; i++)
        put_session(&j, v, &v->session[i]);
    ww_json_end(&j);
    ww_json_arr(&j, "splits");
    for (size_t i = 0; i < v->splits; i++)
        put_split(&j, v, &v->split[i]);
    ww_json_end(&j);
    ww_json_arr(&j, "findings");
    for (size_t i = 0; i < v->findings; i++)
        put_finding(&j, v, &v->finding[i]);
    ww_json_end(&j);
    ww_json_rules(&j, v);
    ww_json_policy(&j, v, &style->policy);
    put_warnings(&j, v);
    ww_json_end(&j);
    ww_json_finish(&j);
}
