/* gate: starts a backend, sends a test command through the proxy, and judges what it saw. */
#include "command.h"
#include "gate.h"
#include "judgement.h"
#include "selecting.h"
#include "shimfile.h"

#include <unistd.h>

static int check_usage(const struct config *c, struct ww_err *err)
{
    struct ww_addr listen;

    if (c->command == NULL)
        return ww_err_set(
            err, WW_EUSAGE,
            "gate wants the test command: whichworker gate --backend 'gunicorn -w "
            "4 app:app' -- pytest tests/, say");
    if (c->backend.len == 0 && c->upstream.len == 0)
        return ww_err_set(err, WW_EUSAGE,
                          "gate wants the backend: --backend 'gunicorn -w 4 app:app', say, or "
                          "--upstream ADDR for one that is running");
    if (ww_addr_parse(c->listen, "--listen", &listen, err) < 0)
        return err->code;
    if (listen.sa.ss_family == AF_UNIX)
        return ww_err_set(err, WW_EUSAGE,
                          "--listen: the tests need a URL, which a Unix socket has not");
    if (c->trace.len > 0 && access(c->trace.ptr, F_OK) == 0)
        return ww_err_set(err, WW_EUSAGE,
                          "--trace: '" WW_STRF "' exists; a recording is never overwritten",
                          WW_STRV(c->trace));
    if (selecting_check(c, err) < 0)
        return err->code;
    return reports_check(&c->reports, err);
}

static int with_scratch(struct gate *g, struct ww_err *err)
{
    const struct config *c = g->config;
    struct ww_preload *preload = NULL;
    char shim[SHIMFILE_ROOM];

    if (scratch_make(&g->scratch, c->backend_log, err) < 0)
        return err->code;
    if (c->backend.len > 0 && !c->no_preload) {
        if (shimfile_find(shim, err) < 0)
            return err->code;
        preload = ww_preload_new(getpid(), "/proc", err);
        if (preload == NULL)
            return err->code;
    }
    /* Lines of exchanges would stand between those of the tests. */
    g->served = *c;
    g->served.quiet = true;
    g->served.no_judge = true;
    if (c->trace.len == 0)
        g->served.trace = ww_str_c(g->scratch.trace);
    gate_play(g, preload, preload == NULL ? NULL : shim);
    ww_preload_free(preload);
    return gate_conclude(g, err);
}

static int run_gate(const struct config *c, struct ww_err *err)
{
    struct gate g = { .config = c, .scratch = { .log = -1 } };

    if (check_usage(c, err) < 0 || judgement_baseline(c, &g.baseline, err) < 0)
        return err->code;

    int status = with_scratch(&g, err);

    scratch_remove(&g.scratch);
    baseline_free(g.baseline);
    return status;
}

const struct command command_gate = {
    .name = "gate",
    .bit = FOR_PROXY | FOR_RUN | FOR_GATE,
    .help = "run tests through the proxy, and fail if a session saw inconsistent state",
    .synopsis = "gate [options] --backend COMMAND -- TEST-COMMAND [argument...]",
    .text =
        "Starts the backend, waits until every worker of it has accepted a connection, runs "
        "the test\n"
        "command with WHICHWORKER_URL and BASE_URL set (and {url} in its arguments replaced), "
        "judges what\n"
        "went through, takes everything down and tells the verdict. The tests' own input and "
        "output are\n"
        "theirs; all that gate says goes to standard error.\n\n"
        "The backend's command is given to /bin/sh. With --upstream alone the backend is one "
        "that runs.\n\n"
        "Exit status: 128 and the number of the signal that stopped it; else 1 findings at or "
        "above\n"
        "--fail-on, or an upper bound of --require passed; else 3 wrong usage; 4 it could not "
        "run, or the\n"
        "backend died; 2 inconclusive; else the test command's own (124 if --test-timeout "
        "stopped it).\n"
        "The last line is 'N passed, N failed, N inconclusive'.",
    .examples =
        "  whichworker gate --backend 'gunicorn -w 4 app:app' -- pytest tests/\n"
        "  whichworker gate --upstream localhost:8000 -- newman run api.json --env-var "
        "base={url}\n"
        "  whichworker gate --backend 'uvicorn --workers 4 app:app' --report junit=gate.xml "
        "-- pytest\n",
    .run = run_gate,
};
