/* run: starts a backend, finds where it listens, stands in front of it, ends with it. */
#include "backend.h"
#include "command.h"
#include "selecting.h"
#include "shimfile.h"

#include <unistd.h>

static void tell_end(const struct backend *b)
{
    struct ww_buf out;

    ww_buf_init(&out, 512);
    ww_buf_add_c(&out, "the backend ");
    child_describe(&b->child, &out);
    ww_buf_add_char(&out, '\n');
    write_all(STDERR_FILENO, ww_buf_str(&out));
    ww_buf_release(&out);
}

/* The backend runs. */
static int serve_backend(const struct config *c, struct backend *b, struct ww_preload *preload,
                         const struct backend_wanted *wanted, struct ww_err *err)
{
    struct serve_extra extra = {
        .preload = preload, .open = backend_open, .close = backend_close, .ctx = b
    };
    int r = backend_wait(b, wanted, c->ready_timeout_ms, &extra.upstream, err);

    if (r < 0 || r == BACKEND_STOPPED)
        return r < 0 ? r : EXIT_PASS;

    int status = serve(c, &extra, err);
    bool failed = backend_failed(b);

    if (failed || b->child.alone)
        tell_end(b);
    return status == EXIT_PASS && failed ? child_exit_status(&b->child) : status;
}

static int with_preload(const struct config *c, struct ww_preload *preload, const char *shim,
                        struct ww_err *err)
{
    struct backend b = { .child = { .fd = -1 } };
    const struct keeper_job job = { .argv = c->command,
                                    .shim = shim,
                                    .token = preload == NULL ? "" : ww_preload_token(preload),
                                    .place = KEEPER_SESSION };
    struct backend_wanted wanted;
    struct ww_addr listen;

    if (ww_addr_parse(c->listen, "--listen", &listen, err) < 0 ||
        backend_want(c->upstream, &wanted, err) < 0)
        return err->code;
    if (backend_start(&b, &job, err) < 0)
        return err->code;

    int status = serve_backend(c, &b, preload, &wanted, err);

    child_stop(&b.child, c->proxy.drain_timeout_ms);
    return status;
}

static int run_run(const struct config *c, struct ww_err *err)
{
    struct ww_preload *preload = NULL;
    char shim[SHIMFILE_ROOM];

    if (c->command == NULL)
        return ww_err_set(err, WW_EUSAGE,
                          "run wants the backend's command: whichworker run -- gunicorn -w 4 "
                          "app:app, say");
    if (selecting_check(c, err) < 0)
        return err->code;
    if (c->no_preload)
        return with_preload(c, NULL, NULL, err);
    if (shimfile_find(shim, err) < 0)
        return err->code;
    preload = ww_preload_new(getpid(), "/proc", err);
    if (preload == NULL)
        return err->code;

    int status = with_preload(c, preload, shim, err);

    ww_preload_free(preload);
    return status;
}

const struct command command_run = {
    .name = "run",
    .bit = FOR_PROXY | FOR_RUN,
    .help = "start a backend, and stand in front of it",
    .synopsis = "run [options] -- COMMAND [argument...]",
    .text =
        "Starts the backend, finds out by itself where it listens, and forwards every request "
        "to "
        "it as\n"
        "'whichworker proxy' does. A small library that is loaded into the backend's processes "
        "reports\n"
        "which of them accepted a connection, so that no request has to be held; where it "
        "cannot "
        "say\n"
        "(a static binary, a server that hands connections on), the kernel is asked "
        "instead.\n\n"
        "SIGINT or SIGTERM lets what is in flight end, then stops the backend (SIGTERM, and "
        "SIGKILL\n"
        "after --drain-timeout). SIGHUP, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU and SIGWINCH are "
        "passed "
        "on\n"
        "to it. Its output is passed through untouched. Nothing of it is left behind, "
        "whichever way\n"
        "this ends.\n\n"
        "Exit status: 0 stopped by a signal; the backend's own if it ended by itself with a "
        "failure\n"
        "(128 and the number of the signal that killed it); 3 wrong usage; 4 it could not run, "
        "or\n"
        "the backend never listened.",
    .examples =
        "  whichworker run -- gunicorn -w 4 app:app\n"
        "  whichworker run --listen 127.0.0.1:9000 --trace cars.db -- uvicorn --workers 4 "
        "app:app\n"
        "  whichworker run --upstream unix:/run/app.sock -- ./start-server.sh\n",
    .run = run_run,
};
