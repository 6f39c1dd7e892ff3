/* Where the values come from: defaults, the environment, the arguments. */
#include "opts.h"
#include "suggest.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static const struct option_row *find(unsigned command, ww_str name)
{
    for (const struct option_row *o = options_table; o->name != NULL; o++)
        if ((o->commands & command) != 0 && ww_str_eq(name, ww_str_c(o->name)))
            return o;
    return NULL;
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
    if (option_set(c, o, value, err) < 0)
        return ww_err_wrap(err, "%s%s", prefix, o->name);
    return WW_OK;
}

const char *option_default(unsigned command, const struct option_row *o)
{
    return (command & FOR_GATE) != 0 && o->gate_dflt != NULL ? o->gate_dflt : o->dflt;
}

static int set_defaults(unsigned command, struct config *c, struct ww_err *err)
{
    for (const struct option_row *o = options_table; o->name != NULL; o++) {
        const char *dflt = option_default(command, o);

        /* 0 is a proper default where option_set() would refuse it from a user. */
        if (dflt != NULL && set_named(c, o, ww_str_c(dflt), "default of --", err) < 0)
            return err->code;
    }
    return WW_OK;
}

const char *option_variable(const struct option_row *o, char name[64])
{
    int n = snprintf(name, 64, "WHICHWORKER_%s", o->name);

    for (int i = 0; i < n; i++)
        name[i] = (char)(name[i] == '-' ? '_' : toupper((unsigned char)name[i]));
    return name;
}

static struct option_origin *origin_of(struct config *c, const struct option_row *o)
{
    return &c->origin[o - options_table];
}

static int read_environment(unsigned command, struct config *c, struct ww_err *err)
{
    for (const struct option_row *o = options_table; o->name != NULL; o++) {
        char name[64];
        const char *value = getenv(option_variable(o, name));

        if (value == NULL || o->ask || (o->commands & command) == 0)
            continue;
        if (option_set(c, o, ww_str_c(value), err) < 0)
            return ww_err_wrap(err, "environment variable %s", name);
        origin_of(c, o)->from = FROM_ENVIRONMENT;
    }
    return WW_OK;
}

/* -q, -h, -o FILE. */
static const struct option_row *find_letter(unsigned command, ww_str word)
{
    for (const struct option_row *o = options_table; o->name != NULL && word.len == 2; o++)
        if ((o->commands & command) != 0 && o->letter == word.ptr[1])
            return o;
    return NULL;
}

static int read_option(unsigned command, char **argv, int *i, int argc, struct config *c,
                       struct ww_err *err)
{
    bool is_letter = argv[*i][1] != '-';
    ww_str value = ww_str_c(argv[*i] + 2);
    ww_str name = { 0 };

    if (is_letter)
        value = (ww_str){ 0 };
    else
        ww_str_cut(&value, '=', &name);

    const struct option_row *o =
        is_letter ? find_letter(command, ww_str_c(argv[*i])) : find(command, name);

    if (o == NULL && is_letter)
        return ww_err_set(err, WW_EUSAGE, "'%s' is not an option: options begin with --",
                          argv[*i]);
    if (o == NULL)
        return unknown(command, name, err);
    if (o->type == OPT_BOOL && value.ptr == NULL)
        value = WW_STR("1");
    if (value.ptr == NULL && *i + 1 < argc)
        value = ww_str_c(argv[++*i]);
    if (value.ptr == NULL)
        return ww_err_set(err, WW_EUSAGE, "--%s wants a value: --%s %s", o->name, o->name,
                          o->arg);
    origin_of(c, o)->from = FROM_ARGUMENTS;
    return set_named(c, o, value, "--", err);
}

/* Only show has more than one. */
static bool add_operand(unsigned command, const char *word, struct config *c)
{
    size_t max = (command & FOR_SHOW) != 0 ? 2 : 0;

    if (c->operand != NULL && c->more_operands == max)
        return false;
    if (c->operand == NULL)
        c->operand = word;
    else
        c->more_operand[c->more_operands++] = word;
    return true;
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
            if (!add_operand(command, argv[i], c))
                return ww_err_set(err, WW_EUSAGE, "'%s' is one argument too many", argv[i]);
        } else if (ww_str_eq(word, WW_STR("--"))) {
            options_over = true;
        } else if (read_option(command, argv, &i, argc, c, err) < 0) {
            return err->code;
        }
    }
    return WW_OK;
}

/* ---- the configuration file */

static const struct option_row *row_of(ww_str name)
{
    const struct option_row *o = options_table;

    while (!ww_str_eq(name, ww_str_c(o->name)))
        o++;
    return o;
}

/* Every value is checked; those of other commands' options go no further. */
static int take_file(unsigned command, struct config *c, struct ww_err *err)
{
    struct config *other = ww_xcalloc(1, sizeof(*other));
    int status = WW_OK;

    for (size_t i = 0; status == WW_OK && i < c->conf->options; i++) {
        const struct conf_option *value = &c->conf->option[i];
        const struct option_row *o = row_of(value->name);
        bool ours = (o->commands & command) != 0;

        status = option_set(ours ? c : other, o, value->value, err);
        if (status < 0)
            ww_err_wrap(err, "%s:%u: %s", c->conf->path, value->line, o->name);
        else if (ours)
            *origin_of(c, o) = (struct option_origin){ FROM_FILE, value->line };
    }
    free(other);
    c->judge.rule = c->conf->rule;
    c->judge.rules = c->conf->rules;
    c->judge.sessions.carrier = c->conf->carrier;
    c->judge.sessions.carriers = c->conf->carriers;
    c->live_sessions = c->judge.sessions;
    c->live_sessions.carrier = c->conf->live_carrier;
    return status;
}

static int read_file(unsigned command, const struct config *asked, struct config *c,
                     struct ww_err *err)
{
    const char *variable = getenv("WHICHWORKER_CONFIG");
    const char *path = asked->config_file.ptr != NULL ? asked->config_file.ptr : variable;

    if (asked->no_config || asked->help || asked->version || command == FOR_HELP)
        return WW_OK;
    if ((path == NULL || path[0] == '\0') && conf_found(&c->conf_why)) {
        path = CONF_NAME;
        c->conf_unasked = true;
    }
    if (path == NULL || path[0] == '\0')
        return WW_OK;
    c->conf = conf_read(path, err);
    c->conf_wrong = c->conf == NULL || take_file(command, c, err) < 0;
    return c->conf_wrong ? err->code : WW_OK;
}

/* The arguments say which file is read before them: they are looked at twice. What is wrong
 * with them is said the second time. */
int options_parse(unsigned command, int argc, char **argv, struct config *out,
                  struct ww_err *err)
{
    struct config *asked = ww_xcalloc(1, sizeof(*asked));
    struct ww_err ignored = { 0 };
    int status;

    *out = (struct config){ 0 };
    status = read_arguments(command, argc, argv, asked, &ignored);
    if (status == WW_OK &&
        (set_defaults(command, out, err) < 0 || read_file(command, asked, out, err) < 0 ||
         read_environment(command, out, err) < 0))
        status = err->code;
    else
        status = read_arguments(command, argc, argv, out, err);
    free(asked);
    return status;
}

void options_release(struct config *c)
{
    conf_free(c->conf);
    c->conf = NULL;
}
