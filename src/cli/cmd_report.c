/* report: judges a recorded trace and prints what it found. */
#include "command.h"
#include "judgement.h"
#include "selecting.h"

#include <unistd.h>

static int publish(const struct config *c, struct judgement *j, struct ww_err *err)
{
    ww_str name = ww_str_c(c->operand);
    const struct ww_exchange_source source = judgement_source(j);
    struct ww_report report = judgement_report(j, name, &source);

    report.style.brief = c->quiet;
    /* Files first: when a pager is left early they are there. */
    if (judgement_write(j, c, name, err) < 0)
        return err->code;
    if (ww_str_eq(c->output, WW_STR("-"))) {
        report.style.colour = wants_colour(c, STDOUT_FILENO);
        report.style.width = terminal_width(STDOUT_FILENO);
    }
    if (report_write(c->format, c->output, &report, err) < 0)
        return err->code;
    return ww_report_exit_status(&j->policy.verdict);
}

static int report_run(const struct config *c, struct ww_err *err)
{
    struct judgement_input in = { .config = c, .trace = c->operand };
    struct ww_filter *filter = NULL;
    struct judgement j = { 0 };

    if (c->operand == NULL)
        return ww_err_set(err, WW_EUSAGE, "report wants a trace: whichworker report FILE");
    if (reports_check(&c->reports, err) < 0 || judgement_baseline(c, &in.baseline, err) < 0)
        return err->code;

    int status = selecting_filter(c, &filter, err);

    if (status == WW_OK)
        status = judgement_open(&j, &in, err);
    if (status == WW_OK && filter != NULL)
        status = judgement_filter(&j, filter, WW_SELECT_PROOFS, err);
    if (status == WW_OK)
        status = publish(c, &j, err);
    judgement_close(&j);
    baseline_free(in.baseline);
    ww_filter_free(filter);
    return status;
}

const struct command command_report = {
    .name = "report",
    .bit = FOR_REPORT,
    .help = "judge a recorded trace: what was split, what broke, why",
    .synopsis = "report [options] TRACE",
    .text =
        "Judges the exchanges of a trace and says which sessions were served by several "
        "workers,\n"
        "which of them saw inconsistent state, the exchanges that prove it, the cause and "
        "the fix.\n\n"
        "Exit status: 0 pass, 1 findings at or above --fail-on or an upper bound of --require "
        "passed,\n"
        "2 inconclusive or a lower bound not reached, 3 wrong usage or an unreadable trace, 4 "
        "it could\n"
        "not run. The last line of the text is always of the form 'N passed, N failed, N "
        "inconclusive',\n"
        "counting the guarantees and what is required.",
    .examples = "  whichworker report cars.db\n"
                "  whichworker report cars.db --format json --fail-on confirmed\n",
    .run = report_run,
};
