/* What a gate says at its end: the verdict, how the tests ended, the reports, the exit status.
 */
#include "command.h"
#include "gate.h"
#include "judgement.h"
#include "selecting.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SAID_MAX_BYTES (1u << 20)

/* timeout(1) has it so. */
#define EXIT_TIMED_OUT 124

static void tell(const struct ww_buf *out)
{
    write_all(STDERR_FILENO, ww_buf_str(out));
}

/* Why the run is not whole; nothing where it is. */
static void write_trouble(const struct gate *g, struct ww_buf *out)
{
    switch (g->end) {
    case GATE_DONE:
    case GATE_TIMED_OUT:
        break;
    case GATE_BACKEND_DIED:
        ww_buf_add_c(out, "the backend ");
        child_describe(&g->backend.child, out);
        ww_buf_add_c(out, " while the tests ran");
        break;
    case GATE_COULD_NOT:
        ww_buf_add_printable(out, ww_str_c(g->why.text));
        break;
    case GATE_SIGNALLED:
        ww_buf_printf(out, "it was stopped by SIG%s %s", sigabbrev_np(g->signum),
                      g->test_ran ? "while the tests ran" : "before the tests were started");
        break;
    }
}

/* A test suite behind a proxy variable of the environment never comes here. */
static void hint_at_no_traffic(const struct gate *g, const struct ww_verdict *v,
                               struct ww_buf *out)
{
    static const char *const variables[] = { "http_proxy", "HTTP_PROXY", "all_proxy",
                                             "ALL_PROXY" };

    if (!g->test_ran || v->steps > 0)
        return;
    ww_buf_printf(out,
                  "whichworker: no request came to %s: do the tests read WHICHWORKER_URL or "
                  "BASE_URL, or is {url} in their command?\n",
                  g->url);
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        if (getenv(variables[i]) != NULL)
            ww_buf_printf(out,
                          "whichworker: %s is set: a client that obeys it needs "
                          "no_proxy=127.0.0.1\n",
                          variables[i]);
}

static void tell_backend(const struct gate *g, struct ww_buf *out)
{
    size_t before = out->len;

    if (!g->unready && g->end != GATE_BACKEND_DIED)
        return;
    ww_buf_add_c(out, "whichworker: the last lines of the backend's output:\n");

    size_t empty = out->len;

    scratch_tail(&g->scratch, out);
    if (out->len == empty)
        out->len = before;
}

static void tell_tests(const struct gate *g, struct ww_buf *out)
{
    if (!g->test_ran || (g->config->quiet && g->test.status == 0 && g->end == GATE_DONE))
        return;
    ww_buf_printf(out, "whichworker: the test command ");
    child_describe(&g->test, out);
    ww_buf_printf(out, " after %.1f s", (double)g->test_us / 1e6);
    if (g->end == GATE_TIMED_OUT)
        ww_buf_add_c(out, ": it was stopped by --test-timeout");
    ww_buf_add_char(out, '\n');
}

static int write_to_stderr(void *ctx, ww_str bytes, struct ww_err *err)
{
    (void)ctx;
    (void)err;
    write_all(STDERR_FILENO, bytes);
    return WW_OK;
}

/* The report, where it has something to say; always the line that counts. */
static int tell_verdict(const struct gate *g, struct judgement *j, ww_str trouble,
                        struct ww_err *err)
{
    static const struct ww_report_sink sink = { .write = write_to_stderr };
    const struct ww_verdict *v = &j->policy.verdict;
    struct ww_report report = judgement_report(j, g->config->trace, NULL);
    struct ww_buf out;

    if (v->steps > 0 && !(g->config->quiet && v->value == WW_PASS)) {
        report.style.colour = wants_colour(g->config, STDERR_FILENO);
        report.style.width = terminal_width(STDERR_FILENO);
        return ww_report_write(ww_report_format_find(WW_STR("text")), &report, &sink, err);
    }
    ww_buf_init(&out, SAID_MAX_BYTES);
    if (v->steps == 0 && trouble.len == 0) {
        ww_buf_printf(&out, "INCONCLUSIVE  " WW_STRF "\n", WW_STRV(v->why));
        hint_at_no_traffic(g, v, &out);
    }
    ww_report_count(v, &j->policy.report, &out);
    tell(&out);
    ww_buf_release(&out);
    return WW_OK;
}

/* Interrupted is interrupted; a finding is a fact, whatever else went wrong; then what could
 * not be done; then the tests' own word, if the gate has nothing against them. */
static int exit_status(const struct gate *g, const struct ww_verdict *v)
{
    if (g->end == GATE_SIGNALLED)
        return 128 + g->signum;
    if (v->value == WW_FAIL)
        return EXIT_FINDINGS;
    if (g->end == GATE_COULD_NOT && g->why.code == WW_EUSAGE)
        return EXIT_USAGE;
    if (g->end == GATE_COULD_NOT || g->end == GATE_BACKEND_DIED)
        return EXIT_CANNOT;
    if (v->value == WW_INCONCLUSIVE)
        return EXIT_INCONCLUSIVE;
    return g->end == GATE_TIMED_OUT ? EXIT_TIMED_OUT : child_exit_status(&g->test);
}

static int conclude(struct gate *g, struct judgement *j, ww_str trouble, struct ww_err *err)
{
    const struct ww_verdict *v = &j->policy.verdict;
    struct ww_buf out;

    ww_buf_init(&out, SAID_MAX_BYTES);
    tell_backend(g, &out);
    if (trouble.len > 0)
        ww_buf_printf(&out, "whichworker: " WW_STRF "\n", WW_STRV(trouble));
    tell_tests(g, &out);
    tell(&out);
    ww_buf_release(&out);

    int written = judgement_write(j, g->config, g->config->trace, err);
    int told = tell_verdict(g, j, trouble, written < 0 ? NULL : err);

    return written < 0 ? written : told < 0 ? told : exit_status(g, v);
}

/* A signal that came after the tests had ended. */
static void note_pending(struct gate *g)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    sigset_t pending;

    sigpending(&pending);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (g->end == GATE_SIGNALLED || !sigismember(&pending, signals[i]))
            continue;
        g->end = GATE_SIGNALLED;
        g->signum = signals[i];
    }
}

int gate_conclude(struct gate *g, struct ww_err *err)
{
    struct judgement_input in = { .config = g->config,
                                  .baseline = g->baseline,
                                  .ready = g->roll.accepted };
    struct ww_filter *filter = NULL;
    struct judgement j = { 0 };
    struct ww_buf trouble;

    note_pending(g);
    if (g->is_recorded)
        in.trace = g->served.trace.ptr;
    ww_buf_init(&trouble, 1024);
    write_trouble(g, &trouble);
    if (trouble.len > 0)
        in.trouble = ww_buf_str(&trouble);

    int status = judgement_open(&j, &in, err);

    if (status == WW_OK && j.reader != NULL)
        status = selecting_filter(g->config, &filter, err);
    if (status == WW_OK && filter != NULL)
        status = judgement_filter(&j, filter, WW_SELECT_PROOFS, err);

    if (status == WW_OK)
        status = conclude(g, &j, in.trouble, err);
    judgement_close(&j);
    ww_filter_free(filter);
    ww_buf_release(&trouble);
    return status;
}
