/* Finds the command, parses its options, runs it, and turns errors into words and a status. */
#include "command.h"
#include "suggest.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

const struct command *const commands[] = { &command_proxy,  &command_run,  &command_gate,
                                           &command_report, &command_show, &command_doctor,
                                           &command_help,   NULL };

const struct command *command_find(ww_str name)
{
    for (size_t i = 0; commands[i] != NULL; i++)
        if (ww_str_eq(name, ww_str_c(commands[i]->name)))
            return commands[i];
    return NULL;
}

static int status_of(int code)
{
    switch ((enum ww_code)code) {
    case WW_OK:
        return EXIT_PASS;
    case WW_EUSAGE:
    case WW_EINPUT:
    case WW_ENOTFOUND:
        return EXIT_USAGE;
    case WW_ESYSTEM:
    case WW_ELIMIT:
        return EXIT_CANNOT;
    }
    return EXIT_CANNOT;
}

/* Lines that begin with four blanks stay lines: a text, and a caret under it. */
static void put_sentence(struct ww_buf *out, ww_str text)
{
    ptrdiff_t at;

    while ((at = ww_str_find(text, WW_STR("\n    "))) >= 0) {
        ww_buf_add_printable(out, ww_str_upto(text, (size_t)at));
        ww_buf_add_char(out, '\n');
        text = ww_str_from(text, (size_t)at + 1);
    }
    ww_buf_add_printable(out, text);
    ww_buf_add_char(out, '\n');
}

/* hint: what explains it, behind "whichworker". */
static int complain(const char *hint, const struct ww_err *err)
{
    struct ww_buf out;

    ww_buf_init(&out, 4096);
    ww_buf_add_c(&out, "whichworker: ");
    put_sentence(&out, ww_str_c(err->text));
    if (err->code == WW_EUSAGE)
        ww_buf_printf(&out, "Try 'whichworker %s'.\n", hint);
    write_all(STDERR_FILENO, ww_buf_str(&out));
    ww_buf_release(&out);
    return status_of(err->code);
}

static int print_help(const struct command *cmd)
{
    struct ww_buf out;

    ww_buf_init(&out, 1 << 20);
    command_help_text(cmd, &out);

    bool written = write_all(STDOUT_FILENO, ww_buf_str(&out));

    ww_buf_release(&out);
    return written ? EXIT_PASS : EXIT_CANNOT;
}

static int print_version(void)
{
    return write_all(STDOUT_FILENO, WW_STR("whichworker " WW_VERSION "\n")) ? EXIT_PASS
                                                                            : EXIT_CANNOT;
}

static int print_config(const struct command *cmd, const struct config *c)
{
    struct ww_buf out;

    ww_buf_init(&out, 1 << 22);
    options_print(cmd->bit, c, &out);

    bool written = write_all(STDOUT_FILENO, ww_buf_str(&out));

    ww_buf_release(&out);
    return written ? EXIT_PASS : EXIT_CANNOT;
}

/* A file that nobody named changes what the program does: so it is said. */
static void say_config(const struct config *c)
{
    if (c->conf_why != NULL)
        fprintf(stderr, "whichworker: ./" CONF_NAME " is not read: %s; --config reads it\n",
                c->conf_why);
    else if (c->conf_unasked && !c->quiet)
        fprintf(stderr, "whichworker: using ./" CONF_NAME "\n");
}

static int run(const struct command *cmd, int argc, char **argv)
{
    struct ww_err err = { 0 };
    struct config config;
    char hint[64];
    int status = options_parse(cmd->bit, argc, argv, &config, &err);

    if (status == WW_OK && config.version) {
        status = print_version();
    } else if (status == WW_OK && config.help) {
        status = print_help(cmd);
    } else if (status == WW_OK && config.print_config) {
        status = print_config(cmd, &config);
    } else if (status == WW_OK) {
        say_config(&config);
        status = cmd->run(&config, &err);
    }
    options_release(&config);
    if (status >= 0)
        return status;
    snprintf(hint, sizeof(hint), "%s --help", cmd->name);
    return complain(config.conf_wrong ? "help config" : hint, &err);
}

static const char *next_command(const void *ctx, size_t i)
{
    (void)ctx;
    return commands[i] == NULL ? NULL : commands[i]->name;
}

static int no_command(ww_str word)
{
    struct ww_err err = { 0 };
    const char *meant = closest(word, next_command, NULL);

    if (meant != NULL)
        ww_err_set(&err, WW_EUSAGE, "there is no command '" WW_STRF "'; did you mean '%s'?",
                   WW_STRV(word), meant);
    else
        ww_err_set(&err, WW_EUSAGE, "there is no command '" WW_STRF "'", WW_STRV(word));
    return complain("--help", &err);
}

int main(int argc, char **argv)
{
    ww_str word = ww_str_c(argc > 1 ? argv[1] : "--help");

    signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an error of write, not our death */
    if (ww_str_eq(word, WW_STR("--version")))
        return print_version();
    if (ww_str_eq(word, WW_STR("--help")) || ww_str_eq(word, WW_STR("-h")))
        return argc > 1 ? print_help(NULL) : (print_help(NULL), EXIT_USAGE);

    const struct command *cmd = command_find(word);

    return cmd == NULL ? no_command(word) : run(cmd, argc - 2, argv + 2);
}
