/* The options table, and what walks it. */
#include "opts.h"

#include <whichworker/units.h>

#include <ctype.h>
#include <stdio.h>
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
#define SIZE(f)    .type = OPT_SIZE, .offset = FIELD(f, uint64_t)
#define SHARE(f)   .type = OPT_SHARE, .offset = FIELD(f, double)
#define FORMAT(f)  .type = OPT_FORMAT, .offset = FIELD(f, const struct ww_report_format *)
#define FAIL_ON(f) .type = OPT_FAIL_ON, .offset = FIELD(f, enum ww_fail_on)

/* clang-format off */
const struct option_row options_table[] = {
    { .name = "attrib-timeout", MSEC(proxy.attrib_timeout_ms), .commands = FOR_PROXY, .arg = "TIME", .dflt = "10s",
      .help = "how long a request may wait for a worker to accept it",
      .text = "A request is held until the kernel says which process has accepted it. While all workers are\n"
              "busy nobody can accept, and holding costs nothing. When this time is over the request goes\n"
              "out all the same and its worker is `unknown`, unless it can be told when the answer comes." },
    { .name = "capture-body", SIZE(proxy.capture_body_bytes), .commands = FOR_PROXY, .arg = "SIZE", .dflt = "256k",
      .help = "how much of each body is recorded",
      .text = "A longer body is forwarded whole and recorded as cut: what is missing from a cut body proves\n"
              "nothing to the judge. 0 records no bodies, and leaves only splits, refusals and cookies to judge." },
    { .name = "connect-timeout", MSEC(proxy.connect_timeout_ms), .commands = FOR_PROXY | FOR_DOCTOR, .arg = "TIME", .dflt = "5s",
      .help = "how long connecting to the upstream may take (then 504)" },
    { .name = "drain-timeout", MSEC(proxy.drain_timeout_ms), .commands = FOR_PROXY, .arg = "TIME", .dflt = "10s",
      .help = "how long exchanges in flight may take after SIGINT or SIGTERM",
      .text = "A second signal cuts them off at once." },
    { .name = "fail-on", FAIL_ON(judge.fail_on), .commands = FOR_REPORT, .arg = "GRADE", .dflt = "likely",
      .help = "the least grade that fails: proven, confirmed, likely, possible, split or none",
      .text = "`split` fails on every change of worker within a session, also a harmless one: for people who\n"
              "know that their application needs affinity. `none` never fails." },
    { .name = "format", FORMAT(format), .commands = FOR_REPORT | FOR_DOCTOR, .arg = "FORMAT", .dflt = "text",
      .help = "text or json" },
    { .name = "handover-timeout", MSEC(proxy.handover_timeout_ms), .commands = FOR_PROXY, .arg = "TIME", .dflt = "250ms",
      .help = "how long to wait for a process that may pass a connection on",
      .text = "Some servers accept in one process and answer in another (a Node cluster). Such an owner is not\n"
              "final: the request is held until the connection has settled, at most for this time." },
    { .name = "header-timeout", MSEC(proxy.header_timeout_ms), .commands = FOR_PROXY, .arg = "TIME", .dflt = "10s",
      .help = "how long a client may take to send a request's head (then 408)" },
    { .name = "help", BOOL(help), .commands = FOR_ALL, .help = "show this help" },
    { .name = "idle-timeout", MSEC(proxy.idle_timeout_ms), .commands = FOR_PROXY, .arg = "TIME", .dflt = "60s",
      .help = "how long a client may be silent, or not read" },
    { .name = "keep-secrets", BOOL(keep_secrets), .commands = FOR_PROXY,
      .help = "record cookies and credentials as they are",
      .text = "By default the values of Cookie, Set-Cookie, Authorization and their kin are recorded as keyed\n"
              "hashes, under a key that is never written: equal values can be recognised and nothing else." },
    { .name = "listen", ADDR(listen), .commands = FOR_PROXY, .arg = "ADDR", .dflt = "127.0.0.1:8080",
      .help = "where clients connect; port 0 takes any free one" },
    { .name = "markdown", BOOL(markdown), .commands = FOR_HELP, .help = "print the manual of all commands as Markdown" },
    { .name = "max-body", SIZE(proxy.max_body_bytes), .commands = FOR_PROXY, .arg = "SIZE", .dflt = "0",
      .help = "the largest request body (then 413); 0: any" },
    { .name = "max-head", SIZE(proxy.max_head_bytes), .commands = FOR_PROXY, .arg = "SIZE", .dflt = "32k",
      .help = "the largest head of a request (then 431) or of a response (then 502)" },
    { .name = "min-attributed", SHARE(judge.min_attributed), .commands = FOR_REPORT, .arg = "SHARE", .dflt = "0.95",
      .help = "the least share of exchanges whose worker must be known",
      .text = "Below it the verdict is inconclusive: too much may have gone unseen." },
    { .name = "no-color", BOOL(no_color), .commands = FOR_ALL, .help = "no colours, also on a terminal (as NO_COLOR)" },
    { .name = "no-connect", BOOL(no_connect), .commands = FOR_DOCTOR,
      .help = "open no connection: look only at what is there" },
    { .name = "no-preload", BOOL(no_preload), .commands = FOR_RUN,
      .help = "load nothing into the backend: only the kernel tells who accepted",
      .text = "By default a small library is loaded into the backend's processes (LD_PRELOAD), which reports\n"
              "each accept. No request need be held then, and workers of another user are known too." },
    { .name = "quiet", BOOL(quiet), .commands = FOR_PROXY, .help = "no line for each exchange" },
    { .name = "ready-timeout", MSEC(ready_timeout_ms), .commands = FOR_RUN, .arg = "TIME", .dflt = "30s",
      .help = "how long the backend may take until it listens" },
    { .name = "response-timeout", MSEC(proxy.response_timeout_ms), .commands = FOR_PROXY, .arg = "TIME", .dflt = "60s",
      .help = "how long the upstream may be silent (then 504, or a cut response)" },
    { .name = "trace", STR(trace), .commands = FOR_PROXY, .arg = "FILE",
      .help = "record every exchange into this new file",
      .text = "A SQLite database, for `whichworker report` and for any SQLite tool. An existing file is refused." },
    { .name = "upstream", ADDR(upstream), .commands = FOR_PROXY | FOR_DOCTOR, .arg = "ADDR",
      .help = "the backend: host:port, [v6]:port, unix:/path or http://host:port" },
    { .name = "verbose", BOOL(verbose), .commands = FOR_PROXY, .help = "log what the proxy does" },
    { .name = "version", BOOL(version), .commands = FOR_ALL, .help = "print the version" },
    { .name = "worker-header", STR(proxy.worker_header), .commands = FOR_PROXY, .arg = "NAME",
      .help = "the response field in which a worker gives its own PID",
      .text = "For workers that the kernel cannot name from here: on another machine, in another container, of\n"
              "another user. examples/worker_header/ has the few lines that make a WSGI or ASGI application or\n"
              "gunicorn send it. Where the kernel knows too, the kernel is believed, and the report warns if\n"
              "the two differ." },
    { .name = NULL },
};
/* clang-format on */

