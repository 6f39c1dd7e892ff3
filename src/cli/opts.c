/* The options table, and how the text of a value becomes a field of struct config. */
#include "opts.h"

#include <whichworker/units.h>

#include <inttypes.h>
#include <stdlib.h>

/* The field's address must have the row's C type: another one does not compile. */
#define FIELD(f, type_)                                                                        \
    (offsetof(struct config, f) +                                                              \
     0 * sizeof(char[_Generic(&((struct config *)0)->f, type_ * : 1, default                   \
                              : -1)]))

#define BOOL(f)    .type = OPT_BOOL, .offset = FIELD(f, bool)
#define STR(f)     .type = OPT_STR, .offset = FIELD(f, ww_str)
#define ADDR(f)    .type = OPT_ADDR, .offset = FIELD(f, ww_str)
#define MSEC(f)    .type = OPT_MSEC, .offset = FIELD(f, uint32_t)
#define COUNT(f)   .type = OPT_COUNT, .offset = FIELD(f, uint64_t)
#define SIZE(f)    .type = OPT_SIZE, .offset = FIELD(f, uint64_t)
#define SHARE(f)   .type = OPT_SHARE, .offset = FIELD(f, double)
#define FORMAT(f)  .type = OPT_FORMAT, .offset = FIELD(f, const struct ww_report_format *)
#define REPORTS(f) .type = OPT_REPORTS, .offset = FIELD(f, struct reports)
#define REQUIREMENTS(f) .type = OPT_REQUIREMENTS, .offset = FIELD(f, struct requirements)
#define FAIL_ON(f) .type = OPT_FAIL_ON, .offset = FIELD(f, enum ww_fail_on)

