/* tests: what a .case file expects of the judge. */
#include "case_run.h"

#include <stdio.h>
#include <stdlib.h>

static bool masks(const struct ww_finding *f, ww_str text)
{
    for (size_t i = 0; i < f->maskeds; i++) {
        if (ww_str_find(f->masked[i], text) >= 0)
            return true;
    }
    return false;
}

/* "Name:Value" */
static void judge_now(struct run *r)
{
    struct ww_run about = { .started_us = EPOCH_US };

    snprintf(about.schedule, sizeof about.schedule, "%s", r->sticky ? "sticky" : "natural");
    if (r->verdict != NULL)
        return;
    r->cfg.rule = r->rules.rule;
    r->cfg.rules = r->rules.rules;
    r->judge = ww_judge_new(&r->cfg);
    ww_judge_run(r->judge, &about);
    for (size_t i = 0; i < r->workers; i++) {
        ww_judge_worker(r->judge, &r->worker[i]);
    }
    for (size_t i = 0; i < r->exchanges; i++) {
        ww_judge_exchange(r->judge, r->exchange[i]);
    }
    r->verdict = ww_judge_finish(r->judge);
}

static bool workers_are(const struct run *r, const struct ww_finding *f, const char *list)
{
    ww_str rest = ww_str_c(list), one;
    size_t i = 0;

    while (ww_str_cut(&rest, ',', &one)) {
        if (i == f->workers || r->verdict->worker[f->worker[i]].worker.id.pid !=
                                   (int32_t)strtol(one.ptr + 1, NULL, 10))
            return false;
        i++;
    }
    return i == f->workers;
}

static bool finding_is(const struct run *r, const struct ww_finding *f, const char *word)
{
    const char *v;
    char text[64];

    if ((v = case_after(word, "rule=")) != NULL)
        return strcmp(v, ww_guarantee_token(f->guarantee)) == 0;
    if ((v = case_after(word, "grade=")) != NULL)
        return strcmp(v, ww_grade_token(f->grade)) == 0;
    if ((v = case_after(word, "cause=")) != NULL)
        return strcmp(v, ww_cause_token(f->cause)) == 0;
    if ((v = case_after(word, "resource=")) != NULL)
        return ww_str_eq(f->resource, ww_str_c(v));
    if ((v = case_after(word, "route=")) != NULL)
        return ww_str_eq(f->route, ww_str_c(v));
    if ((v = case_after(word, "place=")) != NULL)
        return ww_str_eq(f->place, case_unquoted(v));
    if ((v = case_after(word, "says=")) != NULL)
        return ww_str_find(f->message, case_unquoted(v)) >= 0;
    if ((v = case_after(word, "masked=")) != NULL)
        return masks(f, case_unquoted(v));
    if ((v = case_after(word, "policy=")) != NULL)
        return ww_str_find(f->policy, case_unquoted(v)) >= 0;
    if ((v = case_after(word, "workers=")) != NULL)
        return workers_are(r, f, v);
    if ((v = case_after(word, "times=")) != NULL)
        return f->occurrences == strtoul(v, NULL, 10);
    if ((v = case_after(word, "table=")) != NULL) {
        snprintf(text, sizeof text, "%u/%u/%u/%u", (unsigned)f->table.changed_kept,
                 (unsigned)f->table.changed_lost, (unsigned)f->table.same_kept,
                 (unsigned)f->table.same_lost);
        return strcmp(v, text) == 0;
    }
    return false;
}

void case_describe(const struct run *r)
{
    const struct ww_verdict *v = r->verdict;

    printf("#   verdict %s: " WW_STRF "; %zu sessions, %zu splits\n",
           ww_verdict_token(v->value), WW_STRV(v->why), v->sessions, v->splits);
    for (size_t i = 0; i < v->findings; i++) {
        const struct ww_finding *f = &v->finding[i];
        printf("#   %s %s %s " WW_STRF ": " WW_STRF " (%u/%u/%u/%u, %u times)\n",
               ww_guarantee_token(f->guarantee), ww_grade_token(f->grade),
               ww_cause_token(f->cause), WW_STRV(f->resource), WW_STRV(f->message),
               (unsigned)f->table.changed_kept, (unsigned)f->table.changed_lost,
               (unsigned)f->table.same_kept, (unsigned)f->table.same_lost,
               (unsigned)f->occurrences);
    }
}

static void expect_finding(struct run *r, char **t, size_t n, size_t line)
{
    for (size_t i = 0; i < r->verdict->findings && i < FINDINGS_MAX; i++) {
        size_t k = 0;
        while (k < n && finding_is(r, &r->verdict->finding[i], t[k])) {
            k++;
        }
        if (k == n) {
            r->matched[i] = true;
            return;
        }
    }
    case_fail(r, "line %zu: no such finding", line);
}

void case_expect(struct run *r, char **t, size_t n, size_t line)
{
    const char *v;

    judge_now(r);
    if (n == 0)
        return;
    if ((v = case_after(t[0], "splits=")) != NULL) {
        if (r->verdict->splits != strtoul(v, NULL, 10))
            case_fail(r, "line %zu: %zu splits", line, r->verdict->splits);
    } else if ((v = case_after(t[0], "sessions=")) != NULL) {
        if (r->verdict->sessions != strtoul(v, NULL, 10))
            case_fail(r, "line %zu: %zu sessions", line, r->verdict->sessions);
    } else if (strcmp(t[0], "nothing-else") == 0) {
        for (size_t i = 0; i < r->verdict->findings && i < FINDINGS_MAX; i++) {
            if (!r->matched[i])
                case_fail(r, "line %zu: there is another finding", line);
        }
    } else if (strcmp(t[0], "finding") == 0) {
        expect_finding(r, t + 1, n - 1, line);
    } else {
        if (strcmp(t[0], ww_verdict_token(r->verdict->value)) != 0)
            case_fail(r, "line %zu: the verdict is %s", line,
                      ww_verdict_token(r->verdict->value));
        if (n > 1)
            expect_finding(r, t + 1, n - 1, line);
    }
}