static void *field_of(struct config *c, const struct option_row *o)
{
    return (char *)c + o->offset;
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

static int set_format(const struct ww_report_format **out, ww_str value, struct ww_err *err)
{
    const struct ww_report_format *f = ww_report_format_find(value);

    if (f == NULL)
        return ww_err_set(err, WW_EUSAGE, "'" WW_STRF "' is not a format: text or json",
                          WW_STRV(value));
    *out = f;
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
    if (ww_str_eq(value, WW_STR("1")) || ww_str_eq(value, WW_STR("true")))
        *out = true;
    else if (ww_str_eq(value, WW_STR("0")) || ww_str_eq(value, WW_STR("false")) ||
             value.len == 0)
        *out = false;
    else
        return ww_err_set(err, WW_EUSAGE, "'" WW_STRF "' is neither 1 nor 0", WW_STRV(value));
    return WW_OK;
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

static int set(struct config *c, const struct option_row *o, ww_str value, struct ww_err *err)
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
    case OPT_SIZE:
        return ww_units_size(value, field, err);
    case OPT_SHARE:
        return set_share(field, value, err);
    case OPT_FORMAT:
        return set_format(field, value, err);
    case OPT_FAIL_ON:
        return set_fail_on(field, value, err);
    }
    return WW_EUSAGE;
}