/* clang-format off */
const struct option_row options_table[] = {
    { .name = "attrib-timeout", MSEC(proxy.attrib_timeout_ms), .commands = FOR_PROXY, .arg = "TIME", .dflt = "10s",
      .help = "how long a request may wait for a worker to accept it",
      .text = "A request is held until the kernel says which process has accepted it. While all workers are\n"
              "busy nobody can accept, and holding costs nothing. When this time is over the request goes\n"
              "out all the same and its worker is `unknown`, unless it can be told when the answer comes." },
    { .name = "backend", STR(backend), .commands = FOR_GATE, .arg = "COMMAND",
      .help = "starts the backend; given to /bin/sh",
      .text = "Where it listens is found out; --upstream says it where that cannot be seen." },
    { .name = "backend-log", STR(backend_log), .commands = FOR_GATE, .arg = "FILE",
      .help = "where the backend's output goes",
      .text = "Without it the output is shown only if the backend dies or is never ready: its last lines." },
    { .name = "baseline", STR(baseline), .commands = FOR_REPORT | FOR_GATE, .arg = "FILE",
      .help = "findings that are known: shown, and not counted until they expire",
      .text = "Entries are keyed by guarantee, method, route and place, and have a reason and a last day.\n"
              "docs/gate.md describes the file." },
    { .name = "capture-body", SIZE(proxy.capture_body_bytes), .commands = FOR_PROXY, .arg = "SIZE", .dflt = "256k",
      .help = "how much of each body is recorded",
      .text = "A longer body is forwarded whole and recorded as cut: what is missing from a cut body proves\n"
              "nothing to the judge. 0 records no bodies, and leaves only splits, refusals and cookies to judge." },
    { .name = "completions", STR(completions), .ask = true, .commands = FOR_HELP, .arg = "SHELL",
      .help = "print a script that completes commands and options in bash, zsh or fish" },
    { .name = "config", STR(config_file), .ask = true, .commands = FOR_ALL, .arg = "FILE",
      .help = "read settings and rules from this YAML file",
      .text = "Without it ./whichworker.yaml is read if it is there, and the program says so. Also\n"
              "WHICHWORKER_CONFIG. `whichworker help config` describes the file; `-` is standard input." },
    { .name = "connect-timeout", MSEC(proxy.connect_timeout_ms), .commands = FOR_PROXY | FOR_DOCTOR, .arg = "TIME", .dflt = "5s",
      .help = "how long connecting to the upstream may take (then 504)" },
    { .name = "drain-timeout", MSEC(proxy.drain_timeout_ms), .commands = FOR_PROXY, .arg = "TIME", .dflt = "10s",
      .help = "how long exchanges in flight may take after SIGINT or SIGTERM",
      .text = "A second signal cuts them off at once." },
    { .name = "fail-on", FAIL_ON(judge.fail_on), .commands = FOR_REPORT | FOR_GATE, .arg = "GRADE", .dflt = "likely",
      .help = "the least grade that fails: proven, confirmed, likely, possible, split or none",
      .text = "`split` fails on every change of worker within a session, also a harmless one: for people who\n"
              "know that their application needs affinity. `none` never fails." },
    { .name = "filter", STR(filter), .commands = FOR_PROXY | FOR_REPORT | FOR_SHOW, .arg = "FILTER",
      .help = "show only what matches: '~u /cars & (~c 5xx | ~split)'",
      .text = "docs/filters.md has all operators; a pattern alone is one of URLs. While a proxy runs: which exchanges\n"
              "get a line; findings are told all the same. Of a report, also that of a gate: which findings, splits and\n"
              "exchanges it has; judged is everything, and the verdict stays what it is." },
    { .name = "format", FORMAT(format), .commands = FOR_REPORT | FOR_DOCTOR, .arg = "FORMAT", .dflt = "text",
      .help = "text or json; a report has more, listed below" },
    { .name = "handover-timeout", MSEC(proxy.handover_timeout_ms), .commands = FOR_PROXY, .arg = "TIME", .dflt = "250ms",
      .help = "how long to wait for a process that may pass a connection on",
      .text = "Some servers accept in one process and answer in another (a Node cluster). Such an owner is not\n"
              "final: the request is held until the connection has settled, at most for this time." },
    { .name = "header-timeout", MSEC(proxy.header_timeout_ms), .commands = FOR_PROXY, .arg = "TIME", .dflt = "10s",
      .help = "how long a client may take to send a request's head (then 408)" },
    { .name = "help", BOOL(help), .letter = 'h', .ask = true, .commands = FOR_ALL, .help = "show this help" },
    { .name = "idle-timeout", MSEC(proxy.idle_timeout_ms), .commands = FOR_PROXY, .arg = "TIME", .dflt = "60s",
      .help = "how long a client may be silent, or not read" },
    { .name = "keep-secrets", BOOL(keep_secrets), .commands = FOR_PROXY,
      .help = "record cookies and credentials as they are",
      .text = "By default the values of Cookie, Set-Cookie, Authorization and their kin, and session ids and\n"
              "tokens in URLs and bodies, are recorded as keyed hashes, under a key that is never written: equal\n"
              "values can be recognised and nothing else." },
    { .name = "listen", ADDR(listen), .commands = FOR_PROXY, .arg = "ADDR", .dflt = "127.0.0.1:8080", .gate_dflt = "127.0.0.1:0",
      .help = "where clients connect; port 0 takes any free one" },
    { .name = "live-memory", SIZE(live_memory), .commands = FOR_PROXY, .arg = "SIZE", .dflt = "64M",
      .help = "how much memory the exchanges may take that are judged while the proxy runs",
      .text = "As much again is taken for what comes during a judging, and by the judge itself, for a moment." },
    { .name = "live-window", COUNT(live_window), .commands = FOR_PROXY, .arg = "COUNT", .dflt = "10000",
      .help = "how many of the newest exchanges are judged while the proxy runs",
      .text = "What is older is forgotten, as if the proxy had been started later; the trace keeps all of it, and\n"
              "`whichworker report` judges all of it." },
    { .name = "man", BOOL(man), .ask = true, .commands = FOR_HELP, .help = "print the man page" },
    { .name = "markdown", BOOL(markdown), .ask = true, .commands = FOR_HELP, .help = "print the manual of all commands as Markdown" },
    { .name = "max-body", SIZE(proxy.max_body_bytes), .commands = FOR_PROXY, .arg = "SIZE", .dflt = "0",
      .help = "the largest request body (then 413); 0: any" },
    { .name = "max-connections", SIZE(proxy.max_connections), .commands = FOR_PROXY, .arg = "COUNT", .dflt = "0",
      .help = "how many clients at once; 0: as many as there are descriptors for",
      .text = "Further ones wait in the kernel's queue until one of these leaves." },
    { .name = "max-head", SIZE(proxy.max_head_bytes), .commands = FOR_PROXY, .arg = "SIZE", .dflt = "32k",
      .help = "the largest head of a request (then 431) or of a response (then 502)",
      .text = "Also what the trailers of a chunked body may have, which are read and dropped, and its chunk\n"
              "extensions beyond the data that they came with." },
    { .name = "min-attributed", SHARE(judge.min_attributed), .commands = FOR_REPORT | FOR_GATE, .arg = "SHARE", .dflt = "0.95",
      .help = "the least share of exchanges whose worker must be known",
      .text = "Below it the verdict is inconclusive: too much may have gone unseen." },
    { .name = "no-color", BOOL(no_color), .commands = FOR_ALL, .help = "no colours, also on a terminal (as NO_COLOR)" },
    { .name = "no-config", BOOL(no_config), .ask = true, .commands = FOR_ALL,
      .help = "read no configuration file" },
    { .name = "no-connect", BOOL(no_connect), .commands = FOR_DOCTOR,
      .help = "open no connection: look only at what is there" },
    { .name = "no-github", BOOL(no_github), .commands = FOR_REPORT | FOR_GATE,
      .help = "in GitHub Actions, no annotations and no step summary",
      .text = "Where GITHUB_ACTIONS is true, annotations go to standard error, and a Markdown report to the step's\n"
              "summary." },
    { .name = "no-judge", BOOL(no_judge), .commands = FOR_PROXY,
      .help = "judge nothing while the proxy runs",
      .text = "By default the newest exchanges are judged again whenever something has come, at the cost of at most\n"
              "a twentieth of one processor, and what is found is told at once." },
    { .name = "no-preload", BOOL(no_preload), .commands = FOR_RUN,
      .help = "load nothing into the backend: only the kernel tells who accepted",
      .text = "By default a small library is loaded into the backend's processes (LD_PRELOAD), which reports\n"
              "each accept. No request need be held then, and workers of another user are known too." },
    { .name = "output", STR(output), .letter = 'o', .commands = FOR_REPORT, .arg = "FILE", .dflt = "-",
      .help = "where the report goes; -: standard output" },
    { .name = "print-config", BOOL(print_config), .ask = true, .commands = FOR_ALL,
      .help = "print all settings and rules that hold, and where each comes from",
      .text = "The output is a configuration file. Nothing else is done." },
    { .name = "quiet", BOOL(quiet), .letter = 'q', .commands = FOR_PROXY | FOR_REPORT,
      .help = "say only what is wrong: no line for each exchange",
      .text = "Of a text report only what is wrong is left, and the last line." },
    { .name = "ready-timeout", MSEC(ready_timeout_ms), .commands = FOR_RUN, .arg = "TIME", .dflt = "30s",
      .help = "how long the backend may take until it is ready" },
    { .name = "report", REPORTS(reports), .commands = FOR_REPORT | FOR_GATE, .arg = "LIST",
      .help = "more reports, into files: FORMAT=FILE,FORMAT=FILE",
      .text = "Each file is there whole or not at all, and replaces what was there. May be given several times." },
    { .name = "require", REQUIREMENTS(requirements), .commands = FOR_REPORT | FOR_GATE, .arg = "LIST",
      .help = "thresholds beside the findings: 'coverage>=0.99,sessions>=5,split-rate<0.2'",
      .text = "Names: coverage, exchanges, sessions, workers, splits, split-rate, findings, unknown, ambiguous,\n"
              "and the guarantees, for the number of findings of each. With >= > <= < or ==. What falls short of a\n"
              "lower bound is inconclusive, for too little was seen; what passes an upper one fails. May be given\n"
              "several times." },
    { .name = "response-timeout", MSEC(proxy.response_timeout_ms), .commands = FOR_PROXY, .arg = "TIME", .dflt = "60s",
      .help = "how long the upstream may be silent (then 504, or a cut response)" },
    { .name = "test-timeout", MSEC(test_timeout_ms), .commands = FOR_GATE, .arg = "TIME",
      .help = "how long the test command may take (then it is stopped, and 124)" },
    { .name = "trace", STR(trace), .commands = FOR_PROXY, .arg = "FILE",
      .help = "record every exchange into this new file",
      .text = "A SQLite database, for `whichworker report` and for any SQLite tool. An existing file is refused." },
    { .name = "tunnel-timeout", MSEC(proxy.tunnel_timeout_ms), .commands = FOR_PROXY, .arg = "TIME", .dflt = "1h",
      .help = "how long both ends of a WebSocket, or another upgrade, may be silent",
      .text = "Once one end has closed its side, the other may be silent for --idle-timeout." },
    { .name = "update-baseline", BOOL(update_baseline), .commands = FOR_REPORT | FOR_GATE,
      .help = "write the baseline anew: what is found now is known from now on",
      .text = "Reasons and dates of entries stay. What is no longer seen goes, if the trace asked for it at all;\n"
              "what is new, or had expired, holds for 90 days." },
    { .name = "upstream", ADDR(upstream), .commands = FOR_PROXY | FOR_DOCTOR, .arg = "ADDR",
      .help = "the backend: host:port, [v6]:port, unix:/path or http://host:port" },
    { .name = "verbose", BOOL(verbose), .commands = FOR_PROXY, .help = "log what the proxy does" },
    { .name = "version", BOOL(version), .ask = true, .commands = FOR_ALL, .help = "print the version" },
    { .name = "worker-header", STR(proxy.worker_header), .commands = FOR_PROXY, .arg = "NAME",
      .help = "the response field in which a worker gives its own PID",
      .text = "For workers that the kernel cannot name from here: on another machine, in another container, of\n"
              "another user. examples/worker_header/ has the few lines that make a WSGI or ASGI application or\n"
              "gunicorn send it. Where the kernel knows too, the kernel is believed, and the report warns if\n"
              "the two differ." },
    { .name = NULL },
};
/* clang-format on */

