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

static int set_defaults(struct config *c, struct ww_err *err)
{
    for (const struct option_row *o = options_table; o->name != NULL; o++) {
        /* 0 is a proper default where option_set() would refuse it from a user. */
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
        if (option_set(c, o, ww_str_c(value), err) < 0)
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
        } else if (ww_str_eq(word, WW_STR("-o")) && (command & FOR_REPORT) != 0) {
            if (i + 1 >= argc)
                return ww_err_set(err, WW_EUSAGE, "-o wants a value: -o FILE");
            c->output = ww_str_c(argv[++i]);
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
