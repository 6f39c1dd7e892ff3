/* report: judges a recorded trace and prints what it found. */
#include "command.h"

#include <whichworker/store.h>

#include <unistd.h>

static int feed(struct ww_judge *j, struct ww_reader *r, struct ww_err *err)
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
        got = 0;
    }
    return got;
}

static int publish(const struct config *c, struct ww_reader *r, const struct ww_verdict *v,
                   struct ww_err *err)
{
    bool to_stdout = ww_str_eq(c->output, WW_STR("-"));
    const struct ww_exchange_source source = reports_source(r);
    struct ww_report report = {
        .verdict = v,
        .style = { .trace = ww_str_c(c->operand), .policy = { .fail_on = c->judge.fail_on } },
        .exchanges = &source,
    };

    /* Files first: when a pager is left early they are there. */
    if (reports_write(&c->reports, &report, err) < 0)
        return err->code;
    if (to_stdout) {
        report.style.colour = wants_colour(c, STDOUT_FILENO);
        report.style.width = terminal_width(STDOUT_FILENO);
    }
    if (report_write(c->format, c->output, &report, err) < 0)
        return err->code;
    return ww_report_exit_status(v);
}

static int report_run(const struct config *c, struct ww_err *err)
{
    if (c->operand == NULL)
        return ww_err_set(err, WW_EUSAGE, "report wants a trace: whichworker report FILE");

    if (reports_check(&c->reports, err) < 0)
        return err->code;

    struct ww_reader *r = ww_reader_open(c->operand, err);

    if (r == NULL) {
        /* Whatever is in the way, it is an unreadable trace to whoever asked for this one. */
        err->code = WW_EINPUT;
        return err->code;
    }

    struct ww_judge *j = ww_judge_new(&c->judge);
    int status = feed(j, r, err);

    if (status < 0)
        ww_err_wrap(err, "%s", c->operand);
    else
        status = publish(c, r, ww_judge_finish(j), err);
    ww_judge_free(j);
    ww_reader_close(r);
    return status;
}

const struct command command_report = {
    .name = "report",
    .bit = FOR_REPORT,
    .help = "judge a recorded trace: what was split, what broke, why",
    .synopsis = "report [options] TRACE",
    .text = "Judges the exchanges of a trace and says which sessions were served by several "
            "workers,\n"
            "which of them saw inconsistent state, the exchanges that prove it, the cause and "
            "the fix.\n\n"
            "Exit status: 0 pass, 1 findings at or above --fail-on, 2 inconclusive, 3 wrong "
            "usage or an\n"
            "unreadable trace, 4 it could not run. The last line of the text is always of the "
            "form\n"
            "'N passed, N failed, N inconclusive', counting the guarantees.",
    .examples = "  whichworker report cars.db\n"
                "  whichworker report cars.db --format json --fail-on confirmed\n",
    .run = report_run,
};
