/* From a trace to its reports: what `report` does, and `gate` at its end. */
#include "judgement.h"

#include "command.h"
#include "github.h"
#include "progress.h"
#include "selecting.h"
#include "trace_input.h"

#include <whichworker/arena.h>
#include <whichworker/units.h>

#include <stdlib.h>
#include <unistd.h>

static int feed(struct ww_judge *j, struct ww_reader *r, struct progress *progress,
                struct ww_err *err)
{
    const struct ww_exchange *x = NULL;
    struct ww_payload payload;
    struct ww_worker worker;
    int got;

    ww_judge_run(j, ww_reader_run(r));
    while ((got = ww_reader_next_worker(r, &worker, err)) > 0)
        ww_judge_worker(j, &worker);
    while (got == 0 && (got = ww_reader_next_payload(r, &payload, err)) > 0) {
        ww_judge_payload(j, &payload);
        got = 0;
    }
    while (got == 0 && (got = ww_reader_next_exchange(r, &x, err)) > 0) {
        ww_judge_exchange(j, x);
        progress_add(progress, 1);
        got = 0;
    }
    return got;
}

int judgement_baseline(const struct config *c, struct baseline **out, struct ww_err *err)
{
    *out = NULL;
    if (c->baseline.ptr == NULL && c->update_baseline)
        return ww_err_set(err, WW_EUSAGE,
                          "--update-baseline wants to know which: --baseline FILE");
    if (c->baseline.ptr == NULL)
        return WW_OK;
    *out = baseline_load(c->baseline, c->update_baseline, err);
    return *out == NULL ? err->code : WW_OK;
}

/* A run that was not whole says nothing about what is gone. */
static int update(struct judgement *j, const struct judgement_input *in,
                  struct policy_input *policy, const struct ww_verdict *v, struct ww_err *err)
{
    const struct config *c = in->config;

    if (!c->update_baseline || in->trouble.ptr != NULL)
        return WW_OK;
    if (baseline_update(in->baseline, c->baseline, v, policy->now_us, err) < 0)
        return err->code;
    j->updated = baseline_load(c->baseline, false, err);
    policy->baseline = j->updated;
    return j->updated == NULL ? err->code : WW_OK;
}

/* A file that the repository may well have: what people wrote for us. */
static ww_str repository_file(const struct config *c)
{
    bool read = c->conf != NULL && !ww_str_eq(c->config_file, WW_STR("-"));
    const ww_str written[] = { c->baseline, ww_str_c(read ? c->conf->path : NULL) };

    for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
        ww_str file = written[i];

        if (ww_str_starts(file, WW_STR("./")))
            file = ww_str_from(file, 2);
        if (file.len > 0 && file.ptr[0] != '/' && !ww_str_starts(file, WW_STR("../")))
            return file;
    }
    return (ww_str){ 0 };
}

int judgement_open(struct judgement *j, const struct judgement_input *in, struct ww_err *err)
{
    struct policy_input policy = { .config = in->config,
                                   .baseline = in->baseline,
                                   .trouble = in->trouble,
                                   .ready = in->ready,
                                   .now_us = ww_clock_wall_us() };
    struct progress progress;

    *j = (struct judgement){ 0 };
    if (in->trace != NULL) {
        j->reader = trace_open(in->trace, in->config->quiet, err);
        if (j->reader == NULL)
            return err->code;
    }
    j->judge = ww_judge_new(&in->config->judge);
    progress_begin(&progress, "exchanges", in->config->quiet);

    int fed = j->reader == NULL ? 0 : feed(j->judge, j->reader, &progress, err);

    progress_end(&progress);
    if (fed < 0)
        return ww_err_wrap(err, "%s", in->trace);

    const struct ww_verdict *v = ww_judge_finish(j->judge);

    if (update(j, in, &policy, v, err) < 0)
        return err->code;
    policy_apply(&policy, v, &j->policy);
    j->policy.report.file = repository_file(in->config);
    return WW_OK;
}

void judgement_close(struct judgement *j)
{
    ww_selection_release(&j->selection);
    free(j->standing);
    policy_release(&j->policy);
    baseline_free(j->updated);
    ww_judge_free(j->judge);
    ww_reader_close(j->reader);
    *j = (struct judgement){ 0 };
}

/* ---- a part of it */

int judgement_filter(struct judgement *j, const struct ww_filter *f, enum ww_selecting how,
                     struct ww_err *err)
{
    const struct ww_report_standing *all = j->policy.report.standing;
    bool *wanted = NULL;

    if (selecting_wanted(&j->policy.verdict, j->reader, f, &wanted, err) < 0)
        return err->code;
    ww_selection_init(&j->selection, &j->policy.verdict, wanted, how);
    free(wanted);
    j->filter = f;
    if (all == NULL)
        return WW_OK;
    j->standing = ww_xcalloc(j->selection.verdict.findings, sizeof(*j->standing));
    for (size_t i = 0; i < j->selection.verdict.findings; i++)
        j->standing[i] = all[j->selection.finding[i]];
    return WW_OK;
}

static int rewind_chosen(void *ctx, struct ww_err *err)
{
    struct judgement *j = ctx;

    j->chosen = j->read = 0;
    return ww_reader_rewind(j->reader, err);
}

static int next_chosen(void *ctx, const struct ww_exchange **out, struct ww_err *err)
{
    struct judgement *j = ctx;
    int got = 0;

    while (j->chosen < j->selection.verdict.steps &&
           (got = ww_reader_next_exchange(j->reader, out, err)) > 0) {
        if (j->read++ == j->selection.step[j->chosen]) {
            j->chosen++;
            return got;
        }
    }
    return got < 0 ? got : 0;
}

struct ww_exchange_source judgement_source(struct judgement *j)
{
    if (j->filter == NULL)
        return reports_source(j->reader);
    return (
        struct ww_exchange_source){ .ctx = j, .rewind = rewind_chosen, .next = next_chosen };
}

struct ww_report judgement_report(struct judgement *j, ww_str name,
                                  const struct ww_exchange_source *exchanges)
{
    struct ww_report r = { .verdict = &j->policy.verdict,
                           .style = { .trace = name, .policy = j->policy.report },
                           .exchanges = j->reader == NULL ? NULL : exchanges };

    if (j->filter != NULL) {
        r.verdict = &j->selection.verdict;
        r.style.filter = ww_filter_text(j->filter);
        r.style.whole = &j->policy.verdict;
        r.style.policy.standing = j->standing;
    }
    return r;
}

static void tell_notes(const struct policy *p)
{
    ww_str rest = ww_buf_str(&p->notes);
    ww_str line;
    struct ww_buf out;

    ww_buf_init(&out, 2u << 20);
    while (ww_str_cut(&rest, '\n', &line) && line.len > 0)
        ww_buf_printf(&out, "whichworker: " WW_STRF "\n", WW_STRV(line));
    write_all(STDERR_FILENO, ww_buf_str(&out));
    ww_buf_release(&out);
}

int judgement_write(struct judgement *j, const struct config *c, ww_str name,
                    struct ww_err *err)
{
    struct ww_exchange_source source = { 0 };
    struct ww_report report;

    if (j->reader != NULL)
        source = judgement_source(j);
    report = judgement_report(j, name, &source);
    tell_notes(&j->policy);
    if (!c->no_github)
        github_tell(&report);
    return reports_write(&c->reports, &report, err);
}
