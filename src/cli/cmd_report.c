/* report: judges a recorded trace and prints what it found. */
#include "command.h"

#include <whichworker/store.h>

#include <errno.h>
#include <unistd.h>

#define REPORT_MAX_BYTES (1u << 30)

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

static int print(const struct config *c, const struct ww_verdict *v, struct ww_err *err)
{
    const struct ww_report_style style = {
        .colour = wants_colour(c, STDOUT_FILENO),
        .width = terminal_width(STDOUT_FILENO),
        .trace = ww_str_c(c->operand),
    };
    struct ww_buf out;
    int status = ww_report_exit_status(v);

    ww_buf_init(&out, REPORT_MAX_BYTES);
    c->format->render(v, &style, &out);
    if (out.full)
        status = ww_err_set(err, WW_ELIMIT, "the report would be larger than 1G");
    else if (!write_all(STDOUT_FILENO, ww_buf_str(&out)))
        status = ww_err_errno(err, errno, "cannot write the report");
    ww_buf_release(&out);
    return status;
}

static int report_run(const struct config *c, struct ww_err *err)
{
    if (c->operand == NULL)
        return ww_err_set(err, WW_EUSAGE, "report wants a trace: whichworker report FILE");

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
        status = print(c, ww_judge_finish(j), err);
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
