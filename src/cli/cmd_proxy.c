/* proxy: stands in front of a running backend. */
#include "command.h"
#include "serve.h"

static int proxy_run(const struct config *c, struct ww_err *err)
{
    if (c->operand != NULL)
        return ww_err_set(err, WW_EUSAGE, "proxy takes no argument, but there is '%s'",
                          c->operand);
    if (c->upstream.len == 0)
        return ww_err_set(err, WW_EUSAGE,
                          "proxy wants to know the backend: --upstream 127.0.0.1:8000, say");
    return serve(c, NULL, err);
}

const struct command command_proxy = {
    .name = "proxy",
    .bit = FOR_PROXY,
    .help = "stand in front of a running backend, name the worker of each request",
    .synopsis = "proxy --upstream ADDR [--listen ADDR] [--trace FILE] [options]",
    .text =
        "Forwards every request to the backend, each over a connection of its own, and finds "
        "out from\n"
        "the kernel which worker process accepted it. Every response carries X-Worker-PID and\n"
        "X-Request-ID; a line for each exchange goes to standard error. SIGINT or SIGTERM lets "
        "what\n"
        "is in flight end, closes the trace and prints a summary.\n\n"
        "Run it as the user of the workers, or as root: it reads their /proc/PID/fd.\n\n"
        "Exit status: 0 stopped by a signal, 3 wrong usage, 4 it could not run or record.",
    .examples = "  whichworker proxy --upstream 127.0.0.1:8000 --listen 127.0.0.1:8080 --trace "
                "cars.db\n"
                "  whichworker proxy --upstream unix:/run/app.sock --quiet\n",
    .run = proxy_run,
};