_Static_assert(sizeof(options_table) / sizeof(options_table[0]) <= OPTIONS_MAX, "OPTIONS_MAX");

static void *field_of(struct config *c, const struct option_row *o)
{
    return (char *)c + o->offset;
}

static int set_count(uint64_t *out, ww_str value, struct ww_err *err)
{
    uint64_t count;

    if (!ww_str_u64(value, &count) || count == 0)
        return ww_err_set(err, WW_EUSAGE, "'" WW_STRF "' is not a number from 1 on",
                          WW_STRV(value));
    *out = count;
    return WW_OK;
}

static int set_share(double *out, ww_str value, struct ww_err *err)
{
    char text[32];
    char *end = NULL;

    if (value.len == 0 || value.len >= sizeof(text))
        return ww_err_set(err, WW_EUSAGE, "'" WW_STRF "' is not a share from 0 to 1",
                          WW_STRV(value));
    memcpy(text, value.ptr, value.len);
    text[value.len] = '\0';

    double share = strtod(text, &end);

    if (*end != '\0' || !(share >= 0 && share <= 1))
        return ww_err_set(err, WW_EUSAGE, "'%s' is not a share from 0 to 1", text);
    *out = share;
    return WW_OK;
}

static int set_fail_on(enum ww_fail_on *out, ww_str value, struct ww_err *err)
{
    if (!ww_fail_on_find(value, out))
        return ww_err_set(
            err, WW_EUSAGE,
            "'" WW_STRF "' is not a grade: proven, confirmed, likely, possible, split or none",
            WW_STRV(value));
    return WW_OK;
}