static const struct option_row *find(unsigned command, ww_str name)
{
    for (const struct option_row *o = options_table; o->name != NULL; o++)
        if ((o->commands & command) != 0 && ww_str_eq(name, ww_str_c(o->name)))
            return o;
    return NULL;
}

/* Levenshtein's distance, for short words. */
static size_t distance(ww_str a, ww_str b)
{
    size_t row[33];

    if (a.len > 32 || b.len > 32)
        return 32;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = corner + (a.ptr[i - 1] != b.ptr[j - 1]);
            size_t best = row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;

            corner = row[j];
            row[j] = change < best ? change : best;
        }
    }
    return row[b.len];
}

const char *closest(ww_str word, const char *(*next)(const void *ctx, size_t i),
                    const void *ctx)
{
    const char *best = NULL;
    size_t least = word.len / 3 + 1; /* further away it is another word */

    for (size_t i = 0;; i++) {
        const char *candidate = next(ctx, i);

        if (candidate == NULL)
            return best;

        size_t d = distance(word, ww_str_c(candidate));

        if (d <= least) {
            least = d == 0 ? 0 : d - 1; /* the first of several that are as near */
            best = candidate;
        }
    }
}

static const char *next_option(const void *ctx, size_t i)
{
    unsigned command = *(const unsigned *)ctx;

    for (const struct option_row *o = options_table; o->name != NULL; o++)
        if ((o->commands & command) != 0 && i-- == 0)
            return o->name;
    return NULL;
}

static int unknown(unsigned command, ww_str name, struct ww_err *err)
{
    const char *meant = closest(name, next_option, &command);

    if (meant == NULL)
        return ww_err_set(err, WW_EUSAGE, "there is no option --" WW_STRF, WW_STRV(name));
    return ww_err_set(err, WW_EUSAGE, "there is no option --" WW_STRF "; did you mean --%s?",
                      WW_STRV(name), meant);
}

static int set_named(struct config *c, const struct option_row *o, ww_str value,
                     const char *prefix, struct ww_err *err)
{
    if (set(c, o, value, err) < 0)
        return ww_err_wrap(err, "%s%s", prefix, o->name);
    return WW_OK;
}

static int set_defaults(struct config *c, struct ww_err *err)
{
    for (const struct option_row *o = options_table; o->name != NULL; o++) {
        /* 0 is a proper default where set() would refuse it from a user. */
        if (o->dflt != NULL && set_named(c, o, ww_str_c(o->dflt), "default of --", err) < 0)
            return err->code;
    }
    return WW_OK;
}

/* --idle-timeout is WHICHWORKER_IDLE_TIMEOUT. */
static const char *environment_name(const struct option_row *o, char *name, size_t size)
{
    int n = snprintf(name, size, "WHICHWORKER_%s", o->name);

    for (int i = 0; i < n; i++)
        name[i] = (char)(name[i] == '-' ? '_' : toupper((unsigned char)name[i]));
    return name;
}

/* --help and --version ask for something now; they are no settings. */
static bool is_setting(const struct option_row *o, unsigned command)
{
    return (o->commands & command) != 0 && o->commands != FOR_ALL;
}

static int read_environment(unsigned command, struct config *c, struct ww_err *err)
{
    for (const struct option_row *o = options_table; o->name != NULL; o++) {
        char name[64];
        const char *value = getenv(environment_name(o, name, sizeof(name)));

        if (value == NULL || !is_setting(o, command))
            continue;
        if (set(c, o, ww_str_c(value), err) < 0)
            return ww_err_wrap(err, "environment variable %s", name);
    }
    return WW_OK;
}

