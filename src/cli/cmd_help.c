/* help: the manual of a command, of the program, or of all of it as Markdown. */
#include "command.h"
#include "conf.h"

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
    ww_buf_add_c(out, command_proxy.examples);
    ww_buf_add_c(out, command_run.examples);
    ww_buf_add_c(out, command_report.examples);
    ww_buf_add_c(
        out,
        "\n'whichworker COMMAND --help' says more about a command. Each option can also be\n"
        "set in the environment: --connect-timeout is WHICHWORKER_CONNECT_TIMEOUT.\n");
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

static int help_run(const struct config *c, struct ww_err *err)
{
    const struct command *about =
        c->operand == NULL ? NULL : command_find(ww_str_c(c->operand));
    struct ww_buf out;

    bool config = c->operand != NULL && ww_str_eq(ww_str_c(c->operand), WW_STR("config"));

    if (c->operand != NULL && about == NULL && !config)
        return ww_err_set(err, WW_EUSAGE, "there is no command '%s'", c->operand);
    ww_buf_init(&out, 1 << 20);
    if (config)
        conf_markdown(&out);
    else if (c->markdown)
        manual(&out);
    else
        command_help_text(about, &out);

    bool written = write_all(STDOUT_FILENO, ww_buf_str(&out));

    ww_buf_release(&out);
    return written ? EXIT_PASS : EXIT_CANNOT;
}

const struct command command_help = {
    .name = "help",
    .bit = FOR_HELP,
    .help = "explain a command",
    .synopsis = "help [COMMAND]",
    .text = "Explains a command, or lists all of them.",
    .examples = "  whichworker help proxy\n",
    .run = help_run,
};