static int set_flag(bool *out, ww_str value, struct ww_err *err)
{
    static const char *const yes[] = { "1", "true", "yes", "on" };
    static const char *const no[] = { "", "0", "false", "no", "off" };

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (ww_str_eq_nocase(value, ww_str_c(yes[i]))) {
            *out = true;
            return WW_OK;
        }
    }
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        if (ww_str_eq_nocase(value, ww_str_c(no[i]))) {
            *out = false;
            return WW_OK;
        }
    }
    return ww_err_set(err, WW_EUSAGE, "'" WW_STRF "' is neither true nor false", WW_STRV(value));
}

/* Checked when it is read, so that the mistake is shown beside the option's name. */
static int set_str(ww_str *out, ww_str value, struct ww_err *err)
{
    if (value.len == 0)
        return ww_err_set(err, WW_EUSAGE, "the value is empty");
    *out = value;
    return WW_OK;
}

static int set_time(uint32_t *out, ww_str value, struct ww_err *err)
{
    uint32_t ms = 0;
    int r = ww_units_msec(value, &ms, err);

    if (r == WW_OK && ms == 0)
        r = ww_err_set(err, WW_EUSAGE, "the time must be longer than 0");
    if (r == WW_OK)
        *out = ms;
    return r;
}

int option_set(struct config *c, const struct option_row *o, ww_str value, struct ww_err *err)
{
    void *field = field_of(c, o);

    switch (o->type) {
    case OPT_BOOL:
        return set_flag(field, value, err);
    case OPT_STR:
    case OPT_ADDR:
        return set_str(field, value, err);
    case OPT_MSEC:
        return set_time(field, value, err);
    case OPT_COUNT:
        return set_count(field, value, err);
    case OPT_SIZE:
        return ww_units_size(value, field, err);
    case OPT_SHARE:
        return set_share(field, value, err);
    case OPT_FORMAT:
        return reports_find_format(value, field, err);
    case OPT_FAIL_ON:
        return set_fail_on(field, value, err);
    case OPT_REPORTS:
        return reports_add(field, value, err);
    case OPT_REQUIREMENTS:
        return requirements_add(field, value, err);
    }
    return WW_EUSAGE;
}