static int read_option(unsigned command, char **argv, int *i, int argc, struct config *c,
                       struct ww_err *err)
{
    ww_str value = ww_str_c(argv[*i] + 2);
    ww_str name;

    ww_str_cut(&value, '=', &name);

    const struct option_row *o = find(command, name);

    if (o == NULL)
        return unknown(command, name, err);
    if (o->type == OPT_BOOL && value.ptr == NULL)
        value = WW_STR("1");
    if (value.ptr == NULL && *i + 1 < argc)
        value = ww_str_c(argv[++*i]);
    if (value.ptr == NULL)
        return ww_err_set(err, WW_EUSAGE, "--%s wants a value: --%s %s", o->name, o->name,
                          o->arg);
    return set_named(c, o, value, "--", err);
}

static int read_arguments(unsigned command, int argc, char **argv, struct config *c,
                          struct ww_err *err)
{
    bool options_over = false;

    for (int i = 0; i < argc; i++) {
        ww_str word = ww_str_c(argv[i]);

        bool is_word = options_over || !ww_str_starts(word, WW_STR("-")) || word.len == 1;

        if (is_word && (command & FOR_RUN) != 0) {
            c->command = argv + i;
            break;
        }
        if (is_word) {
            if (c->operand != NULL)
                return ww_err_set(err, WW_EUSAGE, "'%s' is one argument too many", argv[i]);
            c->operand = argv[i];
        } else if (ww_str_eq(word, WW_STR("--"))) {
            options_over = true;
        } else if (ww_str_eq(word, WW_STR("-h"))) {
            c->help = true;
        } else if (ww_str_eq(word, WW_STR("-q")) && (command & FOR_PROXY) != 0) {
            c->quiet = true;
        } else if (!ww_str_starts(word, WW_STR("--"))) {
            return ww_err_set(err, WW_EUSAGE, "'%s' is not an option: options begin with --",
                              argv[i]);
        } else if (read_option(command, argv, &i, argc, c, err) < 0) {
            return err->code;
        }
    }
    return WW_OK;
}

int options_parse(unsigned command, int argc, char **argv, struct config *out,
                  struct ww_err *err)
{
    *out = (struct config){ 0 };
    if (set_defaults(out, err) < 0 || read_environment(command, out, err) < 0 ||
        read_arguments(command, argc, argv, out, err) < 0)
        return err->code;
    return WW_OK;
}

#define HELP_COLUMN 29

void options_help(unsigned command, struct ww_buf *out)
{
    for (const struct option_row *o = options_table; o->name != NULL; o++) {
        char left[64];

        if ((o->commands & command) == 0)
            continue;
        snprintf(left, sizeof(left), "  --%s%s%s", o->name, o->arg == NULL ? "" : " ",
                 o->arg == NULL ? "" : o->arg);
        ww_buf_printf(out, "%-*s %s", HELP_COLUMN, left, o->help);
        if (o->dflt != NULL)
            ww_buf_printf(out, " [%s]", o->dflt);
        ww_buf_add_char(out, '\n');
    }
}

void options_markdown(unsigned command, struct ww_buf *out)
{
    for (const struct option_row *o = options_table; o->name != NULL; o++) {
        if ((o->commands & command) == 0)
            continue;
        ww_buf_printf(out, "- **`--%s%s%s`**: %s", o->name, o->arg == NULL ? "" : " ",
                      o->arg == NULL ? "" : o->arg, o->help);
        if (o->dflt != NULL)
            ww_buf_printf(out, ". Default: `%s`", o->dflt);
        ww_buf_add_c(out, ".\n");
        if (o->text != NULL) {
            ww_str rest = ww_str_c(o->text);
            ww_str line;

            while (ww_str_cut(&rest, '\n', &line))
                ww_buf_printf(out, "  " WW_STRF "\n", WW_STRV(line));
        }
    }
}
