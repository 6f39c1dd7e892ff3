/* doctor: before any traffic, says which sources of attribution work here, and what helps. */
#include "command.h"
#include "doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define OUTPUT_MAX_BYTES (4u << 20)

static bool has_option(const char *name)
{
    for (const struct option_row *o = options_table; o->name != NULL; o++) {
        if (ww_str_eq(ww_str_c(o->name), ww_str_c(name)))
            return true;
    }
    return false;
}

static int print(const struct config *c, const struct doctor_input *in, const struct doctor *d,
                 struct ww_err *err)
{
    struct ww_buf out;
    int status = d->status;

    ww_buf_init(&out, OUTPUT_MAX_BYTES);
    if (ww_str_eq(ww_str_c(c->format->name), WW_STR("json")))
        doctor_json(in, d, &out);
    else
        doctor_text(in, d, wants_colour(c, STDOUT_FILENO), terminal_width(STDOUT_FILENO), &out);
    if (out.full)
        status = ww_err_set(err, WW_ELIMIT, "what was found is larger than %u bytes",
                            OUTPUT_MAX_BYTES);
    else if (!write_all(STDOUT_FILENO, ww_buf_str(&out)))
        status = ww_err_errno(err, errno, "cannot write what was found");
    ww_buf_release(&out);
    return status;
}

static int examine(const struct config *c, const struct ww_addr *upstream, struct ww_err *err)
{
    struct touch touched = { 0 };
    struct ww_examine_config cfg = { .upstream = *upstream, .proc_root = "/proc" };

    if (!c->no_connect)
        touch(upstream, c->proxy.connect_timeout_ms, &touched);
    cfg.named_pid = touched.peer_pid;

    struct ww_exam *exam = ww_examine(&cfg, err);

    if (exam == NULL)
        return err->code;

    const struct doctor_input in = {
        .exam = exam,
        .touch = &touched,
        .upstream = c->upstream,
        .has_run = command_find(WW_STR("run")) != NULL,
        .has_header = has_option("worker-header"),
    };
    struct doctor d;

    doctor_judge(&in, &d);

    int status = print(c, &in, &d, err);

    doctor_release(&d);
    free(exam);
    return status;
}

static int doctor_run(const struct config *c, struct ww_err *err)
{
    ww_str format = ww_str_c(c->format->name);
    struct ww_addr upstream;

    if (c->operand != NULL)
        return ww_err_set(err, WW_EUSAGE, "doctor takes no argument, but there is '%s'",
                          c->operand);
    if (c->upstream.len == 0)
        return ww_err_set(err, WW_EUSAGE,
                          "doctor wants to know the backend: --upstream 127.0.0.1:8000, say");
    if (!ww_str_eq(format, WW_STR("text")) && !ww_str_eq(format, WW_STR("json")))
        return ww_err_set(err, WW_EUSAGE, "doctor prints text or json, not %s",
                          c->format->name);
    if (ww_addr_parse(c->upstream, "--upstream", &upstream, err) < 0)
        return err->code;
    return examine(c, &upstream, err);
}

const struct command command_doctor = {
    .name = "doctor",
    .bit = FOR_DOCTOR,
    .help = "say which attribution works with a backend, and the remedy if none does",
    .synopsis = "doctor --upstream ADDR [--no-connect] [--format text|json]",
    .text =
        "Looks, before any traffic, at the sockets that listen there, at the processes that "
        "hold\n"
        "them, and whether their descriptors can really be read; then says which sources of\n"
        "attribution work, which do not and why, and the exact remedy.\n\n"
        "It also opens up to four connections, one at a time, sees who accepts each, and "
        "closes "
        "it at\n"
        "once. Nothing is sent on them; only where nobody accepts without data "
        "(TCP_DEFER_ACCEPT) the\n"
        "first line of a request, never the rest. --no-connect leaves that out.\n\n"
        "Exit status: 0 the kernel names the worker of every request, 1 of some or of none, 2 "
        "nothing\n"
        "can be said (nothing listens there yet, or it cannot be reached), 3 wrong usage, 4 it "
        "could\n"
        "not run.",
    .examples = "  whichworker doctor --upstream 127.0.0.1:8000\n"
                "  whichworker doctor --upstream unix:/run/app.sock --format json\n",
    .run = doctor_run,
};