bool option_is_list(const struct option_row *o)
{
    return o->type == OPT_REPORTS || o->type == OPT_REQUIREMENTS;
}

static bool add_str(struct ww_buf *out, ww_str s)
{
    return s.ptr != NULL && ww_buf_add(out, s);
}

bool option_text(const struct config *c, const struct option_row *o, size_t i,
                 struct ww_buf *out)
{
    const void *field = (const char *)c + o->offset;
    const struct reports *reports = field;
    const struct requirements *wanted = field;
    char text[24];

    if (i > 0 && !option_is_list(o))
        return false;
    switch (o->type) {
    case OPT_BOOL:
        return ww_buf_add_c(out, *(const bool *)field ? "true" : "false");
    case OPT_STR:
    case OPT_ADDR:
        return add_str(out, *(const ww_str *)field);
    case OPT_MSEC:
        ww_units_msec_text(*(const uint32_t *)field, text);
        return ww_buf_add_c(out, text);
    case OPT_COUNT:
        return ww_buf_printf(out, "%" PRIu64, *(const uint64_t *)field);
    case OPT_SIZE:
        ww_units_size_text(*(const uint64_t *)field, text);
        return ww_buf_add_c(out, text);
    case OPT_SHARE:
        return ww_buf_printf(out, "%.15g", *(const double *)field);
    case OPT_FORMAT:
        return ww_buf_add_c(out, (*(const struct ww_report_format *const *)field)->name);
    case OPT_FAIL_ON:
        return ww_buf_add_c(out, ww_fail_on_token(*(const enum ww_fail_on *)field));
    case OPT_REPORTS:
        return i < reports->n && ww_buf_printf(out, "%s=" WW_STRF, reports->file[i].format->name,
                                               WW_STRV(reports->file[i].path));
    case OPT_REQUIREMENTS:
        return i < wanted->n && ww_buf_add(out, wanted->one[i].text);
    }
    return false;
}
