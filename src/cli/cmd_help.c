/* help: the manual of a command, of the program, or of all of it as Markdown. */
#include "command.h"
#include "conf.h"
#include "help.h"
#include "suggest.h"

#include <unistd.h>

/* Whether a command writes reports, and so wants the formats explained. */
static bool has_reports(const struct command *cmd)
{
    for (const struct option_row *o = options_table; o->name != NULL; o++) {
        if (o->type == OPT_REPORTS && (o->commands & cmd->bit) != 0)
            return true;
    }
    return false;
}

static void formats_help(struct ww_buf *out)
{
    ww_buf_add_c(out, "\nFormats of --format and --report:\n");
    for (const struct ww_report_format *f = ww_report_formats; f->name != NULL; f++)
        ww_buf_printf(out, "  %-9s %s\n", f->name, f->help);
}

static void formats_markdown(struct ww_buf *out)
{
    ww_buf_add_c(out, "\n| format | files | |\n|---|---|---|\n");
    for (const struct ww_report_format *f = ww_report_formats; f->name != NULL; f++)
        ww_buf_printf(out, "| `%s` | `.%s`, %s | %s |\n", f->name, f->extension, f->mime,
                      f->help);
}

void command_help_text(const struct command *cmd, struct ww_buf *out)
{
    if (cmd != NULL) {
        ww_buf_printf(out, "Usage: whichworker %s\n\n%s\n\nExamples:\n%s\nOptions:\n",
                      cmd->synopsis, cmd->text, cmd->examples);
        options_help(cmd->bit, out);
        if (has_reports(cmd))
            formats_help(out);
        return;
    }
    ww_buf_add_c(
        out, "whichworker tells which worker process served a request, and whether a client\n"
             "just saw two workers disagree.\n\nUsage: whichworker COMMAND [options]\n\n"
             "Commands:\n");
    for (size_t i = 0; commands[i] != NULL; i++)
        ww_buf_printf(out, "  %-8s %s\n", commands[i]->name, commands[i]->help);
    ww_buf_add_c(out, "\nExamples:\n");
    for (size_t i = 0; commands[i] != &command_help; i++) {
        ww_str rest = ww_str_c(commands[i]->examples);
        ww_str first;

        if (ww_str_cut(&rest, '\n', &first))
            ww_buf_printf(out, WW_STRF "\n", WW_STRV(first));
    }
    ww_buf_add_c(
        out,
        "\n'whichworker COMMAND --help' says more about a command. Each option can also be\n"
        "set in the environment: --connect-timeout is WHICHWORKER_CONNECT_TIMEOUT; and in a\n"
        "file, with rules for the judge: 'whichworker help config'.\n");
}

static void manual(struct ww_buf *out)
{
    ww_buf_add_c(
        out, "# Commands and options\n\n<!-- Made by `whichworker help --markdown`. -->\n\n"
             "A time is a number with `ms`, `s`, `m` or `h`; a size is a number of bytes, or\n"
             "with `k`, `M` or `G`. Each option can also be set in the environment, as in\n"
             "`WHICHWORKER_CONNECT_TIMEOUT=2s`; an argument comes before it.\n");
    for (size_t i = 0; commands[i] != NULL; i++) {
        ww_buf_printf(out, "\n## `whichworker %s`\n\n%s\n\n```sh\n%s```\n\n",
                      commands[i]->synopsis, commands[i]->text, commands[i]->examples);
        options_markdown(commands[i]->bit, out);
        if (has_reports(commands[i]))
            formats_markdown(out);
    }
}

static const char *next_topic(const void *ctx, size_t i)
{
    (void)ctx;
    return i == 0 ? "config" : commands[i - 1] == NULL ? NULL : commands[i - 1]->name;
}

static int no_topic(ww_str word, struct ww_err *err)
{
    const char *meant = closest(word, next_topic, NULL);

    if (meant != NULL)
        return ww_err_set(err, WW_EUSAGE,
                          "there is no command '" WW_STRF "'; did you mean '%s'?",
                          WW_STRV(word), meant);
    return ww_err_set(err, WW_EUSAGE, "there is no command '" WW_STRF "'", WW_STRV(word));
}

static int compose(const struct config *c, struct ww_buf *out, struct ww_err *err)
{
    ww_str word = ww_str_c(c->operand);
    const struct command *about = c->operand == NULL ? NULL : command_find(word);

    if (c->completions.ptr != NULL)
        return help_completions(c->completions, out, err);
    if (c->man)
        help_man(out);
    else if (c->markdown)
        manual(out);
    else if (ww_str_eq(word, WW_STR("config")))
        conf_markdown(out);
    else if (c->operand != NULL && about == NULL)
        return no_topic(word, err);
    else
        command_help_text(about, out);
    return WW_OK;
}

static int help_run(const struct config *c, struct ww_err *err)
{
    struct ww_buf out;

    ww_buf_init(&out, 1 << 20);

    int status = compose(c, &out, err);

    if (status == WW_OK)
        status = write_all(STDOUT_FILENO, ww_buf_str(&out)) ? EXIT_PASS : EXIT_CANNOT;
    ww_buf_release(&out);
    return status;
}

const struct command command_help = {
    .name = "help",
    .bit = FOR_HELP,
    .help = "explain a command",
    .synopsis = "help [options] [COMMAND|config]",
    .text = "Explains a command or the configuration file, or lists all commands. Prints the "
            "manual in\n"
            "other forms, and completions for a shell.",
    .examples = "  whichworker help proxy\n"
                "  whichworker help config\n"
                "  whichworker help --man | man -l -\n"
                "  source <(whichworker help --completions bash)\n",
    .run = help_run,
};
